//! `Baggage`: a list that can be changed (W3C Baggage, section 3.5).

use core::fmt;

use super::{BaggageError, Decoded, MAX_BYTES, MAX_MEMBERS, Member, check_property, is_plain, members};
use crate::header::joined::{is_of_key, positions, remove_key, separator};
use crate::header::percent;
use crate::header::text::{as_text, is_token, trim};
use crate::storage::{Cursor, Storage, StorageView, append};

/// A `Baggage` of at most `N` bytes; 8192 are what everybody must pass on (section 3.3.2).
pub type InlineBaggage<const N: usize = MAX_BYTES> = Baggage<heapless::Vec<u8, N>>;

/// A `baggage` list, joined into one text as it leaves: without white space around members, values as they came.
///
/// Storage of less than 8192 bytes is for chips whose peers are known; a server should bring as much.
///
/// ```
/// use clewline_core::baggage::InlineBaggage;
/// let mut baggage: InlineBaggage = InlineBaggage::read([b"userId=alice , broken" as &[u8]]);
/// baggage.set("serverNode", "DF 28").unwrap();
/// assert_eq!(baggage.as_str(), "userId=alice,serverNode=DF%2028");
/// assert_eq!(baggage.malformed(), 1);
/// ```
#[derive(Clone, Default)]
pub struct Baggage<S> {
    list: S,
    malformed: u32,
    dropped: u32,
    error: Option<BaggageError>,
}

impl<S: Storage + Default> Baggage<S> {
    /// Reads the list from all the lines of that name that arrived, in order. Malformed members and those that do not fit
    /// are left out and counted.
    pub fn read<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self::read_into(S::default(), lines)
    }
}

impl<S: Storage> Baggage<S> {
    /// An empty list in `storage`, whose content is forgotten.
    #[must_use]
    pub fn new(mut storage: S) -> Self {
        storage.view_mut().truncate(0);
        Self { list: storage, malformed: 0, dropped: 0, error: None }
    }

    /// Like [`read`](Self::read), into storage of the caller's.
    pub fn read_into<'a>(storage: S, lines: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut baggage = Self::new(storage);
        let mut count = 0;
        for member in members(lines) {
            let counter = match member {
                Ok(member) if push(baggage.list.view_mut(), count, &member) => {
                    count += 1;
                    continue;
                }
                Ok(_) => {
                    baggage.error = baggage.error.or(Some(BaggageError::Full));
                    &mut baggage.dropped
                }
                Err(error) => {
                    baggage.error = baggage.error.or(Some(error));
                    &mut baggage.malformed
                }
            };
            *counter = counter.saturating_add(1);
        }
        baggage
    }

    /// The list as it leaves; empty if there are no members, and then no header should be sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Always ASCII, as only checked or encoded members were written.
        as_text(self.list.view().as_slice())
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.view().as_slice().is_empty()
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = Member<'_>> + Clone {
        members([self.list.view().as_slice()]).flatten()
    }

    /// The value of `key`; the last if it arrived more than once.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Decoded<'_>> {
        self.iter().filter(|member| member.key() == key).last().map(|member| member.value())
    }

    /// How many members were malformed, and left out.
    #[must_use]
    pub const fn malformed(&self) -> u32 {
        self.malformed
    }

    /// How many members did not fit, and were left out.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// The first rule that a member broke when the list was read.
    #[must_use]
    pub const fn error(&self) -> Option<BaggageError> {
        self.error
    }

    /// Sets `key` to `value`, any text, without properties. It becomes the last member and the only one of that key.
    ///
    /// # Errors
    /// `Key`, or `Full`; the list is then unchanged.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), BaggageError> {
        self.set_with_properties(key, value, &[])
    }

    /// Like [`set`](Self::set), with properties: each a token, or a token, `=` and a value of baggage-octets.
    ///
    /// # Errors
    /// `Key`, `Property`, or `Full`; the list is then unchanged.
    pub fn set_with_properties(&mut self, key: &str, value: &str, properties: &[&str]) -> Result<(), BaggageError> {
        if !is_token(key.as_bytes()) {
            return Err(BaggageError::Key);
        }
        properties.iter().try_for_each(|property| check_property(property.as_bytes()))?;
        set(self.list.view_mut(), key, value, properties)
    }

    /// Removes `key`; false if it was not there.
    pub fn remove(&mut self, key: &str) -> bool {
        remove_key(self.list.view_mut(), key)
    }

    /// Forgets all members.
    pub fn clear(&mut self) {
        self.list.view_mut().truncate(0);
    }
}

