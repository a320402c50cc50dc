//! How OTLP/JSON spells ids, 64-bit integers and bytes: hexadecimal, decimal and base64 texts.

use core::fmt::{self, Write as _};

use serde::ser::{Serialize, Serializer};

use crate::hex::{self, Case};

/// Bytes as lower-case hexadecimal digits.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = [0; 32];
        // Whatever is no id in its length takes the long way.
        let text = match digits.get_mut(..2 * self.0.len()) {
            Some(text) => text,
            None => return serializer.collect_str(self),
        };
        hex::encode(self.0, text);
        serializer.serialize_str(core::str::from_utf8(text).unwrap_or_default())
    }
}

/// A 64-bit integer as a decimal text, because numbers in JSON are exact up to 2^53 only.
pub(super) struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    /// The digits of `value`.
    pub(super) fn unsigned(mut value: u64) -> Self {
        let mut digits = [b'0'; 20];
        let mut start = 20;
        // Two digits per division, which is what takes the time.
        for pair in digits.as_chunks_mut::<2>().0.iter_mut().rev() {
            let low = (value % 100).to_le_bytes()[0];
            *pair = [b'0' + low / 10, b'0' + low % 10];
            value /= 100;
            start -= 2;
            if value == 0 {
                start += usize::from(low < 10);
                break;
            }
        }
        Self { digits, start }
    }

    /// The digits of `value`, which are at most 19, and its sign.
    pub(super) fn signed(value: i64) -> Self {
        let mut decimal = Self::unsigned(value.unsigned_abs());
        if value < 0
            && let Some(start) = decimal.start.checked_sub(1)
            && let Some(sign) = decimal.digits.get_mut(start)
        {
            *sign = b'-';
            decimal.start = start;
        }
        decimal
    }

    /// The text.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(core::str::from_utf8(self.as_bytes()).unwrap_or_default())
    }
}

/// Bytes as base64 with padding (RFC 4648, section 4), as protobuf's JSON mapping writes them.
pub(super) struct Base64<'a>(pub(super) &'a [u8]);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Base64<'_> {
    /// Four characters for every three bytes.
    pub(super) fn groups(&self) -> impl Iterator<Item = [u8; 4]> {
        self.0.chunks(3).map(|group| {
            let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            let digit = |shift: u32| ALPHABET[(bits >> shift & 63) as usize];
            let padded = |index: usize, shift| if group.len() > index { digit(shift) } else { b'=' };
            [digit(18), digit(12), padded(1, 6), padded(2, 0)]
        })
    }
}

impl fmt::Display for Base64<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.groups().flatten().try_for_each(|byte| formatter.write_char(byte.into()))
    }
}

/// How a double is spelt that JSON has no number for; `None` if it has one.
pub(super) fn not_finite(number: f64) -> Option<&'static str> {
    match number {
        number if number.is_finite() => None,
        number if number.is_nan() => Some("NaN"),
        number if number > 0.0 => Some("Infinity"),
        _ => Some("-Infinity"),
    }
}

/// The bytes that hexadecimal digits of either case stand for, `None` among them where there is something else.
pub(super) fn hex_bytes(text: &str) -> impl Iterator<Item = Option<u8>> + Clone {
    text.as_bytes().chunks(2).map(|pair| hex::decode::<1>(pair, Case::Any).map(|[byte]| byte))
}

/// The bytes that a base64 text stands for, `None` among them if it stands for none. Either alphabet and any padding, as
/// protobuf's JSON mapping has it.
pub(super) fn base64_bytes(text: &str) -> impl Iterator<Item = Option<u8>> + Clone {
    let digits = text.trim_end_matches('=').as_bytes();
    let padding = text.len() - digits.len();
    // Four digits for three bytes. A single digit is not even one byte, and padding only fills the four up.
    let is_complete = digits.len() % 4 != 1 && padding <= (4 - digits.len() % 4) % 4;
    let is_url_safe = digits.iter().any(|digit| matches!(digit, b'-' | b'_'));
    let groups = digits.chunks(4).flat_map(move |group| {
        let bits = group.iter().try_fold(0_u32, |bits, digit| Some(bits << 6 | base64_digit(*digit, is_url_safe)?));
        let bytes = bits.map(|bits| (bits << (6 * (4 - group.len()))).to_be_bytes());
        (1..group.len()).map(move |index| bytes.and_then(|bytes| bytes.get(index).copied()))
    });
    groups.chain((!is_complete).then_some(None))
}

fn base64_digit(digit: u8, is_url_safe: bool) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' if !is_url_safe => 62,
        b'/' if !is_url_safe => 63,
        b'-' if is_url_safe => 62,
        b'_' if is_url_safe => 63,
        _ => return None,
    };
    Some(value.into())
}

/// Sign and magnitude of a double that is an integer.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "within 64 bits, and compared with what it came from"
)]
pub(super) fn whole(number: f64) -> Option<(bool, u64)> {
    const BEYOND: f64 = 18_446_744_073_709_551_616.0;
    let magnitude = number.abs();
    let whole = magnitude as u64;
    (magnitude < BEYOND && whole as f64 == magnitude).then_some((number < 0.0, whole))
}

/// Sign and magnitude of an integer written as a JSON number is.
pub(super) fn integer(text: &str) -> Option<(bool, u64)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    match digits.parse() {
        Ok(magnitude) if is_number(text) => Some((digits.len() < text.len(), magnitude)),
        _ => number(text).and_then(whole),
    }
}

/// A double written as a JSON number is, or one of the three names for what JSON has no number for.
pub(super) fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => number(text),
    }
}

fn number(text: &str) -> Option<f64> {
    if is_number(text) { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

/// Whether it is none of what Rust also reads as a number: `+1`, `.5`, `5.`, `inf`, `nan`.
fn is_number(text: &str) -> bool {
    let is_digit = |character: char| character.is_ascii_digit();
    text.strip_prefix('-').unwrap_or(text).starts_with(is_digit) && text.ends_with(is_digit)
}
