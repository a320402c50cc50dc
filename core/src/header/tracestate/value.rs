//! `TraceState`: a list that can be changed by the rules of W3C Trace Context level 2, section 3.5.

use core::fmt;

use super::{LARGE_MEMBER, MAX_MEMBERS, Members, TraceStateError, TraceStateView, check_key, check_value, members};
use crate::header::joined::{positions, remove_key, remove_last, separator};
use crate::header::text::as_text;
use crate::storage::{Storage, StorageView, append};

/// A `TraceState` of at most `N` bytes; 512 are what everybody should pass on (section 3.3.3.1).
pub type InlineTraceState<const N: usize = { super::MIN_PASSED_ON }> = TraceState<heapless::Vec<u8, N>>;

/// A `tracestate` list, joined into one text as it leaves.
///
/// If the list is longer than its storage, whole members are dropped and counted: those above 128 bytes first, beginning
/// with the right-most, then the others from the end (section 3.3.3.1).
///
/// ```
/// use clewline_core::tracestate::InlineTraceState;
/// let mut state: InlineTraceState = InlineTraceState::read([b"rojo=00f067aa0ba902b7, congo=t61rcWkgMzE" as &[u8]]).unwrap();
/// state.set("congo", "ucfJifl5GOE").unwrap();
/// assert_eq!(state.as_str(), "congo=ucfJifl5GOE,rojo=00f067aa0ba902b7");
/// ```
#[derive(Clone, Default)]
pub struct TraceState<S> {
    list: S,
    dropped: u32,
}

impl<S: Storage + Default> TraceState<S> {
    /// Reads the list from all the lines of that name that arrived, in order.
    ///
    /// # Errors
    /// The first rule that the list breaks; a list too long for the storage is no error, see
    /// [`dropped`](Self::dropped).
    pub fn read<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, TraceStateError> {
        Self::read_into(S::default(), lines)
    }
}

impl<S: Storage> TraceState<S> {
    /// An empty list in `storage`, whose content is forgotten.
    #[must_use]
    pub fn new(mut storage: S) -> Self {
        storage.view_mut().truncate(0);
        Self { list: storage, dropped: 0 }
    }

    /// Like [`read`](Self::read), into storage of the caller's.
    ///
    /// # Errors
    /// The first rule that the list breaks.
    pub fn read_into<'a>(storage: S, lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, TraceStateError> {
        let mut state = Self::new(storage);
        state.dropped = collect(state.list.view_mut(), members(lines))?;
        Ok(state)
    }

    /// Forgets all members and reads others; a list that breaks a rule is empty.
    pub(crate) fn read_again<'a>(mut self, lines: impl IntoIterator<Item = &'a [u8]>) -> Self {
        self.clear();
        match collect(self.list.view_mut(), members(lines)) {
            Ok(dropped) => self.dropped = dropped,
            Err(_) => self.clear(),
        }
        self
    }

    /// Writes the first member of an empty list, known to be valid. One that is longer than the storage counts as dropped.
    pub(crate) fn begin<const N: usize>(&mut self, key: &str, value: [&[u8]; N]) {
        let length = key.len() + 1 + value.iter().map(|part| part.len()).sum::<usize>();
        let fits = append(self.list.view_mut(), length, |cursor| {
            cursor.bytes(key.as_bytes());
            cursor.byte(b'=');
            value.iter().for_each(|part| cursor.bytes(part));
        });
        if !fits {
            self.count_dropped();
        }
    }

    /// Counts a member that had to go for another rule's sake.
    pub(crate) fn count_dropped(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// The list as it leaves, without white space; empty if there are no members, and then no header should be sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Always ASCII, as only checked members were written.
        as_text(self.list.view().as_slice())
    }

    /// The list to read.
    #[must_use]
    pub fn view(&self) -> TraceStateView<'_> {
        TraceStateView::trusted(self.as_str())
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.view().as_slice().is_empty()
    }

    /// The value of `key`; the youngest if it arrived more than once.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.view().get(key)
    }

    /// Keys and values, the youngest first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.view().iter()
    }

    /// How many members were dropped because the storage or the 32 members were full.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Adds `key` or changes its value. Either way it becomes the first member and the only one of that key (section
    /// 3.5). If that makes the list too long, other members are dropped and counted.
    ///
    /// # Errors
    /// The rule that the key or the value breaks, or `Full` if the member alone is longer than the storage; the list is
    /// then unchanged.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), TraceStateError> {
        check_key(key)?;
        check_value(value)?;
        let dropped = set(self.list.view_mut(), key, value)?;
        self.dropped = self.dropped.saturating_add(dropped);
        Ok(())
    }

    /// Removes `key`; false if it was not there.
    pub fn remove(&mut self, key: &str) -> bool {
        remove_key(self.list.view_mut(), key)
    }

    /// Shortens the list to at most `limit` bytes, dropping and counting members.
    pub fn truncate(&mut self, limit: usize) {
        let list = self.list.view_mut();
        while list.as_slice().len() > limit && remove_least(list) {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Forgets all members.
    pub fn clear(&mut self) {
        self.list.view_mut().truncate(0);
    }
}

/// Joins valid members; answers how many were dropped.
///
/// Which ones go depends on the whole list, but can be said as each arrives: once one above 128 bytes had to go, all later
/// ones of its kind go, and the same for the others. So the result is that of shortening the whole list from the right.
fn collect<'a, V, I>(list: &mut V, members: Members<'a, I>) -> Result<u32, TraceStateError>
where
    V: StorageView + ?Sized,
    I: Iterator<Item = &'a [u8]>,
{
    let (mut dropped, mut large_goes, mut all_goes) = (0, false, false);
    for member in members {
        let (key, value) = member?;
        let is_large = key.len() + 1 + value.len() > LARGE_MEMBER;
        while !(all_goes || is_large && large_goes || push(list, key, value)) {
            if is_large {
                large_goes = true;
            } else if !remove_large(list) {
                all_goes = true;
            } else {
                large_goes = true;
                dropped += 1;
            }
        }
        dropped += u32::from(all_goes || is_large && large_goes);
    }
    Ok(dropped)
}

