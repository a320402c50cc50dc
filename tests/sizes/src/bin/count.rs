//! Counts instructions and stack of spans, draining and the OTLP form, and tells the host.
#![no_std]
#![no_main]

use core::cell::RefCell;
use core::hint::black_box;

use clewline_core::frame::FrameEncoder;
use clewline_core::{SpanContext, SpanId, TraceFlags, TraceId};
use cortex_m::interrupt::Mutex;
use sizes::meter::{self, TIMES, instructions, stack};
use sizes::work::{Buffer, COMPACT, CONTEXT, Names, OTLP, bare, drain, three, three_and_event};

static BUFFER: Mutex<RefCell<Buffer>> = Mutex::new(RefCell::new([0; 100]));

fn empty_ring() {
    let mut record = [0; 300];
    while COMPACT.sink().pop(&mut record).is_some() {}
    while OTLP.sink().pop(&mut record).is_some() {}
}

fn fill_ring() {
    for _ in 0..TIMES {
        three_and_event(&COMPACT);
    }
}

fn drain_one() {
    // Such as after days: numbers of usual length.
    static ENCODER: FrameEncoder = FrameEncoder::new(Names::FINGERPRINT, 1);
    cortex_m::interrupt::free(|section| {
        if let Ok(mut buffer) = BUFFER.borrow(section).try_borrow_mut() {
            drain(&COMPACT, &mut ENCODER.clone(), &mut buffer, |frame| {
                black_box(frame);
            });
        }
    });
}

#[cortex_m_rt::entry]
fn main() -> ! {
    meter::start();
    let ids = (TraceId::from_bytes([0x7a; 16]), SpanId::from_bytes([0x5b; 8]));
    if let (Some(trace_id), Some(span_id)) = ids {
        CONTEXT.set(Some(SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED).into_remote()));
    }
    instructions("span-bare", || bare(&COMPACT), empty_ring);
    instructions("span-3-attributes", || three(&COMPACT), empty_ring);
    instructions("span-3-attributes-1-event", || three_and_event(&COMPACT), empty_ring);
    fill_ring();
    instructions("drain", drain_one, fill_ring);
    empty_ring();
    instructions("otlp-3-attributes-1-event", || three_and_event(&OTLP), empty_ring);
    three_and_event(&COMPACT);
    stack("stack-span", || three_and_event(&COMPACT));
    stack("stack-drain", drain_one);
    stack("stack-otlp", || three_and_event(&OTLP));
    empty_ring();
    meter::say("dropped", COMPACT.sink().counts().dropped + OTLP.sink().counts().dropped);
    three_and_event(&COMPACT);
    let mut encoder = FrameEncoder::new(Names::FINGERPRINT, 1);
    let mut buffer = [0; 100];
    drain(&COMPACT, &mut encoder, &mut buffer, |frame| meter::say("wire", frame.len() as u32));
    meter::say("end", 0);
    meter::end()
}
