//! The work: a sensor loop with nested spans, and a span of the timer's interrupt.

use clewline_core::shared::{Keep, SharedContext, SharedIds, SpanRing};
use clewline_core::{AlwaysOn, Compact, ParentBased, SpanKind, TickClock, TickSource, Tracer};

use crate::board::{self, Board, Ticks};
use crate::line::Line;
use crate::names::Names;

/// What was recorded and not sent yet. In a `static` of its own, as that is empty and so takes no flash.
static RING: SpanRing<48, 16, Compact<Names>> = SpanRing::new(Keep::Newest);

/// The tracer of main code and interrupts.
static TRACER: Tracer<TickClock<Ticks>, SharedIds, ParentBased<AlwaysOn>, &'static SpanRing<48, 16, Compact<Names>>> =
    Tracer::new(TickClock(Ticks), SharedIds::new([0, 0]), ParentBased::new(AlwaysOn), &RING);

/// The context that the host sent.
static CONTEXT: SharedContext = SharedContext::new();

/// The time between two readings.
const READINGS_PER_SECOND: u32 = 100;

/// Main code: reads when it is time, and talks to the host in between.
pub(crate) fn run(mut board: Board) -> ! {
    let boot = board.boot_count();
    TRACER.ids().seed_from(board::DEVICE, boot.into());
    let mut line = Line::new(boot);
    let mut next = 0;
    let mut reading = 0;
    loop {
        let now = Ticks.ticks();
        if now >= next {
            next = now + u64::from(Ticks.ticks_per_second() / READINGS_PER_SECOND);
            reading += 1;
            read_sensor(reading);
        }
        line.serve(&mut board, &RING, &CONTEXT);
        board.wait();
    }
}

/// The timer's interrupt.
pub(crate) fn on_timer(count: u32) {
    // One in ten is worth a span.
    if count % 10 == 0 {
        TRACER.span(Names::TIMER).child_of(CONTEXT.get()).start().set(Names::COUNT, count);
    }
}

fn read_sensor(count: u32) {
    let mut reading = TRACER.span(Names::READ_SENSOR).kind(SpanKind::Consumer).child_of(CONTEXT.get()).start();
    let raw = {
        let mut sample = TRACER.span(Names::SAMPLE).child_of(reading.context()).start();
        let raw = 500 + (count.wrapping_mul(2_654_435_761) >> 24);
        sample.set(Names::RAW, raw);
        raw
    };
    let milli_degrees = {
        let mut convert = TRACER.span(Names::CONVERT).child_of(reading.context()).start();
        let milli_degrees = raw * 35;
        if milli_degrees > 26_000 {
            convert.event(Names::OUT_OF_RANGE);
        }
        milli_degrees
    };
    reading.set(Names::SENSOR_ID, 7).set(Names::READING, milli_degrees).set(Names::UNIT, Names::CELSIUS);
}
