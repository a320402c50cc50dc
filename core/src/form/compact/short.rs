//! The short way of attributes whose key is among the table's first and whose value is no list or map: almost all of a chip's.

use core::mem::MaybeUninit;

use super::value::{clip, narrowed};
use super::{Compact, item, tag};
use crate::form::otlp::count;
use crate::intern::StringTable;
use crate::postcard::write_varint as write_varint_u64;
use crate::storage::{Storage, StorageView, append};
use crate::{Header, Span};

/// The same as of 64 bits, for numbers that fit 32.
#[inline(always)]
pub(super) const fn zigzag(number: i32) -> u32 {
    ((number << 1) ^ (number >> 31)).cast_unsigned()
}

/// Appends the name of a span, if it is one of the table's first 127; else nothing.
#[inline(always)]
pub(super) fn append_name<V: StorageView + ?Sized>(body: &mut V, reference: u32) -> bool {
    if !(1..0x80).contains(&reference) {
        return false;
    }
    let Some([name]) = body.spare(1) else { return false };
    name.write(reference.to_le_bytes()[0]);
    // SAFETY: one byte has just been written.
    #[expect(unsafe_code, reason = "as below")]
    unsafe {
        body.advance(1);
    }
    true
}

/// The longest of a number: key, tag and five bytes.
const MOST_OF_NUMBER: usize = 2 + 5;

/// Key and tag in one register: as they are written, the key in front.
#[inline(always)]
fn key_and_tag(reference: u32, tag: u8) -> u32 {
    // The first 31 references take one byte.
    reference << 1 | u32::from(tag) << 8
}

/// Appends an event that has one of the first 31 names of the table, and nothing else yet, leaving `tail` bytes free behind it.
#[inline(never)]
pub(super) fn append_event<V: StorageView + ?Sized>(body: &mut V, head: u8, delta: u64, tail: usize) -> bool {
    let Some(room) = body.room().checked_sub(tail) else { return false };
    append(body, room.min(MOST_OF_EVENT), |cursor| {
        cursor.byte(head);
        write_varint_u64(cursor, delta);
        cursor.byte(item::END);
    })
}

/// Such an event: name, time, end mark.
const MOST_OF_EVENT: usize = 1 + 10 + 1;

/// The bit of a key with a reference from 1 to 31.
#[inline(always)]
pub(super) const fn own_bit(reference: u32) -> u32 {
    1 << (reference & 31)
}

/// Sets an attribute whose value is a varint behind its tag.
#[inline(always)]
pub(super) fn set_number<S: Storage, T: StringTable>(
    span: &mut Span<S, Compact<T>>,
    reference: u32,
    tag: u8,
    number: u32,
) {
    set_packed(span, key_and_tag(reference, tag), number, own_bit(reference));
}

/// With all that a literal key makes constant, as arguments.
#[inline(never)]
fn set_packed<S: Storage, T: StringTable>(span: &mut Span<S, Compact<T>>, key_and_tag: u32, number: u32, own_bit: u32) {
    let (header, body) = span.header_and_body();
    if body.room() < MOST_OF_NUMBER {
        return set_scarce(span, key_and_tag, number, u32::MAX);
    }
    if !admit(header, own_bit) {
        return;
    }
    if let Some([key, tag, value @ ..]) = body.spare(MOST_OF_NUMBER)
        && let Some(value) = value.first_chunk_mut()
    {
        write_key_and_tag(key, tag, key_and_tag);
        let written = 2 + write_number(value, number);
        // SAFETY: these have just been written.
        #[expect(unsafe_code, reason = "a cursor that checks every byte costs a chip as much as all the rest")]
        unsafe {
            body.advance(written);
        }
    }
}

/// The same where the room is scarce, so that it matters how long the number is; and where the value is the beginning of an
/// interned text, so that how many `characters` it has follows: fewer than [`u32::MAX`].
#[cold]
#[inline(never)]
fn set_scarce<S: Storage, T: StringTable>(
    span: &mut Span<S, Compact<T>>,
    key_and_tag: u32,
    number: u32,
    characters: u32,
) {
    let is_cut = characters != u32::MAX;
    let width = varint_len(number);
    let all = width + if is_cut { varint_len(characters) } else { 0 };
    let is_set = set(span, key_and_tag, all, |out| {
        if let Some((out, behind)) = out.split_at_mut_checked(width) {
            write_varint(out, number);
            write_varint(behind, characters);
        }
    });
    let (header, _) = span.header_and_body();
    count(&mut header.dropped.texts, is_set && is_cut);
}

/// Sets an attribute whose value is an interned text, which may be longer than the limit.
#[inline(always)]
pub(super) fn set_interned<S: Storage, T: StringTable>(
    span: &mut Span<S, Compact<T>>,
    reference: u32,
    interned: u32,
    text: &str,
) {
    // No text has more characters than bytes.
    if text.len() <= span.limits().value_length as usize {
        set_number(span, reference, tag::INTERNED, interned);
    } else {
        set_long_interned(span, key_and_tag(reference, tag::INTERNED), interned, text);
    }
}

/// The same for one that may be too long.
#[cold]
#[inline(never)]
fn set_long_interned<S: Storage, T: StringTable>(
    span: &mut Span<S, Compact<T>>,
    key_and_tag: u32,
    interned: u32,
    text: &str,
) {
    let limit = span.limits().value_length;
    if clip(text, limit).len() == text.len() {
        set_packed(span, key_and_tag, interned, own_bit(key_and_tag >> 1 & 31));
    } else {
        set_scarce(span, key_and_tag ^ u32::from(tag::INTERNED ^ tag::INTERNED_START) << 8, interned, limit);
    }
}

