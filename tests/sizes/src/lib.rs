//! What the measured programs share: names, clock, and a panic handler that cannot be linked.
#![no_std]

pub mod meter;
pub mod work;

use core::panic::PanicInfo;

// Names the implementation of critical sections.
use cortex_m as _;

/// If a panic were reachable, linking would fail.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn a_panic_is_reachable() -> !;
    }
    // SAFETY: never linked, so never called.
    unsafe { a_panic_is_reachable() }
}
