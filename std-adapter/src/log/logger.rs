//! The `log` crate: its records with the ids of the current span.

use std::cell::Cell;
use std::fmt;
use std::thread::LocalKey;

use log::{Level, Log, Metadata, Record};

use super::Suffix;
use crate::limited::text;

thread_local! {
    /// The record that is being logged has its ids already.
    static HAS_IDS: Cell<bool> = const { Cell::new(false) };
    /// What is made of a message has its ids elsewhere.
    static WITHOUT_IDS: Cell<bool> = const { Cell::new(false) };
}

/// A logger around another one that adds ` trace_id=… span_id=…` to the message of every record within a span.
///
/// ```
/// # struct Stderr;
/// # impl log::Log for Stderr {
/// #     fn enabled(&self, _: &log::Metadata<'_>) -> bool { true }
/// #     fn log(&self, record: &log::Record<'_>) { eprintln!("{} {}", record.level(), record.args()) }
/// #     fn flush(&self) {}
/// # }
/// # fn main() -> Result<(), log::SetLoggerError> {
/// use clewline::log::CorrelatedLog;
/// log::set_boxed_logger(Box::new(CorrelatedLog::new(Stderr)))?; // `env_logger`'s or any other
/// log::set_max_level(log::LevelFilter::Info);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct CorrelatedLog<L> {
    inner: L,
    /// Up to which level records become events of the current span.
    events: Option<Level>,
}

impl<L: Log> CorrelatedLog<L> {
    /// Puts ids on what `inner` logs.
    #[must_use]
    pub const fn new(inner: L) -> Self {
        Self { inner, events: None }
    }

    /// Has records of this level and more severe ones become events of the current span too, with `level` and `target`. None
    /// do unless asked for.
    #[must_use]
    pub const fn with_events(mut self, least: Level) -> Self {
        self.events = Some(least);
        self
    }

    fn record_event(&self, record: &Record<'_>) {
        if self.events.is_some_and(|least| record.level() <= least) {
            let span = crate::current_span();
            if span.is_recording() {
                // Formatted before the span is worked on: it runs the program's own code.
                let message = text(record.args());
                let attributes = [("level", record.level().as_str().into()), ("target", record.target().into())];
                span.event_with(&message, &attributes);
            }
        }
    }
}

impl<L: Log> Log for CorrelatedLog<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if HAS_IDS.get() {
            self.inner.log(record);
            return;
        }
        self.record_event(record);
        let suffix = OfMessage(Suffix(crate::current_context()));
        let mut copy = Record::builder();
        copy.metadata(record.metadata().clone()).line(record.line()).key_values(record.key_values());
        match record.module_path_static() {
            Some(path) => copy.module_path_static(Some(path)),
            None => copy.module_path(record.module_path()),
        };
        match record.file_static() {
            Some(file) => copy.file_static(Some(file)),
            None => copy.file(record.file()),
        };
        self.inner.log(&copy.args(format_args!("{}{suffix}", record.args())).build());
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

/// Logs a line through the `log` crate with the ids of the current span at its end, whatever logger the program has; once, also
/// where that is a [`CorrelatedLog`](crate::log::CorrelatedLog).
///
/// ```
/// # let id = 7;
/// clewline::trace_log!(info, "order {id} paid");
/// clewline::trace_log!(warn, target: "shop::stock", "{} left", 3);
/// ```
#[macro_export]
macro_rules! trace_log {
    ($level:ident, target: $target:expr, $($message:tt)+) => {
        $crate::log::write(
            $crate::__level!($level),
            ($target, ::core::module_path!(), ::core::file!(), ::core::line!()),
            ::core::format_args!($($message)+),
        )
    };
    ($level:ident, $($message:tt)+) => {
        $crate::trace_log!($level, target: ::core::module_path!(), $($message)+)
    };
}

/// The levels of [`trace_log!`](crate::trace_log) by their names.
#[doc(hidden)]
#[macro_export]
macro_rules! __level {
    (error) => {
        1
    };
    (warn) => {
        2
    };
    (info) => {
        3
    };
    (debug) => {
        4
    };
    (trace) => {
        5
    };
}

/// What [`trace_log!`](crate::trace_log) calls, so that programs need not depend on the `log` crate.
#[doc(hidden)]
pub fn write(level: usize, from: (&str, &'static str, &'static str, u32), message: fmt::Arguments<'_>) {
    let level = Level::iter().find(|named| *named as usize == level).unwrap_or(Level::Error);
    if level > log::max_level() {
        return;
    }
    let (target, module, file, line) = from;
    let logger = log::logger();
    let metadata = Metadata::builder().level(level).target(target).build();
    if logger.enabled(&metadata) {
        let _restored = Restore(&HAS_IDS, HAS_IDS.replace(true));
        let suffix = OfMessage(Suffix(crate::current_context()));
        logger.log(
            &Record::builder()
                .metadata(metadata)
                .args(format_args!("{message}{suffix}"))
                .module_path_static(Some(module))
                .file_static(Some(file))
                .line(Some(line))
                .build(),
        );
    }
}

/// Until the guard is dropped, messages that this thread formats have no ids at their end: where records become `tracing` events,
/// these have them by other means.
#[cfg(feature = "tracing")]
pub(crate) fn without_ids() -> Restore {
    Restore(&WITHOUT_IDS, WITHOUT_IDS.replace(true))
}

/// The end of a message, which is looked at when that is formatted.
struct OfMessage(Suffix);

impl fmt::Display for OfMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if WITHOUT_IDS.get() { Ok(()) } else { self.0.fmt(formatter) }
    }
}

/// Restores a mark, also if a logger panics.
#[must_use]
pub(crate) struct Restore(&'static LocalKey<Cell<bool>>, bool);

impl Drop for Restore {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}
