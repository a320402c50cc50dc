//! The scalar types of OTLP/JSON: text, hex ids, base64 bytes, integers, doubles and enums.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};

/// Reads a field that may be `null`, which means "not set".
pub(super) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a message that may be `null`. Like [`objects`], it refuses arrays, which serde otherwise takes for structs.
pub(super) fn object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|object| object.0))
}

/// Reads an array of messages that may be `null`.
pub(super) fn objects<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects = Option::<Vec<Object<T>>>::deserialize(deserializer)?;
    Ok(objects.unwrap_or_default().into_iter().map(|object| object.0).collect())
}

/// A message, which in JSON is an object and nothing else.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// A string, borrowed from the body unless it has escapes.
#[derive(Debug, Default)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// A trace or span id: an even number of hex digits of any case. The width is judged later, span by span.
#[derive(Debug, Default)]
pub(super) struct HexId<'a>(Text<'a>);

impl HexId<'_> {
    /// The bytes the digits stand for.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.0.0.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for HexId<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        if text.0.len().is_multiple_of(2) && text.0.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text))
        } else {
            Err(Error::invalid_value(Unexpected::Str(&text.0), &"an id in hexadecimal digits"))
        }
    }
}

/// The value of a digit that is known to be one.
fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        letter => (letter | 0x20).wrapping_sub(b'a').wrapping_add(10),
    }
}

/// Bytes in base64, either alphabet, with or without padding, as the protobuf mapping allows.
#[derive(Debug, Default)]
pub(super) struct Base64(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true);
        const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
        const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
        let text = Text::deserialize(deserializer)?;
        let engine = if text.0.contains(['-', '_']) { URL_SAFE } else { STANDARD };
        engine.decode(text.0.as_bytes()).map(Self).map_err(|error| Error::custom(format_args!("not base64: {error}")))
    }
}

/// An integer as a number or as a decimal string.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Integer<T>(pub(super) T);

impl<'de, T: TryFrom<i128>> Deserialize<'de> for Integer<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntegerVisitor<T>(PhantomData<T>);
        impl<T: TryFrom<i128>> Visitor<'_> for IntegerVisitor<T> {
            type Value = Integer<T>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let bits = size_of::<T>() * 8;
                let signed = T::try_from(-1).is_ok();
                write!(formatter, "a {bits}-bit {} integer", if signed { "signed" } else { "unsigned" })
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                narrowed(value.into()).ok_or_else(|| E::invalid_value(Unexpected::Signed(value), &self))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                narrowed(value.into()).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(value), &self))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
                whole(value).and_then(narrowed).ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let value = text.parse::<i128>().ok().or_else(|| text.parse().ok().and_then(whole));
                value.and_then(narrowed).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(IntegerVisitor(PhantomData))
    }
}

fn narrowed<T: TryFrom<i128>>(value: i128) -> Option<Integer<T>> {
    T::try_from(value).ok().map(Integer)
}

/// A number written with an exponent or a fraction counts as an integer when it is one (`1e3`, `5.0`).
fn whole(value: f64) -> Option<i128> {
    // Far above every 64-bit integer and far below where the conversion would saturate.
    const LIMIT: f64 = 1e30;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within the range of i128")]
    (value.fract() == 0.0 && value.abs() < LIMIT).then_some(value as i128)
}

/// A double as a number, a decimal string, or one of the three names JSON numbers cannot express.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Double(pub(super) f64);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DoubleVisitor;
        impl Visitor<'_> for DoubleVisitor {
            type Value = Double;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
            }
            #[expect(clippy::cast_precision_loss, reason = "a double field takes the nearest double")]
            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Double(value as f64))
            }
            #[expect(clippy::cast_precision_loss, reason = "a double field takes the nearest double")]
            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Double(value as f64))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Double(value))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let value = match text {
                    "NaN" => Some(f64::NAN),
                    "Infinity" => Some(f64::INFINITY),
                    "-Infinity" => Some(f64::NEG_INFINITY),
                    // Rust also reads "inf" and "nan", which the mapping does not have.
                    digits if digits.ends_with(|last: char| last.is_ascii_digit()) => digits.parse().ok(),
                    _ => None,
                };
                value.map(Double).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(DoubleVisitor)
    }
}

/// The names of an enum's values, in the order of their numbers.
pub(super) trait EnumNames {
    /// The names, the first standing for 0.
    const NAMES: &'static [&'static str];
}

/// `Span.SpanKind`.
#[derive(Debug, Default)]
pub(super) struct SpanKindNames;

impl EnumNames for SpanKindNames {
    const NAMES: &'static [&'static str] = &[
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ];
}

/// `Status.StatusCode`.
#[derive(Debug, Default)]
pub(super) struct StatusCodeNames;

impl EnumNames for StatusCodeNames {
    const NAMES: &'static [&'static str] = &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];
}

/// An enum as its number, which is what OTLP asks for, or as its name, which the protobuf mapping also has.
#[derive(Debug, Default)]
pub(super) struct EnumNumber<N> {
    /// The number, known or not.
    pub(super) number: i32,
    names: PhantomData<N>,
}

impl<'de, N: EnumNames> Deserialize<'de> for EnumNumber<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EnumVisitor<N>(PhantomData<N>);
        impl<N: EnumNames> EnumVisitor<N> {
            fn numbered<E: Error>(self, number: Option<i32>, unexpected: Unexpected<'_>) -> Result<EnumNumber<N>, E> {
                let number = number.ok_or_else(|| E::invalid_value(unexpected, &self))?;
                Ok(EnumNumber { number, names: PhantomData })
            }
        }
        impl<N: EnumNames> Visitor<'_> for EnumVisitor<N> {
            type Value = EnumNumber<N>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "an integer or one of {}", N::NAMES.join(", "))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                self.numbered(value.try_into().ok(), Unexpected::Signed(value))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                self.numbered(value.try_into().ok(), Unexpected::Unsigned(value))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
                self.numbered(whole(value).and_then(|whole| whole.try_into().ok()), Unexpected::Float(value))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let named = N::NAMES.iter().position(|name| *name == text).and_then(|index| index.try_into().ok());
                self.numbered(named, Unexpected::Str(text))
            }
        }
        deserializer.deserialize_any(EnumVisitor(PhantomData))
    }
}
