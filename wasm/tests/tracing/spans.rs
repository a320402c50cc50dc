//! Spans of `tracing` and of the native door: names, fields, times, and parents while tasks take turns.

use std::cell::Cell;
use std::rc::Rc;

use clewline::exporter::FinishedSpan;
use clewline_wasm::{SpanExt as _, SpanKind, Status, WithContext as _};
use tracing::{Instrument as _, info_span, instrument};
use tracing_subscriber::layer::SubscriberExt as _;
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{begin, named, sent, sleep, spans, until};

#[instrument(fields(otel.kind = "server", tenant = "acme"))]
fn checkout(cart: u32) {
    tracing::info!(items = 3, "charging");
    tracing::debug!("of this target from DEBUG on");
    tracing::trace!("not this");
    info_span!("pay").in_scope(|| tracing::error!("declined"));
}

#[wasm_bindgen_test]
async fn a_span_has_its_fields_events_parent_and_resource() {
    begin().await;
    let before = js_sys::Date::now();
    checkout(7);
    let after = js_sys::Date::now();
    clewline_wasm::flush().await;
    let requests = sent();
    let [request] = &requests[..] else { panic!("{} requests", requests.len()) };
    assert!(
        request.url.ends_with("/otlp/v1/traces") && request.url.starts_with("http://127.0.0.1:"),
        "{}",
        request.url
    );
    assert_eq!((request.content_type.as_str(), request.api_key.as_str()), ("application/x-protobuf", "secret"));

    let (checkout, pay) = (named(&request.spans, "checkout"), named(&request.spans, "pay"));
    assert_eq!((checkout.parent_span_id, checkout.kind), (None, SpanKind::Server));
    assert_eq!(checkout.attribute("cart"), Some(&7.into()));
    assert_eq!(checkout.attribute("tenant"), Some(&"acme".into()));
    let events: Vec<_> = checkout.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["charging", "of this target from DEBUG on"]);
    assert_eq!((pay.parent_span_id, pay.trace_id), (Some(checkout.span_id), checkout.trace_id));
    assert_eq!((pay.status, pay.status_message.as_str()), (clewline::StatusCode::Error, "declined"));

    for (key, value) in [("service.name", "shop-web"), ("service.version", "1.4.0"), ("telemetry.sdk.language", "rust")]
    {
        let found = checkout.resource.attributes.iter().find(|(other, _)| other == key);
        assert_eq!(found.map(|(_, value)| value), Some(&value.into()), "{key}");
    }
    assert_eq!(checkout.scope.name, "tracing");
    let millis = |nanos: u64| nanos as f64 / 1e6;
    // The two clocks of a page may be apart a little.
    assert!(
        millis(checkout.start_time_unix_nano) >= before - 60.0 && millis(checkout.end_time_unix_nano) <= after + 60.0
    );
    let times = [
        checkout.start_time_unix_nano,
        checkout.events[0].time_unix_nano,
        pay.start_time_unix_nano,
        pay.end_time_unix_nano,
    ];
    assert!(times.is_sorted() && times[3] <= checkout.end_time_unix_nano, "{times:?}");
}

#[instrument]
async fn step(task: u32, number: u32) {
    sleep((task * 7 + number * 3) % 5).await;
    info_span!("inner", task, number).in_scope(|| ());
    sleep(number % 3).await;
}

#[instrument]
async fn task(task: u32) {
    for number in 0..4 {
        step(task, number).await;
    }
}

fn number(span: &FinishedSpan, key: &str) -> String {
    format!("{:?}", span.attribute(key))
}

#[wasm_bindgen_test]
async fn tasks_that_take_turns_keep_their_own_parents() {
    begin().await;
    let done = Rc::new(Cell::new(0));
    for number in 0..10 {
        let done = Rc::clone(&done);
        spawn_local(async move {
            task(number).await;
            done.set(done.get() + 1);
        });
    }
    until("ten tasks", || done.get() == 10).await;
    let spans = spans().await;
    let of = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let (tasks, steps, inner) = (of("task"), of("step"), of("inner"));
    assert_eq!((tasks.len(), steps.len(), inner.len()), (10, 40, 40));
    for step in steps {
        let parent = tasks.iter().find(|task| Some(task.span_id) == step.parent_span_id).unwrap();
        assert_eq!((parent.trace_id, number(parent, "task")), (step.trace_id, number(step, "task")));
        let inner: Vec<_> = inner.iter().filter(|inner| inner.parent_span_id == Some(step.span_id)).collect();
        assert_eq!(inner.len(), 1);
        assert_eq!(
            (number(inner[0], "task"), number(inner[0], "number")),
            (number(step, "task"), number(step, "number"))
        );
    }
    assert!(tasks.iter().all(|task| task.parent_span_id.is_none()), "each began a trace of its own");
    let mut traces: Vec<_> = tasks.iter().map(|task| task.trace_id.to_string()).collect();
    traces.sort();
    traces.dedup();
    assert_eq!(traces.len(), 10);
}

#[wasm_bindgen_test]
async fn a_task_belongs_to_the_span_or_the_context_that_it_is_given() {
    begin().await;
    let done = Rc::new(Cell::new(0));
    let click = info_span!("click");
    click.in_scope(|| {
        for name in ["instrumented", "within", "alone"] {
            let done = Rc::clone(&done);
            let work = async move {
                sleep(2).await;
                clewline_wasm::tracer("shop").span(name).start().end();
                done.set(done.get() + 1);
            };
            match name {
                "instrumented" => spawn_local(work.instrument(click.clone())),
                "within" => spawn_local(work.with_current_context()),
                _ => spawn_local(work),
            }
        }
    });
    drop(click);
    until("three tasks", || done.get() == 3).await;
    let spans = spans().await;
    let click = named(&spans, "click");
    for (name, parent) in [("instrumented", Some(click.span_id)), ("within", Some(click.span_id)), ("alone", None)] {
        assert_eq!(named(&spans, name).parent_span_id, parent, "{name}");
    }
}

#[wasm_bindgen_test]
async fn the_native_door_and_tracing_are_parents_of_each_other() {
    begin().await;
    let tracer = clewline_wasm::tracer("shop");
    let outer = tracer.span("outer").start().enter();
    info_span!("middle").in_scope(|| {
        let mut inner = tracer.span("inner").kind(SpanKind::Producer).start();
        inner.set("n", 1_i64);
        inner.event("done");
        inner.set_status(Status::error("no"));
    });
    drop(outer);
    let spans = spans().await;
    let [outer, middle, inner] = ["outer", "middle", "inner"].map(|name| named(&spans, name));
    assert_eq!((middle.parent_span_id, inner.parent_span_id), (Some(outer.span_id), Some(middle.span_id)));
    assert_eq!((inner.kind, inner.events.len(), inner.status_message.as_str()), (SpanKind::Producer, 1, "no"));
}

#[wasm_bindgen_test]
async fn the_layer_records_in_a_registry_too() {
    begin().await;
    let subscriber = tracing_subscriber::registry().with(clewline_wasm::layer());
    tracing::subscriber::with_default(subscriber, || {
        info_span!("outer").in_scope(|| info_span!("inner").set_attribute("n", 5));
    });
    let spans = spans().await;
    let inner = named(&spans, "inner");
    assert_eq!(inner.parent_span_id, Some(named(&spans, "outer").span_id));
    assert_eq!(inner.attribute("n"), Some(&5.into()));
}
