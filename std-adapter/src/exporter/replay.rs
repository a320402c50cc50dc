//! Sending from the disk spool: oldest first, until nothing is left there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::exporting::{Exporting, observe};
use super::{ExportOutcome, Request};
use crate::spool::Stored;

/// When a disk that does not answer is asked again.
const DISK_PATIENCE: Duration = Duration::from_secs(1);

impl Exporting {
    /// While batches go to the disk, delivers from there. Returns when nothing is left on disk, or at a shutdown.
    pub(super) fn replay(&mut self) {
        let Some(disk) = self.disk.clone() else { return };
        while disk.is_away() {
            self.reporter.away(Instant::now());
            self.tell_notes();
            if !self.wait_for_permission() {
                return;
            }
            match disk.oldest() {
                Ok(Some(stored)) => self.deliver_stored(&stored),
                Ok(None) => {
                    if disk.come_back() {
                        self.reporter.back(Instant::now());
                    }
                }
                Err(reason) => {
                    self.reporter.note_error(reason);
                    self.throttled_until = Some(Instant::now() + DISK_PATIENCE);
                }
            }
            observe(&mut self.reporter, &self.queue);
        }
        self.tell_notes();
    }

    /// Tells the operator what has become known of the disk since the last time.
    pub(super) fn tell_notes(&mut self) {
        let notes = self.disk.as_ref().map(|disk| disk.take_notes()).unwrap_or_default();
        notes.iter().for_each(|note| self.reporter.say(note));
    }

    /// Makes one attempt at a request that lies on disk, where it stays if it may be taken later.
    fn deliver_stored(&mut self, stored: &Stored) {
        let Some(disk) = self.disk.as_ref().map(Arc::clone) else { return };
        let parts = [&stored.bytes[..]];
        let request = Request::new(&parts, stored.spans);
        match self.attempt(&request, self.limit(), true) {
            ExportOutcome::Retryable { after, .. } => {
                disk.put_back();
                self.back_off(after);
            }
            outcome => {
                let settled = self.settled(outcome, stored.spans);
                disk.settle(stored.number, settled.first, settled.fate, settled.rest);
            }
        }
    }
}
