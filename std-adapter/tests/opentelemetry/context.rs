//! One current span: each door's spans are the parents of the others', on one thread, across threads and across `await`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use clewline::{SpanExt as _, current_context, current_span};
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{
    Span as _, Status, TraceContextExt as _, Tracer as _, get_active_span, mark_span_as_active,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SpanData;
use tracing::instrument::{Instrument as _, WithSubscriber as _};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{Recorder, assert_child, assert_root, named};

/// Runs `work` with a `tracing` subscriber of the recorder's.
fn run(work: impl FnOnce(&Recorder)) -> Vec<SpanData> {
    let recorder = Recorder::new();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(recorder.layer()), || work(&recorder));
    recorder.spans()
}

#[test]
fn every_door_is_the_parent_of_every_other() {
    let spans = run(|recorder| {
        let (otel, native) = (recorder.tracer(), recorder.native());
        otel.in_span("1 otel", |_| {
            tracing::info_span!("2 tracing").in_scope(|| {
                otel.in_span("3 otel", |_| {
                    native.span("4 native").start().in_scope(|| {
                        otel.in_span("5 otel", |_| tracing::info_span!("6 tracing").in_scope(|| ()));
                        tracing::info_span!("7 tracing").in_scope(|| native.span("8 native").start().end());
                    });
                    native.span("9 native").start().end();
                });
                otel.start("10 otel").end();
            });
            otel.start("11 otel").end();
        });
        otel.start("12 otel").end();
        drop(tracing::info_span!("13 tracing"));
    });
    for (child, parent) in [
        ("2 tracing", "1 otel"),
        ("3 otel", "2 tracing"),
        ("4 native", "3 otel"),
        ("5 otel", "4 native"),
        ("6 tracing", "5 otel"),
        ("7 tracing", "4 native"),
        ("8 native", "7 tracing"),
        ("9 native", "3 otel"),
        ("10 otel", "2 tracing"),
        ("11 otel", "1 otel"),
    ] {
        assert_child(&spans, child, parent);
    }
    assert_root(&spans, "12 otel");
    assert_root(&spans, "13 tracing");
}

#[test]
fn an_explicit_parent_wins() {
    let spans = run(|recorder| {
        let (otel, native) = (recorder.tracer(), recorder.native());
        let cx = Context::new().with_span(otel.start("elsewhere"));
        tracing::info_span!("current").in_scope(|| {
            otel.start_with_context("of elsewhere", &cx).end();
            otel.start_with_context("of nothing", &Context::new()).end();
            otel.start_with_context("of current", &Context::current()).end();
            let _attached = cx.clone().attach();
            drop(tracing::info_span!(parent: None, "tracing root"));
            native.span("native root").root().start().end();
            native.span("native of elsewhere").start().end();
        });
        cx.span().end();
    });
    assert_child(&spans, "of elsewhere", "elsewhere");
    assert_child(&spans, "native of elsewhere", "elsewhere");
    assert_child(&spans, "of current", "current");
    for name in ["of nothing", "tracing root", "native root"] {
        assert_root(&spans, name);
    }
}

#[test]
fn opentelemetrys_context_without_a_span_hides_no_span_of_another_door() {
    let spans = run(|recorder| {
        tracing::info_span!("outer").in_scope(|| {
            let _attached = Context::new().with_value(7_u8).attach();
            drop(tracing::info_span!("inner"));
            tracing::info!("seen");
            assert!(current_context().is_some());
            recorder.tracer().start("otel root").end();
        });
    });
    assert_child(&spans, "inner", "outer");
    assert_root(&spans, "otel root");
    assert_eq!(named(&spans, "outer").events.len(), 1);
}