/// Adds a member at the end; false if it does not fit.
fn push<V: StorageView + ?Sized>(list: &mut V, key: &str, value: &str) -> bool {
    let comma = separator(list.as_slice());
    append(list, comma.len() + key.len() + 1 + value.len(), |cursor| {
        cursor.bytes(comma);
        cursor.bytes(key.as_bytes());
        cursor.byte(b'=');
        cursor.bytes(value.as_bytes());
    })
}

/// Puts a valid member in front; answers how many others had to go.
fn set<V: StorageView + ?Sized>(list: &mut V, key: &str, value: &str) -> Result<u32, TraceStateError> {
    let length = key.len() + 1 + value.len();
    if length > list.as_slice().len().saturating_add(list.room()) {
        return Err(TraceStateError::Full);
    }
    remove_key(list, key);
    let mut dropped = 0;
    // Above 32 members the right-most goes (section 3.3.2.1), whatever its length.
    while positions(list.as_slice()).count() >= MAX_MEMBERS && remove_last(list, |_| true) {
        dropped += 1;
    }
    let needed = |list: &V| length + usize::from(!list.as_slice().is_empty());
    while list.room() < needed(list) && remove_least(list) {
        dropped += 1;
    }
    let comma = separator(list.as_slice());
    let written = needed(list);
    let fits = append(list, written, |cursor| {
        cursor.bytes(key.as_bytes());
        cursor.byte(b'=');
        cursor.bytes(value.as_bytes());
        cursor.bytes(comma);
    });
    let bytes = list.as_mut_slice();
    if fits && written <= bytes.len() {
        bytes.rotate_right(written);
        return Ok(dropped);
    }
    Err(TraceStateError::Full)
}

/// Removes the member that goes first when the list has to become shorter; false if there is none.
fn remove_least<V: StorageView + ?Sized>(list: &mut V) -> bool {
    remove_large(list) || remove_last(list, |_| true)
}

/// Removes the right-most member above 128 bytes.
fn remove_large<V: StorageView + ?Sized>(list: &mut V) -> bool {
    remove_last(list, |member| member.len() > LARGE_MEMBER)
}

impl<S: Storage> fmt::Display for TraceState<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl<S: Storage> fmt::Debug for TraceState<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TraceState").field("list", &self.as_str()).field("dropped", &self.dropped).finish()
    }
}

