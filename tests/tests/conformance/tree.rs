//! OTLP bytes as a tree of protobuf fields that can be changed and written again, lengths and all: an own reader and writer,
//! so that neither core nor `prost` judges itself.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// The messages of a trace request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Request,
    ResourceSpans,
    Resource,
    ScopeSpans,
    Scope,
    Span,
    Event,
    Link,
    Status,
    KeyValue,
    AnyValue,
    List,
    Map,
}

impl Message {
    /// The message in this field, if it holds one.
    fn child(self, field: u64) -> Option<Self> {
        Some(match (self, field) {
            (Self::Request, 1) => Self::ResourceSpans,
            (Self::ResourceSpans, 1) => Self::Resource,
            (Self::ResourceSpans, 2) => Self::ScopeSpans,
            (Self::ScopeSpans, 1) => Self::Scope,
            (Self::ScopeSpans, 2) => Self::Span,
            (Self::Span, 11) => Self::Event,
            (Self::Span, 13) => Self::Link,
            (Self::Span, 15) => Self::Status,
            (Self::Resource, 1) | (Self::Scope, 3) | (Self::Span, 9) | (Self::Event, 3) | (Self::Link, 4) => {
                Self::KeyValue
            }
            (Self::KeyValue, 2) => Self::AnyValue,
            (Self::AnyValue, 5) => Self::List,
            (Self::AnyValue, 6) => Self::Map,
            (Self::List, 1) => Self::AnyValue,
            (Self::Map, 1) => Self::KeyValue,
            _ => return None,
        })
    }

    /// Fields that the official messages know and core does not read: what the profiles signal and entities added.
    fn is_beyond_core(self, field: u64) -> bool {
        matches!((self, field), (Self::Resource, 3) | (Self::KeyValue, 3) | (Self::AnyValue, 8))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) number: u64,
    pub(crate) content: Content,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(Vec<u8>),
    Message(Message, Vec<Field>),
    /// A varint as it stands, of whatever length.
    RawVarint(Vec<u8>),
    /// An abandoned group without content.
    Group,
}

/// Reads; `None` if the bytes are no protobuf, or hold a group.
pub(crate) fn parse(mut bytes: &[u8], message: Message) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let number = key >> 3;
        let content = match key & 7 {
            0 => Content::Varint(varint(&mut bytes)?),
            1 => Content::Fixed64(take(&mut bytes, 8)?.try_into().ok()?),
            5 => Content::Fixed32(take(&mut bytes, 4)?.try_into().ok()?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let content = take(&mut bytes, length)?;
                match message.child(number) {
                    Some(child) => Content::Message(child, parse(content, child)?),
                    None => Content::Bytes(content.to_vec()),
                }
            }
            _ => return None,
        };
        fields.push(Field { number, content });
    }
    Some(fields)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

pub(crate) fn write(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        let key = |wire_type| field.number << 3 | wire_type;
        match &field.content {
            Content::Varint(value) => {
                write_varint(&mut out, key(0));
                write_varint(&mut out, *value);
            }
            Content::RawVarint(bytes) => {
                write_varint(&mut out, key(0));
                out.extend(bytes);
            }
            Content::Fixed64(bytes) => {
                write_varint(&mut out, key(1));
                out.extend(bytes);
            }
            Content::Fixed32(bytes) => {
                write_varint(&mut out, key(5));
                out.extend(bytes);
            }
            Content::Bytes(bytes) => write_bytes(&mut out, key(2), bytes),
            Content::Message(_, fields) => write_bytes(&mut out, key(2), &write(fields)),
            Content::Group => {
                write_varint(&mut out, key(3));
                write_varint(&mut out, key(4));
            }
        }
    }
    out
}