#[test]
fn anyone_may_add_to_the_current_span_through_any_door() {
    let spans = run(|recorder| {
        let (otel, native) = (recorder.tracer(), recorder.native());
        let through_otel = |value: &'static str| {
            get_active_span(|span| {
                assert!(span.is_recording());
                span.set_attribute(KeyValue::new("otel", value));
                span.add_event("otel", vec![KeyValue::new("k", "v")]);
                span.set_status(Status::error(value));
                span.add_link(span.span_context().clone(), vec![]);
                span.update_name(value);
                span.end();
                assert!(
                    value == "through the API" || span.is_recording(),
                    "the end of others' spans is not its affair"
                );
            });
        };
        let through_native = |value: &'static str| {
            let span = current_span();
            assert!(span.is_recording());
            span.set("native", value).set("bytes", &b"\x01\x02"[..]).event("native");
            assert_eq!(span.set_with("lazy", || String::from(value)).context(), current_context());
        };
        native.span("a").start().in_scope(|| {
            through_native("native span");
            through_otel("native span");
            through_native("native span");
        });
        tracing::info_span!("b").in_scope(|| {
            through_native("tracing span");
            through_otel("tracing span");
            tracing::info!("tracing");
        });
        otel.in_span("c", |_| {
            through_native("through the API");
            tracing::info!("tracing");
            through_otel("through the API");
            current_span().set("late", true);
            assert!(!current_span().is_recording());
        });
    });
    for name in ["native span", "tracing span", "through the API"] {
        let span = named(&spans, name);
        let value =
            |key: &str| span.attributes.iter().find(|pair| pair.key.as_str() == key).map(|pair| pair.value.to_string());
        assert_eq!(value("native").as_deref(), Some(name), "{name}");
        assert_eq!(value("otel").as_deref(), Some(name));
        assert_eq!(value("lazy").as_deref(), Some(name));
        assert_eq!(value("bytes").as_deref(), Some("AQI="));
        assert_eq!(value("late"), None);
        assert_eq!(span.status, Status::error(name));
        assert_eq!(span.links.len(), 1);
        assert!(span.events.iter().any(|event| event.name == "native"));
        assert!(span.events.iter().any(|event| event.name == "otel"));
        assert!(span.attributes.iter().all(|pair| !pair.key.as_str().is_empty()), "{:?}", span.attributes);
        assert_eq!(
            span.events.iter().filter(|event| event.name == "tracing").count(),
            usize::from(name != "native span")
        );
    }
}

#[test]
fn spans_of_other_sdks_are_left_alone() {
    use opentelemetry::trace::TracerProvider as _;
    let recorder = Recorder::new();
    // As soon as there is a provider of ours, contexts are looked at.
    let _ = recorder.tracer();
    let exporter = opentelemetry_sdk::trace::InMemorySpanExporter::default();
    let sdk = opentelemetry_sdk::trace::SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    sdk.tracer("sdk").in_span("theirs", |_| {
        current_span().set("ours", true).event("ours");
        assert!(current_context().is_some(), "but it is a parent");
        recorder.native().span("child of theirs").start().end();
    });
    let theirs = exporter.get_finished_spans().unwrap();
    assert_eq!((theirs[0].attributes.len(), theirs[0].events.len()), (0, 0));
    let ours = recorder.spans();
    assert_eq!(named(&ours, "child of theirs").parent_span_id, theirs[0].span_context.span_id());
}

#[test]
fn a_parent_that_is_given_late_reaches_the_api() {
    let spans = run(|recorder| {
        let otel = recorder.tracer();
        let elsewhere = otel.start("elsewhere");
        let incoming = clewline::traceparent::parse(
            format!("00-{}-{}-01", elsewhere.span_context().trace_id(), elsewhere.span_context().span_id()).as_bytes(),
        );
        let span = tracing::info_span!("adopted");
        span.in_scope(|| {
            let early = Context::current();
            span.set_parent(incoming.ok());
            otel.start("implicit").end();
            otel.start_with_context("by an old context", &early).end();
            let shown = get_active_span(|span| span.span_context().trace_id());
            assert_eq!(shown, elsewhere.span_context().trace_id());
        });
        assert!(!Context::current().has_active_span());
    });
    assert_child(&spans, "adopted", "elsewhere");
    assert_child(&spans, "implicit", "adopted");
    assert_child(&spans, "by an old context", "adopted");
}

#[test]
fn contexts_may_be_left_in_any_order() {
    let spans = run(|recorder| {
        let otel = recorder.tracer();
        let first = mark_span_as_active(otel.start("first"));
        let tracing = tracing::info_span!("tracing").entered();
        let second = mark_span_as_active(otel.start("second"));
        drop(first);
        otel.start("of second").end();
        drop(tracing);
        drop(tracing::info_span!("also of second"));
        drop(second);
        otel.start("root").end();
        assert_eq!(current_context(), None);
    });
    assert_child(&spans, "second", "tracing");
    assert_child(&spans, "of second", "second");
    assert_child(&spans, "also of second", "second");
    assert_root(&spans, "root");
}