/// Whether a member of `length` bytes fits behind a list of `list` bytes and `members` members.
fn has_place(list: usize, members: usize, length: usize) -> bool {
    members < MAX_MEMBERS && list.saturating_add(usize::from(list > 0)).saturating_add(length) <= MAX_BYTES
}

/// Adds a member as it came behind `count` others; false if it does not fit.
fn push<V: StorageView + ?Sized>(list: &mut V, count: usize, member: &Member<'_>) -> bool {
    let (key, value) = (member.key(), member.value().as_encoded());
    let properties: usize = member.properties().map(|property| 1 + property.len()).sum();
    let length = key.len() + 1 + value.len() + properties;
    has_place(list.as_slice().len(), count, length)
        && append_member(list, length, key, |cursor| cursor.bytes(value.as_bytes()), member.properties())
}

/// Writes a member of `length` bytes at the end, with a comma before it if it is not the first.
fn append_member<'p, V: StorageView + ?Sized>(
    list: &mut V,
    length: usize,
    key: &str,
    value: impl FnOnce(&mut Cursor<'_>),
    properties: impl Iterator<Item = &'p str>,
) -> bool {
    let comma = separator(list.as_slice());
    append(list, comma.len() + length, |cursor| {
        cursor.bytes(comma);
        cursor.bytes(key.as_bytes());
        cursor.byte(b'=');
        value(cursor);
        for property in properties {
            cursor.byte(b';');
            cursor.bytes(property.as_bytes());
        }
    })
}

/// Writes a member at the end after removing all others of its key.
fn set<V: StorageView + ?Sized>(list: &mut V, key: &str, value: &str, properties: &[&str]) -> Result<(), BaggageError> {
    let properties = properties.iter().map(|property| as_text(trim(property.as_bytes())));
    let length = key.len() + 1 + percent::encoded_length(value, is_plain);
    let length = properties.clone().fold(length, |length, property| length + 1 + property.len());
    let (mut count, mut kept) = (0, 0_usize);
    for (_, member) in positions(list.as_slice()).filter(|(_, member)| !is_of_key(member, key)) {
        count += 1;
        kept += member.len() + 1;
    }
    let kept = kept.saturating_sub(1);
    let capacity = list.as_slice().len().saturating_add(list.room());
    if !has_place(kept, count, length) || kept + usize::from(kept > 0) + length > capacity {
        return Err(BaggageError::Full);
    }
    remove_key(list, key);
    let is_written = append_member(list, length, key, |cursor| percent::encode(value, is_plain, cursor), properties);
    if is_written { Ok(()) } else { Err(BaggageError::Full) }
}

impl<S: Storage> fmt::Display for Baggage<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl<S: Storage> fmt::Debug for Baggage<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Baggage")
            .field("list", &self.as_str())
            .field("malformed", &self.malformed)
            .field("dropped", &self.dropped)
            .finish()
    }
}

