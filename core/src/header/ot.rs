//! The `ot` member of `tracestate`: what OpenTelemetry's samplers tell each other (OpenTelemetry specification,
//! "TraceState Handling").
//!
//! `th` is the rejection threshold and `rv` the explicit randomness, both 56-bit numbers. Other sub-keys are passed on. A
//! `th` or `rv` that breaks its own rule counts as absent and is not passed on; the rest of the value stays.

use core::fmt;

use super::text::{HeaderText, copy, cut, cut_text, pieces};
use super::tracestate::{TraceState, TraceStateError, TraceStateView};
use crate::hex::{self, Case};
use crate::storage::Storage;

/// The key in `tracestate`.
pub const KEY: &str = "ot";

/// The longest value, in bytes.
pub const MAX_LENGTH: usize = 256;

/// The greatest threshold and the greatest randomness: 56 bits.
pub const MAX_VALUE: u64 = (1 << 56) - 1;

/// Which rule an `ot` value broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtError {
    /// A sub-key that is not `a-z` followed by `a-z` and `0-9`, or without `:` ("Key").
    Key,
    /// A sub-key's value with other characters than `A-Za-z0-9._-` ("Value").
    Value,
    /// A sub-key that stands there twice.
    Duplicate,
    /// More than 256 bytes.
    Length,
    /// `th` is not 1 to 14 lower-case hexadecimal digits ("Sampling threshold value").
    Threshold,
    /// `rv` is not 14 lower-case hexadecimal digits ("Explicit randomness value").
    Randomness,
    /// The list that it should become a member of refused it.
    TraceState(TraceStateError),
}

impl fmt::Display for OtError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Key => "tracestate ot: a sub-key is not a-z followed by a-z and 0-9, and ':'",
            Self::Value => "tracestate ot: a value has other characters than letters, digits, '.', '_' and '-'",
            Self::Duplicate => "tracestate ot: a sub-key stands there twice",
            Self::Length => "tracestate ot: longer than 256 bytes",
            Self::Threshold => "tracestate ot: th is not 1 to 14 lower-case hexadecimal digits",
            Self::Randomness => "tracestate ot: rv is not 14 lower-case hexadecimal digits",
            Self::TraceState(error) => return error.fmt(formatter),
        })
    }
}

impl core::error::Error for OtError {}

/// The content of an `ot` member.
///
/// ```
/// use clewline_core::ot::OtState;
/// let state = OtState::parse("th:c;k1:13").unwrap();
/// assert_eq!(state.threshold(), Some(0xc0_0000_0000_0000));
/// assert_eq!(state.with_threshold(Some(0)).to_text().unwrap().as_str(), "th:0;k1:13");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OtState<'a> {
    threshold: Option<u64>,
    randomness: Option<u64>,
    /// As it arrived, for the other sub-keys.
    value: &'a str,
    error: Option<OtError>,
}

impl<'a> OtState<'a> {
    /// Reads the value of the `ot` member.
    ///
    /// # Errors
    /// The rule that the value breaks as a whole. What only concerns `th` or `rv` is told by [`error`](Self::error).
    pub fn parse(value: &'a str) -> Result<Self, OtError> {
        let mut state = Self { value, ..Self::default() };
        if value.len() > MAX_LENGTH {
            return Err(OtError::Length);
        }
        let mut rest = Some(value.as_bytes());
        while let Some(list) = rest.filter(|list| !list.is_empty()) {
            let (pair, tail) = cut(list, b';');
            rest = tail;
            let (key, content) = check_pair(pair)?;
            if later_keys(tail).any(|later| later == key) {
                return Err(OtError::Duplicate);
            }
            match key {
                b"th" => state.threshold = state.checked(parse_threshold(content), OtError::Threshold),
                b"rv" => state.randomness = state.checked(parse_randomness(content), OtError::Randomness),
                _ => {}
            }
        }
        Ok(state)
    }

    /// The state in a list: empty if there is no `ot` member.
    ///
    /// # Errors
    /// Like [`parse`](Self::parse).
    pub fn of(list: TraceStateView<'a>) -> Result<Self, OtError> {
        list.get(KEY).map_or(Ok(Self::default()), Self::parse)
    }

    fn checked(&mut self, value: Option<u64>, error: OtError) -> Option<u64> {
        if value.is_none() {
            self.error = self.error.or(Some(error));
        }
        value
    }

    /// The rejection threshold T, 0 to 2^56 - 1: a trace is sampled if its randomness is at least T.
    #[must_use]
    pub const fn threshold(&self) -> Option<u64> {
        self.threshold
    }

    /// The explicit randomness R, 0 to 2^56 - 1. Without it R is [`TraceId::randomness`](crate::TraceId::randomness).
    #[must_use]
    pub const fn randomness(&self) -> Option<u64> {
        self.randomness
    }

    /// The rule that `th` or `rv` broke, which then counts as absent.
    #[must_use]
    pub const fn error(&self) -> Option<OtError> {
        self.error
    }

