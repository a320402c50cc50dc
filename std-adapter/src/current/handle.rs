//! `CurrentSpan`: the span that code is in, to be added to by those who did not start it.

use std::any::type_name;
use std::error::Error;
use std::ops::Deref;
use std::thread;

use clewline_core::{Attribute, Link, SpanContext, Status, StatusCode, Value};

use super::{Context, ContextGuard, Place, SharedSpan, top};
use crate::limited::{sources, text};
use crate::pipeline::Recording;
use crate::{Parent, Span, ToValue};

/// The span that this thread is in, whichever door it came through.
///
/// ```
/// let span = clewline::current_span();
/// span.set("cart.items", 3).event("cart.checked");
/// ```
#[must_use]
pub fn current_span() -> CurrentSpan {
    CurrentSpan { place: top() }
}

/// A handle to the span that was current when [`current_span`] was called. It may be kept, cloned and sent to other threads;
/// it does not keep the span from ending, and whatever is set after the end has no effect.
///
/// Where there is no span, or one that is not recorded, everything is accepted without effect.
#[derive(Clone, Debug, Default)]
pub struct CurrentSpan {
    place: Option<Place>,
}

#[expect(clippy::must_use_candidate, reason = "what is set is the effect; the span is returned for chaining alone")]
impl CurrentSpan {
    /// The span's own context, to hand to children and to other processes.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        self.hand_on().span_context()
    }

    /// What it hands on to what happens within it: its context, the tracestate list and the baggage.
    #[must_use]
    pub fn hand_on(&self) -> Context {
        self.place.as_ref().and_then(Place::context).unwrap_or_default()
    }

    /// Whether anything is recorded.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.place.as_ref().is_some_and(Place::is_recording)
    }

    /// Sets an attribute; a key that is there already gets the new value.
    pub fn set<'v>(&self, key: &str, value: impl Into<Value<'v>>) -> &Self {
        let value = value.into();
        self.with(|recording| {
            recording.span.set(key, value);
        });
        self
    }

    /// Sets an attribute whose value takes work to find: `value` runs only if the span is recorded.
    pub fn set_with<V: ToValue>(&self, key: &str, value: impl FnOnce() -> V) -> &Self {
        if self.is_recording() {
            // Runs before the span is locked, as it may use the current span itself.
            let value = value();
            self.set(key, value.to_value());
        }
        self
    }

    /// Sets several attributes.
    pub fn set_all(&self, attributes: &[Attribute<'_>]) -> &Self {
        self.with(|recording| {
            recording.span.set_all(attributes);
        });
        self
    }

    /// Renames the span.
    pub fn set_name(&self, name: &str) -> &Self {
        self.with(|recording| {
            recording.span.set_name(name);
        });
        self
    }

    /// Records that something happened now.
    pub fn event(&self, name: &str) -> &Self {
        self.event_with(name, &[])
    }

    /// Records that something happened now, with attributes.
    pub fn event_with(&self, name: &str, attributes: &[Attribute<'_>]) -> &Self {
        self.with(|recording| {
            let now = recording.now();
            recording.span.event(name, now).set_all(attributes);
        });
        self
    }

    /// Records a relation to another span.
    pub fn add_link(&self, link: &Link<'_>) -> &Self {
        self.with(|recording| {
            recording.span.add_link(link);
        });
        self
    }

    /// Judges the outcome. `Ok` is final.
    pub fn set_status(&self, status: Status<'_>) -> &Self {
        self.with(|recording| {
            recording.span.set_status(status);
        });
        self
    }

    /// Records an error with its sources as the event `exception`, and sets the status to `Error` unless somebody has judged.
    /// Its type is that of `error`, unless it is a trait object.
    pub fn record_error<E: Error + ?Sized>(&self, error: &E) -> &Self {
        self.record_error_as(error, shown_type::<E>())
    }

    /// Like [`record_error`](Self::record_error), with a type of the caller's: a short name from a small set. It is also the
    /// span's attribute `error.type`.
    pub fn record_error_as<E: Error + ?Sized>(&self, error: &E, error_type: &str) -> &Self {
        if self.is_recording() {
            // Formatted before the span is locked: an error's `Display` is foreign code.
            let (message, sources) = (text(error), sources(error));
            self.with(|recording| set_error(recording, error_type, &message, &sources));
        }
        self
    }

    fn with<R>(&self, work: impl FnOnce(&mut Recording) -> R) -> Option<R> {
        self.place.as_ref()?.with(work)
    }
}

impl Parent for CurrentSpan {
    fn parent_context(&self) -> Option<SpanContext> {
        self.context()
    }

    fn parent(&self) -> Context {
        self.hand_on()
    }
}

/// A native span that is current on this thread until it is dropped, which ends it. A panic makes it an error.
#[must_use = "the span ends when this is dropped: keep it in a variable such as `_span`"]
#[derive(Debug)]
pub struct EnteredSpan {
    span: CurrentSpan,
    shared: SharedSpan,
    was_panicking: bool,
    // Dropped after the span has ended: processors may look at the span that is current.
    _guard: ContextGuard,
}

impl EnteredSpan {
    pub(crate) fn new(span: Span) -> Self {
        let shared = SharedSpan::new(span);
        let place = Place::Native(shared.clone());
        let span = CurrentSpan { place: Some(place.clone()) };
        Self { span, shared, was_panicking: thread::panicking(), _guard: ContextGuard::enter(place) }
    }
}

impl Deref for EnteredSpan {
    type Target = CurrentSpan;

    fn deref(&self) -> &CurrentSpan {
        &self.span
    }
}

impl Drop for EnteredSpan {
    fn drop(&mut self) {
        if thread::panicking() && !self.was_panicking {
            self.shared.panicked();
        } else {
            self.shared.end();
        }
    }
}

/// Records an error: the event `exception`, `error.type` if it is known, and the status if nobody has judged yet.
pub(crate) fn set_error(recording: &mut Recording, error_type: &str, message: &str, sources: &str) {
    let now = recording.now();
    recording.span.record_exception(error_type, message, sources, now);
    if !error_type.is_empty() {
        recording.span.set("error.type", error_type);
    }
    if recording.span.status_code() == StatusCode::Unset {
        recording.span.set_status(Status::error(message));
    }
}

/// The name of a type, unless the program has only a trait object.
pub(crate) fn shown_type<E: ?Sized>() -> &'static str {
    let name = type_name::<E>();
    if name.contains("dyn ") { "" } else { name }
}
