//! Reads what is asked of a chip's program: its sections and symbols (ELF32, little-endian: System V ABI, chapter 4).

use std::fs;
use std::path::Path;

use crate::error::Error;

/// A program for a chip.
pub(crate) struct Elf {
    bytes: Vec<u8>,
    sections: Vec<Section>,
}

struct Section {
    kind: u32,
    flags: u32,
    offset: usize,
    size: usize,
    /// Of a symbol table: the section that holds its names.
    link: usize,
}

const SYMBOL_TABLE: u32 = 2;
const NO_CONTENT: u32 = 8;
const IN_MEMORY: u32 = 2;
const SYMBOL_LEN: usize = 16;

impl Elf {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no such program.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(Error::io(format!("reading {}", path.display())))?;
        Self::parse(bytes).ok_or_else(|| Error::Rejected(format!("{} is no program for a 32-bit chip", path.display())))
    }

    fn parse(bytes: Vec<u8>) -> Option<Self> {
        // Class 1 is 32 bits, data 1 is little-endian.
        if bytes.get(..6)? != b"\x7fELF\x01\x01" {
            return None;
        }
        let table = word(&bytes, 0x20)?;
        let (entry_len, count) = (half(&bytes, 0x2e)?, half(&bytes, 0x30)?);
        let sections = (0..count)
            .map(|index| {
                let at = table + index * entry_len;
                Some(Section {
                    kind: u32::try_from(word(&bytes, at + 4)?).ok()?,
                    flags: u32::try_from(word(&bytes, at + 8)?).ok()?,
                    offset: word(&bytes, at + 16)?,
                    size: word(&bytes, at + 20)?,
                    link: word(&bytes, at + 24)?,
                })
            })
            .collect::<Option<_>>()?;
        Some(Self { bytes, sections })
    }

    /// The bytes that are kept in flash: code, constants and the initial values of variables.
    pub(crate) fn flash(&self) -> usize {
        let is_kept = |section: &&Section| section.flags & IN_MEMORY != 0 && section.kind != NO_CONTENT;
        self.sections.iter().filter(is_kept).map(|section| section.size).sum()
    }

    /// The names of all symbols.
    pub(crate) fn symbols(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for table in self.sections.iter().filter(|section| section.kind == SYMBOL_TABLE) {
            let Some(strings) = self.sections.get(table.link) else { continue };
            for at in (table.offset..table.offset + table.size).step_by(SYMBOL_LEN) {
                let name = word(&self.bytes, at).and_then(|name| self.bytes.get(strings.offset + name..));
                let name = name.and_then(|name| name.split(|&byte| byte == 0).next());
                names.extend(name.and_then(|name| str::from_utf8(name).ok()).filter(|name| !name.is_empty()));
            }
        }
        names
    }
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*word)).ok()
}

fn half(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..)?.first_chunk::<2>().map(|half| u16::from_le_bytes(*half).into())
}

#[cfg(test)]
mod tests {
    use super::Elf;

    /// A file with two sections in memory, one of them without content, a symbol table and its names.
    fn file() -> Vec<u8> {
        let mut bytes = b"\x7fELF\x01\x01".to_vec();
        bytes.resize(0x34, 0);
        bytes[0x20] = 0x34;
        bytes[0x2e] = 40;
        bytes[0x30] = 4;
        let names = u32::try_from(0x34 + 4 * 40 + 32).unwrap();
        for [kind, flags, offset, size, link] in
            [[1, 2, 0, 100, 0], [8, 3, 0, 5000, 0], [2, 0, names - 32, 32, 3], [3, 0, names, 20, 0]]
        {
            for word in [0, kind, flags, 0, offset, size, link, 0, 0, 0] {
                bytes.extend(word.to_le_bytes());
            }
        }
        for name in [0_u32, 1] {
            bytes.extend(name.to_le_bytes());
            bytes.extend([0; 12]);
        }
        bytes.extend(b"\0__rust_alloc\0");
        bytes
    }

    #[test]
    fn flash_is_what_has_content_and_stays_in_memory() {
        let elf = Elf::parse(file()).unwrap();
        assert_eq!(elf.flash(), 100);
        assert_eq!(elf.symbols(), ["__rust_alloc"]);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(Elf::parse(b"#!/bin/sh".to_vec()).is_none());
        assert!(Elf::parse(file()[..80].to_vec()).is_none());
        let mut wide = file();
        wide[4] = 2;
        assert!(Elf::parse(wide).is_none(), "64 bits");
    }
}
