//! Fields of spans: types, later values, and those that OpenTelemetry has a place for.

use std::sync::{Arc, Mutex};

use clewline::{Sampler, SpanExt as _};
use clewline_core::{SamplingDecision, SamplingParameters, SamplingResult};
use tracing::field::{Empty, debug, display};
use tracing::{Level, info_span, span};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{Recorder, SpanKind, StatusCode, Value, int, named, pairs, record, record_one, status, text};

#[derive(Debug)]
#[expect(dead_code, reason = "read by `Debug` only")]
struct Cart {
    items: u32,
}

#[test]
fn every_type_arrives_as_itself() {
    let span = record_one(|| {
        let _span = info_span!(
            "types",
            text = "grün",
            int = -1_i64,
            small = 7_u8,
            unsigned = 7_u64,
            too_large = u64::MAX,
            wide = i128::MIN,
            wide_small = 5_i128,
            wide_unsigned = u128::from(u64::MAX),
            double = 1.5,
            truth = true,
            bytes = &[1_u8, 2][..],
            debugged = ?Cart { items: 2 },
            displayed = %"shown",
            owned = String::from("owned"),
            r#type = "raw",
            absent = Option::<i64>::None,
            empty = Empty,
        );
    });
    assert_eq!(
        pairs(&span.attributes),
        [
            ("text", text("grün")),
            ("int", int(-1)),
            ("small", int(7)),
            ("unsigned", int(7)),
            ("too_large", text("18446744073709551615")),
            ("wide", text("-170141183460469231731687303715884105728")),
            ("wide_small", int(5)),
            ("wide_unsigned", text("18446744073709551615")),
            ("double", Value::DoubleValue(1.5)),
            ("truth", Value::BoolValue(true)),
            ("bytes", Value::BytesValue(vec![1, 2])),
            ("debugged", text("Cart { items: 2 }")),
            ("displayed", text("shown")),
            ("owned", text("owned")),
            ("type", text("raw")),
        ]
    );
    assert_eq!((span.name.as_str(), span.kind()), ("types", SpanKind::Internal));
    assert_eq!(status(&span), (StatusCode::Unset, ""));
    assert!(span.parent_span_id.is_empty() && span.events.is_empty() && span.links.is_empty());
}

#[test]
fn numbers_that_are_none_arrive_as_they_are() {
    let span = record_one(|| {
        let span = info_span!("numbers", nan = f64::NAN, later = Empty);
        span.record("later", f64::NEG_INFINITY);
        span.in_scope(|| tracing::info!(nan = -f64::NAN, infinite = f64::INFINITY, small = f32::NAN, "event"));
    });
    let doubles = |attributes| {
        let double = |value| if let Value::DoubleValue(value) = value { value } else { panic!("{value:?}") };
        pairs(attributes)
            .into_iter()
            .filter(|(key, _)| !matches!(*key, "level" | "target"))
            .map(|(_, value)| double(value))
            .collect::<Vec<_>>()
    };
    let [nan, later] = doubles(&span.attributes)[..] else { panic!("{span:?}") };
    assert!(nan.is_nan() && later == f64::NEG_INFINITY);
    let [nan, infinite, small] = doubles(&span.events[0].attributes)[..] else { panic!("{span:?}") };
    assert!(nan.is_nan() && infinite == f64::INFINITY && small.is_nan());
}

#[test]
fn later_values_are_recorded_and_replace_earlier_ones() {
    let span = record_one(|| {
        let span = info_span!("later", rows = Empty, tenant = "none", large = Empty, size = Empty, raw = Empty);
        span.record("rows", 3).record("tenant", "acme").record("rows", 4);
        span.record("large", u64::MAX).record("size", 2.5).record("raw", &[9_u8][..]);
        span.record("undeclared", 1);
        span.record("tenant", debug("again"));
    });
    let mut found = pairs(&span.attributes);
    found.sort_by_key(|(key, _)| *key);
    assert_eq!(
        found,
        [
            ("large", text("18446744073709551615")),
            ("raw", Value::BytesValue(vec![9])),
            ("rows", int(4)),
            ("size", Value::DoubleValue(2.5)),
            ("tenant", text("\"again\"")),
        ]
    );
}

