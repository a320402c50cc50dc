//! Turns an OTLP/JSON request into protobuf while any serde deserialiser reads it.
//!
//! Nothing is kept in between: every member goes behind the end of the storage as it comes. Members in any order, unknown
//! members and `null` are taken as protobuf's JSON mapping asks.

use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};

use super::JsonErrorKind;
use super::output::Output;
use super::schema::{ANY_VALUE, DOUBLE_VALUE, Kind, Message, REQUEST};
use super::text;
use crate::MAX_VALUE_DEPTH;
use crate::storage::{Cursor, StorageView};
use crate::wire::{FIXED32, FIXED64, VARINT, varint_len};

/// Reads an `ExportTraceServiceRequest` from a self-describing serde format, into protobuf behind the content of a storage.
///
/// The format must say by itself what comes next (`deserialize_any`), as JSON does. When it answers an error, what was
/// written so far is still in the storage: see `read_request`, which takes it back.
///
/// ```
/// use clewline_core::{RequestView, json::RequestSeed};
/// use serde::de::DeserializeSeed;
/// let mut request = heapless::Vec::<u8, 64>::new();
/// let mut json = serde_json::Deserializer::from_str(r#"{"resourceSpans":[{"schemaUrl":"u"}]}"#);
/// RequestSeed::new(request.as_mut_view()).deserialize(&mut json).unwrap();
/// assert_eq!(RequestView::parse(&request).unwrap().resource_spans().next().unwrap().schema_url(), "u");
/// ```
pub struct RequestSeed<'o, V: ?Sized> {
    out: &'o mut V,
    failure: Option<&'o mut Option<JsonErrorKind>>,
}

impl<'o, V: StorageView + ?Sized> RequestSeed<'o, V> {
    /// Writes behind the content of `out`.
    #[must_use]
    pub fn new(out: &'o mut V) -> Self {
        Self { out, failure: None }
    }

    /// The same, noting in `failure` what serde's errors have no place for.
    #[cfg(feature = "json")]
    pub(super) fn noting(out: &'o mut V, failure: &'o mut Option<JsonErrorKind>) -> Self {
        Self { out, failure: Some(failure) }
    }
}

impl<V: ?Sized> fmt::Debug for RequestSeed<'_, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RequestSeed").finish_non_exhaustive()
    }
}

impl<'de, V: StorageView + ?Sized> DeserializeSeed<'de> for RequestSeed<'_, V> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let mut output = Output { out: self.out, failure: self.failure };
        let place =
            Place { kind: Kind::Message(&REQUEST), number: 0, keeps_default: false, depth: 0, null: Null::Unset };
        Field { output: &mut output, place }.deserialize(deserializer).map(|_| ())
    }
}

/// What a field is and where it stands.
#[derive(Clone, Copy)]
struct Place {
    kind: Kind,
    /// 0 for the message that is in none.
    number: u8,
    /// Whether it is written even if it has its default: a member of a `oneof`, or one of several elements.
    keeps_default: bool,
    /// How many arrays and maps are around it.
    depth: usize,
    null: Null,
}

/// What `null` stands for.
#[derive(Clone, Copy)]
enum Null {
    /// A member that is not set.
    Unset,
    /// An element without a value.
    Empty,
    /// Nothing that could be an element.
    Refused,
}

/// One field. Answers whether it was set.
struct Field<'f, 'o, V: ?Sized> {
    output: &'f mut Output<'o, V>,
    place: Place,
}

impl<V: StorageView + ?Sized> Field<'_, '_, V> {
    fn wrong_type<E: Error>(self, given: Unexpected<'_>) -> E {
        self.output.note(JsonErrorKind::Expected(self.place.kind.expected()));
        E::invalid_type(given, &self)
    }

    fn wrong_value<E: Error>(self, given: Unexpected<'_>) -> E {
        self.output.note(JsonErrorKind::Expected(self.place.kind.expected()));
        E::invalid_value(given, &self)
    }

    /// Whether a field that holds its default is left out.
    fn omits_default(&self) -> bool {
        !self.place.keeps_default
    }

