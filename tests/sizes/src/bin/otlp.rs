//! The encoder of the OTLP form: a span, recorded and written, without tracer, ring and framing.
#![no_std]
#![no_main]

use clewline_core::{InlineSpan, SpanContext, SpanId, SpanKind, SpanLimits, SpanStart, TraceFlags, TraceId};
use sizes::work::Names;

const LINE: *mut u32 = 0x4000_4000 as *mut u32;

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        // SAFETY: the data register of UART 0.
        let input = unsafe { LINE.read_volatile() };
        let ids = (TraceId::from_bytes([input as u8; 16]), SpanId::from_bytes([input as u8; 8]));
        let (Some(trace_id), Some(span_id)) = ids else { continue };
        let start = SpanStart {
            context: SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED),
            parent: None,
            name: Names::READ,
            kind: SpanKind::Internal,
            start_time: input.into(),
            trace_state: "",
            limits: SpanLimits::DEFAULT,
        };
        let mut span = InlineSpan::<192>::new(heapless::Vec::new(), &start);
        span.set(Names::ID, input).set(Names::READING, input).set(Names::UNIT, Names::CELSIUS);
        drop(span.event(Names::RANGE, input.into()));
        let mut out = heapless::Vec::<u8, 300>::new();
        if span.write_to(input.into(), out.as_mut_view()).is_ok() {
            // SAFETY: as above.
            out.iter().for_each(|&byte| unsafe { LINE.write_volatile(byte.into()) });
        }
    }
}
