//! Threads: spans that end elsewhere, full load, and an exact ledger.

use clewline::SpanExt as _;
use tracing::{Dispatch, dispatcher, info, info_span};

use crate::support::{Recorder, assert_child, int, named, pairs};

fn dispatch(recorder: &Recorder) -> Dispatch {
    recorder.dispatch()
}

#[test]
fn a_span_may_be_used_and_closed_on_other_threads() {
    let recorder = Recorder::new();
    let dispatch = dispatch(&recorder);
    let span = dispatcher::with_default(&dispatch, || info_span!("moved", rows = tracing::field::Empty));
    let id = span.context().unwrap().span_id();
    std::thread::scope(|scope| {
        for index in 0..4 {
            let (dispatch, span) = (dispatch.clone(), span.clone());
            scope.spawn(move || {
                dispatcher::with_default(&dispatch, || {
                    let entered = span.entered();
                    info!("event");
                    entered.record("rows", 5);
                    entered.set_attribute(&format!("thread.{index}"), index);
                    drop(info_span!("child", index));
                });
            });
        }
    });
    std::thread::spawn(move || drop(span)).join().unwrap();
    let spans = recorder.spans();
    let moved = named(&spans, "moved");
    assert_eq!(moved.span_id, id.to_bytes());
    assert_eq!((moved.events.len(), moved.attributes.len()), (4, 5));
    assert!(pairs(&moved.attributes).contains(&("rows", int(5))));
    let children: Vec<_> = spans.iter().filter(|span| span.name == "child").collect();
    assert_eq!(children.len(), 4);
    children.iter().for_each(|child| assert_child(child, moved));
}

#[test]
fn the_ledger_is_exact_under_load() {
    const TRACES: usize = if cfg!(debug_assertions) { 3_000 } else { 30_000 };
    let recorder = Recorder::new();
    let dispatch = dispatch(&recorder);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let dispatch = dispatch.clone();
            scope.spawn(move || {
                dispatcher::with_default(&dispatch, || {
                    for number in 0..TRACES {
                        let _root = info_span!("root", number).entered();
                        let _child = info_span!("child", text = "some text").entered();
                        info!("event");
                    }
                });
            });
        }
    });
    let spans = recorder.spans();
    let ledger = recorder.ledger();
    assert_eq!(ledger.started, 4 * 2 * TRACES as u64);
    assert_eq!(ledger.started, ledger.delivered + ledger.dropped(), "{ledger:?}");
    assert_eq!((spans.len() as u64, ledger.pending), (ledger.delivered, 0));
    assert!(ledger.delivered > 0 && spans.iter().all(|span| span.attributes.len() == 1));
}

#[test]
fn spans_still_open_are_pending() {
    let recorder = Recorder::new();
    let dispatch = dispatch(&recorder);
    let (first, second) = dispatcher::with_default(&dispatch, || (info_span!("first"), info_span!("second").entered()));
    drop(first);
    assert_eq!(recorder.spans().len(), 1);
    assert_eq!(recorder.ledger().pending, 1);
    recorder.pipeline.shutdown(std::time::Duration::from_secs(300)).unwrap();
    assert_eq!(recorder.ledger().pending, 1, "open at shutdown");
    dispatcher::with_default(&dispatch, || {
        let late = info_span!("late");
        assert!(!late.is_recording());
        assert!(late.context().is_some());
    });
    drop(second);
    let ledger = recorder.ledger();
    assert_eq!((ledger.started, ledger.delivered), (2, 1), "{ledger:?}");
}

#[test]
fn thousands_of_open_spans_keep_apart() {
    const OPEN: i64 = 20_000;
    let recorder = Recorder::new();
    let dispatch = dispatch(&recorder);
    dispatcher::with_default(&dispatch, || {
        let open: Vec<_> = (0..OPEN).map(|number| info_span!("open", number, later = tracing::field::Empty)).collect();
        for (number, span) in (0..OPEN).zip(&open) {
            span.record("later", number);
        }
    });
    let spans = recorder.spans();
    let ledger = recorder.ledger();
    assert_eq!(ledger.started, ledger.delivered + ledger.dropped());
    for span in &spans {
        let [(_, number), (_, later)] = &pairs(&span.attributes)[..] else { panic!("{span:?}") };
        assert_eq!(number, later);
    }
    assert!(!spans.is_empty());
}
