//! The work that is measured: a tracer in either form, its spans, and the frames in which they leave.

use clewline_core::direct::DirectSpan;
use clewline_core::frame::FrameEncoder;
use clewline_core::shared::{Keep, SharedContext, SharedIds, SpanRing};
use clewline_core::{AlwaysOn, Compact, Form, Otlp, ParentBased, SpanContext, SpanKind, TickClock, TickSource, Tracer};

use crate::meter::TIMES;

clewline_core::string_table! {
    /// Keys and names.
    pub struct Names {
        ID = "sensor.id",
        READING = "sensor.reading.milli",
        UNIT = "sensor.unit",
        CELSIUS = "°C",
        READ = "read sensor",
        POLL = "poll",
        RANGE = "reading out of range",
    }
}

/// The board's free-running timer.
#[derive(Clone, Copy)]
pub struct Ticks;

impl TickSource for Ticks {
    #[inline]
    fn ticks(&self) -> u64 {
        // SAFETY: the timer's value register, which reading does not change.
        let value = unsafe { (0x4000_0004 as *const u32).read_volatile() };
        // A board that runs for a day: times as long as they are in practice.
        (0x12_u64 << 32) | u64::from(!value)
    }

    fn ticks_per_second(&self) -> u32 {
        25_000_000
    }
}

/// A tracer for main code and interrupts.
pub type ChipTracer<const SPAN: usize, const SPANS: usize, F> =
    Tracer<TickClock<Ticks>, SharedIds, ParentBased<AlwaysOn>, &'static SpanRing<SPAN, SPANS, F>>;

/// Makes one.
#[must_use]
pub const fn tracer<const SPAN: usize, const SPANS: usize, F: Form>(
    ring: &'static SpanRing<SPAN, SPANS, F>,
) -> ChipTracer<SPAN, SPANS, F> {
    Tracer::new(TickClock(Ticks), SharedIds::new([1, 2]), ParentBased::new(AlwaysOn), ring)
}

/// Large enough for what is done in a row. In a `static` of its own, as that is empty and so takes no flash.
static COMPACT_RING: SpanRing<48, TIMES, Compact<Names>> = SpanRing::new(Keep::Newest);
static OTLP_RING: SpanRing<192, TIMES, Otlp> = SpanRing::new(Keep::Newest);
/// In compact form.
pub static COMPACT: ChipTracer<48, TIMES, Compact<Names>> = tracer(&COMPACT_RING);
/// In OTLP form.
pub static OTLP: ChipTracer<192, TIMES, Otlp> = tracer(&OTLP_RING);
/// What the spans continue.
pub static CONTEXT: SharedContext = SharedContext::new();

/// A span with nothing in it.
#[inline]
pub fn bare<const SPAN: usize, const SPANS: usize, F: Form>(tracer: &ChipTracer<SPAN, SPANS, F>) {
    tracer.span(Names::POLL).child_of(CONTEXT.get()).start().end();
}

/// A span with three attributes.
#[inline]
pub fn three<const SPAN: usize, const SPANS: usize, F: Form>(tracer: &ChipTracer<SPAN, SPANS, F>) {
    let mut span = tracer.span(Names::READ).child_of(CONTEXT.get()).start();
    span.set(Names::ID, 7).set(Names::READING, 21_500).set(Names::UNIT, Names::CELSIUS);
}

/// A span with three attributes and an event.
#[inline]
pub fn three_and_event<const SPAN: usize, const SPANS: usize, F: Form>(tracer: &ChipTracer<SPAN, SPANS, F>) {
    let mut span = tracer.span(Names::READ).child_of(CONTEXT.get()).start();
    span.set(Names::ID, 7).set(Names::READING, 21_500).set(Names::UNIT, Names::CELSIUS);
    span.event(Names::RANGE);
}

/// A span of the OTLP form that is made for few bytes of code: lengths put right afterwards, no ring.
pub type SmallSpan = DirectSpan<220>;

/// A span with three attributes and an event in that form, which has no use for a table of texts. Answers its message.
#[inline]
pub fn three_and_event_direct<'s>(
    span: &'s mut SmallSpan,
    context: &SpanContext,
    (start, end): (u64, u64),
    (id, reading): (i64, i64),
) -> &'s [u8] {
    span.start(context, None, SpanKind::Internal, b"read sensor");
    set_integer(span, b"sensor.id", id);
    set_integer(span, b"sensor.reading.milli", reading);
    span.set(b"sensor.unit", |buffer, tag| {
        buffer.attribute(tag, b"sensor.unit", |value| value.string("°C".as_bytes()))
    });
    span.event(b"reading out of range", end, |_, _| 0);
    span.end(start, end)
}

#[inline(never)]
fn set_integer(span: &mut SmallSpan, key: &[u8], number: i64) {
    span.set(key, |buffer, tag| buffer.attribute(tag, key, |value| value.integer(number)));
}

/// Where the line makes its frames: once, not for every frame anew.
pub type Buffer = [u8; 100];

/// Puts the oldest span into a frame and gives it to `send`.
#[inline]
pub fn drain<const SPAN: usize, const SPANS: usize, F: Form>(
    tracer: &ChipTracer<SPAN, SPANS, F>,
    encoder: &mut FrameEncoder,
    buffer: &mut Buffer,
    send: impl FnOnce(&[u8]),
) {
    if let Some(frame) = encoder.encode_oldest(tracer.sink(), buffer) {
        send(frame);
    }
}
