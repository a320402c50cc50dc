//! Counts instructions and stack of the OTLP form that is made for few bytes of code, and tells the host. A program of its own, as
//! what else a program does changes what the compiler makes of this.
#![no_std]
#![no_main]

use core::cell::RefCell;
use core::hint::black_box;

use clewline_core::direct::DirectSpan;
use clewline_core::{SpanContext, SpanId, SpanKind, SpanView, TickSource, TraceFlags, TraceId};
use cortex_m::interrupt::Mutex;
use sizes::meter::{self, instructions, stack};
use sizes::work::{CONTEXT, SmallSpan, Ticks, three_and_event_direct};

static SPAN: Mutex<RefCell<SmallSpan>> = Mutex::new(RefCell::new(SmallSpan::new()));

fn record() {
    cortex_m::interrupt::free(|section| {
        if let Ok(mut span) = SPAN.borrow(section).try_borrow_mut()
            && let Some(context) = CONTEXT.get()
        {
            let times = (Ticks.ticks(), Ticks.ticks());
            black_box(three_and_event_direct(&mut span, &context, times, black_box((7, 21_500))));
        }
    });
}

/// Whether what a chip writes by other code than a host is right: a value that replaces another, and lengths of two bytes.
fn is_right() -> bool {
    let mut span = DirectSpan::<350>::new();
    let Some(context) = CONTEXT.get() else { return false };
    let long = black_box([b'x'; 130]);
    span.start(&context, Some(&context), SpanKind::Client, b"read sensor");
    for (key, number) in black_box([(&b"a"[..], -1), (b"bb", 300), (b"a", i64::MIN), (b"bb", 7)]) {
        span.set(key, |buffer, tag| buffer.attribute(tag, key, |value| value.integer(number)));
    }
    span.event(b"long", 5, |buffer, tag| u32::from(!buffer.attribute(tag, b"text", |value| value.string(&long))));
    span.event(b"no room", 6, |buffer, tag| u32::from(!buffer.attribute(tag, b"text", |value| value.string(&long))));
    let Ok(view) = SpanView::parse(span.end(1, 2)) else { return false };
    let number = |key| view.attributes().get(key).and_then(|value| value.as_i64());
    let event = view.events().next();
    let text = event.and_then(|event| event.attributes().get("text"));
    let refused = view.events().nth(1).map(|event| event.dropped_attributes_count());
    (view.trace_id(), view.parent_span_id()) == (context.trace_id(), Some(context.span_id()))
        && (view.name(), view.kind(), view.end_time_unix_nano()) == ("read sensor", SpanKind::Client, 2)
        && (view.attributes().count(), number("a"), number("bb")) == (2, Some(i64::MIN), Some(7))
        && text.and_then(|text| text.as_str()).map(str::as_bytes) == Some(&long)
        && refused == Some(1)
}

#[cortex_m_rt::entry]
fn main() -> ! {
    meter::start();
    let ids = (TraceId::from_bytes([0x7a; 16]), SpanId::from_bytes([0x5b; 8]));
    if let (Some(trace_id), Some(span_id)) = ids {
        CONTEXT.set(Some(SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED)));
    }
    instructions("direct-3-attributes-1-event", record, || {});
    stack("stack-direct", record);
    meter::say("wrong", u32::from(!is_right()));
    meter::say("end", 0);
    meter::end()
}
