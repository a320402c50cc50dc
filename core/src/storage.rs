//! `Storage`: where the bytes of a span, a batch or an envelope live.

use core::mem::MaybeUninit;

use crate::bytes::slide;

/// Owned bytes of limited capacity. Core ships `heapless::Vec<u8, N>`; a host with a heap brings its own.
pub trait Storage {
    /// What all capacities of one kind share, so that the code that fills it exists once.
    type View: StorageView + ?Sized;

    /// The shared form, to read.
    fn view(&self) -> &Self::View;

    /// The shared form, to write.
    fn view_mut(&mut self) -> &mut Self::View;
}

/// Bytes that can be appended to until their capacity is reached.
///
/// # Safety
/// `spare(n)` must return a slice of exactly `n` bytes that `advance(n)` then makes part of `as_slice`, in order.
#[expect(unsafe_code, reason = "bytes are written once, into memory nobody initialised before")]
pub unsafe trait StorageView {
    /// The bytes written so far.
    fn as_slice(&self) -> &[u8];

    /// The bytes written so far, to change in place.
    fn as_mut_slice(&mut self) -> &mut [u8];

    /// The next `additional` bytes after the end, growing the storage if it can; `None` if they do not fit.
    fn spare(&mut self, additional: usize) -> Option<&mut [MaybeUninit<u8>]>;

    /// How many more bytes could be written.
    fn room(&self) -> usize;

    /// Makes the next `written` bytes part of the content.
    ///
    /// # Safety
    /// The last `spare(n)` returned a slice with `n >= written`, whose first `written` bytes are now initialised.
    unsafe fn advance(&mut self, written: usize);

    /// Forgets all bytes from `length` on.
    fn truncate(&mut self, length: usize);
}

impl<const N: usize> Storage for heapless::Vec<u8, N> {
    type View = heapless::vec::VecView<u8>;

    #[inline]
    fn view(&self) -> &Self::View {
        self.as_view()
    }

    #[inline]
    fn view_mut(&mut self) -> &mut Self::View {
        self.as_mut_view()
    }
}

// SAFETY: `spare` is the memory directly behind the current length, `advance` moves that length over it.
#[expect(unsafe_code, reason = "heapless checks by panicking; this checks by answering None")]
unsafe impl StorageView for heapless::vec::VecView<u8> {
    #[inline]
    fn as_slice(&self) -> &[u8] {
        self
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [u8] {
        self
    }

    #[inline]
    fn spare(&mut self, additional: usize) -> Option<&mut [MaybeUninit<u8>]> {
        if additional > self.room() {
            return None;
        }
        let length = self.len();
        // SAFETY: the vector owns `capacity` bytes and `length <= capacity`, so this stays inside its allocation.
        let start = unsafe { self.as_mut_ptr().add(length) };
        // SAFETY: `length + additional <= capacity` as just checked, and the borrow of `self` is exclusive.
        Some(unsafe { core::slice::from_raw_parts_mut(start.cast(), additional) })
    }

    #[inline]
    fn room(&self) -> usize {
        self.capacity() - self.len()
    }

    #[inline]
    unsafe fn advance(&mut self, written: usize) {
        let length = self.len() + written;
        // SAFETY: the caller initialised these bytes, and `spare` checked that they are within the capacity.
        unsafe { self.set_len(length) };
    }

    #[inline]
    fn truncate(&mut self, length: usize) {
        // SAFETY: never longer than now, and bytes need no drop.
        unsafe { self.set_len(length.min(self.len())) };
    }
}

/// Memory of somebody else's that bytes are written into from the front.
#[cfg(feature = "critical-section")]
pub(crate) struct Region<'a> {
    bytes: &'a mut [u8],
    length: usize,
}

#[cfg(feature = "critical-section")]
impl<'a> Region<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, length: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }
}

