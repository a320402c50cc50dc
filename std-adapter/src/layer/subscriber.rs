//! `ClewlineSubscriber`: `tracing` without a registry in between, for programs whose only subscriber is Clewline.
//!
//! A registry keeps spans so that several layers can share them, and that costs more than recording them. This subscriber keeps
//! them itself: a span costs half of what it costs through the layer, and one that is not sampled a fifth.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Event, Interest, LevelFilter, Metadata, Subscriber, callsite};
use tracing_subscriber::filter::Targets;

use super::options::option_methods;
use super::place::Found;
use super::recorder::{Door, Recorder};
use super::slots;
use crate::current::{self, Context, Within};
use crate::pipeline::Pipeline;

/// A subscriber that records spans with the pipeline that [`init`](crate::init) or [`start`](crate::start) started, and that
/// sees spans of all levels unless it is given [targets](ClewlineSubscriber::with_targets). [`init`](crate::init) sets one.
///
/// To combine Clewline with other layers, add [`layer`](crate::layer) to a registry instead.
///
/// ```
/// let dispatch = tracing::Dispatch::new(clewline::subscriber());
/// # drop(dispatch);
/// ```
#[must_use]
pub fn subscriber() -> ClewlineSubscriber {
    ClewlineSubscriber::default()
}

/// Records `tracing` spans as [`ClewlineLayer`](crate::ClewlineLayer) does, and is a subscriber of its own; made by
/// [`subscriber`].
///
/// A parent ends when its last handle is dropped, whether or not it has open children; a registry would keep it open for them.
pub struct ClewlineSubscriber {
    recorder: Recorder,
    targets: RwLock<Option<Targets>>,
}

impl ClewlineSubscriber {
    /// A subscriber with a pipeline of its own.
    #[must_use]
    pub fn new(pipeline: &'static Pipeline) -> Self {
        Self::with_recorder(Recorder::with_slots(Some(pipeline)))
    }

    fn with_recorder(recorder: Recorder) -> Self {
        Self { recorder, targets: RwLock::new(None) }
    }

    option_methods!();

    /// Which targets are recorded from which level on. Others cost nothing, and their children become children of the nearest
    /// span above them that is recorded.
    #[must_use]
    pub fn with_targets(self, targets: Targets) -> Self {
        Self { targets: RwLock::new(Some(targets)), ..self }
    }

    /// Changes the targets while the program runs. Spans that are open stay so.
    ///
    /// ```
    /// # use tracing_subscriber::filter::{LevelFilter, Targets};
    /// # tracing::subscriber::with_default(clewline::subscriber(), || {
    /// tracing::dispatcher::get_default(|dispatch| {
    ///     if let Some(subscriber) = dispatch.downcast_ref::<clewline::ClewlineSubscriber>() {
    ///         subscriber.set_targets(Targets::new().with_target("shop", LevelFilter::DEBUG));
    ///     }
    /// });
    /// # });
    /// ```
    pub fn set_targets(&self, targets: Targets) {
        *self.targets.write().unwrap_or_else(PoisonError::into_inner) = Some(targets);
        callsite::rebuild_interest_cache();
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        targets.as_ref().is_none_or(|targets| targets.would_enable(metadata.target(), metadata.level()))
    }

    #[inline]
    fn within(&self) -> Within {
        current::within(self.recorder.number)
    }
}

/// As [`subscriber`] makes it.
impl Default for ClewlineSubscriber {
    fn default() -> Self {
        Self::with_recorder(Recorder::with_slots(None))
    }
}

impl Door for ClewlineSubscriber {
    fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    fn find(&self, number: u64) -> Option<Found<'_>> {
        slots::find(number)
    }

    fn find_nearest(&self, number: u64) -> Option<Found<'_>> {
        slots::find(number)
    }
}

impl Subscriber for ClewlineSubscriber {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        let targets = targets.as_ref()?;
        let levels = targets.iter().map(|(_, level)| level).chain(targets.default_level());
        Some(levels.max().unwrap_or(LevelFilter::OFF))
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let of = |number| Some(slots::find(number)?.hand_to_child());
        let parent = match attributes.parent() {
            Some(parent) => of(parent.into_u64()),
            None if attributes.is_contextual() => match self.within() {
                Within::Nothing => None,
                Within::Tracing(number) => of(number),
                Within::Other(place) => place.context().map(Context::into_parts),
            },
            None => None,
        };
        let number =
            self.recorder.start(attributes, parent.unwrap_or_default(), |context, is_foreign, carried, recording| {
                slots::open(attributes.metadata(), context, is_foreign, carried, recording)
            });
        Id::from_u64(number)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        if let Some(found) = slots::find(id.into_u64()) {
            self.recorder.record(found, values);
        }
    }

    fn record_follows_from(&self, id: &Id, follows: &Id) {
        if let (Some(found), Some(followed)) = (slots::find(id.into_u64()), slots::find(follows.into_u64())) {
            self.recorder.follow(found, followed);
        }
    }

    fn event(&self, event: &Event<'_>) {
        match event.parent() {
            Some(parent) => self.recorder.event(event, slots::find(parent.into_u64())),
            None if event.is_contextual() => match self.within() {
                Within::Nothing => {}
                Within::Tracing(number) => self.recorder.event(event, slots::find(number)),
                Within::Other(place) => self.recorder.event_elsewhere(event, &place),
            },
            None => {}
        }
    }

    #[inline]
    fn enter(&self, id: &Id) {
        current::enter_tracing(self.recorder.number, id.into_u64());
        if self.recorder.options.has_inactivity {
            self.recorder.enter(self, id.into_u64());
        }
    }

    #[inline]
    fn exit(&self, id: &Id) {
        current::exit_tracing(self.recorder.number, id.into_u64());
        if self.recorder.options.has_inactivity {
            self.recorder.exit(self, id.into_u64());
        }
    }

    fn clone_span(&self, id: &Id) -> Id {
        slots::add_handle(id.into_u64());
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let Some(unheld) = slots::remove_handle(id.into_u64()) else { return false };
        if let Some(recording) = unheld.close() {
            self.recorder.close(recording);
        }
        true
    }

    fn current_span(&self) -> Current {
        let current = || {
            let Within::Tracing(number) = self.within() else { return None };
            Some(Current::new(Id::from_non_zero_u64(number.try_into().ok()?), slots::metadata(number)?))
        };
        current().unwrap_or_else(Current::none)
    }
}

impl fmt::Debug for ClewlineSubscriber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClewlineSubscriber").field("recorder", &self.recorder).finish_non_exhaustive()
    }
}
