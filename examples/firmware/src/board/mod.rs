//! The boards: each a UART, a counter and a timer interrupt, at the addresses of its manual.

#[cfg(any(feature = "mps2", feature = "microbit"))]
mod cortex_m;
#[cfg(feature = "microbit")]
mod microbit;
#[cfg(feature = "mps2")]
mod mps2;
#[cfg(feature = "virt")]
mod virt;

#[cfg(feature = "microbit")]
pub(crate) use microbit::{Board, NAME, Ticks};
#[cfg(feature = "mps2")]
pub(crate) use mps2::{Board, NAME, Ticks};
#[cfg(feature = "virt")]
pub(crate) use virt::{Board, NAME, Ticks};

/// The number that tells this device from others; real ones have it in a register.
pub(crate) const DEVICE: u64 = 0x0005_ea50_0001;

/// Reads a device register.
///
/// # Safety
/// `address` is a register of this board that may be read at any time.
unsafe fn read(address: usize) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { (address as *const u32).read_volatile() }
}

/// Writes a device register.
///
/// # Safety
/// `address` is a register of this board, and writing `value` there touches no memory.
unsafe fn write(address: usize, value: u32) {
    // SAFETY: the caller's promise.
    unsafe { (address as *mut u32).write_volatile(value) }
}

/// A count of boots that survives a reset, in memory that start-up code leaves alone.
fn count_boot() -> u32 {
    use core::mem::MaybeUninit;
    const MARK: u32 = 0xb007_c0de;
    #[unsafe(link_section = ".uninit.boots")]
    static mut BOOTS: MaybeUninit<[u32; 2]> = MaybeUninit::uninit();
    let boots = &raw mut BOOTS as *mut [u32; 2];
    // SAFETY: called once, before interrupts; volatile, as the content comes from outside the program: any bits are numbers.
    let [mark, count] = unsafe { boots.read_volatile() };
    let count = if mark == MARK { count.wrapping_add(1) } else { 0 };
    // SAFETY: as above.
    unsafe { boots.write_volatile([MARK, count]) };
    count
}