// SAFETY: `spare` is the memory directly behind the current length, `advance` moves that length over it. The memory is
// initialised, and stays so: only `Form::encode` is given a region, and the cursor it writes with gives up bytes of `spare`
// only by initialising them.
#[cfg(feature = "critical-section")]
#[expect(unsafe_code, reason = "the trait lends memory that need not be initialised; this one is, at no cost")]
unsafe impl StorageView for Region<'_> {
    #[inline]
    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.length).unwrap_or_default()
    }

    #[inline]
    fn spare(&mut self, additional: usize) -> Option<&mut [MaybeUninit<u8>]> {
        let spare = self.bytes.get_mut(self.length..)?.get_mut(..additional)?;
        // SAFETY: a byte and a byte that may be uninitialised have the same layout; see above for why none becomes
        // uninitialised.
        Some(unsafe { &mut *(core::ptr::from_mut(spare) as *mut [MaybeUninit<u8>]) })
    }

    #[inline]
    fn room(&self) -> usize {
        self.bytes.len() - self.length
    }

    #[inline]
    unsafe fn advance(&mut self, written: usize) {
        self.length += written;
    }

    #[inline]
    fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}

/// Writes at most `length` bytes behind the end through a cursor; false, and nothing is added, if they do not fit
/// or if `write` wants more than it asked for.
#[inline]
pub(crate) fn append<V: StorageView + ?Sized>(
    storage: &mut V,
    length: usize,
    write: impl FnOnce(&mut Cursor<'_>),
) -> bool {
    let Some(spare) = storage.spare(length) else { return false };
    let mut cursor = Cursor { rest: spare, overflowed: false };
    write(&mut cursor);
    if cursor.overflowed {
        return false;
    }
    let written = length - cursor.rest.len();
    // SAFETY: the cursor gives up a byte of `spare` only by initialising it, from the front, without gaps.
    #[expect(unsafe_code, reason = "the one place where written bytes become content")]
    unsafe {
        storage.advance(written);
    }
    true
}

/// Removes `range` and closes the gap.
pub(crate) fn remove<V: StorageView + ?Sized>(storage: &mut V, start: usize, end: usize) {
    let bytes = storage.as_mut_slice();
    let length = bytes.len();
    if start <= end && end <= length {
        slide(bytes, end, length, start);
        storage.truncate(length - (end - start));
    }
}

/// Takes the bytes of a finished span, from its first to its last.
#[doc(hidden)]
pub trait Output {
    fn bytes(&mut self, bytes: &[u8]);
    fn varint(&mut self, value: u64);
}

impl Output for Cursor<'_> {
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        Cursor::bytes(self, bytes);
    }

    #[inline]
    fn varint(&mut self, value: u64) {
        Cursor::varint(self, value);
    }
}

/// Fills reserved memory from the front.
pub(crate) struct Cursor<'a> {
    rest: &'a mut [MaybeUninit<u8>],
    overflowed: bool,
}

impl Cursor<'_> {
    /// Copies `bytes`.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let rest = core::mem::take(&mut self.rest);
        match rest.split_at_mut_checked(bytes.len()) {
            Some((head, tail)) => {
                head.write_copy_of_slice(bytes);
                self.rest = tail;
            }
            None => self.overflowed = true,
        }
    }

    /// Writes one byte.
    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) {
        match core::mem::take(&mut self.rest).split_first_mut() {
            Some((head, tail)) => {
                head.write(byte);
                self.rest = tail;
            }
            None => self.overflowed = true,
        }
    }

    /// Whether more was written than fits.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Gives up: nothing of what was written is kept.
    pub(crate) fn overflow(&mut self) {
        self.overflowed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn append_fits_exactly_or_not_at_all() {
        let mut storage = heapless::Vec::<u8, 4>::new();
        assert!(append(storage.view_mut(), 3, |cursor| cursor.bytes(b"abc")));
        assert!(!append(storage.view_mut(), 2, |cursor| cursor.bytes(b"de")));
        assert!(!append(storage.view_mut(), 1, |cursor| cursor.bytes(b"de")), "more than reserved");
        assert!(append(storage.view_mut(), 1, |cursor| cursor.byte(b'd')));
        assert_eq!(storage, b"abcd");
    }

    #[test]
    fn remove_closes_the_gap() {
        let mut storage = heapless::Vec::<u8, 8>::from_slice(b"abcdef").unwrap();
        remove(storage.view_mut(), 1, 3);
        assert_eq!(storage, b"adef");
        remove(storage.view_mut(), 3, 9);
        assert_eq!(storage, b"adef", "a range outside changes nothing");
    }
}
