//! The module's memory for spans: all of it is there from the start, none is ever added.
//!
//! A WebAssembly memory that grows detaches every view that JavaScript has on it, so nothing here allocates.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use clewline_core::Storage;
use heapless::Vec;
use heapless::vec::VecView;

/// How many spans can be live at a time.
pub(crate) const SPANS: usize = 256;

/// How many bytes of name, attributes, events and links one span can hold.
pub(crate) const SPAN_BYTES: usize = 8192;

/// How many bytes of ended spans can wait to be taken.
pub(crate) const BATCH_BYTES: usize = 256 * 1024;

/// The longest request that can be taken.
pub(crate) const REQUEST_BYTES: usize = 64 * 1024;

/// The room for resource and scope.
const ENVELOPE_BYTES: usize = 8 * 1024;

/// Bytes that are lent for good. Moving this moves a reference, not the bytes.
pub(crate) struct Lent(&'static mut VecView<u8>);

impl Storage for Lent {
    type View = VecView<u8>;

    #[inline]
    fn view(&self) -> &VecView<u8> {
        self.0
    }

    #[inline]
    fn view_mut(&mut self) -> &mut VecView<u8> {
        self.0
    }
}

/// Everything that is lent.
pub(crate) struct Memory {
    pub(crate) bodies: &'static mut [Vec<u8, SPAN_BYTES>; SPANS],
    pub(crate) batch: Lent,
    pub(crate) envelope: Lent,
    pub(crate) request: Lent,
}

impl Memory {
    /// All memory, for the first caller in this module instance; `None` for a later one.
    pub(crate) fn take() -> Option<Self> {
        if STATIC.taken.swap(true, Ordering::Relaxed) {
            return None;
        }
        // SAFETY: `taken` was false, so this is the first reference to the parts, and there will be no other.
        #[expect(unsafe_code, reason = "a static that is handed out once, without an allocator")]
        let Parts { bodies, batch, envelope, request } = unsafe { &mut *STATIC.parts.get() };
        Some(Self { bodies, batch: lend(batch), envelope: lend(envelope), request: lend(request) })
    }
}

/// Lends one vector.
pub(crate) fn lend<const N: usize>(vector: &'static mut Vec<u8, N>) -> Lent {
    Lent(vector.as_mut_view())
}

struct Parts {
    bodies: [Vec<u8, SPAN_BYTES>; SPANS],
    batch: Vec<u8, BATCH_BYTES>,
    envelope: Vec<u8, ENVELOPE_BYTES>,
    request: Vec<u8, REQUEST_BYTES>,
}

struct Static {
    taken: AtomicBool,
    parts: UnsafeCell<Parts>,
}

// SAFETY: the parts are reached through `Memory::take` alone, which gives them to one caller.
#[expect(unsafe_code, reason = "see `Memory::take`")]
unsafe impl Sync for Static {}

// All zero, so that it costs no byte in the module file.
static STATIC: Static = Static {
    taken: AtomicBool::new(false),
    parts: UnsafeCell::new(Parts {
        bodies: [const { Vec::new() }; SPANS],
        batch: Vec::new(),
        envelope: Vec::new(),
        request: Vec::new(),
    }),
};
