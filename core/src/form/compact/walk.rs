//! Looks for a key in a body that this program wrote: no errors, few instructions.

use super::{item, tag};
use crate::intern::Symbol;

/// Steps over what was recorded. Nothing in here trusts the bytes so far that it could panic or not end.
struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    #[inline(never)]
    fn varint(&mut self) -> u32 {
        let mut value = 0;
        let mut shift = 0;
        while let Some((&byte, rest)) = self.rest.split_first() {
            self.rest = rest;
            value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    fn skip(&mut self, length: u32) -> &'a [u8] {
        let (skipped, rest) = self.rest.split_at_checked(length as usize).unwrap_or((self.rest, &[]));
        self.rest = rest;
        skipped
    }

    fn counted(&mut self) -> &'a [u8] {
        let length = self.varint();
        self.skip(length)
    }

    /// Steps over a text behind its reference, and answers with the text if it is written out.
    fn literal(&mut self, reference: u32) -> &'a [u8] {
        if reference == 0 { self.counted() } else { &[] }
    }

    fn value(&mut self) {
        let mut left = 1_u32;
        while left > 0 && !self.rest.is_empty() {
            left -= 1;
            match self.varint().to_le_bytes()[0] {
                tag::I64 | tag::INTERNED => drop(self.varint()),
                tag::INTERNED_START => {
                    self.varint();
                    self.varint();
                }
                tag::F64 => drop(self.skip(8)),
                tag::F32 => drop(self.skip(4)),
                tag::TEXT | tag::BYTES => drop(self.counted()),
                tag::LIST => left = left.saturating_add(self.varint()),
                tag::MAP => left = left.saturating_add(self.varint().saturating_mul(2)),
                _ => {}
            }
        }
    }

    /// Steps over an item, and answers whether it is an attribute with this key.
    fn item(&mut self, head: u32, key: &Symbol<'_>) -> bool {
        if head & 1 == 0 {
            let literal = self.literal(head >> 1);
            self.value();
            return head >> 1 == key.reference && (key.reference != 0 || literal == key.text.as_bytes());
        }
        if head & 3 == 1 {
            self.literal(head >> 2);
            self.varint();
            return false;
        }
        match head.to_le_bytes()[0] {
            item::LINK => {
                self.skip(16 + 8 + 1);
                self.counted();
            }
            item::STATUS_MESSAGE | item::TRACE_STATE => drop(self.counted()),
            item::DROPPED_ATTRIBUTES | item::START_MOVED => drop(self.varint()),
            item::RENAMED => {
                let reference = self.varint();
                self.literal(reference);
            }
            _ => {}
        }
        false
    }
}

/// Whether the span itself has the key.
#[inline(never)]
pub(super) fn has_attribute(body: &[u8], key: &Symbol<'_>) -> bool {
    let mut walk = Walk { rest: body };
    let name = walk.varint();
    walk.literal(name);
    let mut is_inside_entry = false;
    while !walk.rest.is_empty() {
        let head = walk.varint();
        if head & 3 == 1 || head == u32::from(item::LINK) {
            is_inside_entry = true;
        } else if head == u32::from(item::END) {
            is_inside_entry = false;
        }
        if walk.item(head, key) && !is_inside_entry {
            return true;
        }
    }
    false
}

/// Whether the event or link that begins at `start` has the key.
pub(super) fn has_entry_attribute(body: &[u8], start: usize, key: &Symbol<'_>) -> bool {
    let mut walk = Walk { rest: body.get(start..).unwrap_or_default() };
    while !walk.rest.is_empty() {
        let head = walk.varint();
        if walk.item(head, key) {
            return true;
        }
    }
    false
}
