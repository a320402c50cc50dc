//! What the two Arm boards share: start, timer interrupt, sleep.

use cortex_m::Peripherals;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::{entry, exception};

use super::Board;

#[entry]
fn main() -> ! {
    crate::app::run(Board::new())
}

/// Makes the timer interrupt come every `reload` cycles.
pub(super) fn start_timer(reload: u32) {
    if let Some(mut peripherals) = Peripherals::take() {
        peripherals.SYST.set_clock_source(SystClkSource::Core);
        peripherals.SYST.set_reload(reload - 1);
        peripherals.SYST.clear_current();
        peripherals.SYST.enable_interrupt();
        peripherals.SYST.enable_counter();
    }
}

#[exception]
fn SysTick() {
    static mut COUNT: u32 = 0;
    *COUNT = COUNT.wrapping_add(1);
    crate::app::on_timer(*COUNT);
}
