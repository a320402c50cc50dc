//! What spans and events say about themselves if asked to: places in the source, threads, levels, targets, busy and idle time.

use std::time::Duration;

use tracing::{Instrument as _, info, info_span, instrument};

use crate::door::Door;
use crate::support::{Recorder, Value, int, named, own_pairs, pairs, text};

fn record_with(options: impl FnOnce(Door) -> Door, work: impl FnOnce()) -> Vec<crate::support::Span> {
    let recorder = Recorder::new();
    tracing::dispatcher::with_default(&recorder.dispatch_with(options), work);
    recorder.spans()
}

#[instrument]
fn charge() {
    info!("charged");
}

#[test]
fn nothing_is_said_unless_asked_for() {
    let spans = record_with(|door| door, charge);
    assert_eq!((pairs(&spans[0].attributes).len(), own_pairs(&spans[0].events[0]).len()), (0, 0));
}

#[test]
fn locations_follow_the_conventions() {
    let line = i64::from(line!()) - 10;
    let spans = record_with(
        |door| door.with_location(true),
        || {
            charge();
            drop(info_span!("GET /cart"));
        },
    );
    let charge = named(&spans, "charge");
    let found = pairs(&charge.attributes);
    let keys: Vec<&str> = found.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["code.file.path", "code.module.name", "code.line.number", "code.function.name"]);
    assert!(matches!(&found[0].1, Value::StringValue(path) if path.ends_with("options.rs")), "{found:?}");
    assert_eq!(found[1].1, text(module_path!()));
    assert!(matches!(found[2].1, Value::IntValue(found) if (found - line).abs() < 10), "{found:?} {line}");
    assert_eq!(found[3].1, text(concat!(module_path!(), "::charge")));
    let event = own_pairs(&charge.events[0]);
    let keys: Vec<&str> = event.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["code.file.path", "code.module.name", "code.line.number"]);
    let request = pairs(&named(&spans, "GET /cart").attributes);
    assert!(request.iter().all(|(key, _)| *key != "code.function.name"), "not the name of a function");
}

#[test]
fn the_log_crate_says_where_its_events_come_from() {
    let spans = record_with(
        |door| door.with_location(true),
        || {
            let _span = info_span!("work").entered();
            // What `tracing-log` makes of a record.
            info!(target: "log", { log.target = "hyper", log.file = "src/h1.rs", log.line = 17_u64 }, "flushed");
        },
    );
    let event = pairs(&spans[0].events[0].attributes);
    for expected in [("target", text("hyper")), ("code.file.path", text("src/h1.rs")), ("code.line.number", int(17))] {
        assert_eq!(event.iter().filter(|(key, _)| *key == expected.0).collect::<Vec<_>>(), [&expected]);
    }
}

#[test]
fn threads_levels_and_targets_are_those_of_the_start() {
    let all = |door: Door| door.with_threads(true).with_level(true).with_target(true);
    let spans = record_with(all, || {
        let here = tracing::dispatcher::get_default(Clone::clone);
        let start = move || tracing::dispatcher::with_default(&here, || info_span!("work"));
        let span = std::thread::Builder::new().name("worker-7".to_owned()).spawn(start).unwrap().join().unwrap();
        drop(span);
        drop(info_span!("elsewhere"));
    });
    let work = pairs(&named(&spans, "work").attributes);
    let keys: Vec<&str> = work.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["thread.id", "thread.name", "level", "target"]);
    assert_eq!(
        work[1..],
        [("thread.name", text("worker-7")), ("level", text("INFO")), ("target", text(module_path!()))]
    );
    let elsewhere = pairs(&named(&spans, "elsewhere").attributes);
    assert!(matches!(work[0].1, Value::IntValue(1..)));
    assert_ne!(work[0], elsewhere[0], "the numbers of two threads");
}

/// `busy_ns` and `idle_ns`.
fn times(span: &crate::support::Span) -> (i64, i64) {
    let found = pairs(&span.attributes);
    let [("busy_ns", Value::IntValue(busy)), ("idle_ns", Value::IntValue(idle))] = found[..] else {
        panic!("{found:?}")
    };
    (busy, idle)
}

#[test]
fn busy_and_idle_time_add_up() {
    const PAUSE: Duration = Duration::from_millis(20);
    const NANOS: i64 = 20_000_000;
    let spans = record_with(
        |door| door.with_tracked_inactivity(true),
        || {
            let span = info_span!("entered");
            std::thread::sleep(PAUSE);
            span.in_scope(|| {
                // Again within itself: it is busy once.
                let _again = span.enter();
                std::thread::sleep(PAUSE);
            });
            drop(span);
            drop(info_span!("never entered"));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async { tokio::time::sleep(PAUSE).await }.instrument(info_span!("waits")));
        },
    );
    for span in &spans {
        let (busy, idle) = times(span);
        let whole = i64::try_from(span.end_time_unix_nano - span.start_time_unix_nano).unwrap();
        // The clock's anchor may be renewed between the readings.
        assert!(busy + idle <= whole + 1_000_000, "{}: {busy} + {idle} is more than {whole}", span.name);
    }
    let (busy, idle) = times(named(&spans, "entered"));
    assert!(busy >= NANOS && idle >= NANOS, "{busy} {idle}");
    assert_eq!(times(named(&spans, "never entered")).0, 0);
    let (busy, idle) = times(named(&spans, "waits"));
    assert!(idle >= NANOS && busy > 0, "{busy} {idle}");
}

#[test]
fn unrecorded_spans_stay_unrecorded() {
    let recorder = Recorder::with_sampler(clewline_core::AlwaysOff);
    let all = |door: Door| door.with_location(true).with_threads(true).with_tracked_inactivity(true);
    tracing::dispatcher::with_default(&recorder.dispatch_with(all), || (0..100).for_each(|_| charge()));
    assert_eq!(recorder.spans(), []);
    assert_eq!(recorder.ledger(), clewline::Ledger::default());
}
