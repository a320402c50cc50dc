//! Filters: spans that are not the layer's do not break traces.

use std::sync::{Arc, Mutex};

use clewline::{SpanExt as _, current_context};
use tracing::{Level, Subscriber, debug, debug_span, info, info_span};
use tracing_core::span::{Attributes, Id};
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::support::{Recorder, assert_child, named, pairs, text};

/// Another layer of the same subscriber, which wants everything.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<&'static str>>>);

impl<S: Subscriber> Layer<S> for Names {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        self.0.lock().unwrap().push(attributes.metadata().name());
    }
}

fn work() {
    let outer = info_span!("outer").entered();
    let hidden = debug_span!("hidden").entered();
    info!("from hidden");
    debug!("not recorded");
    assert_eq!(current_context(), outer.context(), "the hidden span hands on its parent's context");
    assert!(!hidden.is_recording());
    hidden.set_attribute("nowhere", 1);
    let deeper = debug_span!("deeper").entered();
    drop(info_span!("inner"));
    drop(info_span!(parent: &hidden, "explicit"));
    drop(deeper);
}

#[track_caller]
fn check(spans: &[opentelemetry_proto::tonic::trace::v1::Span]) {
    assert_eq!(spans.len(), 3, "{spans:?}");
    let outer = named(spans, "outer");
    assert_child(named(spans, "inner"), outer);
    assert_child(named(spans, "explicit"), outer);
    let events: Vec<&str> = outer.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["from hidden"]);
    assert!(outer.attributes.is_empty());
}

#[test]
fn filters_of_the_layer_alone_leave_other_layers_their_spans() {
    let names = Names::default();
    let recorder = Recorder::new();
    let subscriber =
        tracing_subscriber::registry().with(recorder.layer().with_filter(LevelFilter::INFO)).with(names.clone());
    tracing::subscriber::with_default(subscriber, work);
    check(&recorder.spans());
    assert_eq!(*names.0.lock().unwrap(), ["outer", "hidden", "deeper", "inner", "explicit"]);
}

#[test]
fn targets_and_env_filters_work_for_the_layer_and_for_all() {
    let targets = || Targets::new().with_default(Level::ERROR).with_target("layer", Level::INFO);
    let env = || EnvFilter::new("error,layer=info");
    let (first, second, third) = (Recorder::new(), Recorder::new(), Recorder::new());
    let names = Names::default();
    let subscriber = tracing_subscriber::registry().with(first.layer().with_filter(targets())).with(names.clone());
    tracing::subscriber::with_default(subscriber, work);
    check(&first.spans());
    let subscriber = tracing_subscriber::registry().with(names).with(second.layer().with_filter(env()));
    tracing::subscriber::with_default(subscriber, work);
    check(&second.spans());

    // Without other layers that want them, hidden spans do not exist at all.
    let subscriber = tracing_subscriber::registry().with(env()).with(third.layer());
    tracing::subscriber::with_default(subscriber, || {
        let outer = info_span!("outer").entered();
        let _hidden = debug_span!("hidden").entered();
        assert_eq!(current_context(), outer.context());
        info!("from hidden");
        drop(info_span!("inner"));
        drop(info_span!(parent: &outer, "explicit"));
    });
    check(&third.spans());
}

#[test]
fn the_trace_goes_on_where_only_a_hidden_span_is_entered() {
    let recorder = Recorder::new();
    let subscriber =
        tracing_subscriber::registry().with(recorder.layer().with_filter(LevelFilter::INFO)).with(Names::default());
    let dispatch = tracing::Dispatch::new(subscriber);
    tracing::dispatcher::with_default(&dispatch, || {
        let outer = info_span!("outer");
        let hidden = debug_span!(parent: &outer, "hidden");
        // As an executor would move the hidden span's task to another thread.
        std::thread::scope(|scope| {
            let (dispatch, hidden) = (dispatch.clone(), hidden.clone());
            scope.spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || {
                    let _hidden = hidden.entered();
                    info!("from hidden");
                    drop(info_span!("inner"));
                    assert!(current_context().is_some());
                });
            });
        });
        drop(info_span!(parent: &hidden, "explicit"));
    });
    check(&recorder.spans());
}

