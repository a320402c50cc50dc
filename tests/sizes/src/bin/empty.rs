//! The empty program: what start-up alone takes.
#![no_std]
#![no_main]

use sizes as _;

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}
