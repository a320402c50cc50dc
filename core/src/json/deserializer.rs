//! A serde deserialiser for JSON (RFC 8259) that is strict, says where it failed, and needs no memory but its input's.
//!
//! `serde_json_core::de::Deserializer` cannot take its place: it does not know what comes next without being told
//! (`deserialize_any`), so it cannot read an integer that may be a number or a text; it recurses as deep as the input asks
//! for where it skips unknown members, and takes things there that are no JSON; it refuses the surrogate pairs in which
//! Python writes every character beyond the basic plane; and its errors do not say where. What it does do, reading doubles
//! and single escapes, is used here.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json_core::str::{EscapedStr, EscapedStringFragment};

use super::JsonErrorKind;

/// How deep members that nobody knows may nest: one bit of memory for each level.
const MAX_SKIPPED_DEPTH: u32 = u128::BITS;

/// Reads from the front; escapes are resolved in place, as what they stand for is never longer.
pub(super) struct JsonDeserializer<'de> {
    rest: &'de mut [u8],
    length: usize,
}

/// What went wrong. Errors of visitors have no kind: those note theirs elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fault {
    pub(super) kind: Option<JsonErrorKind>,
    pub(super) offset: Option<usize>,
}

impl Error for Fault {
    fn custom<T: core::fmt::Display>(_: T) -> Self {
        Self::default()
    }
}

impl core::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.kind.map_or(Ok(()), |kind| kind.fmt(formatter))
    }
}

impl core::error::Error for Fault {}

impl<'de> JsonDeserializer<'de> {
    pub(super) fn new(json: &'de mut [u8]) -> Self {
        let length = json.len();
        Self { rest: json, length }
    }

