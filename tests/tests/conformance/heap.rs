//! A storage on the heap that may grow up to a limit: what a host with an allocator brings, and a capacity per test case.

use std::mem::MaybeUninit;

use clewline_core::{Storage, StorageView};

#[derive(Debug)]
pub(crate) struct Heap {
    bytes: Vec<u8>,
    limit: usize,
}

impl Heap {
    pub(crate) fn up_to(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    /// With room for whatever a test records.
    pub(crate) fn ample() -> Self {
        Self::up_to(1 << 24)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Storage for Heap {
    type View = Self;

    fn view(&self) -> &Self {
        self
    }

    fn view_mut(&mut self) -> &mut Self {
        self
    }
}

// SAFETY: `spare` is the vector's own spare capacity, and `advance` moves the vector's length over it.
#[expect(unsafe_code, reason = "the trait is unsafe to implement; that it can be done by a host is part of the test")]
unsafe impl StorageView for Heap {
    fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn spare(&mut self, additional: usize) -> Option<&mut [MaybeUninit<u8>]> {
        if additional > self.room() {
            return None;
        }
        self.bytes.reserve_exact(additional);
        self.bytes.spare_capacity_mut().get_mut(..additional)
    }

    fn room(&self) -> usize {
        self.limit - self.bytes.len()
    }

    unsafe fn advance(&mut self, written: usize) {
        // SAFETY: the caller initialised `written` bytes of what `spare` lent, which is within the capacity.
        unsafe { self.bytes.set_len(self.bytes.len() + written) };
    }

    fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }
}
