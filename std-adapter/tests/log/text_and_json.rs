//! `tracing-subscriber`'s `fmt` layer beside Clewline's.

use std::collections::HashMap;

use clewline::exporter::FinishedSpan;
use clewline::log::{WithIds, around, json, text};
use clewline::{ClewlineLayer, SpanExt as _, current_context};
use clewline_core::AlwaysOff;
use tracing::instrument::WithSubscriber as _;
use tracing::{Dispatch, Event, Instrument as _, Subscriber, debug_span, dispatcher, info, info_span, warn};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{self, FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;

use crate::support::{Ids, Lines, Recorder, ids_of, parse_text};

/// A subscriber that writes text.
fn text_dispatch(recorder: &Recorder, lines: &Lines) -> Dispatch {
    let logs = fmt::layer().without_time().with_ansi(false).with_writer(lines.clone()).map_event_format(text);
    Dispatch::new(tracing_subscriber::registry().with(ClewlineLayer::new(recorder.pipeline)).with(logs))
}

/// A subscriber that writes JSON. The order of the layers makes no difference.
fn json_dispatch(recorder: &Recorder, lines: &Lines) -> Dispatch {
    let logs = fmt::layer().json().with_writer(lines.clone()).map_event_format(json);
    Dispatch::new(tracing_subscriber::registry().with(logs).with(ClewlineLayer::new(recorder.pipeline)))
}

/// Message and ids of a line of JSON.
fn parse_json(line: &str) -> (String, Ids) {
    let object: HashMap<String, serde_json::Value> = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    let text = |name: &str| object.get(name).map(|value| value.as_str().expect("text").to_owned());
    let ids = text("trace_id").zip(text("span_id"));
    let flags = text("trace_flags");
    assert_eq!(flags.is_some(), ids.is_some(), "{line}");
    assert!(flags.is_none_or(|flags| ["00", "01", "02", "03"].contains(&flags.as_str())), "{line}");
    (object["fields"]["message"].as_str().unwrap_or_default().to_owned(), ids)
}

/// Logs in all the ways there are. Answers the messages with the ids that their lines should have.
fn program() -> Vec<(&'static str, Ids)> {
    let mut expected = Vec::new();
    let mut note = |message, context| expected.push((message, ids_of(context)));
    info!("outside");
    note("outside", None);
    let outer = info_span!("outer", field = 1).entered();
    info!(number = 7, "in outer");
    note("in outer", outer.context());
    let inner = info_span!("inner");
    inner.in_scope(|| warn!("in inner"));
    note("in inner", inner.context());
    info!(parent: &inner, "told to be in inner");
    note("told to be in inner", inner.context());
    info!(parent: None, "told to be in none");
    note("told to be in none", None);
    drop(outer);
    info!(parent: &inner, "told from outside");
    note("told from outside", inner.context());
    let native = clewline::tracer("nobody started one").span("native").start().enter();
    info!("a native span that is not recorded");
    note("a native span that is not recorded", native.context());
    expected
}

#[test]
fn every_line_of_text_within_a_span_has_its_ids() {
    let (recorder, lines) = (Recorder::new(), Lines::default());
    let expected = dispatcher::with_default(&text_dispatch(&recorder, &lines), program);
    let lines = lines.take();
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, (message, ids)) in lines.iter().zip(&expected) {
        let (rest, found) = parse_text(line);
        assert_eq!(found, *ids, "{line}");
        assert!(rest.contains(message) && !rest.contains("span_id"), "{line}");
    }
    assert!(lines[1].contains("in outer number=7 trace_id="), "behind the fields: {}", lines[1]);
    let exported: Vec<FinishedSpan> = recorder.spans();
    for (_, ids) in expected {
        if let Some((trace_id, span_id)) = ids {
            let is_it =
                |span: &FinishedSpan| span.trace_id.to_string() == trace_id && span.span_id.to_string() == span_id;
            assert!(exported.iter().any(is_it));
        }
    }
}

#[test]
fn every_line_of_json_within_a_span_has_its_ids() {
    let (recorder, lines) = (Recorder::new(), Lines::default());
    let expected = dispatcher::with_default(&json_dispatch(&recorder, &lines), program);
    let lines = lines.take();
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, (message, ids)) in lines.iter().zip(expected) {
        assert_eq!(parse_json(line), (message.to_owned(), ids), "{line}");
    }
}

