//! What makes one context of two: Clewline's stack of places, and OpenTelemetry's `Context`.
//!
//! OpenTelemetry's context has no hook. So every place that a thread enters through another door is attached to it as well,
//! and whenever the current span is asked for, OpenTelemetry's own answer is compared with what was attached last: if it
//! differs, a context was attached further in. All of this begins with the first [`TracerProvider`](super::TracerProvider);
//! programs without one pay for one look at a flag.

use std::borrow::Cow;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use clewline_core::SpanId;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::trace::{SpanContext, Status, TraceContextExt as _};
use opentelemetry::{Context as OtelContext, ContextGuard, KeyValue};

use super::convert::{
    from_baggage, from_context, from_status, from_time, to_baggage, to_span_context, with_attributes, with_value,
};
use super::visit;
use crate::current::Place;
use crate::propagation::Context;

static IS_ACTIVE: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The context may be borrowed further up the stack, so it must not be changed.
    static IS_BORROWED: Cell<bool> = const { Cell::new(false) };
}

/// From now on OpenTelemetry's context is kept in step.
pub(super) fn activate() {
    IS_ACTIVE.store(true, Ordering::Relaxed);
}

#[inline]
pub(crate) fn is_active() -> bool {
    IS_ACTIVE.load(Ordering::Relaxed)
}

/// Keeps the context from being changed on this thread until dropped.
pub(super) struct Untouched {
    was_borrowed: bool,
}

pub(super) fn untouched() -> Untouched {
    Untouched { was_borrowed: IS_BORROWED.replace(true) }
}

impl Drop for Untouched {
    fn drop(&mut self) {
        IS_BORROWED.set(self.was_borrowed);
    }
}

/// How a place stands in OpenTelemetry's context, where it stays until this is dropped.
#[derive(Debug)]
pub(crate) struct Attached {
    shown: Option<SpanId>,
    guard: Option<ContextGuard>,
}

impl Attached {
    /// The span that OpenTelemetry's context shows while the place is the innermost one.
    pub(crate) fn shown(&self) -> Option<SpanId> {
        self.shown
    }

    /// Whether that is the place's own.
    pub(crate) fn is_own(&self) -> bool {
        self.guard.is_some()
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if let Some(guard) = self.guard.take() {
            shielded(|| drop(guard));
        }
    }
}

/// Attaches a place, if that is possible here.
pub(crate) fn attach(place: &Place) -> Attached {
    let context = if IS_BORROWED.get() { None } else { place.context() };
    let guard = context.as_ref().and_then(|context| {
        shielded(|| {
            let span = to_span_context(context);
            let mut cx = match place {
                Place::Attached(_) => OtelContext::map_current(|cx| cx.with_remote_span_context(span)),
                place => OtelContext::current_with_span(PlaceSpan { place: place.clone(), context: span }),
            };
            if !context.baggage().is_empty() {
                cx = cx.with_baggage(to_baggage(context.baggage()));
            }
            cx.attach()
        })
    });
    let shown = match (&guard, context) {
        (Some(_), Some(context)) => context.span_context().map(|span| span.span_id()),
        _ => shown(),
    };
    Attached { shown, guard }
}

/// The span that OpenTelemetry's context shows.
fn shown() -> Option<SpanId> {
    read(|cx| SpanId::from_bytes(cx.span().span_context().span_id().to_bytes())).flatten()
}

/// OpenTelemetry's context, if it shows another span than `expected`: then it was attached further in. A context without a
/// span says nothing about the spans of other doors.
#[inline]
pub(crate) fn other_than(expected: Option<SpanId>) -> Option<Place> {
    read(|cx| {
        let span = cx.span();
        let shown = SpanId::from_bytes(span.span_context().span_id().to_bytes())?;
        (Some(shown) != expected).then(|| Place::OpenTelemetry(Arc::new(cx.clone())))
    })
    .flatten()
}

/// Whether OpenTelemetry's context asks to record nothing.
pub(crate) fn is_suppressed() -> bool {
    read(OtelContext::is_telemetry_suppressed).unwrap_or(false)
}

/// What a context hands on: its span and its baggage. A span that this thread is in through another door is asked itself, as
/// it may have been given a parent since it was attached.
pub(crate) fn hand_on(cx: &OtelContext) -> Context {
    let span = cx.span();
    let shown = SpanId::from_bytes(span.span_context().span_id().to_bytes());
    let context = shown.and_then(crate::current::entered).unwrap_or_else(|| from_context(span.span_context()));
    with_baggage_of(cx, context)
}

/// The same context with the baggage that OpenTelemetry's holds, if there is some: everything that is attached goes there.
fn with_baggage_of(cx: &OtelContext, context: Context) -> Context {
    if cx.baggage().is_empty() { context } else { context.with_baggage(from_baggage(cx.baggage())) }
}

/// The same context with the baggage that is current.
pub(crate) fn with_baggage(context: Context) -> Context {
    let cx = read(|cx| (!cx.baggage().is_empty()).then(|| cx.clone())).flatten();
    match cx {
        Some(cx) => with_baggage_of(&cx, context),
        None => context,
    }
}

fn read<R>(work: impl FnOnce(&OtelContext) -> R) -> Option<R> {
    shielded(|| OtelContext::map_current(work))
}

/// OpenTelemetry's context panics where it is borrowed and on threads that are being torn down, neither of which it lets one
/// find out. There the two contexts are not in step; the program must not end for it.
fn shielded<R>(work: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Stands in OpenTelemetry's context for a span of another door. What is said to it is said to that span; only its end is not
/// its own affair.
#[derive(Debug)]
struct PlaceSpan {
    place: Place,
    context: SpanContext,
}

impl opentelemetry::trace::Span for PlaceSpan {
    fn add_event<T: Into<Cow<'static, str>>>(&mut self, name: T, attributes: Vec<KeyValue>) {
        with_attributes(&attributes, |attributes| {
            self.place.with(|recording| {
                let now = recording.now();
                recording.span.event(&name.into(), now).set_all(attributes);
            });
        });
    }

    fn add_event_with_timestamp<T: Into<Cow<'static, str>>>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) {
        with_attributes(&attributes, |attributes| {
            self.place.with(|recording| {
                recording.span.event(&name.into(), from_time(timestamp)).set_all(attributes);
            });
        });
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        visit::present();
        self.place.is_recording()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        if attribute.key.as_str().is_empty() {
            return visit::point_to(&self.place);
        }
        with_value(&attribute.value, |value| {
            self.place.with(|recording| {
                recording.span.set(attribute.key.as_str(), value);
            });
        });
    }

    fn set_status(&mut self, status: Status) {
        self.place.with(|recording| {
            recording.span.set_status(from_status(&status));
        });
    }

    fn update_name<T: Into<Cow<'static, str>>>(&mut self, new_name: T) {
        let name = new_name.into();
        self.place.with(|recording| {
            recording.span.set_name(&name);
        });
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        let context = from_context(&span_context);
        with_attributes(&attributes, |attributes| {
            self.place.with(|recording| match context.span_context() {
                Some(span) => {
                    recording.span.link(&span, context.trace_state()).set_all(attributes);
                }
                None => recording.span.count_refused_links(1),
            });
        });
    }

    fn end_with_timestamp(&mut self, _: SystemTime) {}
}
