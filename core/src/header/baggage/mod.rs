//! `baggage`, both ways, by the W3C Baggage specification, section 3.
//!
//! [`members`] reads the lines that arrived, [`Baggage`] owns the joined list and changes it. A malformed member never
//! comes through; the others do (section 3.5 allows to remove it).
//!
//! Left to us by the specification, and decided so:
//! - A key that arrives twice is passed on as it came, in order (section 3.3.1.1). [`Baggage::get`] answers with the last,
//!   as OpenTelemetry lets the newer entry win; changing or removing a key concerns all of its members.
//! - Empty members are skipped: they come from joining lines (RFC 9110, section 5.6.1).
//! - Above 64 members or 8192 bytes (section 3.3.2) the members that no longer fit are dropped and counted.

use core::fmt;

use super::text::{ListMembers, as_text, cut, is_token, pieces, trim};

mod value;

pub use super::percent::Decoded;
pub use value::{Baggage, InlineBaggage};

/// The header's name, in lower case as HTTP/2 wants it.
pub const NAME: &str = "baggage";

/// How many members are passed on (section 3.3.2).
pub const MAX_MEMBERS: usize = 64;

/// How many bytes are passed on, commas included (section 3.3.2).
pub const MAX_BYTES: usize = 8192;

/// Which rule a `baggage` member broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BaggageError {
    /// A member without `=` (section 3.3.1).
    NoValue,
    /// A key that is no token of RFC 9110, section 5.6.2 (section 3.3.1.2).
    Key,
    /// A value with a byte that is no baggage-octet (section 3.3.1.3).
    Value,
    /// A `%` without two hexadecimal digits in a value (section 3.3.1.3).
    Percent,
    /// A property that is no token, or has a value with a byte that is no baggage-octet (section 3.3.1.4).
    Property,
    /// No place: 64 members, 8192 bytes, or the storage are full (section 3.3.2).
    Full,
}

impl fmt::Display for BaggageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoValue => "baggage: a member has no '='",
            Self::Key => "baggage: a key is not a token",
            Self::Value => "baggage: a value has a character that must be percent-encoded",
            Self::Percent => "baggage: a '%' without two hexadecimal digits",
            Self::Property => "baggage: a property is not a token, or its value has a character that is not allowed",
            Self::Full => "baggage: more than 64 members, 8192 bytes or the storage can hold",
        })
    }
}

impl core::error::Error for BaggageError {}

/// Reads the list from all the lines of that name that arrived, in order, and checks each member on the way. An error
/// concerns its own member only.
///
/// ```
/// use clewline_core::baggage::members;
/// let lines: [&[u8]; 2] = [b"userId = Am%C3%A9lie;meta=1", b"broken, serverNode=DF%2028"];
/// let list: Vec<_> = members(lines).flatten().collect();
/// assert_eq!(list[0].key(), "userId");
/// assert_eq!(list[0].value(), "Amélie");
/// assert_eq!(list[0].properties().collect::<Vec<_>>(), ["meta=1"]);
/// assert_eq!(list[1].value(), "DF 28");
/// ```
pub fn members<'a, I: IntoIterator<Item = &'a [u8]>>(lines: I) -> Members<'a, I::IntoIter> {
    Members { members: ListMembers::new(lines) }
}

/// Members, and what was wrong with those that are none; made by [`members`].
#[derive(Clone, Debug)]
pub struct Members<'a, I> {
    members: ListMembers<'a, I>,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Iterator for Members<'a, I> {
    type Item = Result<Member<'a>, BaggageError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.members.next().map(Member::parse)
    }
}

/// One well-formed member.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    key: &'a str,
    value: &'a str,
    /// What follows the value's `;`.
    properties: Option<&'a str>,
}

