//! `Options`: what spans and events say about themselves beyond their fields, if asked to.

use std::thread::{self, Thread};

use clewline_core::Value;
use tracing_core::Metadata;

use super::scratch::with_scratch;
use crate::pipeline::Recording;

/// What is added. Nothing unless asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    pub(super) has_location: bool,
    pub(super) has_threads: bool,
    pub(super) has_level: bool,
    pub(super) has_target: bool,
    pub(super) has_inactivity: bool,
}

thread_local! {
    static THREAD: (Thread, Option<i64>) = {
        let thread = thread::current();
        let number = number_of(&thread);
        (thread, number)
    };
}

/// The methods by which a door is asked for them, named as those of the bridge from `tracing` to OpenTelemetry.
macro_rules! option_methods {
    () => {
        /// Whether spans and events say where in the source they are: `code.file.path`, `code.line.number`,
        /// `code.module.name`, and `code.function.name` for spans that are named like a function, as `#[instrument]` names
        /// them. Off unless asked for.
        #[must_use]
        pub fn with_location(mut self, has_location: bool) -> Self {
            self.recorder.options.has_location = has_location;
            self
        }

        /// Whether spans say on which thread they began: `thread.id` and `thread.name`. Off unless asked for.
        #[must_use]
        pub fn with_threads(mut self, has_threads: bool) -> Self {
            self.recorder.options.has_threads = has_threads;
            self
        }

        /// Whether spans have their level as the attribute `level`; events always have. Off unless asked for.
        #[must_use]
        pub fn with_level(mut self, has_level: bool) -> Self {
            self.recorder.options.has_level = has_level;
            self
        }

        /// Whether spans have their target as the attribute `target`; events always have, and the crate in it is the span's
        /// instrumentation scope. Off unless asked for.
        #[must_use]
        pub fn with_target(mut self, has_target: bool) -> Self {
            self.recorder.options.has_target = has_target;
            self
        }

        /// Whether spans say for how many nanoseconds they were entered (`busy_ns`) and for how many they were not
        /// (`idle_ns`), as an async function is while it waits. Reads the clock whenever a span is entered or left. Off
        /// unless asked for.
        #[must_use]
        pub fn with_tracked_inactivity(mut self, has_inactivity: bool) -> Self {
            self.recorder.options.has_inactivity = has_inactivity;
            self
        }
    };
}
pub(super) use option_methods;

impl Options {
    #[inline]
    pub(super) fn has_extras(self) -> bool {
        self.has_location || self.has_threads || self.has_level || self.has_target || self.has_inactivity
    }

    /// Adds what is known when a span begins.
    pub(super) fn describe_span(self, recording: &mut Recording, metadata: &'static Metadata<'static>) {
        let span = &mut recording.span;
        if self.has_location {
            describe_location(metadata, |key, value| {
                span.set(key, value);
            });
            if let Some(module) = metadata.module_path()
                && is_identifier(metadata.name())
            {
                with_scratch(|scratch| {
                    let name = scratch.format(&format_args!("{module}::{}", metadata.name()));
                    span.set("code.function.name", scratch.text(&name));
                });
            }
        }
        if self.has_threads {
            // A thread that is being torn down does not say which it is.
            let _ = THREAD.try_with(|(thread, number)| {
                if let Some(number) = number {
                    span.set("thread.id", *number);
                }
                if let Some(name) = thread.name() {
                    span.set("thread.name", name);
                }
            });
        }
        if self.has_level {
            span.set("level", metadata.level().as_str());
        }
        if self.has_target {
            span.set("target", metadata.target());
        }
    }
}

/// Where in the source a call site is (OpenTelemetry semantic conventions, "Source code attributes"). They have no name for a
/// module; `code.module.name` is what the bridge from `tracing` to OpenTelemetry calls it.
pub(super) fn describe_location(
    metadata: &'static Metadata<'static>,
    mut set: impl FnMut(&'static str, Value<'static>),
) {
    if let Some(file) = metadata.file() {
        set("code.file.path", Value::Str(file));
    }
    if let Some(module) = metadata.module_path() {
        set("code.module.name", Value::Str(module));
    }
    if let Some(line) = metadata.line() {
        set("code.line.number", Value::I64(line.into()));
    }
}

/// Whether a span may be named after its function, as `#[instrument]` names it: letters of any script, digits and underscores.
fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    let starts = |first: char| first.is_alphabetic() || first == '_';
    characters.next().is_some_and(starts) && characters.all(|next| starts(next) || next.is_ascii_digit())
}

/// In a page or worker there is one thread, which has no number.
#[cfg(target_family = "wasm")]
const fn number_of(_: &Thread) -> Option<i64> {
    None
}

/// The number that a thread's `Debug` shows: the standard library has no other way to it yet. `thread.id` is an integer
/// (OpenTelemetry semantic conventions, "General thread attributes").
#[cfg(not(target_family = "wasm"))]
fn number_of(thread: &Thread) -> Option<i64> {
    format!("{:?}", thread.id()).chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::is_identifier;

    #[test]
    fn functions_are_told_from_titles() {
        for name in ["cart", "_cart2", "größe", "корзина", "買い物"] {
            assert!(is_identifier(name), "{name}");
        }
        for name in ["", "2carts", "GET /cart", "http.request", "cart…", "→cart", "cart–checkout", "🛒", "a\u{a0}b"]
        {
            assert!(!is_identifier(name), "{name}");
        }
    }
}