    /// Sees to it that nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        match self.next_byte() {
            None => Ok(()),
            Some(_) => Err(self.fault(JsonErrorKind::TrailingCharacters)),
        }
    }

    /// Where it is, in bytes from the start.
    pub(super) fn offset(&self) -> usize {
        self.length - self.rest.len()
    }

    fn fault(&self, kind: JsonErrorKind) -> Fault {
        // What is missing is missing at the end, whatever it would have been.
        let kind = if self.rest.is_empty() { JsonErrorKind::UnexpectedEnd } else { kind };
        Fault { kind: Some(kind), offset: Some(self.offset()) }
    }

    /// Says where a visitor refused an array or object: at its bracket if it did not want one, else as far as it came.
    fn refused_within(&self, fault: Fault, start: usize) -> Fault {
        let here = if self.offset() == start + 1 { start } else { self.offset() };
        Fault { offset: fault.offset.or(Some(here)), ..fault }
    }

    /// Takes `length` bytes, or what there is.
    fn take(&mut self, length: usize) -> &'de mut [u8] {
        let rest = core::mem::take(&mut self.rest);
        let (head, tail) = rest.split_at_mut(length.min(rest.len()));
        self.rest = tail;
        head
    }

    /// The next byte that is no white space; it stays.
    fn next_byte(&mut self) -> Option<u8> {
        let blanks = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
        self.take(blanks);
        self.rest.first().copied()
    }

    /// Takes this byte if it is the next.
    fn skip_byte(&mut self, byte: u8) -> bool {
        let is_next = self.next_byte() == Some(byte);
        self.take(is_next.into());
        is_next
    }

    fn literal(&mut self, literal: &str) -> Result<(), Fault> {
        let common = self.rest.iter().zip(literal.bytes()).take_while(|(given, wanted)| **given == *wanted).count();
        self.take(common);
        if common == literal.len() { Ok(()) } else { Err(self.fault(JsonErrorKind::NoValue)) }
    }

    /// Reads a text, of which the first quote is next. In one that is passed over, a lone surrogate does not matter.
    fn text(&mut self, is_skipped: bool) -> Result<&'de str, Fault> {
        self.take(1);
        let start = self.offset();
        let mut end = 0;
        let mut has_escapes = false;
        loop {
            match self.rest.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    // Whatever is escaped, be it a quote, is part of the text.
                    end += 2;
                }
                Some(..b' ') => {
                    self.take(end);
                    return Err(self.fault(JsonErrorKind::ControlCharacter));
                }
                Some(_) => end += 1,
                None => {
                    self.take(end);
                    return Err(self.fault(JsonErrorKind::UnexpectedEnd));
                }
            }
        }
        let text = self.take(end);
        self.take(1);
        if let Err(error) = core::str::from_utf8(text) {
            let offset = Some(start + error.valid_up_to());
            return Err(Fault { kind: Some(JsonErrorKind::NotUtf8), offset });
        }
        let length = if has_escapes { resolve_escapes(text, start, is_skipped)? } else { text.len() };
        Ok(core::str::from_utf8(text.get(..length).unwrap_or_default()).unwrap_or_default())
    }

    /// Finds the end of a number, and whether it is written as an integer (RFC 8259, section 6).
    fn number_end(&self) -> Result<(usize, bool), Fault> {
        let bytes = &*self.rest;
        let digits_from = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
        let sign = usize::from(bytes.first() == Some(&b'-'));
        let whole = digits_from(sign);
        let mut end = sign + whole;
        let mut is_valid = whole > 0 && !(whole > 1 && bytes.get(sign) == Some(&b'0'));
        let is_integer = !matches!(bytes.get(end), Some(b'.' | b'e' | b'E'));
        if bytes.get(end) == Some(&b'.') {
            let fraction = digits_from(end + 1);
            is_valid &= fraction > 0;
            end += 1 + fraction;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let exponent_sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits_from(end + 1 + exponent_sign);
            is_valid &= exponent > 0;
            end += 1 + exponent_sign + exponent;
        }
        if is_valid { Ok((end, is_integer)) } else { Err(self.fault(JsonErrorKind::InvalidNumber)) }
    }

    fn number(&mut self) -> Result<Number, Fault> {
        let (end, is_integer) = self.number_end()?;
        let too_large = self.fault(JsonErrorKind::NumberTooLarge);
        let text = core::str::from_utf8(self.take(end)).unwrap_or_default();
        if is_integer {
            if let Ok(number) = text.parse() {
                return Ok(Number::Unsigned(number));
            }
            // Of the integers only a double has a zero with a sign.
            if let (Ok(number), true) = (text.parse(), text != "-0") {
                return Ok(Number::Signed(number));
            }
        }
        match serde_json_core::from_str(text) {
            Ok((number, _)) if f64::is_finite(number) => Ok(Number::Double(number)),
            _ => Err(too_large),
        }
    }

    /// Passes over a value of any type, without recursion.
    fn skip(&mut self) -> Result<(), Fault> {
        // One bit for each open bracket: whether it is an object's.
        let (mut objects, mut depth) = (0_u128, 0);
        loop {
            match self.next_byte() {
                Some(bracket @ (b'{' | b'[')) => {
                    if depth == MAX_SKIPPED_DEPTH {
                        return Err(self.fault(JsonErrorKind::TooDeep));
                    }
                    self.take(1);
                    depth += 1;
                    objects = objects << 1 | u128::from(bracket == b'{');
                    if !self.closes(objects) {
                        self.begin_element(objects)?;
                        continue;
                    }
                    depth -= 1;
                    objects >>= 1;
                }
                Some(_) => self.scalar()?,
                None => return Err(self.fault(JsonErrorKind::NoValue)),
            }
            // A value has ended, and perhaps what was around it.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                if self.closes(objects) {
                    depth -= 1;
                    objects >>= 1;
                    continue;
                }
                if !self.skip_byte(b',') {
                    return Err(self.fault(JsonErrorKind::NoComma));
                }
                self.begin_element(objects)?;
                break;
            }
        }
    }

    fn closes(&mut self, objects: u128) -> bool {
        self.skip_byte(if objects & 1 == 1 { b'}' } else { b']' })
    }

    /// Passes over the name of a member, if the innermost bracket is an object's.
    fn begin_element(&mut self, objects: u128) -> Result<(), Fault> {
        if objects & 1 == 1 {
            if self.next_byte() != Some(b'"') {
                return Err(self.fault(JsonErrorKind::NoName));
            }
            self.text(true)?;
            self.colon()?;
        }
        Ok(())
    }

    fn scalar(&mut self) -> Result<(), Fault> {
        match self.next_byte() {
            Some(b'"') => self.text(true).map(|_| ()),
            Some(b'-' | b'0'..=b'9') => {
                let (end, _) = self.number_end()?;
                self.take(end);
                Ok(())
            }
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => Err(self.fault(JsonErrorKind::NoValue)),
        }
    }

    fn colon(&mut self) -> Result<(), Fault> {
        if self.skip_byte(b':') { Ok(()) } else { Err(self.fault(JsonErrorKind::NoColon)) }
    }
}

enum Number {
    Unsigned(u64),
    Signed(i64),
    Double(f64),
}