impl<'a> Member<'a> {
    /// Without white space around it.
    fn parse(member: &'a [u8]) -> Result<Self, BaggageError> {
        let (entry, properties) = cut(member, b';');
        let (key, value) = cut(entry, b'=');
        let value = trim(value.ok_or(BaggageError::NoValue)?);
        let key = trim(key);
        if !is_token(key) {
            return Err(BaggageError::Key);
        }
        if !value.iter().all(|byte| is_octet(*byte)) {
            return Err(BaggageError::Value);
        }
        let value = as_text(value);
        if !super::percent::is_well_formed(value) {
            return Err(BaggageError::Percent);
        }
        if let Some(properties) = properties {
            properties.split(|byte| *byte == b';').try_for_each(check_property)?;
        }
        Ok(Self { key: as_text(key), value, properties: properties.map(as_text) })
    }

    /// The key, as it arrived: keys are never percent-decoded (section 3.3.1.2).
    #[must_use]
    pub const fn key(&self) -> &'a str {
        self.key
    }

    /// The value, decoded while it is read.
    #[must_use]
    pub const fn value(&self) -> Decoded<'a> {
        Decoded::new(self.value)
    }

    /// The properties as they came, each a token or a token, `=` and a value (section 3.3.1.4).
    pub fn properties(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let pieces = self.properties.into_iter().flat_map(|list| pieces(list, b';'));
        pieces.map(|property| as_text(trim(property.as_bytes())))
    }
}

/// A property, with white space around it.
fn check_property(property: &[u8]) -> Result<(), BaggageError> {
    let (key, value) = cut(property, b'=');
    let is_valid = is_token(trim(key)) && trim(value.unwrap_or_default()).iter().all(|byte| is_octet(*byte));
    if is_valid { Ok(()) } else { Err(BaggageError::Property) }
}

/// A baggage-octet: printable ASCII without space, `"`, `,`, `;` and `\` (section 3.3.1).
const fn is_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