#[test]
fn a_context_taken_to_another_thread_still_reaches_the_span() {
    let spans = run(|recorder| {
        let (otel, native) = (recorder.tracer(), recorder.native());
        let elsewhere = |cx: Context, name: &'static str| {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let _attached = cx.attach();
                    get_active_span(|span| span.set_attribute(KeyValue::new("otel", "elsewhere")));
                    current_span().set("native", "elsewhere");
                    native.span(name).start().end();
                });
            });
        };
        native.span("native").start().in_scope(|| elsewhere(Context::current(), "of native"));
        tracing::info_span!("tracing").in_scope(|| elsewhere(Context::current(), "of tracing"));
        otel.in_span("otel", |cx| elsewhere(cx, "of otel"));
    });
    for (name, child) in [("native", "of native"), ("tracing", "of tracing"), ("otel", "of otel")] {
        assert_child(&spans, child, name);
        assert_eq!(named(&spans, name).attributes.len(), 2, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_stay_parents_across_await() {
    let recorder = Recorder::new();
    let subscriber = tracing_subscriber::registry().with(recorder.layer());
    let (otel, native) = (recorder.tracer(), recorder.native());
    let pause = || tokio::time::sleep(Duration::from_millis(1));
    async {
        let cx = Context::current_with_span(otel.start("otel"));
        let inside = async {
            pause().await;
            let span = tracing::info_span!("tracing in otel");
            async {
                pause().await;
                otel.start("otel in tracing").end();
                let cx = Context::current_with_span(otel.start("otel 2"));
                async {
                    pause().await;
                    tracing::info_span!("tracing 2").in_scope(|| native.span("native in tracing 2").start().end());
                }
                .with_context(cx)
                .await;
            }
            .instrument(span)
            .await;
            otel.start("second child of otel").end();
        };
        // Another task of the same thread must see nothing of it.
        let beside = async {
            for _ in 0..20 {
                assert_eq!(current_context(), None);
                assert!(!Context::current().has_active_span());
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(inside.with_context(cx), beside);
    }
    .with_subscriber(subscriber)
    .await;
    let spans = recorder.spans();
    for (child, parent) in [
        ("tracing in otel", "otel"),
        ("otel in tracing", "tracing in otel"),
        ("otel 2", "tracing in otel"),
        ("tracing 2", "otel 2"),
        ("native in tracing 2", "tracing 2"),
        ("second child of otel", "otel"),
    ] {
        assert_child(&spans, child, parent);
    }
}

#[test]
fn a_panic_leaves_no_context_behind() {
    let spans = run(|recorder| {
        let otel = recorder.tracer();
        let panics = || {
            otel.in_span("otel", |_| {
                tracing::info_span!("tracing").in_scope(|| {
                    let _native = recorder.native().span("native").start().enter();
                    panic!("as the test wants it")
                })
            })
        };
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert_eq!(current_context(), None);
        assert!(!Context::current().has_active_span());
    });
    assert_child(&spans, "native", "tracing");
    assert_child(&spans, "tracing", "otel");
}

/// A sampler that is itself traced.
#[derive(Debug)]
struct Traced;

impl clewline::Sampler for Traced {
    fn should_sample(&self, parameters: &clewline_core::SamplingParameters<'_>) -> clewline_core::SamplingResult<'_> {
        if parameters.name == "asked" {
            tracing::info_span!("asking").in_scope(|| tracing::info!("asked for {}", parameters.name));
        }
        clewline_core::SamplingDecision::RecordAndSample.into()
    }
}

/// The API calls a tracer while its context is borrowed, so that a change of it would panic.
#[test]
fn a_sampler_may_use_tracing_itself() {
    let recorder = Recorder::with_sampler(Traced);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(Recorder::new().layer()), || {
        recorder.tracer().start("asked").end();
    });
    named(&recorder.spans(), "asked");
}

/// Entered and never left, by a thread that ends.
#[test]
fn a_thread_may_end_within_spans() {
    let spans = run(|recorder| {
        let (otel, native) = (recorder.tracer(), recorder.native());
        let thread = std::thread::spawn(move || {
            std::mem::forget(mark_span_as_active(otel.start("otel")));
            std::mem::forget(native.span("native").start().enter());
        });
        assert!(thread.join().is_ok());
    });
    // The native span is dropped with the thread's stack; of OpenTelemetry's we only ask that nothing breaks.
    assert!(spans.len() <= 2);
}