#[test]
fn all_formats_keep_what_they_write() {
    fn lines<L: tracing_subscriber::Layer<S> + Send + Sync + 'static, S>(lines: &Lines, logs: L) -> String
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Default + Send + Sync,
    {
        let dispatch = Dispatch::new(logs.with_subscriber(S::default()));
        dispatcher::with_default(&dispatch, || {
            info_span!("outer", field = 1).in_scope(|| info!(number = 7, "told"));
        });
        lines.take().join("\n")
    }
    type Registry = tracing_subscriber::Registry;
    let kept = Lines::default();
    let base = || fmt::layer::<Registry>().without_time().with_writer(kept.clone());
    // Without Clewline's layer there are no ids, so both are to be the same, colours included.
    for ansi in [false, true] {
        let compact = || base().compact().with_ansi(ansi);
        let pretty = || base().pretty().with_ansi(ansi).with_line_number(false);
        let full = || base().with_ansi(ansi);
        assert_eq!(lines(&kept, full().map_event_format(text)), lines(&kept, full()));
        assert_eq!(lines(&kept, compact().map_event_format(text)), lines(&kept, compact()));
        assert_eq!(lines(&kept, pretty().map_event_format(text)), lines(&kept, pretty()));
    }
    assert_eq!(lines(&kept, base().json().map_event_format(json)), lines(&kept, base().json()));
}

