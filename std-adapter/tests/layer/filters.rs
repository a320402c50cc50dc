//! Filters: spans that are not the layer's do not break traces.

use std::sync::{Arc, Mutex};

use clewline::{SpanExt as _, current_context};
use tracing::{Level, Subscriber, debug, debug_span, info, info_span};
use tracing_core::span::{Attributes, Id};
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::support::{Recorder, assert_child, named};

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
