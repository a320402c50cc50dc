//! The `log` crate: a logger with ids, and `trace_log!`.

use std::sync::{Mutex, Once};

use clewline::log::{CorrelatedLog, json, text};
use clewline::{ClewlineLayer, ClewlineSubscriber, SpanExt as _, current_context, trace_log};
use log::kv::{Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};
use tracing::{info, info_span};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{Ids, Lines, Recorder, ids_of, parse_text};

/// Keeps what one thread logs.
struct Keep;

#[derive(Clone, Debug, PartialEq)]
struct Line {
    level: Level,
    target: String,
    place: (Option<String>, Option<String>, Option<u32>),
    keys: Vec<(String, String)>,
    text: String,
    ids: Ids,
}

thread_local! {
    static LINES: Mutex<Vec<Line>> = const { Mutex::new(Vec::new()) };
}

struct Pairs<'p>(&'p mut Vec<(String, String)>);

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        self.0.push((key.to_string(), value.to_string()));
        Ok(())
    }
}

impl Log for Keep {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() != "silent"
    }

    fn log(&self, record: &Record<'_>) {
        // As `tracing-log` does it, which `tracing-subscriber` installs.
        if record.target() == "bridged" {
            info!(target: "log", "{}", record.args());
            return;
        }
        let message = record.args().to_string();
        let (text, ids) = parse_text(&message);
        let mut keys = Vec::new();
        record.key_values().visit(&mut Pairs(&mut keys)).unwrap();
        let place = (record.module_path().map(str::to_owned), record.file().map(str::to_owned), record.line());
        let (text, target) = (text.to_owned(), record.target().to_owned());
        LINES.with(|lines| lines.lock().unwrap().push(Line { level: record.level(), target, place, keys, text, ids }));
    }

    fn flush(&self) {}
}

/// Installs the process's logger, and answers what this thread has logged while `work` ran.
fn logged(work: impl FnOnce()) -> Vec<Line> {
    static BEGIN: Once = Once::new();
    BEGIN.call_once(|| {
        log::set_boxed_logger(Box::new(CorrelatedLog::new(Keep).with_events(Level::Warn))).unwrap();
        log::set_max_level(LevelFilter::Debug);
    });
    work();
    LINES.with(|lines| std::mem::take(&mut *lines.lock().unwrap()))
}

#[test]
fn records_within_a_span_have_its_ids() {
    let recorder = Recorder::new();
    let dispatch = tracing::Dispatch::new(ClewlineSubscriber::new(recorder.pipeline));
    let mut contexts = Vec::new();
    let lines = logged(|| {
        log::info!("outside");
        tracing::dispatcher::with_default(&dispatch, || {
            let span = info_span!("tracing").entered();
            log::warn!(target: "shop", order = 7; "order {} is late", 7);
            contexts.push(span.context());
            let native = recorder.pipeline.tracer(&clewline::Scope::default()).span("native").start().enter();
            log::debug!("in native");
            contexts.push(native.context());
            log::error!(target: "silent", "not wanted");
            log::trace!("not wanted");
        });
        // The span is left, on a thread without a subscriber.
        log::info!("outside again");
    });
    let expected = [
        ("outside", Level::Info, None),
        ("order 7 is late", Level::Warn, ids_of(contexts[0])),
        ("in native", Level::Debug, ids_of(contexts[1])),
        ("outside again", Level::Info, None),
    ];
    let found: Vec<_> = lines.iter().map(|line| (line.text.as_str(), line.level, line.ids.clone())).collect();
    assert_eq!(found, expected);
    let late = &lines[1];
    assert_eq!((late.target.as_str(), late.keys.as_slice()), ("shop", &[("order".to_owned(), "7".to_owned())][..]));
    assert_eq!(late.place.0.as_deref(), Some(module_path!()));
    assert!(late.place.1.as_deref().is_some_and(|file| file.ends_with("logger.rs")) && late.place.2.is_some());
    // What is severe enough is an event of its span too.
    let spans = recorder.spans();
    let span = spans.iter().find(|span| span.name == "tracing").unwrap();
    let events: Vec<_> = span.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["order 7 is late"]);
    assert_eq!(span.events[0].attribute("target").and_then(|target| target.as_str()), Some("shop"));
    assert_eq!(span.events[0].attribute("level").and_then(|level| level.as_str()), Some("WARN"));
    assert!(spans.iter().find(|span| span.name == "native").unwrap().events.is_empty());
}

#[test]
fn trace_log_has_ids_once_whatever_the_logger_is() {
    let recorder = Recorder::new();
    let mut context = None;
    let lines = logged(|| {
        trace_log!(info, "outside");
        tracing::subscriber::with_default(ClewlineSubscriber::new(recorder.pipeline), || {
            let _span = info_span!("span").entered();
            context = current_context();
            let order = 7;
            trace_log!(warn, "order {order} is late");
            trace_log!(debug, target: "shop::stock", "{} left", 3);
            trace_log!(trace, "not wanted");
            trace_log!(error, target: "silent", "not wanted");
            log::info!("and by the crate itself");
        });
    });
    let found: Vec<_> =
        lines.iter().map(|line| (line.text.as_str(), line.level, line.target.as_str(), line.ids.clone())).collect();
    let ids = ids_of(context);
    let expected = [
        ("outside", Level::Info, module_path!(), None),
        ("order 7 is late", Level::Warn, module_path!(), ids.clone()),
        ("3 left", Level::Debug, "shop::stock", ids.clone()),
        ("and by the crate itself", Level::Info, module_path!(), ids),
    ];
    assert_eq!(found, expected);
    let place = &lines[1].place;
    assert_eq!(place.0.as_deref(), Some(module_path!()));
    assert!(place.1.as_deref().is_some_and(|file| file.ends_with("logger.rs")) && place.2.is_some_and(|line| line > 1));
}

#[test]
fn records_that_become_tracing_events_have_ids_once() {
    let recorder = Recorder::new();
    let (texts, objects, plain) = (Lines::default(), Lines::default(), Lines::default());
    let subscriber = tracing_subscriber::registry()
        .with(ClewlineLayer::new(recorder.pipeline))
        .with(fmt::layer().with_ansi(false).with_writer(texts.clone()).map_event_format(text))
        .with(fmt::layer().json().with_writer(objects.clone()).map_event_format(json))
        .with(fmt::layer().with_ansi(false).with_writer(plain.clone()));
    logged(|| {
        tracing::subscriber::with_default(subscriber, || {
            let _span = info_span!("span").entered();
            trace_log!(info, target: "bridged", "order {} is late", 7);
            log::info!(target: "bridged", "by the crate itself");
        });
    });
    for lines in [texts.take(), objects.take(), plain.take()] {
        assert_eq!(lines.len(), 2);
        for line in lines {
            assert_eq!(line.matches("trace_id").count(), 1, "{line}");
        }
    }
    let spans = recorder.spans();
    let events: Vec<_> = spans[0].events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["order 7 is late", "by the crate itself"]);
}

#[test]
fn threads_have_the_ids_of_what_they_are_in() {
    let recorder = Recorder::new();
    let dispatch = tracing::Dispatch::new(ClewlineSubscriber::new(recorder.pipeline));
    let span = tracing::dispatcher::with_default(&dispatch, || info_span!("moved"));
    let context = span.context();
    let on_other = std::thread::scope(|scope| {
        let work = || logged(|| span.in_scope(|| log::info!("elsewhere")));
        scope.spawn(work).join().unwrap()
    });
    let here = logged(|| log::info!("here"));
    assert_eq!((on_other[0].ids.clone(), here[0].ids.clone()), (ids_of(context), None));
}
