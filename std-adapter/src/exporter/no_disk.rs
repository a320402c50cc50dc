//! Stands for the disk spool where the feature `spool` is off: there is never one.

use std::sync::Arc;

use super::exporting::Exporting;
use super::fate::Fate;
use super::hand::Hand;

/// What there is none of.
pub(super) enum Disk {}

impl Disk {
    pub(super) fn is_away(&self) -> bool {
        match *self {}
    }

    pub(super) fn begin_attempt(&self, _: &Arc<Hand>) {
        match *self {}
    }

    pub(super) fn end_attempt(&self) {
        match *self {}
    }

    pub(super) fn take_over(&self, _: &Hand) {
        match *self {}
    }

    pub(super) fn settle(&self, _: u64, _: usize, _: Fate, _: Fate) {
        match *self {}
    }

    pub(super) fn close(&self) {
        match *self {}
    }

    pub(super) fn keep_rest(&self) {
        match *self {}
    }
}

impl Exporting {
    /// Delivers what is on disk: nothing.
    #[expect(clippy::unused_self, reason = "as with the feature `spool`")]
    pub(super) fn replay(&mut self) {}

    /// Tells what has become known of the disk: nothing.
    #[expect(clippy::unused_self, reason = "as with the feature `spool`")]
    pub(super) fn tell_notes(&mut self) {}
}
