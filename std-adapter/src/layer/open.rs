//! Spans that are still open when their pipeline is shut down.

use super::ClewlineLayer;
use super::activity::Activity;
use super::extension::for_each_layer;
use super::loan::Work;
use super::place::Found;
use super::recorder::Live;
use super::slots;
use crate::pipeline::{Pipeline, Recording};

/// How many names are given.
const NAMES: usize = 5;
/// On spans that were ended by the shutdown.
const MARK: &str = "clewline.open_at_shutdown";

/// Open spans that came through `tracing`.
#[derive(Debug, Default)]
pub(crate) struct OpenSpans {
    pub(crate) count: u64,
    /// Different names of some of them.
    pub(crate) names: Vec<String>,
}

impl OpenSpans {
    fn add(&mut self, recording: &Recording) {
        self.count += 1;
        let view = recording.span.view(0);
        if self.names.len() < NAMES && self.names.iter().all(|name| name != view.name()) {
            self.names.push(view.name().to_owned());
        }
    }
}

/// Looks for the open spans of a pipeline.
pub(crate) fn open_spans(pipeline: &Pipeline) -> OpenSpans {
    let mut open = OpenSpans::default();
    for_each_recorded(pipeline, |found| {
        if let Work::Done(lent) = found.lend() {
            open.add(&lent);
        }
    });
    open
}

/// Ends the open spans of a pipeline, and marks them with the attribute `clewline.open_at_shutdown`. Their handles stay, and
/// their contexts are handed on, but nothing more is recorded.
pub(crate) fn end_open_spans(pipeline: &Pipeline) {
    // Ending runs processors, which are the program's own code, so nothing is lent meanwhile.
    let mut ended = Vec::new();
    for_each_recorded(pipeline, |found| {
        if let Work::Done(lent) = found.lend() {
            ended.push(Live(Some(lent.take())));
        }
    });
    for mut live in ended {
        if let Some(recording) = live.0.as_deref_mut() {
            recording.span.set(MARK, true);
            let now = recording.now();
            Activity::end(recording, now);
        }
    }
}

/// Works on every span of the pipeline that is recorded, and not on trial only.
fn for_each_recorded(pipeline: &Pipeline, mut work: impl FnMut(Found<'_>)) {
    let mut look = |found: Found<'_>| {
        let is_wanted = |recording: &mut Recording| recording.is_of(pipeline) && !recording.is_on_trial();
        if let Work::Done(true) = found.with(is_wanted) {
            work(found);
        }
    };
    slots::for_each(&mut look);
    for_each_layer(|layer: &ClewlineLayer| layer.spans.for_each(&mut look));
}
