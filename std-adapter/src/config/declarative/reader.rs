//! Reads values out of the tree: what is not as the schema wants it is ignored with a warning that says where it stands.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use super::tree::{Content, Node, Position};
use crate::config::names;
use crate::config::setting::{Setting, Source, Warning};

/// Collects the warnings on the way.
pub(super) struct Reader<'w> {
    pub(super) warnings: &'w mut Vec<Warning>,
}

impl Reader<'_> {
    pub(super) fn warn(&mut self, path: &str, (line, _): Position, problem: impl Display) {
        self.warnings.push(Warning::new(path.to_owned(), None, format!("line {line}: {problem}")));
    }

    fn expected(&mut self, path: &str, node: &Node, what: &str) {
        self.warn(path, node.at, format_args!("{what} is expected; the value is ignored"));
    }

    /// Calls `take` with each field of a table, its value and its path. Fields that the schema does not know are named, and
    /// those whose value is null are as good as absent, except where the table says which kind of thing something is.
    pub(super) fn table<'n>(
        &mut self,
        node: &'n Node,
        path: &str,
        known: &'static [&'static str],
        mut take: impl FnMut(&mut Self, &'static str, &'n Node, &str),
    ) {
        let entries = match &node.content {
            Content::Null => return,
            Content::Map(entries) => entries,
            _ => return self.expected(path, node, "a table"),
        };
        for (name, at, value) in entries {
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match known.iter().find(|known| *known == name) {
                Some(name) if value.content != Content::Null => take(self, name, value, &below),
                Some(_) => {}
                None => {
                    let problem = names::unknown(name, known.iter().copied());
                    self.warn(&below, *at, format_args!("{problem}; it is ignored"));
                }
            }
        }
    }

    /// The one field of a table that says which kind of thing this is.
    pub(super) fn kind<'n>(&mut self, node: &'n Node, path: &str) -> Option<(&'n str, &'n Node, String)> {
        match &node.content {
            Content::Map(entries) if entries.len() == 1 => {
                let (name, _, value) = entries.first()?;
                Some((name, value, format!("{path}.{name}")))
            }
            _ => {
                self.expected(path, node, "a table with one field");
                None
            }
        }
    }

    /// The items of a list, with their paths.
    pub(super) fn items<'n>(&mut self, node: &'n Node, path: &str) -> Vec<(&'n Node, String)> {
        match &node.content {
            Content::List(items) => {
                items.iter().enumerate().map(|(index, item)| (item, format!("{path}[{index}]"))).collect()
            }
            _ => {
                self.expected(path, node, "a list");
                Vec::new()
            }
        }
    }

    pub(super) fn text<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n str> {
        let Content::Text(text) = &node.content else {
            self.expected(path, node, "a text");
            return None;
        };
        Some(text)
    }

    pub(super) fn boolean(&mut self, node: &Node, path: &str) -> Option<bool> {
        let Content::Bool(value) = node.content else {
            self.expected(path, node, "true or false");
            return None;
        };
        Some(value)
    }

    /// A whole number of at least `least`.
    pub(super) fn whole(&mut self, node: &Node, path: &str, least: u64) -> Option<u64> {
        let number = match node.content {
            Content::Integer(number) => u64::try_from(number).ok().filter(|number| *number >= least),
            _ => None,
        };
        if number.is_none() {
            self.expected(path, node, &format!("a whole number of at least {least}"));
        }
        number
    }

    pub(super) fn number(&mut self, node: &Node, path: &str) -> Option<f64> {
        match node.content {
            Content::Float(number) => Some(number),
            // Shares are small numbers, which a double holds as they are.
            Content::Integer(number) => i32::try_from(number).ok().map(f64::from),
            _ => {
                self.expected(path, node, "a number");
                None
            }
        }
    }

    /// What `read` makes of a text.
    pub(super) fn read<T>(
        &mut self,
        node: &Node,
        path: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read(self.text(node, path)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.warn(path, node.at, format_args!("{problem}; the value is ignored"));
                None
            }
        }
    }

    pub(super) fn count(&mut self, node: &Node, path: &str, least: u64, slot: &mut Setting<usize>) {
        if let Some(count) = self.whole(node, path, least) {
            offer(slot, usize::try_from(count).unwrap_or(usize::MAX));
        }
    }

    pub(super) fn limit(&mut self, node: &Node, path: &str, slot: &mut Setting<Option<usize>>) {
        if let Some(count) = self.whole(node, path, 0) {
            offer(slot, Some(usize::try_from(count).unwrap_or(usize::MAX)));
        }
    }

    pub(super) fn milliseconds(&mut self, node: &Node, path: &str, slot: &mut Setting<Duration>) {
        if let Some(milliseconds) = self.whole(node, path, 0) {
            offer(slot, Duration::from_millis(milliseconds));
        }
    }

    /// A time limit in milliseconds, where 0 means "no limit".
    pub(super) fn timeout(&mut self, node: &Node, path: &str, slot: &mut Setting<Option<Duration>>) {
        if let Some(milliseconds) = self.whole(node, path, 0) {
            offer(slot, Some(Duration::from_millis(milliseconds)).filter(|limit| !limit.is_zero()));
        }
    }

    pub(super) fn file(&mut self, node: &Node, path: &str, slot: &mut Setting<Option<PathBuf>>) {
        if let Some(text) = self.text(node, path) {
            offer(slot, Some(PathBuf::from(text)));
        }
    }
}

/// Sets a value that the file gives.
pub(super) fn offer<T>(slot: &mut Setting<T>, value: T) {
    slot.offer(value, Source::File);
}