    /// Whether the threshold is this one, and nothing has to be corrected to say so.
    pub(crate) fn says(&self, threshold: Option<u64>) -> bool {
        self.error.is_none() && self.threshold == threshold
    }

    /// The same state with another threshold, or none. A number above [`MAX_VALUE`] is none.
    #[must_use]
    pub fn with_threshold(mut self, threshold: Option<u64>) -> Self {
        self.threshold = threshold.filter(|value| *value <= MAX_VALUE);
        self
    }

    /// The same state with another randomness, or none. Only the root of a trace may do that ("Explicit randomness
    /// value"). A number above [`MAX_VALUE`] is none.
    #[must_use]
    pub fn with_randomness(mut self, randomness: Option<u64>) -> Self {
        self.randomness = randomness.filter(|value| *value <= MAX_VALUE);
        self
    }

    /// The other sub-keys and their values, in order.
    pub fn others(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let pairs = pieces(self.value, b';').filter_map(|pair| match cut_text(pair, b':') {
            (key, Some(value)) => Some((key, value)),
            _ => None,
        });
        pairs.filter(|(key, _)| *key != "th" && *key != "rv")
    }

    /// The value to write: `th` without trailing zeros, `rv`, then the other sub-keys; empty if there are none.
    ///
    /// # Errors
    /// `Length`.
    pub fn to_text(&self) -> Result<HeaderText<MAX_LENGTH>, OtError> {
        let mut text = HeaderText::EMPTY;
        let mut pair = |key: &[u8], value: &[u8]| {
            let separator: &[u8] = if text.as_bytes().is_empty() { b"" } else { b";" };
            [separator, key, b":", value].iter().try_for_each(|part| text.push(part)).ok_or(OtError::Length)
        };
        if let Some(threshold) = self.threshold {
            pair(b"th", threshold_digits(&digits(threshold)))?;
        }
        if let Some(randomness) = self.randomness {
            pair(b"rv", &digits(randomness))?;
        }
        for (key, value) in self.others() {
            pair(key.as_bytes(), value.as_bytes())?;
        }
        Ok(text)
    }
}

impl<S: Storage> TraceState<S> {
    /// A list that says nothing but a threshold, of an empty one.
    pub(crate) fn of_threshold(mut self, threshold: u64) -> Self {
        let digits = digits(threshold.min(MAX_VALUE));
        self.begin(KEY, [b"th:".as_slice(), threshold_digits(&digits)]);
        self
    }

    /// Writes the `ot` member, which becomes the first; removes it if nothing is left to say.
    ///
    /// # Errors
    /// `Length` if the other sub-keys leave no room, or what the list refuses. The list has no `ot` member then: the one
    /// that was there would tell a probability that is no longer true.
    pub fn set_ot(&mut self, state: &OtState<'_>) -> Result<(), OtError> {
        let result = match state.to_text() {
            Ok(text) if text.as_bytes().is_empty() => {
                self.remove(KEY);
                return Ok(());
            }
            Ok(text) => self.set(KEY, text.as_str()).map_err(OtError::TraceState),
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.remove(KEY);
        }
        result
    }
}

fn check_pair(pair: &[u8]) -> Result<(&[u8], &[u8]), OtError> {
    let (key, value) = cut(pair, b':');
    let value = value.ok_or(OtError::Key)?;
    match key {
        [b'a'..=b'z', rest @ ..] if rest.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9')) => {}
        _ => return Err(OtError::Key),
    }
    if value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        Ok((key, value))
    } else {
        Err(OtError::Value)
    }
}

fn later_keys(list: Option<&[u8]>) -> impl Iterator<Item = &[u8]> {
    list.unwrap_or_default().split(|byte| *byte == b';').map(|pair| cut(pair, b':').0)
}

/// 1 to 14 digits; missing ones at the end are zeros.
fn parse_threshold(digits: &[u8]) -> Option<u64> {
    let mut padded = [b'0'; 14];
    if digits.is_empty() {
        return None;
    }
    copy(digits, padded.get_mut(..digits.len())?);
    parse_digits(&padded)
}

fn parse_randomness(digits: &[u8]) -> Option<u64> {
    parse_digits(digits)
}

fn parse_digits(digits: &[u8]) -> Option<u64> {
    let [a, b, c, d, e, f, g] = hex::decode::<7>(digits, Case::Lower)?;
    Some(u64::from_be_bytes([0, a, b, c, d, e, f, g]))
}

fn digits(value: u64) -> [u8; 14] {
    let [_, bytes @ ..] = value.to_be_bytes();
    let mut text = [0; 14];
    hex::encode(&bytes, &mut text);
    text
}

