//! Spans that are still open when their pipeline is shut down.

use std::time::Duration;

use clewline::{PipelineOptions, SpanExt as _};
use tracing::{info, info_span};

use crate::support::{Recorder, Value, assert_child, named, pairs};

const SOON: Duration = Duration::from_secs(300);

#[test]
fn open_spans_are_exported_if_that_is_wanted() {
    let mut options = PipelineOptions::default();
    options.exports_open_spans = true;
    let recorder = Recorder::with_options(options);
    let other = Recorder::new();
    let of_other = tracing::dispatcher::with_default(&other.dispatch(), || info_span!("of another pipeline"));
    tracing::dispatcher::with_default(&recorder.dispatch(), || {
        drop(info_span!("closed"));
        let outer = info_span!("outer", field = 1);
        let inner = info_span!(parent: &outer, "inner").entered();
        info!("before");
        recorder.pipeline.shutdown(SOON).unwrap();
        // What happens afterwards has no effect, and nothing ends twice.
        info!("after");
        outer.set_attribute("after", true);
        assert!(!outer.is_recording() && inner.context().is_some());
        drop(inner);
    });
    let spans = recorder.exported();
    assert_eq!(spans.len(), 3, "{spans:?}");
    assert_child(named(&spans, "inner"), named(&spans, "outer"));
    assert_eq!(named(&spans, "inner").events.len(), 1);
    let marks = spans
        .iter()
        .filter(|span| pairs(&span.attributes).contains(&("clewline.open_at_shutdown", Value::BoolValue(true))));
    let mut marked: Vec<&str> = marks.map(|span| span.name.as_str()).collect();
    marked.sort_unstable();
    assert_eq!(marked, ["inner", "outer"]);
    let ledger = recorder.ledger();
    assert_eq!((ledger.started, ledger.delivered, ledger.pending), (3, 3, 0));
    assert!(of_other.is_recording());
}

#[test]
fn otherwise_they_stay_pending() {
    let recorder = Recorder::new();
    tracing::dispatcher::with_default(&recorder.dispatch(), || {
        let span = info_span!("open");
        recorder.pipeline.shutdown(SOON).unwrap();
        assert!(span.is_recording());
    });
    let ledger = recorder.ledger();
    // The span has ended since, too late.
    assert_eq!((ledger.started, ledger.delivered, ledger.pending, ledger.dropped()), (1, 0, 0, 1));
}