/// Resolves the escapes of a text that begins at `offset` of the input; answers its new length.
fn resolve_escapes(text: &mut [u8], offset: usize, is_skipped: bool) -> Result<usize, Fault> {
    let (mut from, mut to) = (0, 0);
    while from < text.len() {
        let fault = |kind| Fault { kind: Some(kind), offset: Some(offset + from) };
        let rest = text.get(from..).unwrap_or_default();
        let clean = rest.iter().position(|byte| *byte == b'\\').unwrap_or(rest.len());
        if clean > 0 {
            text.copy_within(from..from + clean, to);
            (from, to) = (from + clean, to + clean);
            continue;
        }
        let (character, length) = match unit(rest) {
            Some(high @ 0xd800..=0xdbff) => match rest.get(6..).and_then(unit) {
                Some(low @ 0xdc00..=0xdfff) => (char::from_u32(0x10000 + ((high & 0x3ff) << 10 | low & 0x3ff)), 12),
                _ if is_skipped => (Some(char::REPLACEMENT_CHARACTER), 6),
                _ => return Err(fault(JsonErrorKind::LoneSurrogate)),
            },
            Some(0xdc00..=0xdfff) if is_skipped => (Some(char::REPLACEMENT_CHARACTER), 6),
            Some(0xdc00..=0xdfff) => return Err(fault(JsonErrorKind::LoneSurrogate)),
            Some(unit) => (char::from_u32(unit), 6),
            None => {
                let escape = rest.get(..2).and_then(|escape| core::str::from_utf8(escape).ok()).unwrap_or_default();
                match EscapedStr(escape).fragments().next() {
                    Some(Ok(EscapedStringFragment::Escaped(character))) => (Some(character), 2),
                    _ => (None, 2),
                }
            }
        };
        let Some(character) = character else { return Err(fault(JsonErrorKind::InvalidEscape)) };
        let mut utf8 = [0; 4];
        let utf8 = character.encode_utf8(&mut utf8).as_bytes();
        if let Some(place) = text.get_mut(to..to + utf8.len()) {
            place.copy_from_slice(utf8);
        }
        (from, to) = (from + length, to + utf8.len());
    }
    Ok(to)
}

/// The UTF-16 unit that `\u` and four digits at the start stand for.
fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    let [high, low] = crate::hex::decode::<2>(digits, crate::hex::Case::Any)?;
    Some(u32::from(high) << 8 | u32::from(low))
}

impl<'de> Deserializer<'de> for &mut JsonDeserializer<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let next = self.next_byte();
        let start = self.offset();
        let result = match next {
            Some(b'{') => {
                self.take(1);
                let result = visitor.visit_map(Elements { deserializer: &mut *self, is_first: true });
                result.map_err(|fault| self.refused_within(fault, start))
            }
            Some(b'[') => {
                self.take(1);
                let result = visitor.visit_seq(Elements { deserializer: &mut *self, is_first: true });
                result.map_err(|fault| self.refused_within(fault, start))
            }
            Some(b'"') => visitor.visit_borrowed_str(self.text(false)?),
            Some(b'-' | b'0'..=b'9') => match self.number()? {
                Number::Unsigned(number) => visitor.visit_u64(number),
                Number::Signed(number) => visitor.visit_i64(number),
                Number::Double(number) => visitor.visit_f64(number),
            },
            Some(b't') => self.literal("true").and_then(|()| visitor.visit_bool(true)),
            Some(b'f') => self.literal("false").and_then(|()| visitor.visit_bool(false)),
            Some(b'n') => self.literal("null").and_then(|()| visitor.visit_unit()),
            _ => Err(self.fault(JsonErrorKind::NoValue)),
        };
        // A scalar that a visitor refuses is refused where it begins.
        result.map_err(|fault| Fault { offset: fault.offset.or(Some(start)), ..fault })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.skip()?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier
    }
}

/// What stands between the brackets of an array or object.
struct Elements<'d, 'de> {
    deserializer: &'d mut JsonDeserializer<'de>,
    is_first: bool,
}

impl Elements<'_, '_> {
    /// Goes to the next element; false, behind the bracket, if there is none.
    fn next(&mut self, bracket: u8) -> Result<bool, Fault> {
        if self.deserializer.skip_byte(bracket) {
            return Ok(false);
        }
        if !core::mem::take(&mut self.is_first) && !self.deserializer.skip_byte(b',') {
            return Err(self.deserializer.fault(JsonErrorKind::NoComma));
        }
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        if self.next(b']')? { seed.deserialize(&mut *self.deserializer).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        if !self.next(b'}')? {
            return Ok(None);
        }
        if self.deserializer.next_byte() != Some(b'"') {
            return Err(self.deserializer.fault(JsonErrorKind::NoName));
        }
        seed.deserialize(&mut *self.deserializer).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        self.deserializer.colon()?;
        seed.deserialize(&mut *self.deserializer)
    }
}