#[test]
fn name_and_kind_come_from_fields() {
    let kinds = [
        ("server", SpanKind::Server),
        ("CLIENT", SpanKind::Client),
        ("Producer", SpanKind::Producer),
        ("consumer", SpanKind::Consumer),
        ("internal", SpanKind::Internal),
    ];
    for (name, expected) in kinds {
        let span = record_one(|| {
            let route = "/cart/{id}";
            let _span = info_span!("request", otel.kind = name, otel.name = format!("GET {route}"), other = 1);
        });
        assert_eq!((span.kind(), span.name.as_str()), (expected, "GET /cart/{id}"));
        assert_eq!(pairs(&span.attributes), [("other", int(1))]);
    }
    let span = record_one(|| {
        let span = info_span!("request", otel.name = Empty, otel.kind = ?clewline::SpanKind::Client);
        span.record("otel.name", display("later"));
    });
    assert_eq!((span.kind(), span.name.as_str()), (SpanKind::Client, "later"));
    let span = record_one(|| drop(info_span!("request", otel.kind = "gateway")));
    assert_eq!(pairs(&span.attributes), [("otel.kind", text("gateway"))], "unknown words are kept");
    assert_eq!(span.kind(), SpanKind::Internal);
}

#[test]
fn a_status_is_the_same_in_any_order() {
    let error = (StatusCode::Error, "declined");
    let table = [
        (vec![("otel.status_code", "ERROR"), ("otel.status_description", "declined")], error),
        (vec![("otel.status_description", "declined"), ("otel.status_code", "error")], error),
        (vec![("otel.status_message", "declined")], error),
        (vec![("otel.status_code", "Error")], (StatusCode::Error, "")),
        (vec![("otel.status_code", "ok")], (StatusCode::Ok, "")),
        (vec![("otel.status_code", "OK"), ("otel.status_description", "declined")], (StatusCode::Ok, "")),
        (vec![("otel.status_description", "declined"), ("otel.status_code", "Ok")], (StatusCode::Ok, "")),
    ];
    for (fields, expected) in table {
        let span = record_one(|| {
            let span = info_span!(
                "pay",
                otel.status_code = Empty,
                otel.status_description = Empty,
                otel.status_message = Empty,
            );
            for (key, value) in &fields {
                span.record(*key, *value);
            }
        });
        assert_eq!(status(&span), expected, "{fields:?}");
        assert_eq!(pairs(&span.attributes), []);
    }
    let span = record_one(|| drop(info_span!("pay", otel.status_code = "error", otel.status_message = %"declined")));
    assert_eq!(status(&span), error);
    let span = record_one(|| drop(info_span!("pay", otel.status_code = "meh")));
    assert_eq!(pairs(&span.attributes), [("otel.status_code", text("meh"))], "unknown words are kept");
}

/// Keeps what samplers are shown.
struct Watch(Arc<Mutex<Vec<String>>>);

impl Sampler for Watch {
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_> {
        let line = format!("{} {:?} {}", parameters.name, parameters.kind, parameters.parent.is_some());
        self.0.lock().unwrap().push(line);
        SamplingDecision::RecordAndSample.into()
    }
}

#[test]
fn the_sampler_sees_name_kind_and_parent() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    Recorder::with_sampler(Watch(Arc::clone(&seen))).run(|| {
        let _server = info_span!("request", otel.kind = "server", otel.name = "GET /").entered();
        let _query = info_span!("query").entered();
    });
    assert_eq!(*seen.lock().unwrap(), ["GET / Server false", "query Internal true"]);
}

