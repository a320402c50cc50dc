//! Who is whose parent, links, and contexts that are handed on.

use clewline::{ClewlineLayer, Link, Parent, Scope, SpanExt as _, Value, current_context};
use clewline_core::AlwaysOff;
use tracing::{Span, info_span};
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{Recorder, assert_child, int, named, pairs, record};

#[test]
fn parents_are_contextual_explicit_or_none() {
    let spans = record(|| {
        let outer = info_span!("outer").entered();
        let inner = info_span!("inner").entered();
        let _explicit = info_span!(parent: &outer, "explicit").entered();
        let _root = info_span!(parent: None, "root").entered();
        let _below = info_span!("below").entered();
        drop(inner);
    });
    let span = |name| named(&spans, name);
    assert_child(span("inner"), span("outer"));
    assert_child(span("explicit"), span("outer"));
    assert_child(span("below"), span("root"));
    assert!(span("outer").parent_span_id.is_empty() && span("root").parent_span_id.is_empty());
    assert_ne!(span("root").trace_id, span("outer").trace_id);
}

#[test]
fn a_span_that_follows_another_links_to_it() {
    let spans = record(|| {
        let first = info_span!("first");
        let second = info_span!("second");
        second.follows_from(&first);
        second.follows_from(Span::none());
        info_span!("third").add_link(&first.context().unwrap());
    });
    let first = named(&spans, "first");
    for name in ["second", "third"] {
        let [link] = &named(&spans, name).links[..] else { panic!("{spans:?}") };
        assert_eq!((&link.trace_id, &link.span_id), (&first.trace_id, &first.span_id));
    }
}

#[test]
fn links_and_events_are_added_to_a_span_that_goes_on() {
    let to = crate::support::remote(clewline::TraceFlags::SAMPLED);
    let attributes = [("messaging.batch.index", Value::from(3))];
    let spans = record(|| {
        let span = info_span!("work");
        span.link(&Link { trace_state: "vendor=1", attributes: &attributes, ..Link::from(to) });
        span.add_event("first", &attributes);
        span.add_event_at("second", 1_700_000_000_000_000_001, &[]);
    });
    let link = &spans[0].links[0];
    assert_eq!((&link.span_id[..], link.trace_state.as_str()), (&to.span_id().to_bytes()[..], "vendor=1"));
    assert_eq!(pairs(&link.attributes), [("messaging.batch.index", int(3))]);
    let [first, second] = &spans[0].events[..] else { panic!("{spans:?}") };
    assert_eq!((first.name.as_str(), pairs(&first.attributes)), ("first", vec![("messaging.batch.index", int(3))]));
    assert_eq!((second.name.as_str(), second.time_unix_nano), ("second", 1_700_000_000_000_000_001));
}

#[test]
fn subscribers_keep_their_spans_apart() {
    let (outer, inner) = (Recorder::new(), Recorder::new());
    let outer_dispatch = outer.dispatch();
    let spans = outer.run(|| {
        let _outer = info_span!("outer").entered();
        let spans = inner.run(|| {
            assert_eq!(Span::current().context(), None, "the other subscriber's span is not this one's");
            let _root = info_span!("root of the inner").entered();
            tracing::info!("inside");
            drop(info_span!("child"));
            // Back in the outer one for a while.
            tracing::dispatcher::with_default(&outer_dispatch, || drop(info_span!("root elsewhere")));
        });
        assert_eq!(spans.len(), 2);
        assert_child(named(&spans, "child"), named(&spans, "root of the inner"));
        assert_eq!(named(&spans, "root of the inner").parent_span_id, b"");
        assert_eq!(named(&spans, "root of the inner").events.len(), 1);
        drop(info_span!("child of outer"));
    });
    assert_child(named(&spans, "child of outer"), named(&spans, "outer"));
    assert_eq!(named(&spans, "outer").events.len(), 0);
    assert_eq!(outer.spans().len() + spans.len(), 3);
}

#[test]
fn contexts_are_those_that_are_exported() {
    let mut seen = None;
    let spans = record(|| {
        assert_eq!(current_context(), None);
        let span = info_span!("work").entered();
        seen = span.context();
        assert!(span.is_recording());
        assert_eq!(current_context(), seen);
        assert_eq!(Parent::parent_context(&*span), seen);
    });
    let context = seen.unwrap();
    assert_eq!(context.trace_id().to_bytes()[..], spans[0].trace_id);
    assert_eq!(context.span_id().to_bytes()[..], spans[0].span_id);
    assert!(context.is_sampled() && context.flags().is_random() && !context.is_remote());
}

#[test]
fn a_trace_that_is_not_sampled_is_handed_on_all_the_same() {
    let recorder = Recorder::with_sampler(AlwaysOff);
    let spans = recorder.run(|| {
        // More than the trials that a call site gets.
        for _ in 0..200 {
            let root = info_span!("root", field = 1).entered();
            let context = current_context().unwrap();
            let child = info_span!("child").entered();
            let handed_on = current_context().unwrap();
            assert_eq!(handed_on.trace_id(), context.trace_id());
            assert_ne!(handed_on.span_id(), context.span_id());
            assert!(!handed_on.is_sampled() && !context.is_sampled());
            assert!(!root.is_recording() && !child.is_recording());
            child.set_attribute("ignored", 1);
            tracing::error!("ignored");
        }
    });
    assert_eq!(spans, []);
    assert_eq!(recorder.ledger(), clewline::Ledger::default());
}

#[test]
fn without_a_layer_there_is_no_context() {
    let span = info_span!("no subscriber");
    assert_eq!((span.context(), span.is_recording(), current_context()), (None, false, None));
    span.set_parent(crate::support::remote(clewline::TraceFlags::SAMPLED));
    span.set_attribute("key", 1);
    span.record_error(&std::fmt::Error);
    assert_eq!(Span::none().context(), None);
    let other = tracing_subscriber::registry();
    tracing::subscriber::with_default(other, || assert_eq!(info_span!("no layer").context(), None));
    // No pipeline: nobody has called `init` in this process.
    let waiting = tracing_subscriber::registry().with(clewline::layer());
    tracing::subscriber::with_default(waiting, || {
        let span = info_span!("before init", field = 1).entered();
        span.record("field", 2);
        tracing::info!("event");
        assert_eq!((span.context(), info_span!("child").context()), (None, None));
    });
}

#[test]
fn the_layer_is_found_wherever_it_is() {
    let recorder = Recorder::new();
    let boxed: Box<dyn tracing_subscriber::Layer<_> + Send + Sync> = recorder.layer().boxed();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(boxed), || {
        assert!(info_span!("boxed").is_recording());
    });
    let optional: Option<ClewlineLayer> = Some(recorder.layer());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(optional), || {
        assert!(info_span!("optional").is_recording());
    });
    assert_eq!(recorder.spans().len(), 2);
}

#[test]
fn spans_of_the_other_api_join_the_trace() {
    let recorder = Recorder::new();
    let tracer = recorder.pipeline.tracer(&Scope { name: "by hand", ..Scope::default() });
    let spans = recorder.run(|| {
        let work = info_span!("work");
        tracer.span("by hand").child_of(&work).start().end();
    });
    assert_child(named(&spans, "by hand"), named(&spans, "work"));
}
