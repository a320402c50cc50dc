//! `Table`: a firmware's strings by their ids, in a file, in a recording, and in the image that was flashed.

use std::collections::BTreeMap;

use clewline_core::FoundStrings;
use serde::{Deserialize, Serialize};

use super::parse_build_id;

/// The strings of one build of a firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) build_id: u32,
    pub(super) strings: Vec<String>,
}

/// A table as its file says it.
#[derive(Serialize, Deserialize)]
struct File {
    /// Eight hexadecimal digits, as the frames of this build carry it.
    build_id: String,
    /// In the order of their ids, from 0.
    strings: Vec<String>,
}

impl Table {
    /// The file's content.
    pub(super) fn to_json(&self) -> Result<String, String> {
        let file = File { build_id: format!("{:08x}", self.build_id), strings: self.strings.clone() };
        let json =
            serde_json::to_string_pretty(&file).map_err(|error| format!("the table cannot be written: {error}"))?;
        Ok(json + "\n")
    }

    pub(super) fn from_json(json: &[u8]) -> Result<Self, String> {
        let File { build_id, strings } =
            serde_json::from_slice(json).map_err(|error| format!("not the file of a string table: {error}"))?;
        Ok(Self { build_id: parse_build_id(&build_id)?, strings })
    }

    /// The string of an id.
    pub(super) fn get(&self, id: u32) -> Option<&str> {
        self.strings.get(usize::try_from(id).ok()?).map(String::as_str)
    }

    /// The table in an image. With a build id it is the one of this fingerprint or, for firmware that has build ids of its own,
    /// the only one there is.
    pub(super) fn in_image(image: &[u8], build_id: Option<u32>) -> Result<Self, String> {
        let by_fingerprint = |id| FoundStrings::find(image).find_map(|found| found.with_fingerprint(id));
        if let Some(found) = build_id.and_then(by_fingerprint) {
            return Ok(Self::of(&found, build_id));
        }
        // One or two strings are also found where there are none.
        let tables: Vec<_> = FoundStrings::find(image).filter(|found| found.len() > 2).collect();
        match tables.as_slice() {
            [found] => Ok(Self::of(found, build_id)),
            [] => Err(
                "no string table of more than two strings is in this image; for a smaller one give --build-id, the \
                       table's fingerprint"
                    .to_owned(),
            ),
            several => {
                let described: Vec<_> = several
                    .iter()
                    .map(|found| {
                        let first = found.iter().next().unwrap_or_default();
                        format!("    {:08x}: {} strings, the first is {first:?}", found.fingerprint(), found.len())
                    })
                    .collect();
                Err(format!(
                    "several string tables are in this image, give one's --build-id:\n{}",
                    described.join("\n")
                ))
            }
        }
    }

    fn of(found: &FoundStrings<'_>, build_id: Option<u32>) -> Self {
        let strings = found.iter().map(str::to_owned).collect();
        Self { build_id: build_id.unwrap_or_else(|| found.fingerprint()), strings }
    }
}

/// The strings that frames have told so far.
#[derive(Clone, Debug, Default)]
pub(super) struct PartialTable {
    total: u32,
    strings: BTreeMap<u32, String>,
}

impl PartialTable {
    pub(super) fn add(&mut self, total: u32, id: u32, text: &str) {
        self.total = total;
        self.strings.insert(id, text.to_owned());
    }

    /// The table, if nothing is missing.
    pub(super) fn complete(&self, build_id: u32) -> Result<Table, String> {
        let strings: Vec<_> = (0..self.total).map_while(|id| self.strings.get(&id).cloned()).collect();
        if strings.len() as u64 == u64::from(self.total) {
            return Ok(Table { build_id, strings });
        }
        Err(format!(
            "of the {} strings of build {build_id:08x}, {} are in the recording: let the host ask for the description again",
            self.total,
            self.strings.range(..self.total).count()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::{PartialTable, Table};

    #[test]
    fn a_file_reads_as_what_was_written() {
        let table = Table { build_id: 0xc0_ffee, strings: vec!["sensor.id".to_owned(), "°C \"quoted\"".to_owned()] };
        let json = table.to_json().unwrap();
        assert!(json.contains("\"00c0ffee\""), "{json}");
        assert_eq!(Table::from_json(json.as_bytes()), Ok(table));
        for broken in ["", "{}", r#"{"build_id": "xyz", "strings": []}"#, r#"{"build_id": "123456789", "strings": []}"#]
        {
            assert!(Table::from_json(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_table_is_complete_or_says_what_it_lacks() {
        let mut partial = PartialTable::default();
        partial.add(2, 1, "b");
        assert!(partial.complete(7).unwrap_err().contains("of the 2 strings of build 00000007, 1"));
        partial.add(2, 0, "a");
        assert_eq!(partial.complete(7).unwrap().strings, ["a", "b"]);
    }

    #[test]
    fn an_image_with_several_tables_needs_a_build_id() {
        let table = |first: &str| format!("\0\0\u{1}{first}\u{1}\0\u{1}b\u{2}\0\u{1}c");
        let image = format!("code{}\0\0{}\0", table("x"), table("y"));
        let error = Table::in_image(image.as_bytes(), None).unwrap_err();
        let ids: Vec<u32> =
            error.lines().filter_map(|line| u32::from_str_radix(line.trim().split(':').next()?, 16).ok()).collect();
        let [x, y] = ids.as_slice() else { panic!("{error}") };
        for (id, first) in [(*x, "x"), (*y, "y")] {
            let table = Table::in_image(image.as_bytes(), Some(id)).unwrap();
            assert_eq!((table.build_id, table.strings), (id, vec![first.to_owned(), "b".to_owned(), "c".to_owned()]));
        }
        assert!(Table::in_image(image.as_bytes(), Some(1)).is_err());
        let own = Table::in_image(table("x").as_bytes(), Some(1)).unwrap();
        assert_eq!((own.build_id, own.strings.len()), (1, 3), "a build id that is no fingerprint");
        assert!(Table::in_image(b"code and data", None).is_err());
    }
}
