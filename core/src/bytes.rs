//! Copies, moves and comparisons of bytes. On a chip one by one: what is copied there is short, and each function that the
//! compiler would call instead is larger than all that records a span.

use core::cell::Cell;

/// Copies `from` to `to`, as far as both go.
#[inline]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = if cfg!(target_os = "none") { alone(from) } else { *from };
    }
}

/// Whether `bytes` begin with `front`, as far as they go.
#[inline]
pub(crate) fn begins_with(bytes: &[u8], front: &[u8]) -> bool {
    if cfg!(target_os = "none") {
        bytes.iter().zip(front).all(|(byte, front)| byte == front)
    } else {
        bytes.starts_with(front)
    }
}

/// Moves the bytes from `start` to `end` so that they begin at `to`; nothing if they are not within, there or here.
#[inline(never)]
pub(crate) fn slide(bytes: &mut [u8], start: usize, end: usize, to: usize) {
    if cfg!(target_os = "none") {
        slide_bytewise(bytes, start, end, to);
    } else if start <= end && end <= bytes.len() && to <= bytes.len() && end - start <= bytes.len() - to {
        let memory = bytes.as_mut_ptr();
        // SAFETY: `start` was just found to be within the bytes.
        #[expect(unsafe_code, reason = "`copy_within` would link its panic")]
        let from = unsafe { memory.add(start) };
        // SAFETY: `to` was just found to be within the bytes.
        #[expect(unsafe_code, reason = "`copy_within` would link its panic")]
        let to = unsafe { memory.add(to) };
        // SAFETY: both runs of `end - start` bytes are within the same bytes, which are borrowed exclusively.
        #[expect(unsafe_code, reason = "`copy_within` would link its panic")]
        unsafe {
            core::ptr::copy(from, to, end - start);
        }
    }
}

/// The same where no compiler sees that it is a move of memory.
fn slide_bytewise(bytes: &mut [u8], start: usize, end: usize, to: usize) {
    let cells = Cell::from_mut(bytes).as_slice_of_cells();
    let length = end.saturating_sub(start);
    for step in 0..length {
        // From the end that is not overwritten before it is read.
        let at = if to < start { step } else { length - 1 - step };
        if let (Some(from), Some(to)) = (cells.get(start + at), cells.get(to + at)) {
            to.set(from.get());
        }
    }
}

/// Reads a byte so that the compiler does not make several at once of it.
#[inline(always)]
fn alone(byte: &u8) -> u8 {
    // SAFETY: what is referred to can be read.
    #[expect(unsafe_code, reason = "no safe read stays one of a byte")]
    unsafe {
        core::ptr::from_ref(byte).read_volatile()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_slide_either_way_however_they_are_moved() {
        for start in 0..9 {
            for end in 0..9 {
                for to in 0..9 {
                    let mut expected = *b"abcdefgh";
                    if start <= end && end <= 8 && to + end - start <= 8 {
                        expected.copy_within(start..end, to);
                        let mut bytewise = *b"abcdefgh";
                        slide_bytewise(&mut bytewise, start, end, to);
                        assert_eq!(bytewise, expected, "{start}..{end} to {to}");
                    }
                    let mut bytes = *b"abcdefgh";
                    slide(&mut bytes, start, end, to);
                    assert_eq!(bytes, expected, "{start}..{end} to {to}");
                }
            }
        }
    }

    #[test]
    fn a_copy_ends_with_the_shorter_one() {
        let mut to = *b"abc";
        copy(&mut to, b"xy");
        copy(&mut to[..1], b"zz");
        assert_eq!(&to, b"zyc");
        assert_eq!((alone(&7), begins_with(b"ab", b"a"), begins_with(b"ab", b"b")), (7, true, false));
    }
}