    fn bytes<E: Error>(self, bytes: &[u8]) -> Result<bool, E> {
        if !(bytes.is_empty() && self.omits_default()) {
            self.output.delimited(self.place.number, bytes.len(), |cursor| cursor.bytes(bytes))?;
        }
        Ok(true)
    }

    /// Writes bytes that are given one by one; `None` among them means that `given` does not stand for bytes.
    fn decoded<E: Error>(self, given: &str, bytes: impl Iterator<Item = Option<u8>> + Clone) -> Result<bool, E> {
        let mut length = 0;
        for byte in bytes.clone() {
            if byte.is_none() {
                return Err(match self.place.kind {
                    Kind::Base64 => self.output.fail(JsonErrorKind::NotBase64),
                    _ => self.wrong_value(Unexpected::Str(given)),
                });
            }
            length += 1;
        }
        if !(length == 0 && self.omits_default()) {
            let put = |cursor: &mut Cursor<'_>| bytes.flatten().for_each(|byte| cursor.byte(byte));
            self.output.delimited(self.place.number, length, put)?;
        }
        Ok(true)
    }

    /// Writes an integer of any of the types.
    fn integer<E: Error>(self, (is_negative, magnitude): (bool, u64), given: Unexpected<'_>) -> Result<bool, E> {
        let signed = if is_negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() };
        let unsigned = if is_negative && magnitude > 0 { None } else { Some(magnitude) };
        let bits = match self.place.kind {
            Kind::Int64 => signed.map(i64::cast_unsigned),
            // An enum's number travels as a varint, sign-extended to 64 bits.
            Kind::Enum(..) => signed.filter(|number| i32::try_from(*number).is_ok()).map(i64::cast_unsigned),
            Kind::Uint32 | Kind::Fixed32 => unsigned.filter(|number| u32::try_from(*number).is_ok()),
            Kind::Fixed64 => unsigned,
            _ => return Err(self.wrong_type(given)),
        };
        let Some(bits) = bits else { return Err(self.wrong_value(given)) };
        if bits == 0 && self.omits_default() {
            return Ok(true);
        }
        let (number, little_endian) = (self.place.number, bits.to_le_bytes());
        match self.place.kind {
            Kind::Fixed64 => self.output.field(number, FIXED64, 8, |cursor| cursor.bytes(&little_endian)),
            Kind::Fixed32 => self.output.field(number, FIXED32, 4, |cursor| cursor.bytes(little_endian.split_at(4).0)),
            _ => self.output.field(number, VARINT, varint_len(bits), |cursor| cursor.varint(bits)),
        }?;
        Ok(true)
    }

    /// Writes a number that stands where an `int64` should and is beyond it. JavaScript has doubles only, and writers there that
    /// call the whole ones integers, as OpenTelemetry's does, do so at any size: it is that double, and no reason to lose the
    /// request around it.
    fn beyond_int64<E: Error>(mut self, number: f64) -> Result<bool, E> {
        self.place.number = DOUBLE_VALUE;
        self.double(number)
    }

    fn double<E: Error>(self, number: f64) -> Result<bool, E> {
        self.output.field(self.place.number, FIXED64, 8, |cursor| cursor.bytes(&number.to_le_bytes()))?;
        Ok(true)
    }
}

