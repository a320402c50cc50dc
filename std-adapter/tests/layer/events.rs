//! Events of spans, and events without a span.

use tracing::{Level, debug, error, event, info, info_span, instrument, trace, warn};

use crate::support::{Recorder, Value, int, named, own_pairs, pairs, record, record_one, text};

#[test]
fn an_event_has_the_message_as_name_and_says_level_and_target() {
    let span = record_one(|| {
        let _span = info_span!("work").entered();
        info!("cache miss for {}", 7);
        debug!(target: "cache", key = "cart", size = 3_u64, hit = false, ratio = 0.5, "lookup");
        warn!(message = "named field", other = ?Some(1));
        trace!(name: "named.event", count = 1);
        event!(Level::ERROR, "bad");
    });
    let names: Vec<&str> = span.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["cache miss for 7", "lookup", "named field", "named.event", "bad"]);
    let levels: Vec<Value> = span.events.iter().map(|event| pairs(&event.attributes)[0].1.clone()).collect();
    assert_eq!(levels, ["INFO", "DEBUG", "WARN", "TRACE", "ERROR"].map(text));
    assert_eq!(pairs(&span.events[0].attributes), [("level", text("INFO")), ("target", text(module_path!()))]);
    assert_eq!(pairs(&span.events[1].attributes)[1], ("target", text("cache")));
    assert_eq!(
        own_pairs(&span.events[1]),
        [("key", text("cart")), ("size", int(3)), ("hit", Value::BoolValue(false)), ("ratio", Value::DoubleValue(0.5)),]
    );
    assert_eq!(own_pairs(&span.events[2]), [("other", text("Some(1)"))]);
    assert_eq!(own_pairs(&span.events[3]), [("count", int(1))]);
}

#[test]
fn events_belong_to_the_span_they_name() {
    let recorder = Recorder::new();
    let spans = recorder.run(|| {
        info!("nowhere");
        let other = info_span!("other");
        let current = info_span!("current").entered();
        info!("here");
        info!(parent: &other, "there");
        info!(parent: None, "nowhere");
        drop(current);
        error!("nowhere");
    });
    let events = |name: &str| named(&spans, name).events.iter().map(|event| event.name.clone()).collect::<Vec<_>>();
    assert_eq!(events("current"), ["here"]);
    assert_eq!(events("other"), ["there"]);
    assert_eq!(recorder.ledger().started, 2);
}

#[test]
fn events_of_the_log_crate_have_their_own_target() {
    // What `tracing-log` makes of a record.
    let span = record_one(|| {
        let _span = info_span!("work").entered();
        info!(
            target: "log",
            {
                log.target = "hyper::proto",
                log.module_path = "hyper::proto::h1",
                log.file = "src/h1.rs",
                log.line = 17_u64
            },
            "flushed"
        );
    });
    let [event] = &span.events[..] else { panic!("{span:?}") };
    assert_eq!(event.name, "flushed");
    assert_eq!(pairs(&event.attributes), [("level", text("INFO")), ("target", text("hyper::proto"))]);
}

#[instrument(ret, skip(secret), fields(extra = number + 1))]
fn answers(number: i64, r#type: &str, secret: &str) -> i64 {
    info!(length = secret.len(), "computing");
    number * 2
}

#[test]
fn instrumented_functions_record_arguments_and_results() {
    let spans = record(|| assert_eq!(answers(21, "raw", "hidden"), 42));
    let span = named(&spans, "answers");
    let mut found = pairs(&span.attributes);
    found.sort_by_key(|(key, _)| *key);
    assert_eq!(found, [("extra", int(22)), ("number", int(21)), ("type", text("raw"))]);
    assert_eq!(span.events[0].name, "computing");
    let result = own_pairs(&span.events[1]);
    assert!(result == [("return", int(42))] || result == [("return", text("42"))], "{result:?}");
}
