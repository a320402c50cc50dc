//! The disk spool: keeps spans in a file while their collector is away, and delivers them in order when it is back.
//!
//! The spool takes over when an attempt ends in an outcome that may be better later, or hangs while spans pile up or somebody
//! flushes. From then on every batch goes to the file first and is sent from there, oldest first, until the file is empty. What is
//! in the file survives the end of the process, however it comes, and leaves when the next one starts.
//!
//! - **When it is safe.** A batch counts as [spooled](crate::Ledger::spooled) once the disk has confirmed it (`fsync`), and
//!   [`flush`](crate::Pipeline::flush) waits for that: what ended before a flush that succeeded is delivered at least once, even if the
//!   process is killed the moment after. Twice, if it ends between the collector's answer and its note of it.
//! - **How much.** [`SpoolOptions::max_bytes`] bounds the file. A copy of what changes is written before the old is given up, and
//!   the file grows by doubling, so that about two fifths of the bound hold spans. When it is full, the oldest or the
//!   newest go ([`WhenFull`]) and are counted.
//! - **When the file is damaged**, it is put aside under the ending `.damaged` and a new one begun. A line says so; spans of this
//!   process that were in it are counted as dropped.
//! - **Who can read it**: on Unix, the user that the program runs as; a file that is there already keeps its permissions.
//! - **One process at a time** has a file; a second one gets [`SpoolError::InUse`].
//!
//! The store is [redb](https://www.redb.org): pure Rust, one dependency, one file, copy on write, a file format that is stable since
//! 2023. A batch costs one `fsync`, half a millisecond on a solid-state disk. Measured beside it, fjall brings forty crates and
//! a directory of journals.

mod keeper;
mod store;

use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) use keeper::{Spool, Stored};
use store::Failure;

/// Where spans are kept while their collector is away, and how many (feature `spool`).
///
/// ```
/// use clewline::spool::{SpoolOptions, WhenFull};
/// let options = SpoolOptions::new("/var/spool/shop").max_bytes(1 << 30).when_full(WhenFull::DropNewest);
/// # let _ = options;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolOptions {
    directory: PathBuf,
    max_bytes: u64,
    when_full: WhenFull,
}

/// Which spans go when the spool is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest, to make room.
    #[default]
    DropOldest,
    /// Those that do not fit any more.
    DropNewest,
}

impl SpoolOptions {
    /// The bytes that a spool's file may take, where nothing else is said: 256 MiB.
    pub const DEFAULT_MAX_BYTES: u64 = 256 << 20;
    /// The least that a spool can work with; smaller bounds count as this.
    pub const LEAST_MAX_BYTES: u64 = 2 << 20;

    /// A spool in `directory`, which is made if it is not there. Every destination has a file of its own name in it.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), max_bytes: Self::DEFAULT_MAX_BYTES, when_full: WhenFull::default() }
    }

    /// Sets how many bytes each file may take, at least [`LEAST_MAX_BYTES`](Self::LEAST_MAX_BYTES).
    #[must_use]
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Sets which spans go when it is full.
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Where the spool of the destination called `name` is.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        let plain =
            |character: char| if character.is_ascii_alphanumeric() || character == '-' { character } else { '_' };
        let name: String = name.chars().map(plain).collect();
        self.directory.join(if name.is_empty() { "spool".to_owned() } else { name }).with_extension("redb")
    }
}

/// Why a spool cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpoolError {
    /// Another process, or another destination of this one, has the file open.
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file or its directory cannot be made, read or written.
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

impl SpoolError {
    fn new(path: &Path, failure: &Failure) -> Self {
        match failure {
            Failure::InUse => Self::InUse { path: path.to_owned() },
            other => Self::unusable(path, other),
        }
    }

    fn unusable(path: &Path, reason: &impl fmt::Display) -> Self {
        Self::Unusable { path: path.to_owned(), reason: reason.to_string() }
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { path } => write!(
                f,
                "the spool {} is in use by another process or destination: give each a directory of its own",
                path.display()
            ),
            Self::Unusable { path, reason } => write!(f, "the spool {} cannot be used: {reason}", path.display()),
        }
    }
}

impl std::error::Error for SpoolError {}
