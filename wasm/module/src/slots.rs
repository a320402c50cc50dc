//! Slots: the memory of live spans, and which of it is free.

use clewline_core::direct::DirectSpan;

/// How many spans can be live at a time.
pub(crate) const SLOTS: u16 = 2048;

/// How many bytes of name, attributes, events and links one span can hold.
pub(crate) const SPAN_BYTES: usize = 8192;

/// All slots.
#[repr(C)]
pub(crate) struct Slots {
    free_count: usize,
    free: [u16; SLOTS as usize],
    spans: [DirectSpan<SPAN_BYTES>; SLOTS as usize],
}

impl Slots {
    /// Without a slot to take, until `open`: all zero, so that it costs no byte in the module file.
    pub(crate) const fn new() -> Self {
        Self { spans: [const { DirectSpan::new() }; SLOTS as usize], free: [0; SLOTS as usize], free_count: 0 }
    }

    /// Makes all slots free.
    pub(crate) fn open(&mut self) {
        for slot in 0..SLOTS {
            self.give(slot);
        }
    }

    #[inline]
    pub(crate) fn span(&mut self, slot: u16) -> &mut DirectSpan<SPAN_BYTES> {
        &mut self.spans[usize::from(slot % SLOTS)]
    }

    /// Takes a free slot.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<u16> {
        self.free_count = self.free_count.checked_sub(1)?;
        Some(self.free[self.free_count % usize::from(SLOTS)])
    }

    /// Gives a slot back.
    #[inline]
    pub(crate) fn give(&mut self, slot: u16) {
        // Never more than there are.
        self.free[self.free_count % usize::from(SLOTS)] = slot;
        self.free_count += 1;
    }
}
