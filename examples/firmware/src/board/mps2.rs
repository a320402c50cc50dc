//! Arm MPS2+ AN386: Cortex-M4 with the CMSDK's UART and timer (application note 386; CMSDK technical reference manual).

use clewline_core::TickSource;
use clewline_core::shared::LongTicks;

use super::{cortex_m::start_timer, read, write};

/// The model's name.
pub(crate) const NAME: &str = "mps2-an386";
const HERTZ: u32 = 25_000_000;

const UART: usize = 0x4000_4000;
const UART_DATA: usize = UART;
const UART_STATE: usize = UART + 0x4;
const UART_CONTROL: usize = UART + 0x8;
const UART_DIVIDER: usize = UART + 0x10;
const TIMER: usize = 0x4000_0000;
const TIMER_CONTROL: usize = TIMER;
const TIMER_VALUE: usize = TIMER + 0x4;
const TIMER_RELOAD: usize = TIMER + 0x8;

/// The timer of 32 bits, counted on.
static TICKS: LongTicks<fn() -> u32> = LongTicks::new(
    // SAFETY: a register without side effects. It counts down.
    || unsafe { !read(TIMER_VALUE) },
    HERTZ,
);

/// This board's ticks.
#[derive(Clone, Copy)]
pub(crate) struct Ticks;

impl TickSource for Ticks {
    fn ticks(&self) -> u64 {
        TICKS.ticks()
    }

    fn ticks_per_second(&self) -> u32 {
        HERTZ
    }
}

/// This board's devices.
pub(crate) struct Board(());

impl Board {
    /// Starts UART, counter and timer.
    pub(crate) fn new() -> Self {
        // SAFETY: registers of the UART and of the timer; neither touches memory.
        unsafe {
            write(UART_DIVIDER, 16);
            write(UART_CONTROL, 0b11);
            write(TIMER_RELOAD, u32::MAX);
            write(TIMER_VALUE, u32::MAX);
            write(TIMER_CONTROL, 1);
        }
        start_timer(HERTZ / 1000);
        Self(())
    }

    /// How often this board was booted before, since it has power.
    pub(crate) fn boot_count(&mut self) -> u32 {
        super::count_boot()
    }

    /// The next byte from the host.
    pub(crate) fn receive(&mut self) -> Option<u8> {
        // SAFETY: bit 1 of the state says that the data register holds a byte; reading takes it.
        unsafe { (read(UART_STATE) & 2 != 0).then(|| read(UART_DATA) as u8) }
    }

    /// Sends a byte, when there is room for it.
    pub(crate) fn send(&mut self, byte: u8) {
        // SAFETY: bit 0 of the state says that the transmit buffer is full.
        unsafe {
            while read(UART_STATE) & 1 != 0 {}
            write(UART_DATA, byte.into());
        }
    }

    /// Sleeps until the next interrupt.
    pub(crate) fn wait(&mut self) {
        cortex_m::asm::wfi();
    }
}
