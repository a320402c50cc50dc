//! A `tracing` event becomes an event of the span in which it happened.

use std::ops::Range;

use clewline_core::{Status, StatusCode};
use tracing_core::{Level, Metadata};

use super::options::describe_location;
use super::scratch::{Scratch, Staged};
use crate::pipeline::Recording;

/// What an event says, found before the span is locked.
pub(super) struct Staging<'s> {
    scratch: &'s Scratch,
    metadata: &'static Metadata<'static>,
    message: Option<&'s Range<usize>>,
    /// The message of the error, and its sources if they are known.
    error: Option<(&'s Range<usize>, Option<&'s Range<usize>>)>,
    target: &'s str,
    has_location: bool,
}

impl<'s> Staging<'s> {
    /// Finds the parts of an event whose fields are staged.
    ///
    /// An error is a field of type `dyn Error`, or, in an event without a message, a field named `error`: so
    /// `#[instrument(err)]` reports the error that a function returns.
    #[inline]
    pub(super) fn new(scratch: &'s Scratch, metadata: &'static Metadata<'static>, has_location: bool) -> Self {
        let mut staging =
            Self { scratch, metadata, message: None, error: None, target: metadata.target(), has_location };
        let mut displayed = None;
        for (name, staged) in scratch.fields() {
            match staged {
                Staged::Text(range) if *name == "message" => staging.message = Some(range),
                Staged::Text(range) if *name == "error" => displayed = Some(range),
                Staged::Text(range) if *name == "log.target" => staging.target = scratch.text(range),
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
        let mut event = recording.span.event(name, now);
        event.set("level", self.metadata.level().as_str());
        event.set("target", self.target);
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
        if self.has_location {
            describe_location(self.metadata, |key, value| {
                event.set(key, value);
            });
        }
        for (name, staged) in scratch.fields() {
            if !self.has_a_place(name, staged) {
                event.set(name, scratch.value(staged));
            }
        }
        drop(event);
        self.judge(recording);
    }

    /// Whether a field is recorded elsewhere than under its own name. What the `log` crate says about its call site is known
    /// from the metadata.
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
