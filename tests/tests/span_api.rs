//! Core's door for one thread, held against the OpenTelemetry trace API and SDK: laziness, links, processors, exceptions.

use std::cell::Cell;

use clewline_core::{
    AlwaysOff, AlwaysOn, Compact, CountingIds, IdSource, InlineSpan, Link, LocalSink, ManualClock, ReadWriteSpan,
    Sampler, SamplingDecision, SamplingParameters, SamplingResult, SpanContext, SpanKind, SpanLimits, SpanProcessor,
    SpanStart, SpanView, Status, StatusCode, TraceFlags, Tracer, Value, ValueView, Verdict,
};

type Sink<P = ()> = LocalSink<1024, 8192, P>;

fn context() -> SpanContext {
    let ids = CountingIds::new();
    SpanContext::new(ids.trace_id(), ids.span_id(), TraceFlags::SAMPLED).into_remote()
}

/// Looks at the only span of a sink.
fn only_span<P: SpanProcessor>(sink: &Sink<P>, look: impl FnOnce(&SpanView<'_>)) {
    let seen = sink.with_batch(|batch| {
        assert_eq!(batch.len(), 1);
        look(&batch.iter().next().expect("one span"));
    });
    assert!(seen.is_some());
}

fn attribute<'a>(span: &SpanView<'a>, key: &str) -> Option<ValueView<'a>> {
    span.attributes().find(|(found, _)| *found == key).map(|(_, value)| value)
}

/// Trace API, "IsRecording": it is there to avoid the work that an attribute takes.
#[test]
fn lazy_attributes_are_computed_only_for_spans_that_record() {
    let calls = Cell::new(0);
    let count = || {
        calls.set(calls.get() + 1);
        calls.get()
    };
    let off = Tracer::new(ManualClock::new(0), CountingIds::new(), AlwaysOff, Sink::new());
    off.span("dropped").start().set_with("n", count);
    assert_eq!(calls.get(), 0);

    let on = Tracer::new(ManualClock::new(0), CountingIds::new(), AlwaysOn, Sink::new())
        .with_limits(SpanLimits { links: 0, ..SpanLimits::DEFAULT });
    let mut span = on.span("kept").start();
    span.set_with("n", count);
    assert_eq!(calls.get(), 1);
    if let Some(mut refused) = span.link(&context()) {
        refused.set_with("n", count);
    }
    assert_eq!(calls.get(), 1, "the link was refused, so its attribute is not wanted");
    span.end();
    span.set_with("n", count);
    assert_eq!(calls.get(), 1, "the span has ended");
    only_span(on.sink(), |span| assert_eq!(attribute(span, "n"), Some(ValueView::I64(1))));
}

/// Wants spans that link to something with an attribute.
struct ByLink;

impl Sampler for ByLink {
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_> {
        let is_wanted = parameters.links.iter().any(|link| !link.attributes.is_empty() && link.trace_state == "a=1");
        if is_wanted { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop }.into()
    }
}

/// Trace API, "Specifying links", and SDK, "ShouldSample".
#[test]
fn links_from_the_start_are_whole_and_seen_by_the_sampler() {
    let tracer = Tracer::new(ManualClock::new(0), CountingIds::new(), ByLink, Sink::new());
    let attributes = [("messaging.message.id", Value::from("17"))];
    let whole = Link { context: context(), trace_state: "a=1", attributes: &attributes };
    tracer.span("without").links(&[context().into()]).start().end();
    let mut span = tracer.span("with").links(&[whole]).start();
    span.add_link(&Link { trace_state: "b=2", ..Link::from(context()) });
    span.end();
    only_span(tracer.sink(), |span| {
        assert_eq!(span.name(), "with");
        let links: Vec<_> = span.links().collect();
        assert_eq!((links.len(), links[0].trace_state(), links[1].trace_state()), (2, "a=1", "b=2"));
        assert_eq!(links[0].attributes().collect::<Vec<_>>(), [("messaging.message.id", ValueView::Str("17"))]);
        assert!(links.iter().all(|link| link.flags() == 0x301));
    });
}

struct Tag(&'static str);

impl SpanProcessor for Tag {
    fn on_start(&self, span: &mut ReadWriteSpan<'_>) {
        let view = span.view().expect("OTLP can be read");
        assert_eq!((view.name(), view.kind()), ("GET", SpanKind::Server));
        assert!(attribute(&view, "known").is_some(), "what the span starts with is there already");
        assert_eq!(span.parent(), Some(context()));
        let before = span.view().map_or(0, |view| view.links().count());
        span.set("known", self.0).set(self.0, before == 1).link(&context().into());
        span.event(self.0, 7, &[("k", Value::from(true))]);
    }

    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        Verdict::Keep
    }
}

