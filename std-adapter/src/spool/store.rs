//! `Store`: requests in a file, in order, each written whole or not at all.
//!
//! A request is cut into pieces that fill a page of the store well, under the key (number of the request, number of the
//! piece). The first piece begins with a header, by which a request that the disk has changed is told from one that is whole.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::SpoolError;

const REQUESTS: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("requests");
/// Tells a header from anything else, and its form from later ones.
const MARK: [u8; 4] = *b"CLW1";
/// Mark, spans, length, checksum.
const HEADER: usize = 4 + 4 + 4 + 4;
/// Bytes of a request in one value: with key and bookkeeping that just fills a page of 64 KiB.
const PIECE: usize = (64 << 10) - 512;
/// What the store may keep of the file in memory.
const CACHE: usize = 4 << 20;
/// The store gives a file back to the disk when it is larger than this and empty.
const LARGE_FILE: u64 = 1 << 20;

/// A request that lies in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) number: u64,
    pub(super) spans: usize,
    /// What it takes of the store's limit.
    pub(super) charge: u64,
}

/// Why an operation failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another process, or another destination of this one, has the file open.
    InUse,
    /// The file is not what was written to it.
    Damaged(String),
    /// The disk does not do what it should; the file may be all right.
    Disk(String),
}

/// An open file of requests. One process at a time has it.
pub(super) struct Store {
    path: PathBuf,
    /// None after a failure, until it could be opened again.
    database: Option<Database>,
}

impl Store {
    /// Opens the file at `path`, or makes it. A damaged file is put aside and a new one begun.
    ///
    /// Answers what the file holds, in order, and why a file was put aside.
    pub(super) fn open(path: PathBuf) -> Result<(Self, Vec<Found>, Option<String>), SpoolError> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(|error| SpoolError::unusable(&path, &error))?;
        }
        let mut store = Self { path, database: None };
        let mut damage = None;
        let found = match store.reopen().and_then(|()| store.list()) {
            Err(Failure::Damaged(reason)) => {
                store.put_aside()?;
                damage = Some(reason);
                store.reopen().map(|()| Vec::new())
            }
            other => other,
        };
        match found {
            Ok(found) => Ok((store, found, damage)),
            Err(failure) => Err(SpoolError::new(&store.path, &failure)),
        }
    }

    /// Writes requests, of which each has its number, its spans and its bytes, and removes others. When this returns it has
    /// reached the disk.
    pub(super) fn write(&mut self, requests: &[(u64, usize, &[u8])], removed: &[u64]) -> Result<(), Failure> {
        self.with(|database| {
            let transaction = database.begin_write()?;
            {
                let mut table = transaction.open_table(REQUESTS)?;
                for number in removed {
                    let mut piece = 0;
                    while table.remove((*number, piece))?.is_some() {
                        piece += 1;
                    }
                }
                for (number, spans, bytes) in requests {
                    let mut first = header(*spans, bytes).to_vec();
                    let cut = bytes.len().min(PIECE - HEADER);
                    first.extend_from_slice(&bytes[..cut]);
                    table.insert((*number, 0), first.as_slice())?;
                    for (piece, part) in (1..).zip(bytes[cut..].chunks(PIECE)) {
                        table.insert((*number, piece), part)?;
                    }
                }
            }
            transaction.commit()?;
            Ok(())
        })
    }

    /// Reads a request. `None` if it is not what was written.
    pub(super) fn read(&mut self, number: u64) -> Result<Option<Vec<u8>>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(REQUESTS)?;
            let mut whole = Vec::new();
            for piece in table.range((number, 0)..=(number, u32::MAX))? {
                whole.extend_from_slice(piece?.1.value());
            }
            let is_whole = whole
                .split_at_checked(HEADER)
                .is_some_and(|(head, bytes)| spans_in(head).is_some_and(|spans| *head == header(spans, bytes)));
            if !is_whole {
                return Ok(None);
            }
            whole.drain(..HEADER);
            Ok(Some(whole))
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the damaged file aside and begins a new one.
    pub(super) fn replace(&mut self) -> Result<(), SpoolError> {
        self.put_aside()?;
        self.reopen().map_err(|failure| SpoolError::new(&self.path, &failure))
    }

    /// Gives the disk back what an empty store does not need.
    pub(super) fn shrink(&mut self) -> Result<(), Failure> {
        if fs::metadata(&self.path).is_ok_and(|file| file.len() <= LARGE_FILE) {
            return Ok(());
        }
        self.with(|database| {
            database.compact()?;
            Ok(())
        })
    }

    fn list(&mut self) -> Result<Vec<Found>, Failure> {
        self.with(|database| {
            let transaction = database.begin_write()?;
            let mut found: Vec<Found> = Vec::new();
            for entry in transaction.open_table(REQUESTS)?.iter()? {
                let (key, value) = entry?;
                let ((number, piece), value) = (key.value(), value.value());
                if piece == 0 {
                    found.push(Found { number, spans: spans_in(value).unwrap_or_default(), charge: 0 });
                }
                if let Some(last) = found.last_mut().filter(|last| last.number == number) {
                    last.charge += piece_charge(value.len());
                }
            }
            transaction.commit()?;
            Ok(found)
        })
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        let is_new = !self.path.exists();
        if is_new {
            make_private(&self.path);
        }
        let open = || Database::builder().set_cache_size(CACHE).create(&self.path);
        let opened = catch_unwind(AssertUnwindSafe(open)).map_err(|_| Failure::Damaged(PANICKED.to_owned()))?;
        self.database = Some(opened.map_err(redb::Error::from)?);
        if is_new {
            self.sync_directory();
        }
        Ok(())
    }

    /// Has the disk keep the file's name as well as its content, where that is something one can ask for.
    fn sync_directory(&self) {
        let directory = self.path.parent().map(File::open);
        // Elsewhere the name is kept without being asked for.
        let _ = directory.map(|directory| directory.and_then(|directory| directory.sync_all()));
    }

    /// Closes the file. The store writes to it while it does, and panics if that finds it damaged.
    fn close(&mut self) {
        let database = self.database.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
    }

    fn put_aside(&mut self) -> Result<(), SpoolError> {
        self.close();
        fs::rename(&self.path, aside(&self.path)).map_err(|error| SpoolError::unusable(&self.path, &error))
    }

    /// Runs an operation on the file. The store panics on some damage instead of answering it, so a panic counts as such.
    fn with<R>(&mut self, work: impl FnOnce(&mut Database) -> Result<R, redb::Error>) -> Result<R, Failure> {
        if self.database.is_none() {
            self.reopen()?;
        }
        let Some(database) = &mut self.database else { return Err(Failure::Disk(String::new())) };
        let result = catch_unwind(AssertUnwindSafe(|| work(database)));
        let result =
            result.map_or_else(|_| Err(Failure::Damaged(PANICKED.to_owned())), |result| result.map_err(Into::into));
        if result.is_err() {
            // It refuses everything after a failure until it is opened again.
            self.close();
        }
        result
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

/// Makes an empty file that only its owner can read: what spans say may be nobody else's business.
fn make_private(path: &Path) {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Where that is impossible, opening it says why.
    let _ = options.open(path);
}

const PANICKED: &str = "what it holds makes no sense";

/// Where a damaged file goes; the one before it there is overwritten.
pub(super) fn aside(path: &Path) -> PathBuf {
    path.with_extension("damaged")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("another process, or another destination of this one, has it open"),
            Self::Damaged(reason) | Self::Disk(reason) => f.write_str(reason),
        }
    }
}