/// A byte that a value may contain as it is: `%` introduces an encoded one (section 3.3.1.3).
const fn is_plain(byte: u8) -> bool {
    is_octet(byte) && byte != b'%'
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    /// `key|value|property|...`, or the error, for each member.
    fn read(lines: &[&[u8]]) -> Vec<Result<String, BaggageError>> {
        let show = |member: Member<'_>| {
            let properties: String = member.properties().map(|property| format!("|{property}")).collect();
            format!("{}|{}{properties}", member.key(), member.value())
        };
        members(lines.iter().copied()).map(|member| member.map(show)).collect()
    }

    /// One line, its members, and the rule with its place in W3C Baggage.
    #[test]
    fn specification_table() {
        use BaggageError as E;
        type Verdict = &'static [Result<&'static str, E>];
        let table: &[(&[u8], Verdict)] = &[
            // 3.3.3 and 3.4: the specification's examples.
            (
                b"key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue",
                &[
                    Ok("key1|value1|property1|property2"),
                    Ok("key2|value2"),
                    Ok("key3|value3|propertyKey=propertyValue"),
                ],
            ),
            (
                b"userId=alice,serverNode=DF%2028,isProduction=false",
                &[Ok("userId|alice"), Ok("serverNode|DF 28"), Ok("isProduction|false")],
            ),
            (b"userId=Am%C3%A9lie", &[Ok("userId|Amélie")]),
            (b"userId =   alice", &[Ok("userId|alice")]),
            // The specification's own test suite.
            (
                b"SomeKey \t = \t SomeValue \t ; \t SomeProp \t ; \t SecondProp \t = \t PropValue",
                &[Ok("SomeKey|SomeValue|SomeProp|SecondProp \t = \t PropValue")],
            ),
            (b"SomeKey=%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29", &[Ok("SomeKey|\t \"';=asdf!@#$%^&*()")]),
            // 3.3.1: the value may be empty, the key not; empty members are skipped.
            (b"a=", &[Ok("a|")]),
            (b"a=;p", &[Ok("a||p")]),
            (b"=1", &[Err(E::Key)]),
            (b"", &[]),
            (b" ,, \t,a=1,", &[Ok("a|1")]),
            (b"a", &[Err(E::NoValue)]),
            (b"a;p=1", &[Err(E::NoValue)]),
            // 3.3.1.2: keys are tokens and never decoded.
            (b"!#$%&'*+-.^_`|~09azAZ=1", &[Ok("!#$%&'*+-.^_`|~09azAZ|1")]),
            (b"a%20b=1", &[Ok("a%20b|1")]),
            (b"a b=1", &[Err(E::Key)]),
            (b"a(=1", &[Err(E::Key)]),
            (b"a\"=1", &[Err(E::Key)]),
            ("ä=1".as_bytes(), &[Err(E::Key)]),
            // 3.3.1.3: any number of '=', '+' is a plus, other octets must be encoded.
            (b"a=b=c==", &[Ok("a|b=c==")]),
            (b"a=b+c", &[Ok("a|b+c")]),
            (b"a=!#$&'()*+-./:<=>?@[]^_`{|}~", &[Ok("a|!#$&'()*+-./:<=>?@[]^_`{|}~")]),
            (b"a=b c", &[Err(E::Value)]),
            (b"a=\"b\"", &[Err(E::Value)]),
            (b"a=b\\c", &[Err(E::Value)]),
            (b"a=\x7f", &[Err(E::Value)]),
            (b"a=b\x00", &[Err(E::Value)]),
            ("a=é".as_bytes(), &[Err(E::Value)]),
            (b"a=\xff", &[Err(E::Value)]),
            (b"a=1%", &[Err(E::Percent)]),
            (b"a=%2", &[Err(E::Percent)]),
            (b"a=%zz", &[Err(E::Percent)]),
            (b"a=%2c%3B", &[Ok("a|,;")]),
            // 3.3.1.3: encoded bytes that are not UTF-8 read as U+FFFD.
            (b"a=b%ffc", &[Ok("a|b\u{fffd}c")]),
            (b"a=%C3", &[Ok("a|\u{fffd}")]),
            (b"a=%e2%82b", &[Ok("a|\u{fffd}b")]),
            // 3.3.1.4: properties are kept as they came; they have no percent-encoding of their own.
            (b"a=1;p=%zz", &[Ok("a|1|p=%zz")]),
            (b"a=1;p=b=c;q=", &[Ok("a|1|p=b=c|q=")]),
            (b"a=1;", &[Err(E::Property)]),
            (b"a=1;=v", &[Err(E::Property)]),
            (b"a=1;p q", &[Err(E::Property)]),
            (b"a=1;p=\"q\"", &[Err(E::Property)]),
            // 3.5: only the malformed member goes.
            (b"a=1,b,c=3,d=%,e=5", &[Ok("a|1"), Err(E::NoValue), Ok("c|3"), Err(E::Percent), Ok("e|5")]),
            (b"a=\"x,y\",b=2", &[Err(E::Value), Err(E::NoValue), Ok("b|2")]),
            // 3.3.1.1: duplicates stay, in order.
            (b"a=1,b=2,a=3", &[Ok("a|1"), Ok("b|2"), Ok("a|3")]),
        ];
        for (line, verdict) in table {
            let verdict: Vec<_> = verdict.iter().map(|member| member.map(String::from)).collect();
            assert_eq!(read(&[line]), verdict, "{:?}", line.escape_ascii());
        }
        // 3 and 3.4: several headers are one list.
        let lines: &[&[u8]] = &[b"userId=alice", b"serverNode=DF%2028,isProduction=false"];
        assert_eq!(
            read(lines),
            [Ok("userId|alice".into()), Ok("serverNode|DF 28".into()), Ok("isProduction|false".into())]
        );
    }

    #[test]
    fn a_value_without_encoding_can_be_borrowed() {
        let values: Vec<_> = members([b"a=b+c,d=%20" as &[u8]]).flatten().map(|member| member.value()).collect();
        assert_eq!((values[0].as_plain(), values[1].as_plain()), (Some("b+c"), None));
        assert_eq!((values[1].as_encoded(), values[1] == " "), ("%20", true));
    }
}
