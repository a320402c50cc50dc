//! `Activity`: for how long a span was entered, and for how long it waited.

use clewline_core::Value;

use crate::pipeline::Recording;

/// Times of one span, in nanoseconds. Entered on several threads at once, it is busy once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Activity {
    /// How often it has been entered and not yet left.
    entered: u32,
    /// Whether anything here is kept for this span.
    is_tracked: bool,
    /// When it was entered or left last, or began.
    since: u64,
    busy: u64,
    idle: u64,
}

impl Activity {
    /// Begins to track a span that begins.
    pub(super) fn begin(now: u64) -> Self {
        Self { is_tracked: true, since: now, ..Self::default() }
    }

    pub(super) fn enter(&mut self, now: u64) {
        if self.is_tracked {
            if self.entered == 0 {
                self.idle += now.saturating_sub(self.since);
                self.since = now;
            }
            self.entered += 1;
        }
    }

    pub(super) fn exit(&mut self, now: u64) {
        if self.is_tracked && self.entered > 0 {
            self.entered -= 1;
            if self.entered == 0 {
                self.busy += now.saturating_sub(self.since);
                self.since = now;
            }
        }
    }

    /// Writes the sums into a span that ends now.
    pub(super) fn end(recording: &mut Recording, now: u64) {
        let mut activity = recording.activity;
        if !activity.is_tracked {
            return;
        }
        let last = now.saturating_sub(activity.since);
        let sum = if activity.entered == 0 { &mut activity.idle } else { &mut activity.busy };
        *sum += last;
        for (key, nanos) in [("busy_ns", activity.busy), ("idle_ns", activity.idle)] {
            recording.span.set(key, Value::I64(i64::try_from(nanos).unwrap_or(i64::MAX)));
        }
    }
}
