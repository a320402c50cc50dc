//! Asynchronous code: spans that are entered and left on several threads.

use tracing::instrument::WithSubscriber as _;
use tracing::{Instrument as _, info, info_span, instrument};

use crate::support::{Recorder, assert_child, int, pairs};

#[instrument]
async fn step(task: i64, number: i64) -> i64 {
    tokio::task::yield_now().await;
    info!(task, "step");
    leaf(task).await;
    tokio::time::sleep(std::time::Duration::from_micros(50)).await;
    number
}

#[instrument(name = "leaf", skip_all)]
async fn leaf(task: i64) {
    tokio::task::yield_now().await;
    info!(task, "leaf");
}

#[instrument]
async fn task(task: i64) {
    for number in 0..5 {
        assert_eq!(step(task, number).await, number);
    }
}

#[test]
fn interleaved_tasks_keep_their_traces_apart() {
    const TASKS: i64 = 16;
    let recorder = Recorder::new();
    let dispatch = recorder.dispatch();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> =
            (0..TASKS).map(|number| tokio::spawn(task(number).with_subscriber(dispatch.clone()))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        // A span around a future, left before it is done.
        let slow = std::future::pending::<()>().instrument(dispatch_span(&dispatch)).with_subscriber(dispatch.clone());
        assert!(tokio::time::timeout(std::time::Duration::from_millis(1), slow).await.is_err());
    });
    let spans = recorder.spans();
    let find = |id: &[u8]| spans.iter().find(|span| span.span_id == id).expect("the parent was exported");
    for (name, parent, count) in
        [("task", None, TASKS), ("step", Some("task"), 5 * TASKS), ("leaf", Some("step"), 5 * TASKS)]
    {
        let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
        assert_eq!(i64::try_from(found.len()).unwrap(), count, "{name}");
        for span in found {
            match parent {
                Some(parent) => {
                    assert_child(span, find(&span.parent_span_id));
                    assert_eq!(find(&span.parent_span_id).name, parent);
                }
                None => assert!(span.parent_span_id.is_empty()),
            }
        }
    }
    // Every event is in the span of its own task.
    for span in spans.iter().filter(|span| span.name == "step") {
        let task = pairs(&span.attributes).into_iter().find(|(key, _)| *key == "task").unwrap().1;
        assert_eq!(pairs(&span.events[0].attributes).last(), Some(&("task", task.clone())));
        let leaf = spans.iter().find(|leaf| leaf.parent_span_id == span.span_id).unwrap();
        assert_eq!(pairs(&leaf.events[0].attributes).last(), Some(&("task", task)));
    }
    assert_eq!(spans.iter().filter(|span| span.name == "abandoned").count(), 1);
    assert_eq!(recorder.ledger().pending, 0);
    assert!(spans.iter().any(|span| pairs(&span.attributes).contains(&("number", int(4)))));
}

fn dispatch_span(dispatch: &tracing::Dispatch) -> tracing::Span {
    tracing::dispatcher::with_default(dispatch, || info_span!("abandoned"))
}