impl<'de, V: StorageView + ?Sized> DeserializeSeed<'de> for Field<'_, '_, V> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, V: StorageView + ?Sized> Visitor<'de> for Field<'_, '_, V> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.place.kind.expected())
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        match self.place.null {
            Null::Unset => Ok(false),
            Null::Empty => self.output.begin(self.place.number).map(|_| true),
            Null::Refused => Err(self.wrong_type(Unexpected::Unit)),
        }
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<bool, E> {
        match self.place.kind {
            Kind::Bool => self.output.field(self.place.number, VARINT, 1, |cursor| cursor.byte(truth.into()))?,
            _ => return Err(self.wrong_type(Unexpected::Bool(truth))),
        }
        Ok(true)
    }

    #[expect(clippy::cast_precision_loss, reason = "a double field takes the nearest double")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<bool, E> {
        match self.place.kind {
            Kind::Double => self.double(number as f64),
            _ => self.integer((number < 0, number.unsigned_abs()), Unexpected::Signed(number)),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a double field takes the nearest double")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<bool, E> {
        match self.place.kind {
            Kind::Double => self.double(number as f64),
            Kind::Int64 if i64::try_from(number).is_err() => self.beyond_int64(number as f64),
            _ => self.integer((false, number), Unexpected::Unsigned(number)),
        }
    }

    /// A number with an exponent or a fraction counts as an integer when it is one (`1e3`, `5.0`).
    fn visit_f64<E: Error>(self, number: f64) -> Result<bool, E> {
        const INT64: core::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
        match (self.place.kind, text::whole(number)) {
            (Kind::Double, _) => self.double(number),
            (Kind::Int64, _) if !INT64.contains(&number) => self.beyond_int64(number),
            (_, Some(whole)) => self.integer(whole, Unexpected::Float(number)),
            _ => Err(self.wrong_type(Unexpected::Float(number))),
        }
    }

    fn visit_str<E: Error>(self, given: &str) -> Result<bool, E> {
        let unexpected = Unexpected::Str(given);
        let integer = match self.place.kind {
            Kind::Text => return self.bytes(given.as_bytes()),
            Kind::Id => return self.decoded(given, text::hex_bytes(given)),
            Kind::Base64 => return self.decoded(given, text::base64_bytes(given)),
            Kind::Double => match text::double(given) {
                Some(number) => return self.double(number),
                None => None,
            },
            Kind::Enum(_, names) => names.iter().position(|name| *name == given).map(|number| (false, number as u64)),
            Kind::Int64 | Kind::Uint32 | Kind::Fixed32 | Kind::Fixed64 => text::integer(given),
            _ => return Err(self.wrong_type(unexpected)),
        };
        match integer {
            Some(integer) => self.integer(integer, unexpected),
            None => Err(self.wrong_value(unexpected)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        let (kind, null) = match self.place.kind {
            Kind::Messages(message) => (Kind::Message(message), Null::Refused),
            Kind::Texts => (Kind::Text, Null::Refused),
            Kind::Values => (Kind::Message(&ANY_VALUE), Null::Empty),
            _ => return Err(self.wrong_type(Unexpected::Seq)),
        };
        let Self { output, place } = self;
        let place = Place { kind, keeps_default: true, null, ..place };
        while elements.next_element_seed(Field { output: &mut *output, place })?.is_some() {}
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let Kind::Message(message) = self.place.kind else {
            return Err(self.wrong_type(Unexpected::Map));
        };
        let Self { output, place: Place { number, depth, .. } } = self;
        let length_at = if number > 0 { Some(output.begin(number)?) } else { None };
        let is_oneof = message.is_oneof;
        let (mut seen, mut is_set) = (0_u32, false);
        while let Some(name) = members.next_key_seed(Name(message))? {
            let Some(member) = name.and_then(|index| message.members.get(index)) else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            let bit = 1 << name.unwrap_or(0);
            if seen & bit != 0 {
                output.note(JsonErrorKind::DuplicateMember);
                return Err(A::Error::duplicate_field(member.name));
            }
            seen |= bit;
            // An array or map within a value is one level more.
            let depth = depth + usize::from(is_oneof && matches!(member.kind, Kind::Message(_)));
            if depth > MAX_VALUE_DEPTH {
                return Err(output.fail(JsonErrorKind::TooDeep));
            }
            let place =
                Place { kind: member.kind, number: member.number, keeps_default: is_oneof, depth, null: Null::Unset };
            let was_set = members.next_value_seed(Field { output: &mut *output, place })?;
            if is_oneof && was_set && is_set {
                return Err(output.fail(JsonErrorKind::SeveralTypes));
            }
            is_set |= was_set;
        }
        length_at.map_or(Ok(()), |at| output.end(at))?;
        Ok(true)
    }
}

/// The name of a member: its place in the message, `None` if the message does not have it.
struct Name(&'static Message);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.members.iter().position(|member| member.name == name))
    }
}
