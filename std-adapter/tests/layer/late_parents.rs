//! `set_parent`: spans that learn of a remote parent after they have begun.

use std::sync::{Arc, Barrier, Mutex};

use clewline::{
    ReadWriteSpan, SetParentError, SpanContext, SpanExt as _, SpanProcessor, SpanView, TraceFlags, Verdict,
    current_context,
};
use clewline_core::{AlwaysOff, AlwaysOn, ParentBased};
use tracing::{info, info_span, instrument};

use crate::support::{Recorder, assert_child, int, named, pairs, remote, text};

const SAMPLED: TraceFlags = TraceFlags::SAMPLED.with_random(true);

#[instrument(fields(kind_of = "server"))]
fn handle(number: i64) {
    tracing::Span::current().set_parent(remote(SAMPLED));
    let _query = info_span!("query").entered();
    info!("asking");
}

/// Both decisions of a root sampler, as in both the remote parent decides.
fn samplers() -> [Recorder; 2] {
    [Recorder::with_sampler(ParentBased::new(AlwaysOn)), Recorder::with_sampler(ParentBased::new(AlwaysOff))]
}

#[test]
fn a_sampled_remote_parent_gets_the_whole_span() {
    for recorder in samplers() {
        let spans = recorder.run(|| handle(7));
        let span = named(&spans, "handle");
        let parent = remote(SAMPLED);
        assert_eq!(span.trace_id, parent.trace_id().to_bytes());
        assert_eq!(span.parent_span_id, parent.span_id().to_bytes());
        // Sampled, random, and the parent is known to be remote (OTLP, `SpanFlags`).
        assert_eq!(span.flags, 0x3 | 0x100 | 0x200);
        let mut found = pairs(&span.attributes);
        found.sort_by_key(|(key, _)| *key);
        assert_eq!(found, [("kind_of", text("server")), ("number", int(7))], "fields from before are there");
        assert_child(named(&spans, "query"), span);
        let ledger = recorder.ledger();
        assert_eq!((ledger.started, ledger.delivered, ledger.not_exported, ledger.pending), (2, 2, 0, 0));
    }
}

#[test]
fn an_unsampled_remote_parent_is_followed() {
    for (recorder, started) in samplers().into_iter().zip([1, 0]) {
        let spans = recorder.run(|| {
            let span = info_span!("request", field = 1);
            span.set_parent(remote(TraceFlags::NONE));
            let context = span.context().unwrap();
            assert_eq!(context.trace_id(), remote(SAMPLED).trace_id());
            assert!(!context.is_sampled() && !context.flags().is_random());
            let _entered = span.entered();
            info!("ignored");
            let child = info_span!("child").entered();
            assert!(!child.is_recording());
            assert_eq!(current_context().map(|context| context.is_sampled()), Some(false));
        });
        assert_eq!(spans, []);
        let ledger = recorder.ledger();
        // A span that had begun to be recorded is accounted for.
        assert_eq!((ledger.started, ledger.not_exported, ledger.pending), (started, started, 0));
    }
}

#[test]
fn a_parent_that_comes_as_a_surprise_still_gets_the_span() {
    fn request(number: i64) -> tracing::Span {
        info_span!("request", number)
    }
    let recorder = Recorder::with_sampler(ParentBased::new(AlwaysOff));
    let spans = recorder.run(|| {
        // The call site has shown that no parents come.
        (0..100).for_each(|number| drop(request(number)));
        for number in 100..103 {
            let span = request(number);
            span.set_parent(remote(SAMPLED));
            span.set_attribute("after", number);
            info_span!(parent: &span, "child").in_scope(|| {});
        }
        // From now on its spans are recorded on trial, also below other spans.
        let _other = info_span!("other").entered();
        let span = request(103);
        span.set_parent(remote(SAMPLED));
    });
    let requests: Vec<_> = spans.iter().filter(|span| span.name == "request").collect();
    let attributes: Vec<Vec<_>> = requests.iter().map(|span| pairs(&span.attributes)).collect();
    assert_eq!(attributes[0], [("after", int(100))], "the first has no fields from before");
    assert_eq!(attributes[1], [("number", int(101)), ("after", int(101))]);
    assert_eq!(attributes[2], [("number", int(102)), ("after", int(102))]);
    assert_eq!(attributes[3], [("number", int(103))]);
    assert!(requests.iter().all(|span| span.trace_id == remote(SAMPLED).trace_id().to_bytes()));
    assert_eq!(spans.iter().filter(|span| span.name == "child").count(), 3);
    assert_eq!(recorder.ledger().started, 7);
}

