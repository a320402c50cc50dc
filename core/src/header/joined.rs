//! A list of members joined by commas without white space, changed in place.

use crate::storage::{self, StorageView};

/// The members and where they begin.
pub(crate) fn positions(list: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut next = 0;
    list.split(|byte| *byte == b',').filter(|member| !member.is_empty()).map(move |member| {
        let start = next;
        next += member.len() + 1;
        (start, member)
    })
}

pub(crate) fn is_of_key(member: &[u8], key: &str) -> bool {
    member.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
}

/// Removes the last member of those that `is_chosen` answers true for; false if there is none.
pub(crate) fn remove_last<V: StorageView + ?Sized>(list: &mut V, is_chosen: impl Fn(&[u8]) -> bool) -> bool {
    let chosen = positions(list.as_slice()).filter(|(_, member)| is_chosen(member)).last();
    let Some((start, end)) = chosen.map(|(start, member)| (start, start + member.len())) else { return false };
    // With the comma that separated it.
    if end < list.as_slice().len() {
        storage::remove(list, start, end + 1);
    } else {
        storage::remove(list, start.saturating_sub(1), end);
    }
    true
}

/// Removes all members of `key`; false if there is none.
pub(crate) fn remove_key<V: StorageView + ?Sized>(list: &mut V, key: &str) -> bool {
    let mut found = false;
    while remove_last(list, |member| is_of_key(member, key)) {
        found = true;
    }
    found
}

/// What stands before the next member.
pub(crate) fn separator(list: &[u8]) -> &'static [u8] {
    if list.is_empty() { b"" } else { b"," }
}