/// Without trailing zeros, but at least one digit.
fn threshold_digits(mut digits: &[u8]) -> &[u8] {
    while let [rest @ .., b'0'] = digits {
        if rest.is_empty() {
            break;
        }
        digits = rest;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracestate::InlineTraceState;
    use std::format;
    use std::string::{String, ToString};

    /// A value, what it says, and its canonical text (OpenTelemetry specification, "TraceState Handling").
    #[test]
    fn specification_table() {
        type Said = (Option<u64>, Option<u64>, Option<OtError>, &'static str);
        let table: &[(&str, Result<Said, OtError>)] = &[
            // "Pre-defined sub-keys": the examples.
            ("th:0", Ok((Some(0), None, None, "th:0"))),
            ("rv:6e6d1a75832a2f", Ok((None, Some(0x6e_6d1a_7583_2a2f), None, "rv:6e6d1a75832a2f"))),
            // "Probability Sampling", "Rejection Threshold": 1 %, 5 digits of precision.
            ("th:fd70a4", Ok((Some(0xfd_70a4_0000_0000), None, None, "th:fd70a4"))),
            ("th:c", Ok((Some(0xc0_0000_0000_0000), None, None, "th:c"))),
            ("th:c00", Ok((Some(0xc0_0000_0000_0000), None, None, "th:c"))),
            ("th:00000000000001", Ok((Some(1), None, None, "th:00000000000001"))),
            ("th:ffffffffffffff", Ok((Some(MAX_VALUE), None, None, "th:ffffffffffffff"))),
            // Lower-case digits only, so that texts compare as numbers do.
            ("th:FD70A4", Ok((None, None, Some(OtError::Threshold), ""))),
            ("th:-1", Ok((None, None, Some(OtError::Threshold), ""))),
            // What is wrong with one sub-key does not touch the others.
            ("th:", Ok((None, None, Some(OtError::Threshold), ""))),
            ("th:000000000000000", Ok((None, None, Some(OtError::Threshold), ""))),
            (
                "th:xyz;rv:6e6d1a75832a2f",
                Ok((None, Some(0x6e_6d1a_7583_2a2f), Some(OtError::Threshold), "rv:6e6d1a75832a2f")),
            ),
            ("th:0;rv:6e6d1a75832a2", Ok((Some(0), None, Some(OtError::Randomness), "th:0"))),
            ("rv:6E6D1A75832A2F", Ok((None, None, Some(OtError::Randomness), ""))),
            // "Setting values": other sub-keys are kept; order is free.
            ("p:8;r:62", Ok((None, None, None, "p:8;r:62"))),
            ("p:8;th:8;r:62", Ok((Some(0x80_0000_0000_0000), None, None, "th:8;p:8;r:62"))),
            ("foo:bar;k1:13", Ok((None, None, None, "foo:bar;k1:13"))),
            ("a:", Ok((None, None, None, "a:"))),
            ("", Ok((None, None, None, ""))),
            // "Key" and "Value".
            ("foo", Err(OtError::Key)),
            ("Foo:1", Err(OtError::Key)),
            ("1f:1", Err(OtError::Key)),
            (":1", Err(OtError::Key)),
            ("a:1;;b:2", Err(OtError::Key)),
            ("a:b c", Err(OtError::Value)),
            ("a:b:c", Err(OtError::Value)),
            ("th:0;p:1;th:8", Err(OtError::Duplicate)),
            ("p:0;p:1", Err(OtError::Duplicate)),
        ];
        for (value, verdict) in table {
            let said = OtState::parse(value).map(|state| {
                (state.threshold(), state.randomness(), state.error(), state.to_text().unwrap().as_str().to_string())
            });
            let verdict =
                verdict.map(|(threshold, randomness, error, text)| (threshold, randomness, error, String::from(text)));
            assert_eq!(said, verdict, "{value:?}");
        }
    }

    #[test]
    fn the_member_of_a_list_is_replaced() {
        let mut list: InlineTraceState = InlineTraceState::read([b"rojo=1,ot=p:8;th:8" as &[u8]]).unwrap();
        let copy = list.clone();
        let state = OtState::of(copy.view()).unwrap();
        list.set_ot(&state.with_threshold(Some(0x4000_0000_0000)).with_randomness(Some(1))).unwrap();
        assert_eq!(list.as_str(), "ot=th:004;rv:00000000000001;p:8,rojo=1");
        assert_eq!(list.set_ot(&OtState::default()), Ok(()));
        assert_eq!(list.as_str(), "rojo=1");
        assert_eq!(OtState::of(list.view()), Ok(OtState::default()));
        assert_eq!(OtState::default().with_threshold(Some(MAX_VALUE + 1)).threshold(), None);
    }

    /// 256 bytes are allowed; what does not fit leaves no stale threshold behind.
    #[test]
    fn the_limit_is_exact() {
        for (length, fits) in [(256 - 5, true), (256 - 4, false)] {
            let other = format!("k:{}", "v".repeat(length - 2));
            let mut list: InlineTraceState = InlineTraceState::read([format!("ot={other}").as_bytes()]).unwrap();
            let result = list.set_ot(&OtState::parse(&other).unwrap().with_threshold(Some(0)));
            assert_eq!(result, if fits { Ok(()) } else { Err(OtError::Length) });
            assert_eq!(list.is_empty(), !fits);
        }
        assert_eq!(OtState::parse(&"v".repeat(257)), Err(OtError::Length));
    }
}