/// Notes the starts and ends it is told of.
struct Watch(Arc<Mutex<Vec<String>>>);

impl SpanProcessor for Watch {
    fn on_start(&self, span: &mut ReadWriteSpan<'_>) {
        // Tracing from here must not hang, whatever the layer is doing.
        info!("started");
        let is_remote = span.parent().is_some_and(|parent| parent.is_remote());
        self.0.lock().unwrap().push(format!("start {} {is_remote}", span.context().is_sampled()));
        span.set("tenant.id", "acme");
    }

    fn on_end(&self, span: &SpanView<'_>) -> Verdict {
        self.0.lock().unwrap().push(format!("end {}", span.name()));
        Verdict::Keep
    }
}

#[test]
fn processors_learn_of_a_span_once_it_is_recorded() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let recorder = Recorder::with_processors(ParentBased::new(AlwaysOff), vec![Box::new(Watch(Arc::clone(&seen)))]);
    let spans = recorder.run(|| {
        drop(info_span!("dropped"));
        let span = info_span!("request").entered();
        assert_eq!(*seen.lock().unwrap(), [""; 0]);
        span.set_parent(remote(SAMPLED));
    });
    assert_eq!(*seen.lock().unwrap(), ["start true true", "end request"]);
    let tenants = spans[0].attributes.iter().filter(|pair| pair.key == "tenant.id").count();
    assert_eq!((spans.len(), tenants), (1, 1), "what the processor wrote is in the span");
}

#[test]
fn after_shutdown_no_parent_brings_a_span_back() {
    let recorder = Recorder::with_sampler(ParentBased::new(AlwaysOff));
    recorder.pipeline.shutdown(std::time::Duration::from_secs(300)).unwrap();
    tracing::dispatcher::with_default(&recorder.dispatch(), || {
        let span = info_span!("request", field = 1);
        span.set_parent(remote(SAMPLED));
        assert_eq!(span.context().map(|context| context.trace_id()), Some(remote(SAMPLED).trace_id()));
        assert!(!span.is_recording());
    });
    assert_eq!(recorder.ledger(), clewline::Ledger::default());
}

#[test]
fn the_last_parent_counts_and_none_changes_nothing() {
    let recorder = Recorder::new();
    let spans = recorder.run(|| {
        let other = info_span!("other");
        let span = info_span!("request");
        span.set_parent(remote(SAMPLED));
        let id = span.context().unwrap().span_id();
        span.set_parent(&other);
        span.set_parent(None::<SpanContext>);
        assert_eq!(span.context().unwrap().span_id(), id);
    });
    assert_child(named(&spans, "request"), named(&spans, "other"));
    assert_eq!(named(&spans, "request").flags & 0x200, 0, "the parent is local");
}

#[test]
fn a_span_with_children_stays_in_their_trace_and_links_to_the_parent() {
    let recorder = Recorder::new();
    let tracer = recorder.pipeline.tracer(&clewline::Scope { name: "native", ..clewline::Scope::default() });
    let spans = recorder.run(|| {
        for door in ["tracing", "native", "explicit"] {
            let span = info_span!("request", door);
            match door {
                "tracing" => span.in_scope(|| drop(info_span!("child"))),
                "native" => span.in_scope(|| tracer.span("child").start().end()),
                _ => tracer.span("child").child_of(&span).start().end(),
            }
            let before = span.context();
            assert_eq!(span.try_set_parent(remote(SAMPLED)), Err(SetParentError::HasChildren));
            span.set_parent(clewline::Context::new(Some(remote(SAMPLED))).with_trace_state("vendor=1"));
            assert_eq!(span.context(), before);
        }
        // To read the context, as for a log line, is not to have a child.
        let read = info_span!("read");
        assert!(read.context().is_some() && read.in_scope(current_context).is_some());
        assert_eq!(read.try_set_parent(remote(SAMPLED)), Ok(()));
    });
    let parent = remote(SAMPLED);
    assert_eq!(spans.iter().filter(|span| span.name == "child").count(), 3);
    for child in spans.iter().filter(|span| span.name == "child") {
        let request = spans.iter().find(|span| span.span_id == child.parent_span_id).unwrap();
        assert_child(child, request);
        assert_ne!(request.trace_id, parent.trace_id().to_bytes());
        let links: Vec<_> = request.links.iter().map(|link| (&link.span_id[..], link.trace_state.as_str())).collect();
        let id = parent.span_id().to_bytes();
        assert_eq!(links, [(&id[..], ""), (&id[..], "vendor=1")]);
    }
    assert_eq!(named(&spans, "read").trace_id, parent.trace_id().to_bytes());
}

