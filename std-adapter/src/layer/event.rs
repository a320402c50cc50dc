//! A `tracing` event becomes an event of the span in which it happened.

use std::ops::Range;

use clewline_core::{EventPreset, Status, StatusCode, Value};
use tracing_core::{Level, Metadata};

use super::options::{Options, describe_location};
use super::scratch::{Scratch, Staged};
use crate::pipeline::{GrowingBuffer, Recording};

/// What an event says, found before the span is locked.
pub(super) struct Staging<'s> {
    scratch: &'s Scratch,
    metadata: &'static Metadata<'static>,
    message: Option<&'s Range<usize>>,
    /// The message of the error, and its sources if they are known.
    error: Option<(&'s Range<usize>, Option<&'s Range<usize>>)>,
    /// What all events of its call site begin with; `None` if there are too many call sites to know that of all.
    preset: Option<&'s Preset>,
    options: Options,
    /// The target of an event that came through the `log` crate.
    log_target: Option<&'s Range<usize>>,
}

/// What all events of a call site begin with.
pub(super) type Preset = EventPreset<GrowingBuffer>;

/// The attributes that say where an event comes from.
pub(super) fn describe(
    metadata: &'static Metadata<'static>,
    options: Options,
    mut set: impl FnMut(&'static str, Value<'static>),
) {
    set("level", Value::Str(metadata.level().as_str()));
    set("target", Value::Str(metadata.target()));
    if options.has_location {
        describe_location(metadata, set);
    }
}

impl<'s> Staging<'s> {
    /// Finds the parts of an event whose fields are staged.
    ///
    /// An error is a field of type `dyn Error`, or, in an event without a message, a field named `error`: so
    /// `#[instrument(err)]` reports the error that a function returns.
    #[inline]
    pub(super) fn new(
        scratch: &'s Scratch,
        metadata: &'static Metadata<'static>,
        preset: Option<&'s Preset>,
        options: Options,
    ) -> Self {
        let mut staging = Self { scratch, metadata, message: None, error: None, preset, options, log_target: None };
        let mut displayed = None;
        for (name, staged) in scratch.fields() {
            match staged {
                Staged::Text(range) if *name == "message" => staging.message = Some(range),
                Staged::Text(range) if *name == "error" => displayed = Some(range),
                Staged::Text(range) if *name == "log.target" => staging.log_target = Some(range),
                Staged::Error(message, sources) => staging.error = Some((message, Some(sources))),
                _ => {}
            }
        }
        if staging.error.is_none() && staging.message.is_none() {
            staging.error = displayed.map(|range| (range, None));
        }
        staging
    }

    /// Records the event. Runs no foreign code.
    #[inline]
    pub(super) fn record(&self, recording: &mut Recording, now: u64) {
        let scratch = self.scratch;
        let message = self.message.map(|range| scratch.text(range));
        let name = if self.error.is_some() { "exception" } else { message.unwrap_or(self.metadata.name()) };
        let mut event = match self.preset {
            Some(preset) => recording.span.event_with(preset, name, now),
            None => {
                let mut event = recording.span.event(name, now);
                describe(self.metadata, self.options, |key, value| {
                    event.set(key, value);
                });
                event
            }
        };
        if let Some(target) = self.log_target {
            event.set("target", scratch.text(target));
        }
        if let Some((error, sources)) = self.error {
            event.set("exception.message", scratch.text(error));
            if let Some(sources) = sources
                && !sources.is_empty()
            {
                event.set("exception.stacktrace", scratch.text(sources));
            }
            if let Some(message) = message {
                event.set("message", message);
            }
        }
        for (name, staged) in scratch.fields() {
            if !self.has_a_place(name, staged) {
                event.set(name, scratch.value(staged));
            } else if self.log_target.is_some()
                && self.options.has_location
                && let Some(key) = location_key(name)
            {
                event.set(key, scratch.value(staged));
            }
        }
        drop(event);
        if scratch.cut() > 0 {
            recording.span.count_truncated(scratch.cut());
        }
        self.judge(recording);
    }

    /// Whether a field is recorded elsewhere than under its own name, or, as what the `log` crate says about its call site, only
    /// if asked for.
    #[inline]
    fn has_a_place(&self, name: &str, staged: &Staged) -> bool {
        let (Staged::Text(range) | Staged::Error(range, _)) = staged else { return name == "log.line" };
        name == "message"
            || self.error.is_some_and(|(error, _)| error == range)
            || matches!(name, "log.target" | "log.module_path" | "log.file")
    }

    /// An event of level ERROR, or one that is an error and nothing else, makes the span fail unless somebody has judged it.
    #[inline]
    fn judge(&self, recording: &mut Recording) {
        let is_error_alone = self.error.is_some() && self.message.is_none();
        if (is_error_alone || *self.metadata.level() == Level::ERROR)
            && recording.span.status_code() == StatusCode::Unset
        {
            let why = self.error.map(|(error, _)| error).or(self.message);
            recording.span.set_status(Status::error(why.map_or("", |range| self.scratch.text(range))));
        }
    }
}

/// The attribute for what the `log` crate says about its call site.
#[cold]
fn location_key(name: &str) -> Option<&'static str> {
    match name {
        "log.file" => Some("code.file.path"),
        "log.line" => Some("code.line.number"),
        "log.module_path" => Some("code.module.name"),
        _ => None,
    }
}
