//! Errors: fields of spans and events, `#[instrument(err)]`, `record_error`.

use std::error::Error;
use std::fmt;

use clewline::{SpanExt as _, Status};
use tracing::field::Empty;
use tracing::{error, info, info_span, instrument, warn};

use crate::support::{StatusCode, int, named, own_pairs, pairs, record, record_one, status, text};

#[derive(Debug)]
struct Failure(&'static str, Option<Box<Self>>);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

fn failure() -> Failure {
    Failure("payment failed", Some(Box::new(Failure("bank refused", Some(Box::new(Failure("no funds", None)))))))
}

const CHAIN: &str = "caused by: bank refused\ncaused by: no funds";

#[test]
fn an_error_field_is_an_exception_and_fails_the_span() {
    let failure = failure();
    let error: &(dyn Error + 'static) = &failure;
    let at_start = record_one(|| drop(info_span!("pay", error, amount = 3)));
    let later = record_one(|| {
        let span = info_span!("pay", amount = 3, error = Empty);
        span.record("error", error);
    });
    for span in [at_start, later] {
        assert_eq!(status(&span), (StatusCode::Error, "payment failed"));
        assert_eq!(pairs(&span.attributes), [("amount", int(3))]);
        assert_eq!(span.events.len(), 1);
        assert_eq!(span.events[0].name, "exception");
        assert_eq!(
            pairs(&span.events[0].attributes),
            [("exception.message", text("payment failed")), ("exception.stacktrace", text(CHAIN))]
        );
    }
}

#[test]
fn a_recorded_error_knows_its_type_unless_it_is_a_trait_object() {
    let span = record_one(|| {
        let span = info_span!("pay");
        span.record_error(&failure());
        let boxed: Box<dyn Error + Send + Sync> = "plain".into();
        span.record_error(&*boxed);
    });
    assert_eq!(status(&span), (StatusCode::Error, "payment failed"), "the first error stays");
    let [typed, plain] = &span.events[..] else { panic!("{span:?}") };
    let expected =
        [("exception.type", text(std::any::type_name::<Failure>())), ("exception.message", text("payment failed"))];
    assert_eq!(pairs(&typed.attributes)[..2], expected);
    assert_eq!(pairs(&plain.attributes), [("exception.message", text("plain"))]);
}

#[instrument(err, fields(kept = 1))]
fn fails(how: &'static str) -> Result<u32, Failure> {
    Err(Failure(how, None))
}

#[instrument(err(Debug, level = "warn"))]
fn fails_quietly() -> Result<u32, Failure> {
    Err(Failure("quiet", None))
}

#[test]
fn instrumented_functions_that_fail_are_failed_spans() {
    let span = record_one(|| drop(fails("loud")));
    assert_eq!(status(&span), (StatusCode::Error, "loud"));
    assert_eq!(span.events[0].name, "exception");
    assert_eq!(own_pairs(&span.events[0]), [("exception.message", text("loud"))]);
    assert_eq!(pairs(&span.attributes), [("how", text("loud")), ("kept", int(1))]);
    let span = record_one(|| drop(fails_quietly()));
    assert_eq!(status(&span), (StatusCode::Error, r#"Failure("quiet", None)"#));
}

#[test]
fn an_error_event_keeps_its_message_and_its_sources() {
    let span = record_one(|| {
        let _span = info_span!("pay").entered();
        error!(error = &failure() as &(dyn Error + 'static), attempt = 2, "giving up");
    });
    assert_eq!(status(&span), (StatusCode::Error, "payment failed"));
    let [event] = &span.events[..] else { panic!("{span:?}") };
    assert_eq!(event.name, "exception");
    assert_eq!(
        own_pairs(event),
        [
            ("exception.message", text("payment failed")),
            ("exception.stacktrace", text(CHAIN)),
            ("message", text("giving up")),
            ("attempt", int(2)),
        ]
    );
}

#[test]
fn only_errors_fail_a_span_and_a_verdict_stands() {
    let spans = record(|| {
        info_span!("retrying").in_scope(|| {
            warn!(error = %failure(), "will try again");
            warn!(error = &failure() as &(dyn Error + 'static), "will try again");
        });
        info_span!("declined").in_scope(|| {
            error!("card declined");
            error!("second");
        });
        info_span!("fine").in_scope(|| info!("all is well"));
        let judged = info_span!("judged", otel.status_code = "ok").entered();
        error!("not so bad");
        judged.record_error(&failure());
        let described = info_span!("described").entered();
        described.set_status(Status::error("mine"));
        error!("theirs");
    });
    assert_eq!(status(named(&spans, "retrying")), (StatusCode::Unset, ""));
    assert_eq!(status(named(&spans, "declined")), (StatusCode::Error, "card declined"));
    assert_eq!(status(named(&spans, "fine")), (StatusCode::Unset, ""));
    assert_eq!(status(named(&spans, "judged")), (StatusCode::Ok, ""));
    assert_eq!(status(named(&spans, "described")), (StatusCode::Error, "mine"));
    let [shown, typed] = &named(&spans, "retrying").events[..] else { panic!() };
    assert_eq!((shown.name.as_str(), own_pairs(shown)), ("will try again", vec![("error", text("payment failed"))]));
    assert_eq!(typed.name, "exception");
}