#[test]
fn a_hidden_span_leads_to_its_own_parent_and_not_to_the_span_around_it() {
    let recorder = Recorder::new();
    let subscriber =
        tracing_subscriber::registry().with(recorder.layer().with_filter(LevelFilter::INFO)).with(Names::default());
    tracing::subscriber::with_default(subscriber, || {
        let outer = info_span!("outer");
        // A task of `outer`'s, polled by a worker that has a span of its own.
        let hidden = debug_span!(parent: &outer, "hidden");
        let _worker = info_span!(parent: None, "worker").entered();
        let _polled = hidden.entered();
        info!("from hidden");
        drop(info_span!("inner"));
    });
    let spans = recorder.spans();
    assert_child(named(&spans, "inner"), named(&spans, "outer"));
    assert_eq!((named(&spans, "outer").events.len(), named(&spans, "worker").events.len()), (1, 0));
}

/// Spans of one tenant, and what happens within them.
fn requests() {
    for tenant in ["other", "acme"] {
        let _request = info_span!("request", tenant).entered();
        let _query = debug_span!("query").entered();
        debug!("asking");
    }
    let late = info_span!("request", tenant = tracing::field::Empty);
    late.record("tenant", "acme");
    let _late = late.entered();
    drop(debug_span!("query"));
}

#[test]
fn filters_by_the_fields_of_spans_work() {
    let directives = || EnvFilter::new("info,[request{tenant=acme}]=debug");
    let (alone, all) = (Recorder::new(), Recorder::new());
    let names = Names::default();
    let subscriber = tracing_subscriber::registry().with(alone.layer().with_filter(directives())).with(names.clone());
    tracing::subscriber::with_default(subscriber, requests);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(directives()).with(all.layer()), requests);
    for recorder in [alone, all] {
        let spans = recorder.spans();
        let of_acme: Vec<_> = spans
            .iter()
            .filter(|span| span.name == "request" && pairs(&span.attributes) == [("tenant", text("acme"))])
            .collect();
        let queries: Vec<_> = spans.iter().filter(|span| span.name == "query").collect();
        assert_eq!((of_acme.len(), queries.len(), spans.len()), (2, 2, 5), "{spans:?}");
        for query in queries {
            assert!(of_acme.iter().any(|request| request.span_id == query.parent_span_id), "{query:?}");
        }
        assert_eq!(spans.iter().flat_map(|span| &span.events).count(), 1);
    }
    assert_eq!(names.0.lock().unwrap().len(), 6, "the other layer sees all");
}

#[test]
fn a_filter_may_change_while_spans_are_open() {
    let recorder = Recorder::new();
    let (filter, handle) = tracing_subscriber::reload::Layer::new(LevelFilter::INFO);
    let subscriber = tracing_subscriber::registry().with(recorder.layer().with_filter(filter)).with(Names::default());
    tracing::subscriber::with_default(subscriber, || {
        let outer = info_span!("outer").entered();
        let hidden = debug_span!("hidden").entered();
        handle.modify(|level| *level = LevelFilter::DEBUG).unwrap();
        // The span that was hidden stays so; what begins within it is a child of the one above.
        assert!(!hidden.is_recording());
        let shown = debug_span!("shown").entered();
        handle.modify(|level| *level = LevelFilter::OFF).unwrap();
        assert!(shown.is_recording(), "it was begun, and goes on");
        drop(info_span!("off"));
        info!("off");
        drop((shown, hidden));
        handle.modify(|level| *level = LevelFilter::INFO).unwrap();
        info!("on again");
        drop(outer);
    });
    let spans = recorder.spans();
    assert_eq!(spans.len(), 2, "{spans:?}");
    assert_child(named(&spans, "shown"), named(&spans, "outer"));
    let events: Vec<_> = named(&spans, "outer").events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["on again"]);
}

#[test]
fn the_subscriber_has_targets_that_may_change() {
    let recorder = Recorder::new();
    let targets = |level| Targets::new().with_default(Level::ERROR).with_target("layer", level);
    let dispatch =
        tracing::Dispatch::new(clewline::ClewlineSubscriber::new(recorder.pipeline).with_targets(targets(Level::INFO)));
    let subscriber = dispatch.downcast_ref::<clewline::ClewlineSubscriber>().unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        let outer = info_span!("outer").entered();
        let hidden = debug_span!("hidden").entered();
        assert!(hidden.is_disabled() && hidden.context().is_none());
        assert_eq!(current_context(), outer.context());
        drop(info_span!(target: "elsewhere", "elsewhere"));
        subscriber.set_targets(targets(Level::DEBUG));
        drop(debug_span!("shown"));
        subscriber.set_targets(Targets::new());
        assert!(info_span!("off").is_disabled());
    });
    let spans = recorder.spans();
    assert_eq!(spans.len(), 2, "{spans:?}");
    assert_child(named(&spans, "shown"), named(&spans, "outer"));
}
