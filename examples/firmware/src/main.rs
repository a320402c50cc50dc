//! A sensor in a trace: reads, converts, is interrupted by a timer, and sends its spans to the host over the UART.
//!
//! The host sends a context, and from then on every reading continues that trace. Nothing here waits for the line: spans are
//! recorded into a ring while work is done, and framed and sent when it is not.
#![no_std]
#![no_main]

mod app;
mod board;
mod line;
mod names;

use core::panic::PanicInfo;

/// The program has no path to a panic: this handler calls a function that does not exist, so if one were reachable, linking
/// would fail.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn a_panic_is_reachable() -> !;
    }
    // SAFETY: never linked, so never called.
    unsafe { a_panic_is_reachable() }
}