impl<S: Storage> PartialEq for TraceState<S> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<S: Storage> Eq for TraceState<S> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    fn state<const N: usize>(list: &str) -> InlineTraceState<N> {
        InlineTraceState::read([list.as_bytes()]).unwrap()
    }

    /// A list, a change, the list after it (section 3.5).
    #[test]
    fn mutation_table() {
        type Change = Result<(&'static str, &'static str), &'static str>;
        let table: &[(&str, Change, &str)] = &[
            // Add: at the beginning.
            ("", Ok(("foo", "1")), "foo=1"),
            ("foo=1,bar=2", Ok(("rojo", "3")), "rojo=3,foo=1,bar=2"),
            // Update: moved to the beginning, the others keep their order.
            ("foo=1,bar=2,baz=3", Ok(("baz", "4")), "baz=4,foo=1,bar=2"),
            ("foo=1,bar=2,baz=3", Ok(("bar", "2")), "bar=2,foo=1,baz=3"),
            ("foo=1", Ok(("foo", "22")), "foo=22"),
            // Never the same key twice.
            ("foo=1,bar=2,foo=3", Ok(("foo", "4")), "foo=4,bar=2"),
            ("foobar=1,foo=2,bar=foo", Ok(("foo", "3")), "foo=3,foobar=1,bar=foo"),
            // Delete.
            ("foo=1,bar=2,baz=3", Err("bar"), "foo=1,baz=3"),
            ("foo=1,bar=2", Err("foo"), "bar=2"),
            ("foo=1,bar=2", Err("bar"), "foo=1"),
            ("foo=1", Err("foo"), ""),
            ("foo=1,bar=2,foo=3", Err("foo"), "bar=2"),
            ("foo=1", Err("fo"), "foo=1"),
            ("", Err("foo"), ""),
        ];
        for (list, change, after) in table {
            let mut state = state::<512>(list);
            match change {
                Ok((key, value)) => state.set(key, value).unwrap(),
                Err(key) => assert_eq!(state.remove(key), list != after),
            }
            assert_eq!((state.as_str(), state.dropped()), (*after, 0), "{list} {change:?}");
        }
    }

    #[test]
    fn what_breaks_a_rule_changes_nothing() {
        use TraceStateError as E;
        let mut state = state::<16>("foo=1,bar=2");
        for (key, value, error) in [
            ("", "1", E::Key),
            ("Foo", "1", E::Key),
            ("foo", "", E::EmptyValue),
            ("foo", "a,b", E::Value),
            ("foo", "a ", E::Value),
            ("foo", "0123456789abc", E::Full),
        ] {
            assert_eq!(state.set(key, value), Err(error));
        }
        assert_eq!((state.as_str(), state.dropped()), ("foo=1,bar=2", 0));
    }

    /// 3.3.2.1: above 32 members the right-most is removed.
    #[test]
    fn the_thirty_third_member_pushes_out_the_last() {
        let list = (0..32).map(|index| format!("k{index}=v")).collect::<Vec<_>>().join(",");
        let mut state = state::<512>(&list);
        state.set("new", "1").unwrap();
        assert_eq!((state.iter().count(), state.dropped()), (32, 1));
        assert_eq!((state.iter().next(), state.get("k31")), (Some(("new", "1")), None));
        state.set("k5", "2").unwrap();
        assert_eq!((state.iter().count(), state.dropped()), (32, 1), "a change needs no place");
    }

    /// 3.3.3.1: members above 128 bytes first, then from the end; whole members only.
    #[test]
    fn truncation_table() {
        let member = |key: &str, length: usize| format!("{key}={}", "v".repeat(length - key.len() - 1));
        let keys = |state: &InlineTraceState<300>| state.iter().map(|(key, _)| key).collect::<String>();
        let table: &[(&[(&str, usize)], &str)] = &[
            (&[("a", 100), ("b", 100), ("c", 98)], "abc"),
            (&[("a", 100), ("b", 100), ("c", 99)], "ab"),
            (&[("a", 129), ("b", 100), ("c", 100)], "bc"),
            (&[("a", 128), ("b", 100), ("c", 100)], "ab"),
            (&[("a", 129), ("b", 130), ("c", 100)], "ac"),
            (&[("a", 250), ("b", 130), ("c", 100)], "c"),
            (&[("a", 130), ("b", 150), ("c", 129), ("d", 10)], "abd"),
            (&[("a", 130), ("b", 200), ("c", 129), ("d", 10)], "ad"),
            (&[("a", 100), ("b", 100), ("c", 120), ("d", 10)], "ab"),
            (&[("a", 100), ("b", 100), ("c", 120), ("d", 200)], "ab"),
        ];
        for (sizes, kept) in table {
            let list = sizes.iter().map(|(key, length)| member(key, *length)).collect::<Vec<_>>().join(",");
            let read = state::<300>(&list);
            assert_eq!(keys(&read), *kept, "{sizes:?}");
            assert_eq!(read.dropped() as usize, sizes.len() - kept.len());
            let mut whole = InlineTraceState::<1024>::read([list.as_bytes()]).unwrap();
            whole.truncate(300);
            assert_eq!(whole.as_str(), read.as_str(), "arriving and shortening agree: {sizes:?}");
        }
        let mut full = state::<300>(&[member("a", 129), member("b", 100), member("c", 69)].join(","));
        full.set("d", "1").unwrap();
        assert_eq!((keys(&full).as_str(), full.dropped()), ("dbc", 1));
    }

    #[test]
    fn what_everybody_should_pass_on_is_passed_on() {
        let list = format!("a={},b={}", "v".repeat(253), "w".repeat(254));
        assert_eq!(list.len(), 512);
        assert_eq!(state::<512>(&list).as_str(), list);
    }
}
