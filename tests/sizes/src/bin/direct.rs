//! The encoder of the OTLP form that is made for few bytes of code: a span, recorded and written.
#![no_std]
#![no_main]

use clewline_core::{SpanContext, SpanId, TraceFlags, TraceId};
use sizes::work::{SmallSpan, three_and_event_direct};

const LINE: *mut u32 = 0x4000_4000 as *mut u32;
static mut SPAN: SmallSpan = SmallSpan::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    // SAFETY: `main` runs once, and nothing else has it.
    let span = unsafe { &mut *(&raw mut SPAN) };
    loop {
        // SAFETY: the data register of UART 0.
        let input = unsafe { LINE.read_volatile() };
        let ids = (TraceId::from_bytes([input as u8; 16]), SpanId::from_bytes([input as u8; 8]));
        let (Some(trace_id), Some(span_id)) = ids else { continue };
        let context = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED);
        let times = (input.into(), input.into());
        let message = three_and_event_direct(span, &context, times, (input.into(), input.into()));
        // SAFETY: as above.
        message.iter().for_each(|&byte| unsafe { LINE.write_volatile(byte.into()) });
    }
}
