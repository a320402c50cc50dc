//! `SharedIds`: a source of ids for a `static` tracer.

use critical_section::Mutex;

use crate::random::mix;
use crate::{IdSource, RandomIds, SpanId, TraceId};

/// [`RandomIds`] for main code and interrupts alike.
///
/// A chip with a random number generator seeds it from there; one without takes its device id and a counter of its boots
/// that survives, mixed by [`seed_from`](Self::seed_from), so that no two devices and no two boots make the same ids.
#[derive(Debug)]
pub struct SharedIds {
    ids: Mutex<RandomIds>,
}

impl SharedIds {
    /// Ids from this seed, until another one is set.
    #[must_use]
    pub const fn new(seed: [u64; 2]) -> Self {
        Self { ids: Mutex::new(RandomIds::from_seed(seed)) }
    }

    /// Starts again from 128 bits of entropy.
    pub fn seed(&self, seed: [u64; 2]) {
        critical_section::with(|section| self.ids.borrow(section).reseed(seed));
    }

    /// Starts again from a number that no other device has, and one that is another at each boot of this one.
    pub fn seed_from(&self, device: u64, boot: u64) {
        self.seed([mix(device), mix(boot ^ device.rotate_left(32))]);
    }
}

impl IdSource for SharedIds {
    fn trace_id(&self) -> TraceId {
        critical_section::with(|section| self.ids.borrow(section).trace_id())
    }

    fn span_id(&self) -> SpanId {
        critical_section::with(|section| self.ids.borrow(section).span_id())
    }

    fn is_random(&self) -> bool {
        true
    }
}