impl From<redb::Error> for Failure {
    fn from(error: redb::Error) -> Self {
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::Io(error) if !matches!(error.kind(), InvalidData | UnexpectedEof) => {
                Self::Disk(error.to_string())
            }
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => Self::Disk(error.to_string()),
            error => Self::Damaged(error.to_string()),
        }
    }
}

/// What a request of so many bytes takes of the limit: what its pieces take of the file.
pub(super) fn charge(bytes: usize) -> u64 {
    let whole = bytes + HEADER;
    let pieces = (whole / PIECE) as u64 * piece_charge(PIECE);
    let rest = whole % PIECE;
    pieces + if rest > 0 { piece_charge(rest) } else { 0 }
}

/// A value has a page to itself, of a size that is a power of two, or shares one that may be half empty.
fn piece_charge(bytes: usize) -> u64 {
    let with_key = bytes as u64 + 128;
    if with_key <= 2048 { 2 * with_key } else { with_key.next_power_of_two() }
}

fn header(spans: usize, bytes: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&MARK);
    header[4..8].copy_from_slice(&u32::try_from(spans).unwrap_or(u32::MAX).to_le_bytes());
    header[8..12].copy_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&header[..12]);
    checksum.update(bytes);
    header[12..].copy_from_slice(&checksum.finalize().to_le_bytes());
    header
}

fn spans_in(header: &[u8]) -> Option<usize> {
    let (mark, rest) = header.split_first_chunk::<4>()?;
    let (spans, _) = rest.split_first_chunk::<4>()?;
    let spans = usize::try_from(u32::from_le_bytes(*spans)).ok()?;
    (*mark == MARK).then_some(spans)
}
