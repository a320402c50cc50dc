//! Names and keys that crossed from JavaScript once and have a number since.

use heapless::{String, Vec};

/// How many texts are remembered, and how many bytes of text.
const TEXTS: usize = 512;
const BYTES: usize = 16 * 1024;

/// Longer texts are not remembered: they are values or generated names, not a program's vocabulary.
const LONGEST: usize = 255;

/// A table that only grows until it is full. Whoever is refused sends the text each time.
pub(crate) struct Texts {
    bytes: String<BYTES>,
    ends: Vec<u16, TEXTS>,
}

impl Texts {
    pub(crate) const fn new() -> Self {
        Self { bytes: String::new(), ends: Vec::new() }
    }

    /// Remembers a text under a new number. The caller asks once per text.
    pub(crate) fn add(&mut self, text: &str) -> Option<u32> {
        if text.len() > LONGEST || self.ends.is_full() {
            return None;
        }
        self.bytes.push_str(text).ok()?;
        let id = self.ends.len();
        self.ends.push(u16::try_from(self.bytes.len()).ok()?).ok()?;
        u32::try_from(id).ok()
    }

    /// The text with this number.
    pub(crate) fn get(&self, id: u32) -> Option<&str> {
        let index = usize::try_from(id).ok()?;
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.bytes.get(usize::from(start)..usize::from(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_numbers_and_a_full_table_refuses() {
        let mut texts = Texts::new();
        assert_eq!(texts.add("grün"), Some(0));
        assert_eq!(texts.add(""), Some(1));
        assert_eq!(texts.add(&"x".repeat(256)), None);
        let ids = (0..).map_while(|number: u32| texts.add(&format!("key {number}"))).count();
        assert_eq!(ids, TEXTS - 2);
        assert_eq!(texts.get(0), Some("grün"));
        assert_eq!(texts.get(1), Some(""));
        assert_eq!(texts.get(2), Some("key 0"));
        assert_eq!(texts.get(511), Some("key 509"));
        assert_eq!(texts.get(512), None);

        let mut texts = Texts::new();
        let long = "y".repeat(255);
        assert_eq!((0..).map_while(|_: u32| texts.add(&long)).count(), BYTES / 255, "the bytes run out first");
    }
}