/// Trace SDK, "OnStart": a processor gets a span that it can read and write; several are called in order.
#[test]
fn processors_read_and_write_the_span_that_starts() {
    let sink = Sink::with_processor((Tag("first"), Tag("second")));
    let tracer = Tracer::new(ManualClock::new(0), CountingIds::new(), AlwaysOn, sink);
    let known = [("known", Value::from(1))];
    tracer.span("GET").kind(SpanKind::Server).child_of(context()).attributes(&known).start().end();
    only_span(tracer.sink(), |span| {
        assert_eq!(attribute(span, "known"), Some(ValueView::Str("second")));
        assert_eq!(attribute(span, "first"), Some(ValueView::Bool(false)));
        assert_eq!(attribute(span, "second"), Some(ValueView::Bool(true)));
        assert_eq!(
            span.events().map(|event| (event.name(), event.time_unix_nano())).collect::<Vec<_>>(),
            [("first", 7), ("second", 7)]
        );
    });
}

/// Drops every span that ends.
struct DropAll;

impl SpanProcessor for DropAll {
    fn on_end(&self, _: &SpanView<'_>) -> Verdict {
        Verdict::Drop
    }
}

#[test]
fn only_where_nobody_looks_at_ends_are_they_not_read() {
    assert!(!().sees_ends() && !((), &()).sees_ends());
    assert!(DropAll.sees_ends() && ((), &DropAll).sees_ends() && (DropAll, ()).sees_ends());
    let tracer = Tracer::new(ManualClock::new(0), CountingIds::new(), AlwaysOn, Sink::with_processor(((), &DropAll)));
    tracer.span("GET").start().end();
    assert_eq!(tracer.sink().with_batch(|batch| batch.len()), Some(0));
}

#[test]
fn everything_can_be_changed_through_a_span_of_unknown_type() {
    let start = SpanStart {
        context: context(),
        parent: None,
        name: "old",
        kind: SpanKind::Internal,
        start_time: 1,
        trace_state: "",
        limits: SpanLimits::DEFAULT,
    };
    let mut span = InlineSpan::<512>::new(heapless::Vec::new(), &start);
    ReadWriteSpan::new(&mut span)
        .set_name("new")
        .set_kind(SpanKind::Consumer)
        .set_status(Status::error("late"))
        .set_all(&[("a", Value::from(1)), ("b", Value::from(2))]);
    let view = span.view(2);
    assert_eq!((view.name(), view.kind(), view.attributes().count()), ("new", SpanKind::Consumer, 2));
    assert_eq!((view.status().code, view.status().message), (StatusCode::Error, "late"));

    let mut compact = InlineSpan::<512, Compact>::new(heapless::Vec::new(), &start);
    let mut handle = ReadWriteSpan::new(&mut compact);
    assert!(handle.set("a", 1).view().is_none());
    assert_eq!((handle.context(), compact.counts().attributes), (context(), 1));
}

/// Trace API, "Record Exception": further attributes take precedence over those that the method makes. "Add Events": the
/// time may be the caller's.
#[test]
fn exceptions_and_events_take_what_the_specification_asks_for() {
    let tracer = Tracer::new(ManualClock::new(50), CountingIds::new(), AlwaysOn, Sink::new());
    let mut span = tracer.span("work").start();
    let attributes = [("exception.message", Value::from("redacted")), ("exception.escaped", Value::from(true))];
    span.record_exception("io::Error", "secret", "", &attributes);
    span.event_at("earlier", 3, &[("k", Value::from(1))]);
    span.set_name("renamed").set_kind(SpanKind::Producer).set_all(&[("a", Value::Empty)]);
    span.end();
    only_span(tracer.sink(), |span| {
        let events: Vec<_> = span.events().collect();
        assert_eq!((events[0].name(), events[0].time_unix_nano()), ("exception", 50));
        assert_eq!(
            events[0].attributes().collect::<Vec<_>>(),
            [
                ("exception.type", ValueView::Str("io::Error")),
                ("exception.message", ValueView::Str("redacted")),
                ("exception.escaped", ValueView::Bool(true)),
            ]
        );
        assert_eq!((events[1].name(), events[1].time_unix_nano(), events[1].attributes().count()), ("earlier", 3, 1));
        assert_eq!((span.name(), span.kind(), span.attributes().count()), ("renamed", SpanKind::Producer, 1));
        assert_eq!(span.status().code, StatusCode::Unset, "recording an exception judges nothing");
    });
}