#[test]
fn a_field_with_the_name_of_an_id_stays_and_no_name_comes_twice() {
    let (recorder, kept) = (Recorder::new(), Lines::default());
    let line = |is_flat| {
        let logs = fmt::layer().json().flatten_event(is_flat).with_writer(kept.clone()).map_event_format(json);
        let subscriber = tracing_subscriber::registry().with(ClewlineLayer::new(recorder.pipeline)).with(logs);
        let context = tracing::subscriber::with_default(subscriber, || {
            let span = info_span!("span").entered();
            info!(trace_id = "another", "told");
            info!("told");
            span.context()
        });
        (kept.take(), ids_of(context).expect("a context"))
    };
    for (is_flat, path) in [(true, "/trace_id"), (false, "/fields/trace_id")] {
        let (lines, ids) = line(is_flat);
        let [own, plain] = lines.as_slice() else { panic!("{lines:?}") };
        let object: serde_json::Value = serde_json::from_str(own).unwrap();
        assert_eq!(object.pointer(path), Some(&"another".into()), "{own}");
        assert_eq!(own.matches(r#""trace_id":"#).count(), if is_flat { 1 } else { 2 }, "{own}");
        assert_eq!(own.contains(&ids.1), !is_flat, "{own}");
        let object: serde_json::Value = serde_json::from_str(plain).unwrap();
        assert_eq!((object["trace_id"].as_str(), object["span_id"].as_str()), (Some(&*ids.0), Some(&*ids.1)));
    }
}

#[test]
fn colours_stay_and_ids_are_readable() {
    let (recorder, lines) = (Recorder::new(), Lines::default());
    let logs = fmt::layer().with_ansi(true).with_writer(lines.clone()).map_event_format(text);
    let subscriber = tracing_subscriber::registry().with(ClewlineLayer::new(recorder.pipeline)).with(logs);
    let context = tracing::subscriber::with_default(subscriber, || {
        let span = info_span!("span").entered();
        info!(number = 7, "told");
        span.context()
    });
    let lines = lines.take();
    assert!(lines[0].contains('\u{1b}'), "{lines:?}");
    assert_eq!(parse_text(&lines[0]).1, ids_of(context));
}

#[test]
fn tasks_on_many_threads_have_their_own_ids() {
    const TASKS: usize = 24;
    let (recorder, lines) = (Recorder::new(), Lines::default());
    let dispatch = json_dispatch(&recorder, &lines);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        let task = |number: usize| {
            async move {
                for step in 0..5 {
                    tokio::task::yield_now().await;
                    info!("{number} {step} {}", current_context().unwrap().span_id());
                    async { info!("{number} inner {}", current_context().unwrap().span_id()) }
                        .instrument(info_span!("inner"))
                        .await;
                }
            }
            .instrument(info_span!("task"))
        };
        let spawn = |number| tokio::spawn(async move { task(number).await }.with_subscriber(dispatch.clone()));
        let tasks: Vec<_> = (0..TASKS).map(spawn).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let mut traces = HashMap::new();
    let lines = lines.take();
    assert_eq!(lines.len(), TASKS * 10);
    for line in &lines {
        let (message, ids) = parse_json(line);
        let (trace_id, span_id) = ids.unwrap_or_else(|| panic!("{line}"));
        let parts: Vec<&str> = message.split(' ').collect();
        assert_eq!(parts[2], span_id, "{line}");
        assert_eq!(*traces.entry(parts[0].to_owned()).or_insert(trace_id.clone()), trace_id, "one trace a task");
    }
    traces.values().for_each(|trace| assert_eq!(traces.values().filter(|other| *other == trace).count(), 1));
}

#[test]
fn spans_that_are_not_sampled_have_ids_too() {
    let (recorder, lines) = (Recorder::with_sampler(AlwaysOff), Lines::default());
    let context = dispatcher::with_default(&json_dispatch(&recorder, &lines), || {
        let span = info_span!("unsampled").entered();
        info!("told");
        span.context()
    });
    let line = lines.take().remove(0);
    assert_eq!(parse_json(&line).1, ids_of(context));
    assert!(line.contains(r#""trace_flags":"02""#), "not sampled, but random: {line}");
    assert_eq!(recorder.spans().len(), 0);
}

#[test]
fn a_span_that_is_filtered_away_has_the_ids_of_the_one_above() {
    let (recorder, lines) = (Recorder::new(), Lines::default());
    let logs = fmt::layer().without_time().with_ansi(false).with_writer(lines.clone()).map_event_format(text);
    let layer = ClewlineLayer::new(recorder.pipeline).with_filter(LevelFilter::INFO);
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer).with(logs));
    let context = dispatcher::with_default(&dispatch, || {
        let outer = info_span!("outer");
        let hidden = debug_span!(parent: &outer, "hidden");
        hidden.in_scope(|| info!("in hidden"));
        info!(parent: &hidden, "told");
        std::thread::scope(|scope| {
            let enter = || dispatcher::with_default(&dispatch, || hidden.in_scope(|| info!("on another thread")));
            scope.spawn(enter);
        });
        debug_span!(parent: None, "of nobody").in_scope(|| info!("of nobody"));
        outer.context()
    });
    let lines = lines.take();
    let found: Vec<Ids> = lines.iter().map(|line| parse_text(line).1).collect();
    assert_eq!(found, [ids_of(context), ids_of(context), ids_of(context), None], "{lines:#?}");
}

/// Every subscriber has spans of the same number; each line has the ids of its own.
#[test]
fn subscribers_are_told_apart() {
    let (first, second) = (Recorder::new(), Recorder::new());
    let (of_first, of_second) = (Lines::default(), Lines::default());
    let dispatches = [text_dispatch(&first, &of_first), text_dispatch(&second, &of_second)];
    let spans = dispatches.each_ref().map(|dispatch| dispatcher::with_default(dispatch, || info_span!("same")));
    for (dispatch, span) in dispatches.iter().zip(&spans) {
        dispatcher::with_default(dispatch, || info!(parent: span, "told"));
    }
    for (lines, span) in [(of_first, &spans[0]), (of_second, &spans[1])] {
        assert_eq!(parse_text(&lines.take()[0]).1, ids_of(span.context()));
    }
}

/// A format of the program's own.
struct Bare;

impl<S, N> FormatEvent<S, N> for Bare
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> std::fmt::Result {
        writeln!(writer, "<{}>", event.metadata().level())
    }
}

#[test]
fn a_format_of_the_programs_own_gets_ids_too() {
    let (recorder, lines) = (Recorder::new(), Lines::default());
    let format: WithIds<Bare> = around(Bare);
    let logs = fmt::layer().with_writer(lines.clone()).event_format(format);
    let subscriber = tracing_subscriber::registry().with(ClewlineLayer::new(recorder.pipeline)).with(logs);
    let context = tracing::subscriber::with_default(subscriber, || {
        info_span!("span").in_scope(|| {
            info!("told");
            current_context()
        })
    });
    let lines = lines.take();
    assert_eq!(parse_text(&lines[0]), ("<INFO>", ids_of(context)));
}