impl<S: Storage> PartialEq for Baggage<S> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<S: Storage> Eq for Baggage<S> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;
    use std::vec::Vec;

    fn baggage<const N: usize>(list: &str) -> InlineBaggage<N> {
        InlineBaggage::read([list.as_bytes()])
    }

    /// A list and how it is passed on: white space outside goes, everything else stays as it came.
    #[test]
    fn passing_on_table() {
        let table = [
            ("", ""),
            ("userId =   alice", "userId=alice"),
            ("a=1 ; p ; q = r ,, b=%2c+%C3", "a=1;p;q = r,b=%2c+%C3"),
            ("a=1,b,c=%,d=4;,e=5", "a=1,e=5"),
            ("a=1,b=2,a=3", "a=1,b=2,a=3"),
        ];
        for (list, passed_on) in table {
            assert_eq!(baggage::<512>(list).as_str(), passed_on, "{list}");
        }
    }

    /// A list, what is set, the list after it (sections 3.3.1.3 and 3.5).
    #[test]
    fn setting_table() {
        type Entry = (&'static str, &'static str, &'static [&'static str]);
        let table: &[(&str, Entry, Result<&str, BaggageError>)] = &[
            ("", ("userId", "Amélie", &[]), Ok("userId=Am%C3%A9lie")),
            ("", ("serverNode", "DF 28", &[]), Ok("serverNode=DF%2028")),
            ("", ("a", "", &[]), Ok("a=")),
            ("", ("a", "1+1=2", &[]), Ok("a=1+1=2")),
            ("", ("a", "100%,\";\\\t\u{7f}", &[]), Ok("a=100%25%2C%22%3B%5C%09%7F")),
            ("", ("a", "1", &["p", " q = r "]), Ok("a=1;p;q = r")),
            ("a=1,b=2", ("c", "3", &[]), Ok("a=1,b=2,c=3")),
            ("a=1;p,b=2", ("a", "3", &[]), Ok("b=2,a=3")),
            ("a=1,b=2,a=3", ("a", "4", &[]), Ok("b=2,a=4")),
            ("a=1,a=2", ("a", "3", &[]), Ok("a=3")),
            ("ab=1", ("a", "2", &[]), Ok("ab=1,a=2")),
            ("a=1", ("", "2", &[]), Err(BaggageError::Key)),
            ("a=1", ("a b", "2", &[]), Err(BaggageError::Key)),
            ("a=1", ("a", "2", &["p;q"]), Err(BaggageError::Property)),
            ("a=1", ("a", "2", &["p,b=3"]), Err(BaggageError::Property)),
            ("a=1", ("a", "2", &[""]), Err(BaggageError::Property)),
            ("a=1", ("a", "2", &["p=\u{e9}"]), Err(BaggageError::Property)),
        ];
        for (list, (key, value, properties), verdict) in table {
            let mut changed = baggage::<512>(list);
            let result = changed.set_with_properties(key, value, properties);
            assert_eq!(result.map(|()| changed.as_str()), *verdict);
            if verdict.is_err() {
                assert_eq!(changed.as_str(), *list);
            } else {
                assert_eq!(changed.get(key).unwrap(), *value);
            }
        }
    }

    #[test]
    fn removing_leaves_the_others() {
        let mut list = baggage::<64>("a=1;p,b=2,a=3,ab=4");
        assert!(list.remove("a") && !list.remove("a") && !list.remove("c"));
        assert_eq!(list.as_str(), "b=2,ab=4");
        assert_eq!((list.get("ab").unwrap().to_string().as_str(), list.get("a").is_none()), ("4", true));
        list.clear();
        assert!(list.is_empty());
    }

    /// 3.3.2: 64 members and 8192 bytes come through; beyond that whole members are dropped.
    #[test]
    fn limits_are_exact() {
        let list = |count: usize| (0..count).map(|index| format!("key{index}=value")).collect::<Vec<_>>().join(",");
        assert_eq!(baggage::<8192>(&list(64)).as_str(), list(64));
        let many = baggage::<8192>(&list(66));
        assert_eq!((many.as_str(), many.dropped(), many.error()), (list(64).as_str(), 2, Some(BaggageError::Full)));

        let long = |length: usize| format!("a={}", "0".repeat(length - 2));
        assert_eq!(baggage::<8192>(&long(8192)).as_str(), long(8192));
        assert_eq!(baggage::<16384>(&long(8193)).dropped(), 1);
        let two = format!("{},b=1", long(8188));
        assert_eq!((two.len(), baggage::<8192>(&two).dropped()), (8192, 0));
        let three = baggage::<8192>(&format!("{},b=12,c=", long(8188)));
        assert_eq!((three.iter().count(), three.dropped()), (2, 1), "what still fits comes through");
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut small = baggage::<12>("a=1,b=2");
        assert_eq!(small.set("c", "345"), Err(BaggageError::Full));
        assert_eq!(small.set("a", "34567 "), Err(BaggageError::Full));
        assert_eq!(small.as_str(), "a=1,b=2");
        assert_eq!(small.set("a", "345678"), Ok(()));
        assert_eq!(small.as_str(), "b=2,a=345678");
        let mut full = baggage::<8192>(&(0..64).map(|index| format!("k{index}=v")).collect::<Vec<_>>().join(","));
        assert_eq!(full.set("new", "1"), Err(BaggageError::Full));
        assert_eq!(full.set("k7", "1"), Ok(()));
    }
}