#[test]
fn a_parent_that_cannot_be_set_is_refused_by_name() {
    let elsewhere = remote(SAMPLED);
    assert_eq!(tracing::Span::none().try_set_parent(elsewhere), Err(SetParentError::Disabled));
    tracing::subscriber::with_default(tracing_subscriber::registry(), || {
        assert_eq!(info_span!("another subscriber").try_set_parent(elsewhere), Err(SetParentError::NoLayer));
    });
    Recorder::new().run(|| assert_eq!(info_span!("no parent").try_set_parent(None::<SpanContext>), Ok(())));
}

/// Holds up the start of spans that were adopted until it is let go on.
struct Slow(Barrier);

impl SpanProcessor for Slow {
    fn on_start(&self, span: &mut ReadWriteSpan<'_>) {
        self.0.wait();
        self.0.wait();
        span.set("tenant.id", "acme");
    }

    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        Verdict::Keep
    }
}

#[test]
fn what_a_span_cannot_take_while_processors_have_it_is_counted() {
    let slow: &'static Slow = Box::leak(Box::new(Slow(Barrier::new(2))));
    let recorder = Recorder::with_processors(ParentBased::new(AlwaysOff), vec![Box::new(slow)]);
    let dispatch = recorder.dispatch();
    let span = tracing::dispatcher::with_default(&dispatch, || info_span!("request", late = tracing::field::Empty));
    std::thread::scope(|scope| {
        let adopted = span.clone();
        let thread = scope.spawn(move || adopted.set_parent(remote(SAMPLED)));
        slow.0.wait();
        // The processor has the span now. None of this may wait for it.
        span.set_attribute("lost", 1);
        span.record("late", 2);
        span.record_error(&std::fmt::Error);
        tracing::dispatcher::with_default(&dispatch, || span.in_scope(|| info!("lost")));
        assert!(span.context().is_some_and(|context| context.is_sampled()));
        slow.0.wait();
        thread.join().unwrap();
    });
    span.set_attribute("after", 3);
    drop(span);
    let spans = recorder.spans();
    let mut keys: Vec<&str> = spans[0].attributes.iter().map(|pair| pair.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!((keys, spans[0].events.len()), (vec!["after", "tenant.id"], 0));
    let ledger = recorder.ledger();
    assert_eq!((ledger.delivered, ledger.dropped_content), (1, 4));
}

#[test]
fn a_span_may_close_while_processors_have_it() {
    let slow: &'static Slow = Box::leak(Box::new(Slow(Barrier::new(2))));
    let recorder = Recorder::with_processors(ParentBased::new(AlwaysOff), vec![Box::new(slow)]);
    let span = tracing::dispatcher::with_default(&recorder.dispatch(), || info_span!("request"));
    std::thread::scope(|scope| {
        let adopted = span.clone();
        // The last handle is dropped by the thread on which the processor runs.
        let thread = scope.spawn(move || {
            adopted.set_parent(remote(SAMPLED));
            drop(adopted);
        });
        slow.0.wait();
        drop(span);
        slow.0.wait();
        thread.join().unwrap();
    });
    assert_eq!(recorder.spans().len(), 1);
    assert_eq!(recorder.ledger().pending, 0);
}