fn write_bytes(out: &mut Vec<u8>, key: u64, bytes: &[u8]) {
    write_varint(out, key);
    write_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Whether there is a field that the official messages check and core skips as unknown.
pub(crate) fn goes_beyond_core(fields: &[Field], message: Message) -> bool {
    fields.iter().any(|field| {
        message.is_beyond_core(field.number)
            || matches!(&field.content, Content::Message(child, fields) if goes_beyond_core(fields, *child))
    })
}

/// The same fields, before each of which that holds one value stands another value of the same field.
pub(crate) fn with_decoys(fields: &[Field], message: Message) -> Vec<Field> {
    let mut out = Vec::new();
    for field in fields {
        let number = field.number;
        let decoy = match &field.content {
            Content::Varint(_) => Some(Content::Varint(7)),
            Content::Fixed64(_) => Some(Content::Fixed64([7; 8])),
            Content::Fixed32(_) => Some(Content::Fixed32([7; 4])),
            Content::Bytes(_) => Some(Content::Bytes(b"decoy".to_vec())),
            // A value that is set; what is not set would be merged with the decoy.
            Content::Message(Message::AnyValue, inner) if message == Message::KeyValue && !inner.is_empty() => {
                let decoy = Field { number: 1, content: Content::Bytes(b"decoy".to_vec()) };
                Some(Content::Message(Message::AnyValue, vec![decoy]))
            }
            _ => None,
        };
        out.extend(decoy.map(|content| Field { number, content }));
        let content = match &field.content {
            Content::Message(child, inner) => Content::Message(*child, with_decoys(inner, *child)),
            content => content.clone(),
        };
        out.push(Field { number, content });
    }
    out
}

/// One change somewhere in a tree.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Insert(Field),
    Remove,
    Duplicate,
    Renumber(u64),
    Replace(Content),
    MoveToFront,
}

/// A field of a number that no message defines.
pub(crate) fn unknown_field() -> impl Strategy<Value = Field> {
    (3_000..0x1fff_ffff_u64, content()).prop_map(|(number, content)| Field { number, content })
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        any::<u64>().prop_map(Content::Varint),
        any::<[u8; 8]>().prop_map(Content::Fixed64),
        any::<[u8; 4]>().prop_map(Content::Fixed32),
        vec(any::<u8>(), 0..20).prop_map(Content::Bytes),
    ]
}

/// Around ten bytes, with what is the most a last byte may say, and with more.
fn raw_varint() -> impl Strategy<Value = Content> {
    (7_usize..11, any::<u8>(), prop::sample::select(vec![0, 1, 2, 3, 0x7f])).prop_map(|(length, byte, last)| {
        let mut bytes = vec![byte | 0x80; length];
        bytes.push(last);
        Content::RawVarint(bytes)
    })
}

/// Any change, those that break a rule included.
pub(crate) fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => unknown_field().prop_map(Change::Insert),
        2 => (0..18_u64, content()).prop_map(|(number, content)| Change::Insert(Field { number, content })),
        1 => Just(Change::Insert(Field { number: 4_000, content: Content::Group })),
        2 => Just(Change::Remove),
        2 => Just(Change::Duplicate),
        2 => (1..18_u64).prop_map(Change::Renumber),
        1 => prop::sample::select(vec![0, 0x1fff_ffff, 0x2000_0000, u64::MAX >> 3]).prop_map(Change::Renumber),
        3 => content().prop_map(Change::Replace),
        1 => Just(Change::Replace(Content::Bytes(vec![0; 16]))),
        1 => Just(Change::Replace(Content::Bytes(vec![0; 8]))),
        2 => raw_varint().prop_map(|content| Change::Insert(Field { number: 10, content })),
        1 => raw_varint().prop_map(Change::Replace),
        2 => Just(Change::MoveToFront),
    ]
}

/// Applies a change to the field that `place` picks; of a tree without fields only `Insert` makes something.
pub(crate) fn apply(fields: &mut Vec<Field>, place: Index, change: &Change) {
    let size = size(fields);
    if size > 0 {
        let mut nth = place.index(size);
        apply_at(fields, &mut nth, change);
    } else if let Change::Insert(field) = change {
        fields.push(field.clone());
    }
}

fn size(fields: &[Field]) -> usize {
    fields.iter().map(|field| 1 + if let Content::Message(_, fields) = &field.content { size(fields) } else { 0 }).sum()
}

fn apply_at(fields: &mut Vec<Field>, nth: &mut usize, change: &Change) -> bool {
    for index in 0..fields.len() {
        if *nth == 0 {
            match change {
                Change::Insert(field) => fields.insert(index, field.clone()),
                Change::Remove => drop(fields.remove(index)),
                Change::Duplicate => fields.push(fields[index].clone()),
                Change::Renumber(number) => fields[index].number = *number,
                Change::Replace(content) => fields[index].content = content.clone(),
                Change::MoveToFront => fields[..=index].rotate_right(1),
            }
            return true;
        }
        *nth -= 1;
        if let Content::Message(_, inner) = &mut fields[index].content
            && apply_at(inner, nth, change)
        {
            return true;
        }
    }
    false
}
