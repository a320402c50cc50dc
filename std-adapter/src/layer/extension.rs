//! `SpanExt`: what OpenTelemetry knows about a span and `tracing` does not.

use std::error::Error;
use std::sync::{PoisonError, RwLock};

use clewline_core::{Attribute, Link, SpanContext, SpanKind, Status, Value};
use tracing_core::Dispatch;
use tracing_core::dispatcher::WeakDispatch;

use super::fields::set_error;
use super::place::Found;
use super::recorder::Door;
use super::recorder::IN_SLOTS;
use super::scratch::with_scratch;
use super::{ClewlineLayer, ClewlineSubscriber, slots};
use crate::current::Context;
use crate::pipeline::Recording;
use crate::tracer::Parent;

/// Adds to a [`tracing::Span`] what `tracing` has no word for. Works with any subscriber that has a [`ClewlineLayer`]
/// somewhere; without one, and on spans that the layer does not record, setting does nothing.
///
/// ```
/// use clewline::SpanExt as _;
/// let span = tracing::info_span!("GET /cart/{id}");
/// // The caller's context, from its `traceparent` header.
/// span.set_parent(clewline::traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").ok());
/// span.set_attribute("tenant.id", "acme");
/// ```
pub trait SpanExt {
    /// The context of this span, to hand to other processes; of its nearest recorded ancestor if a filter keeps this span from
    /// the layer.
    fn context(&self) -> Option<SpanContext>;

    /// What this span hands on to what happens within it: its context, the tracestate list and the baggage.
    fn hand_on(&self) -> Context;

    /// Makes this span a child of a span elsewhere, with its tracestate list and the baggage, and asks the sampler again.
    /// `None` changes nothing. The span's own fields are recorded whatever the first decision was.
    ///
    /// A span that has children already stays with them in their trace, and links to the parent that it was to have;
    /// [`try_set_parent`](Self::try_set_parent) says so.
    fn set_parent(&self, parent: impl Parent) {
        let _ = self.try_set_parent(parent);
    }

    /// As [`set_parent`](Self::set_parent).
    ///
    /// # Errors
    /// Why the span does not get the parent.
    fn try_set_parent(&self, parent: impl Parent) -> Result<(), SetParentError>;

    /// Records a relation to another span, of any trace.
    fn add_link(&self, context: &SpanContext) {
        self.link(&Link::from(*context));
    }

