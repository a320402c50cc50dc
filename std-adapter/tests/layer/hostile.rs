//! Fields whose formatting panics, locks or fails, or comes back to the layer: nothing hangs, nothing is lost.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, Mutex};

use clewline::{PipelineOptions, SpanExt as _};
use tracing::field::Empty;
use tracing::{dispatcher, info, info_span};

use crate::support::{Recorder, int, named, own_pairs, pairs, text};

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("as intended");
    }
}

struct Fails;

impl fmt::Debug for Fails {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("half")?;
        Err(fmt::Error)
    }
}

/// Works on a span while it is formatted as one of its fields.
struct Works(tracing::Span);

impl fmt::Debug for Works {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.set_attribute("set", "from Debug");
        self.0.record_error(&fmt::Error);
        formatter.write_str("worked")
    }
}

#[test]
fn a_panic_while_formatting_costs_one_value() {
    let recorder = Recorder::new();
    let spans = recorder.run(|| {
        let survivor = info_span!("survivor", later = Empty).entered();
        for _ in 0..3 {
            assert!(catch_unwind(|| info_span!(parent: None, "unborn", before = 1, bad = ?Panics)).is_err());
            assert!(catch_unwind(|| info!(bad = ?Panics, "event")).is_err());
            assert!(
                catch_unwind(AssertUnwindSafe(|| survivor.record("later", tracing::field::debug(Panics)))).is_err()
            );
        }
        survivor.record("later", "fine");
        info!("fine");
    });
    let survivor = named(&spans, "survivor");
    assert_eq!(pairs(&survivor.attributes), [("later", text("fine"))]);
    assert_eq!(survivor.events.len(), 1);
    let ledger = recorder.ledger();
    assert_eq!((ledger.started, ledger.delivered, ledger.pending), (4, 4, 0), "unborn spans are accounted for");
}

#[test]
fn a_panic_while_a_child_is_made_leaves_nothing_open() {
    let recorder = Recorder::new();
    let dispatch = recorder.dispatch();
    dispatcher::with_default(&dispatch, || {
        let parent = info_span!("parent");
        for _ in 0..3 {
            let explicit = AssertUnwindSafe(|| info_span!(parent: &parent, "explicit", bad = ?Panics));
            assert!(catch_unwind(explicit).is_err());
            assert!(
                catch_unwind(AssertUnwindSafe(|| parent.in_scope(|| info_span!("current", bad = ?Panics)))).is_err()
            );
        }
    });
    // Looked at while the subscriber is there: its end would end its spans.
    let spans = recorder.spans();
    // A registry keeps a parent open until its children are closed.
    let parent = named(&spans, "parent");
    assert_eq!(spans.len(), 7);
    spans.iter().filter(|span| span.name != "parent").for_each(|span| crate::support::assert_child(span, parent));
    assert_eq!(recorder.ledger().pending, 0);
    drop(dispatch);
}

#[test]
fn a_panic_in_a_span_ends_it() {
    let recorder = Recorder::new();
    let spans = recorder.run(|| {
        let result = catch_unwind(|| {
            let _span = info_span!("panicking").entered();
            panic!("as intended");
        });
        assert!(result.is_err());
        drop(info_span!("after"));
    });
    assert_eq!(spans.len(), 2);
}

#[test]
fn formatting_may_work_on_the_same_span() {
    let recorder = Recorder::new();
    let spans = recorder.run(|| {
        let span = info_span!("outer", later = Empty).entered();
        info!(value = ?Works(span.clone()), again = ?Works(span.clone()), "event");
        span.record("later", tracing::field::debug(Works(span.clone())));
        drop(info_span!("child", value = ?Works(span.clone())));
    });
    let outer = named(&spans, "outer");
    let mut found = pairs(&outer.attributes);
    found.sort_by_key(|(key, _)| *key);
    assert_eq!(found, [("later", text("worked")), ("set", text("from Debug"))]);
    let names: Vec<&str> = outer.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["exception", "exception", "event", "exception", "exception"]);
    assert_eq!(own_pairs(&outer.events[2]), [("value", text("worked")), ("again", text("worked"))]);
    assert_eq!(pairs(&named(&spans, "child").attributes), [("value", text("worked"))]);
}

