//! BBC micro:bit: Cortex-M0 without compare-and-swap (nRF51 Series Reference Manual 3.0, chapters 18 and 29).

use clewline_core::TickSource;
use clewline_core::shared::LongTicks;

use super::{cortex_m::start_timer, read, write};

/// The model's name.
pub(crate) const NAME: &str = "microbit";
const TICKS_PER_SECOND: u32 = 1_000_000;
const CORE_HERTZ: u32 = 16_000_000;

const UART: usize = 0x4000_2000;
const UART_START_RX: usize = UART;
const UART_START_TX: usize = UART + 0x8;
const UART_RX_READY: usize = UART + 0x108;
const UART_TX_READY: usize = UART + 0x11c;
const UART_ENABLE: usize = UART + 0x500;
const UART_RXD: usize = UART + 0x518;
const UART_TXD: usize = UART + 0x51c;
const TIMER: usize = 0x4000_8000;
const TIMER_START: usize = TIMER;
const TIMER_CAPTURE: usize = TIMER + 0x40;
const TIMER_BIT_MODE: usize = TIMER + 0x508;
const TIMER_PRESCALER: usize = TIMER + 0x510;
const TIMER_CAPTURED: usize = TIMER + 0x540;

/// The timer of 32 bits, counted on.
static TICKS: LongTicks<fn() -> u32> = LongTicks::new(
    // SAFETY: capturing copies the counter into a register that nothing else uses, within a critical section.
    || unsafe {
        write(TIMER_CAPTURE, 1);
        read(TIMER_CAPTURED)
    },
    TICKS_PER_SECOND,
);

/// This board's ticks.
#[derive(Clone, Copy)]
pub(crate) struct Ticks;

impl TickSource for Ticks {
    fn ticks(&self) -> u64 {
        TICKS.ticks()
    }

    fn ticks_per_second(&self) -> u32 {
        TICKS_PER_SECOND
    }
}

/// This board's devices.
pub(crate) struct Board {
    has_sent: bool,
}

impl Board {
    /// Starts UART, counter and timer.
    pub(crate) fn new() -> Self {
        // SAFETY: registers of the UART and of timer 0; neither touches memory.
        unsafe {
            write(UART_ENABLE, 4);
            write(UART_START_RX, 1);
            write(UART_START_TX, 1);
            write(TIMER_BIT_MODE, 3);
            write(TIMER_PRESCALER, 4);
            write(TIMER_START, 1);
        }
        start_timer(CORE_HERTZ / 1000);
        Self { has_sent: false }
    }

    /// How often this board was booted before, since it has power.
    pub(crate) fn boot_count(&mut self) -> u32 {
        super::count_boot()
    }

    /// The next byte from the host.
    pub(crate) fn receive(&mut self) -> Option<u8> {
        // SAFETY: the event says that there is a byte, and is cleared before it is taken, so that the next one sets it again.
        unsafe {
            if read(UART_RX_READY) == 0 {
                return None;
            }
            write(UART_RX_READY, 0);
            Some(read(UART_RXD) as u8)
        }
    }

    /// Sends a byte, when the one before has left.
    pub(crate) fn send(&mut self, byte: u8) {
        // SAFETY: the event says that the byte before has left.
        unsafe {
            while self.has_sent && read(UART_TX_READY) == 0 {}
            write(UART_TX_READY, 0);
            write(UART_TXD, byte.into());
        }
        self.has_sent = true;
    }

    /// Sleeps until the next interrupt.
    pub(crate) fn wait(&mut self) {
        cortex_m::asm::wfi();
    }
}
