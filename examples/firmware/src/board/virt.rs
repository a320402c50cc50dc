//! QEMU's RISC-V machine "virt": a core without compare-and-swap, a 16550 UART and the CLINT's timer.

use clewline_core::TickSource;
use riscv::interrupt::Interrupt;
use riscv::register::{mie, mstatus};

use super::{read, write};

/// The model's name.
pub(crate) const NAME: &str = "riscv-virt";
const HERTZ: u32 = 10_000_000;
const TIMER_PERIOD: u64 = HERTZ as u64 / 1000;

const UART_DATA: *mut u8 = 0x1000_0000 as *mut u8;
const UART_STATUS: *const u8 = 0x1000_0005 as *const u8;
const TIME_LOW: usize = 0x0200_bff8;
const TIME_HIGH: usize = 0x0200_bffc;
const COMPARE_LOW: usize = 0x0200_4000;
const COMPARE_HIGH: usize = 0x0200_4004;

/// This board's ticks.
#[derive(Clone, Copy)]
pub(crate) struct Ticks;

impl TickSource for Ticks {
    fn ticks(&self) -> u64 {
        loop {
            // SAFETY: registers without side effects.
            let (high, low, again) = unsafe { (read(TIME_HIGH), read(TIME_LOW), read(TIME_HIGH)) };
            if high == again {
                return u64::from(high) << 32 | u64::from(low);
            }
        }
    }

    fn ticks_per_second(&self) -> u32 {
        HERTZ
    }
}

#[riscv_rt::entry]
fn main() -> ! {
    crate::app::run(Board::new())
}

fn set_timer() {
    let at = Ticks.ticks() + TIMER_PERIOD;
    // SAFETY: the compare register; its upper half is set out of reach first, so that no half-set time fires.
    unsafe {
        write(COMPARE_HIGH, u32::MAX);
        write(COMPARE_LOW, at as u32);
        write(COMPARE_HIGH, (at >> 32) as u32);
    }
}

#[riscv_rt::core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    static mut COUNT: u32 = 0;
    set_timer();
    // SAFETY: only this interrupt, which does not interrupt itself, uses the count.
    let count = unsafe {
        COUNT = COUNT.wrapping_add(1);
        COUNT
    };
    crate::app::on_timer(count);
}

/// This board's devices.
pub(crate) struct Board(());

impl Board {
    /// Starts the timer; the UART runs.
    pub(crate) fn new() -> Self {
        set_timer();
        // SAFETY: the timer's handler is in place, and nothing relies on interrupts being off.
        unsafe {
            mie::set_mtimer();
            mstatus::set_mie();
        }
        Self(())
    }

    /// How often this board was booted before, since it has power.
    pub(crate) fn boot_count(&mut self) -> u32 {
        super::count_boot()
    }

    /// The next byte from the host.
    pub(crate) fn receive(&mut self) -> Option<u8> {
        // SAFETY: bit 0 of the line status says that there is a byte; reading takes it.
        unsafe { (UART_STATUS.read_volatile() & 1 != 0).then(|| UART_DATA.read_volatile()) }
    }

    /// Sends a byte, when there is room for it.
    pub(crate) fn send(&mut self, byte: u8) {
        // SAFETY: bit 5 of the line status says that the transmit buffer is empty.
        unsafe {
            while UART_STATUS.read_volatile() & 0x20 == 0 {}
            UART_DATA.write_volatile(byte);
        }
    }

    /// Sleeps until the next interrupt.
    pub(crate) fn wait(&mut self) {
        riscv::asm::wfi();
    }
}