    /// Records a relation to another span, of any trace, with its tracestate list and attributes.
    fn link(&self, link: &Link<'_>);

    /// Records that something happened now.
    fn add_event(&self, name: &str, attributes: &[Attribute<'_>]);

    /// Records that something happened at a time: nanoseconds since the Unix epoch.
    fn add_event_at(&self, name: &str, unix_nanos: u64, attributes: &[Attribute<'_>]);

    /// Changes the role in a call.
    fn set_kind(&self, kind: SpanKind);

    /// Renames the span.
    fn set_name(&self, name: &str);

    /// Judges the outcome. `Ok` is final.
    fn set_status(&self, status: Status<'_>);

    /// Sets an attribute, whether or not the span declared a field of that name; there may be more of them than the 32 fields
    /// that `tracing` allows. A key that is there already gets the new value.
    fn set_attribute<'v>(&self, key: &str, value: impl Into<Value<'v>>);

    /// Records an error as the event `exception` with its sources, and sets the status to `Error` if nobody has judged yet.
    fn record_error<E: Error + ?Sized>(&self, error: &E);

    /// Whether anything is recorded.
    fn is_recording(&self) -> bool;
}

impl SpanExt for tracing::Span {
    fn context(&self) -> Option<SpanContext> {
        with_door(self, |door, number| door.find_nearest(number)?.context())
    }

    fn hand_on(&self) -> Context {
        with_door(self, |door, number| Some(door.find_nearest(number)?.hand_on())).unwrap_or_default()
    }

    fn try_set_parent(&self, parent: impl Parent) -> Result<(), SetParentError> {
        let parent = parent.parent();
        let Some(metadata) = self.metadata().filter(|_| !self.is_disabled()) else {
            return Err(SetParentError::Disabled);
        };
        if parent.is_empty() {
            return Ok(());
        }
        let mut result = Err(SetParentError::NoLayer);
        with_door(self, |door, number| {
            result = match door.find(number) {
                Some(found) => door.recorder().adopt(found, metadata, parent),
                None => Err(SetParentError::Disabled),
            };
            #[cfg(feature = "opentelemetry")]
            crate::current::moved(door.recorder().number, number);
            Some(())
        });
        result
    }

    fn link(&self, link: &Link<'_>) {
        with_recording(self, |recording| {
            recording.span.add_link(link);
        });
    }

    fn add_event(&self, name: &str, attributes: &[Attribute<'_>]) {
        with_recording(self, |recording| {
            let now = recording.now();
            recording.span.event(name, now).set_all(attributes);
        });
    }

    fn add_event_at(&self, name: &str, unix_nanos: u64, attributes: &[Attribute<'_>]) {
        with_recording(self, |recording| {
            recording.span.event(name, unix_nanos).set_all(attributes);
        });
    }

    fn set_kind(&self, kind: SpanKind) {
        with_recording(self, |recording| {
            recording.span.set_kind(kind);
        });
    }

    fn set_name(&self, name: &str) {
        with_recording(self, |recording| {
            recording.span.set_name(name);
        });
    }

    fn set_status(&self, status: Status<'_>) {
        with_recording(self, |recording| {
            recording.span.set_status(status);
        });
    }

    fn set_attribute<'v>(&self, key: &str, value: impl Into<Value<'v>>) {
        let value = value.into();
        with_recording(self, |recording| {
            recording.span.set(key, value);
        });
    }

    fn record_error<E: Error + ?Sized>(&self, error: &E) {
        with_door(self, |door, number| {
            let found = door.find(number)?;
            found.has_recording().then(|| {
                with_scratch(|scratch| {
                    let (message, sources) = scratch.format_error(error);
                    let (message, sources) = (scratch.text(&message), scratch.text(&sources));
                    door.recorder().work(found, |recording| set_error(recording, type_name::<E>(), message, sources));
                });
            })
        });
    }

    fn is_recording(&self) -> bool {
        with_door(self, |door, number| door.find(number)?.with(|recording| !recording.is_on_trial()).done())
            .unwrap_or(false)
    }
}

impl Parent for tracing::Span {
    fn parent_context(&self) -> Option<SpanContext> {
        SpanExt::context(self)
    }

    fn parent(&self) -> Context {
        let hand_to_child = |found: Found<'_>| {
            let (context, carried) = found.hand_to_child();
            Context::with_carried(context, carried)
        };
        with_door(self, |door, number| door.find_nearest(number).map(hand_to_child)).unwrap_or_default()
    }
}

/// Why a span does not get a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetParentError {
    /// The span is disabled: nobody wants it, or a filter keeps it from Clewline's layer.
    #[error("the span is disabled, or filtered away from Clewline's layer")]
    Disabled,
    /// The span's subscriber is neither Clewline's nor one with Clewline's layer.
    #[error("the span's subscriber has no layer of Clewline's")]
    NoLayer,
    /// The span has children. It stays with them in their trace, and links to the parent that it was to have.
    #[error("the span has children already, and stays in their trace; set the parent before")]
    HasChildren,
}

/// The context of the current `tracing` span, or of its nearest ancestor that the layer knows.
pub(crate) fn nearest_to_current() -> Option<Context> {
    let context = tracing::Span::current().hand_on();
    (!context.is_empty()).then_some(context)
}

/// What a span hands on that a door knows by `number`.
pub(crate) fn context_of(door: u32, number: u64) -> Option<Context> {
    find(door, number, |found| Some(found.hand_on()))
}

/// What it hands to a child.
pub(crate) fn hand_to_child(door: u32, number: u64) -> Option<Context> {
    find(door, number, |found| {
        let (context, carried) = found.hand_to_child();
        Some(Context::with_carried(context, carried))
    })
}

/// Works on what a span records that a door knows by `number`; no foreign code may run inside `work`.
pub(crate) fn with_recording_of<R>(door: u32, number: u64, work: impl FnOnce(&mut Recording) -> R) -> Option<R> {
    find(door, number, |found| {
        let mut work = Some(work);
        found.with(|recording| if recording.is_on_trial() { None } else { Some(work.take()?(recording)) }).done()?
    })
}

/// Finds a span: that of a subscriber in its slot; that of a layer mostly in the thread's own subscriber, else, as spans may be
/// entered on threads with another subscriber or none, among all that there are.
fn find<R>(door: u32, number: u64, work: impl FnOnce(Found<'_>) -> Option<R>) -> Option<R> {
    if door & IN_SLOTS != 0 {
        return work(slots::find(number)?);
    }
    let mut work = Some(work);
    let mut in_layer = |dispatch: &Dispatch| {
        let layer = dispatch.downcast_ref::<ClewlineLayer>().filter(|layer| layer.recorder().number == door)?;
        Some(layer.find(number).and_then(work.take()?))
    };
    let of_thread = tracing_core::dispatcher::get_default(&mut in_layer);
    of_thread.or_else(|| in_layer(&registered(door)?)).flatten()
}

static LAYERS: RwLock<Vec<(u32, WeakDispatch)>> = RwLock::new(Vec::new());

/// Remembers which subscriber a layer belongs to.
pub(super) fn register(layer: u32, dispatch: WeakDispatch) {
    let mut layers = LAYERS.write().unwrap_or_else(PoisonError::into_inner);
    layers.retain(|(_, dispatch)| dispatch.upgrade().is_some());
    layers.push((layer, dispatch));
}

#[cold]
fn registered(layer: u32) -> Option<Dispatch> {
    let layers = LAYERS.read().unwrap_or_else(PoisonError::into_inner);
    layers.iter().find(|(number, _)| *number == layer)?.1.upgrade()
}

/// The context of a span, or of the nearest above it, in the subscriber that `is_wanted`.
#[cfg(feature = "fmt")]
pub(crate) fn nearest_context_where(number: u64, is_wanted: &dyn Fn(&Dispatch) -> bool) -> Option<SpanContext> {
    let layers: Vec<_> = LAYERS.read().unwrap_or_else(PoisonError::into_inner).clone();
    let dispatch = layers.iter().filter_map(|(_, dispatch)| dispatch.upgrade()).find(is_wanted)?;
    dispatch.downcast_ref::<ClewlineLayer>()?.find_nearest(number)?.context()
}

/// Works on every layer that there is.
pub(super) fn for_each_layer(mut work: impl FnMut(&ClewlineLayer)) {
    let layers: Vec<_> = LAYERS.read().unwrap_or_else(PoisonError::into_inner).clone();
    for (number, dispatch) in layers {
        if let Some(dispatch) = dispatch.upgrade()
            && let Some(layer) = dispatch.downcast_ref::<ClewlineLayer>()
            && layer.recorder().number == number
        {
            work(layer);
        }
    }
}

/// The type's name, unless the program gave the error as a trait object.
fn type_name<E: ?Sized>() -> &'static str {
    let name = std::any::type_name::<E>();
    if name.starts_with("dyn ") { "" } else { name }
}

/// Finds the door of the subscriber that the span belongs to, and the number that it knows the span by.
fn with_door<R>(span: &tracing::Span, work: impl FnOnce(&dyn Door, u64) -> Option<R>) -> Option<R> {
    span.with_subscriber(|(id, dispatch)| {
        let door: &dyn Door = match dispatch.downcast_ref::<ClewlineSubscriber>() {
            Some(subscriber) => subscriber,
            None => dispatch.downcast_ref::<ClewlineLayer>()?,
        };
        work(door, id.into_u64())
    })
    .flatten()
}

/// Works on what is being recorded; `work` runs while the recording is lent, so it runs no foreign code.
fn with_recording(span: &tracing::Span, work: impl FnOnce(&mut Recording)) {
    with_door(span, |door, number| door.recorder().work(door.find(number)?, work));
}