#[test]
fn formatting_may_take_locks_that_other_threads_hold_while_they_trace() {
    struct Locks(Arc<Mutex<u32>>, Arc<Barrier>);
    impl fmt::Debug for Locks {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            // The other thread has the lock and now wants the span.
            self.1.wait();
            fmt::Debug::fmt(&*self.0.lock().unwrap(), formatter)
        }
    }
    let recorder = Recorder::new();
    let dispatch = recorder.dispatch();
    let (lock, barrier) = (Arc::new(Mutex::new(7)), Arc::new(Barrier::new(2)));
    let span = dispatcher::with_default(&dispatch, || info_span!("shared", value = Empty));
    std::thread::scope(|scope| {
        let (lock_here, barrier_here, here) = (Arc::clone(&lock), Arc::clone(&barrier), span.clone());
        scope.spawn(move || {
            here.record("value", tracing::field::debug(Locks(lock_here, barrier_here)));
        });
        let guard = lock.lock().unwrap();
        barrier.wait();
        span.set_attribute("held", true);
        dispatcher::with_default(&dispatch, || span.in_scope(|| info!("while holding the lock")));
        drop(guard);
    });
    drop(span);
    let spans = recorder.spans();
    assert_eq!((spans[0].attributes.len(), spans[0].events.len()), (2, 1));
    assert!(pairs(&spans[0].attributes).contains(&("value", text("7"))));
}

#[test]
fn a_value_that_cannot_be_formatted_keeps_what_it_wrote() {
    let recorder = Recorder::new();
    let spans = recorder.run(|| drop(info_span!("work", value = ?Fails, next = 1)));
    assert_eq!(pairs(&spans[0].attributes)[0], ("value", text("half")));
}

#[test]
fn large_values_arrive_whole() {
    let recorder = Recorder::new();
    let long = "grün ".repeat(8_000);
    let spans = recorder.run(|| {
        let span = info_span!("query", text = %long).entered();
        span.set_attribute("small", 1);
        info!("{}", &long[..50]);
    });
    assert_eq!(pairs(&spans[0].attributes)[0], ("text", text(&long)));
    assert_eq!(spans[0].events[0].name, long[..50]);
}

/// Never comes to an end by itself.
struct Endless;

impl fmt::Debug for Endless {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            formatter.write_str("grün ")?;
        }
    }
}

#[test]
fn a_value_without_end_is_stopped_and_counted() {
    let mut options = PipelineOptions::default();
    options.limits.value_length = 10;
    let recorder = Recorder::with_options(options);
    let spans = recorder.run(|| {
        let span = info_span!("work", endless = ?Endless, later = Empty, next = 1).entered();
        span.record("later", tracing::field::debug(Endless));
        info!(endless = ?Endless, "event");
    });
    let cut = text("grün grün ");
    let mut found = pairs(&spans[0].attributes);
    found.sort_by_key(|(key, _)| *key);
    assert_eq!(found, [("endless", cut.clone()), ("later", cut.clone()), ("next", int(1))]);
    assert_eq!(own_pairs(&spans[0].events[0]), [("endless", cut)]);
    // Each was stopped, and cut once more to the limit of values; so was the event's target.
    assert_eq!(recorder.ledger().dropped_content, 3 + 3 + 1);
    // Without that limit it does not fit into the span.
    let recorder = Recorder::new();
    let spans = recorder.run(|| drop(info_span!("work", endless = ?Endless, next = 1)));
    assert_eq!((spans[0].attributes.len(), spans[0].dropped_attributes_count), (1, 1));
}