/// Sets an attribute whose value is its tag.
#[inline(never)]
pub(super) fn set_bool<S: Storage, T: StringTable>(span: &mut Span<S, Compact<T>>, reference: u32, truth: bool) {
    let tag = if truth { tag::TRUE } else { tag::FALSE };
    set(span, key_and_tag(reference, tag), 0, |_| {});
}

/// Sets an attribute whose value is a text that is not interned.
#[inline(never)]
pub(super) fn set_text<S: Storage, T: StringTable>(span: &mut Span<S, Compact<T>>, reference: u32, text: &str) {
    let clipped = clip(text, span.limits().value_length);
    let length = u32::try_from(clipped.len()).unwrap_or(u32::MAX);
    let width = varint_len(length);
    let is_set = set(span, key_and_tag(reference, tag::TEXT), width.saturating_add(clipped.len()), |out| {
        if let Some((counted, out)) = out.split_at_mut_checked(width) {
            write_varint(counted, length);
            write_all(out, clipped.as_bytes());
        }
    });
    let (header, _) = span.header_and_body();
    count(&mut header.dropped.texts, is_set && clipped.len() < text.len());
}

/// Sets an attribute whose value is a floating-point number, of 32 bits where those are exactly the same.
#[inline(never)]
pub(super) fn set_double<S: Storage, T: StringTable>(span: &mut Span<S, Compact<T>>, reference: u32, number: f64) {
    match narrowed(number) {
        Some(bits) => {
            set(span, key_and_tag(reference, tag::F32), 4, |out| write_all(out, &bits.to_le_bytes()));
        }
        None => {
            set(span, key_and_tag(reference, tag::F64), 8, |out| write_all(out, &number.to_le_bytes()));
        }
    }
}

/// Sets an attribute with `width` bytes behind key and tag, all of which `write` initialises; false if it was dropped and
/// counted.
#[inline(always)]
fn set<S: Storage, T: StringTable>(
    span: &mut Span<S, Compact<T>>,
    key_and_tag: u32,
    width: usize,
    write: impl FnOnce(&mut [MaybeUninit<u8>]),
) -> bool {
    let (header, body) = span.header_and_body();
    let length = width.saturating_add(2);
    let Some([key, tag, value @ ..]) = body.spare(length) else {
        count(&mut header.dropped.attributes, true);
        return false;
    };
    let is_admitted = admit(header, own_bit(key_and_tag >> 1 & 31));
    if is_admitted {
        write_key_and_tag(key, tag, key_and_tag);
        write(value);
        // SAFETY: key, tag, and all of the value have just been written.
        #[expect(unsafe_code, reason = "as above")]
        unsafe {
            body.advance(length);
        }
    }
    is_admitted
}

/// Counts the key if it is new; false, and counted as dropped, if the span holds as many as it may.
#[inline(always)]
fn admit(header: &mut Header, own_bit: u32) -> bool {
    if header.own_keys & own_bit == 0 {
        if header.recorded.attributes >= header.limits.attributes {
            count(&mut header.dropped.attributes, true);
            return false;
        }
        header.recorded.attributes += 1;
        header.own_keys |= own_bit;
    }
    true
}

#[inline(always)]
fn write_key_and_tag(key: &mut MaybeUninit<u8>, tag: &mut MaybeUninit<u8>, key_and_tag: u32) {
    let [first, second, ..] = key_and_tag.to_le_bytes();
    key.write(first);
    tag.write(second);
}

/// Writes a varint and answers with its length: step by step, as a loop takes twice as long.
#[inline(always)]
fn write_number(out: &mut [MaybeUninit<u8>; 5], number: u32) -> usize {
    let [a, b, c, d, e] = out;
    let low = |shift: u32| (number >> shift).to_le_bytes()[0];
    if number < 1 << 7 {
        a.write(low(0));
        return 1;
    }
    a.write(low(0) | 0x80);
    if number < 1 << 14 {
        b.write(low(7));
        return 2;
    }
    b.write(low(7) | 0x80);
    if number < 1 << 21 {
        c.write(low(14));
        return 3;
    }
    c.write(low(14) | 0x80);
    if number < 1 << 28 {
        d.write(low(21));
        return 4;
    }
    d.write(low(21) | 0x80);
    e.write(low(28));
    5
}

/// Writes a varint over all of `out`.
fn write_varint(out: &mut [MaybeUninit<u8>], number: u32) {
    let mut rest = number;
    let last = out.len().saturating_sub(1);
    for (index, byte) in out.iter_mut().enumerate() {
        byte.write((rest.to_le_bytes()[0] & 0x7f) | if index < last { 0x80 } else { 0 });
        rest >>= 7;
    }
}

/// Copies what is as long as `out`.
#[inline(always)]
fn write_all(out: &mut [MaybeUninit<u8>], bytes: &[u8]) {
    for (out, byte) in out.iter_mut().zip(bytes) {
        out.write(*byte);
    }
}

/// How many bytes `number` takes as a varint: 1 to 5.
#[inline(always)]
const fn varint_len(number: u32) -> usize {
    let bits = 32 - (number | 1).leading_zeros();
    // The same as dividing by 7 and rounding up, for 1 to 32.
    ((bits * 9 + 64) >> 6) as usize
}

#[cfg(test)]
mod tests {
    use super::{varint_len, zigzag};

    #[test]
    fn short_numbers_are_written_as_long_ones() {
        for shift in 0..32 {
            for number in [1_u32 << shift, (1 << shift) - 1, u32::MAX >> shift] {
                assert_eq!(varint_len(number), crate::wire::varint_len(number.into()), "{number}");
                let signed = number.cast_signed();
                assert_eq!(u64::from(zigzag(signed)), crate::postcard::zigzag(signed.into()), "{signed}");
            }
        }
    }
}