/// Wants spans of one tenant, whatever their names.
struct OfTenant(&'static str);

impl Sampler for OfTenant {
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_> {
        let is_wanted = parameters.attributes.contains(&("tenant.id", clewline::Value::Str(self.0)));
        let decision = if is_wanted { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        // Only fields that become attributes are shown.
        assert!(
            parameters.attributes.iter().all(|(key, _)| !matches!(*key, "otel.name" | "otel.status_code" | "cause"))
        );
        decision.into()
    }
}

#[test]
fn the_sampler_sees_the_fields_that_a_span_begins_with() {
    let recorder = Recorder::with_sampler(OfTenant("acme"));
    let failure = std::fmt::Error;
    let spans = recorder.run(|| {
        for _ in 0..100 {
            drop(info_span!("request", tenant.id = "other", number = 1));
            drop(info_span!("without fields"));
        }
        let cause = &failure as &(dyn std::error::Error + 'static);
        let name = "GET /";
        drop(info_span!("request", number = 1, tenant.id = %"acme", otel.name = name, otel.kind = "server", cause));
        drop(info_span!("request", otel.status_code = "ok", tenant.id = "acme", otel.kind = "no kind", later = Empty));
    });
    let [first, second] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((first.name.as_str(), first.kind()), ("GET /", SpanKind::Server));
    assert_eq!(pairs(&first.attributes), [("number", int(1)), ("tenant.id", text("acme"))]);
    assert_eq!((first.events[0].name.as_str(), status(first).0), ("exception", StatusCode::Error));
    assert_eq!(status(second).0, StatusCode::Ok);
    assert_eq!(pairs(&second.attributes), [("tenant.id", text("acme")), ("otel.kind", text("no kind"))]);
}

#[test]
fn more_than_the_limit_is_counted() {
    let recorder = Recorder::new();
    let spans = recorder.run(|| {
        let span = info_span!("large");
        for index in 0..131 {
            span.set_attribute(&format!("key.{index}"), index);
        }
        for index in 0..130 {
            span.in_scope(|| tracing::info!(index, "event"));
        }
    });
    assert_eq!((spans[0].attributes.len(), spans[0].dropped_attributes_count), (128, 3));
    assert_eq!((spans[0].events.len(), spans[0].dropped_events_count), (128, 2));
    assert_eq!(recorder.ledger().dropped_content, 5);
}

#[test]
fn scopes_are_crates_and_locations_are_optional() {
    let recorder = Recorder::new();
    let layer = recorder.layer().with_location(true);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        drop(span!(target: "shop::cart::db", Level::INFO, "query"));
        drop(span!(target: "shop::pay", Level::INFO, "pay"));
        drop(span!(target: "http.access", Level::INFO, "request"));
    });
    let scopes = recorder.scopes();
    let mut names: Vec<(String, usize)> =
        scopes.iter().map(|scope| (scope.scope.clone().unwrap_or_default().name, scope.spans.len())).collect();
    names.sort();
    assert_eq!(names, [("http.access".to_owned(), 1), ("shop".to_owned(), 2)]);
    for span in scopes.iter().flat_map(|scope| &scope.spans) {
        let found = pairs(&span.attributes);
        let keys: Vec<&str> = found.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["code.file.path", "code.module.name", "code.line.number", "code.function.name"]);
        assert!(matches!(&found[0].1, Value::StringValue(path) if path.ends_with("fields.rs")));
        assert_eq!(found[1].1, text(module_path!()));
        assert_eq!(found[3].1, text(&format!("{}::{}", module_path!(), span.name)));
    }
}

#[test]
fn children_lie_within_their_parents() {
    let spans = record(|| {
        let _outer = info_span!("outer").entered();
        tracing::info!("before");
        let inner = info_span!("inner").entered();
        tracing::info!("within");
        drop(inner);
    });
    let (outer, inner) = (named(&spans, "outer"), named(&spans, "inner"));
    let within = inner.events[0].time_unix_nano;
    let times = [
        outer.start_time_unix_nano,
        outer.events[0].time_unix_nano,
        inner.start_time_unix_nano,
        within,
        inner.end_time_unix_nano,
        outer.end_time_unix_nano,
    ];
    // An event's time is final at once, a span's at its end, perhaps by a newer anchor of the clock.
    let tolerance = 1_000;
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1] + tolerance), "{times:?}");
    assert!(inner.start_time_unix_nano >= outer.start_time_unix_nano, "{times:?}");
}
