//! Counts instructions and stack on the emulated board, and tells the host.

use core::hint::black_box;

use cortex_m::Peripherals;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;

/// The board runs at 25 MHz of virtual time, and the emulator counts one instruction per nanosecond.
const INSTRUCTIONS_PER_TICK: u32 = 40;
/// How often something is done in a row: as often as there is room for what it leaves behind.
pub const TIMES: usize = 16;
/// And how often that, so that the length of a tick does not matter.
const ROUNDS: u32 = 64;
const STACK_MARK: u32 = 0x5afe_57ac;
/// How much stack is looked at.
const STACK_WORDS: usize = 1024;

/// Starts the counter and the line.
pub fn start() {
    if let Some(mut peripherals) = Peripherals::take() {
        peripherals.SYST.set_clock_source(SystClkSource::Core);
        peripherals.SYST.set_reload(0x00ff_ffff);
        peripherals.SYST.clear_current();
        peripherals.SYST.enable_counter();
    }
    // SAFETY: registers of UART 0 (16 is its smallest divider, 1 turns sending on) and of timer 0, which counts down freely.
    unsafe {
        (0x4000_4010 as *mut u32).write_volatile(16);
        (0x4000_4008 as *mut u32).write_volatile(1);
        (0x4000_0008 as *mut u32).write_volatile(u32::MAX);
        (0x4000_0004 as *mut u32).write_volatile(u32::MAX);
        (0x4000_0000 as *mut u32).write_volatile(1);
    }
}

#[inline(never)]
fn ticks(work: fn(), afterwards: fn()) -> u32 {
    let work = black_box(work);
    let mut ticks = 0;
    for _ in 0..ROUNDS {
        let before = SYST::get_current();
        for _ in 0..TIMES {
            work();
        }
        ticks += before.wrapping_sub(SYST::get_current()) & 0x00ff_ffff;
        afterwards();
    }
    ticks
}

/// How many instructions `work` takes, calling it aside. Every few times, `afterwards` clears up, which is not counted.
pub fn instructions(name: &str, work: fn(), afterwards: fn()) {
    let calling = ticks(|| {}, || {});
    let ticks = ticks(work, afterwards).saturating_sub(calling);
    say(name, (ticks * INSTRUCTIONS_PER_TICK).div_ceil(ROUNDS * TIMES as u32));
}

/// How many bytes of stack `work` takes.
#[inline(never)]
pub fn stack(name: &str, work: fn()) {
    let work = black_box(work);
    let here = cortex_m::register::msp::read() as usize;
    let lowest = (here - STACK_WORDS * 4) as *mut u32;
    for word in 0..STACK_WORDS {
        // SAFETY: below the stack pointer and far above anything else; no interrupt is on.
        unsafe { lowest.add(word).write_volatile(STACK_MARK) };
    }
    work();
    // SAFETY: as above.
    let untouched =
        (0..STACK_WORDS).take_while(|&word| unsafe { lowest.add(word).read_volatile() } == STACK_MARK).count();
    let used = (STACK_WORDS - untouched) * 4;
    say(name, used as u32);
}

/// Tells the host a number.
pub fn say(name: &str, number: u32) {
    name.bytes().for_each(put);
    put(b' ');
    let mut divisor = 1_000_000;
    let mut has_begun = false;
    while divisor > 0 {
        let digit = (number / divisor % 10) as u8;
        has_begun |= digit > 0 || divisor == 1;
        if has_begun {
            put(b'0' + digit);
        }
        divisor /= 10;
    }
    put(b'\n');
}

fn put(byte: u8) {
    // SAFETY: registers of UART 0; bit 0 of its state says that it is full.
    unsafe {
        while (0x4000_4004 as *const u32).read_volatile() & 1 != 0 {}
        (0x4000_4000 as *mut u32).write_volatile(byte.into());
    }
}

/// Ends the emulator (Arm semihosting, SYS_EXIT with ADP_Stopped_ApplicationExit).
pub fn end() -> ! {
    loop {
        // SAFETY: the emulator takes the two registers and ends.
        unsafe { core::arch::asm!("bkpt 0xab", in("r0") 0x18, in("r1") 0x2_0026) };
    }
}
