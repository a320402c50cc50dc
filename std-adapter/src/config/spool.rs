//! Where spans are kept on disk while their collector is away.

use std::path::PathBuf;

use super::environment::{Environment, Show};
use super::names::named;
use super::setting::Setting;

named! {
    /// Which spans go when the spool is full.
    pub enum SpoolOverflow {
        /// The oldest, to make room.
        DropOldest = "drop_oldest",
        /// Those that do not fit any more.
        DropNewest = "drop_newest",
    }
}

/// The disk spool (feature `spool`), one file for each exporter that sends over the network. The variables are of the form
/// that the specification recommends for what is particular to a language.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SpoolConfig {
    /// The directory of the files (`OTEL_RUST_SPOOL_DIRECTORY`); without one nothing is kept on disk.
    pub directory: Setting<Option<PathBuf>>,
    /// Bytes that each file may take (`OTEL_RUST_SPOOL_MAX_BYTES`).
    pub max_bytes: Setting<usize>,
    /// What happens when it is full (`OTEL_RUST_SPOOL_OVERFLOW`).
    pub overflow: Setting<SpoolOverflow>,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            directory: Setting::default(None),
            max_bytes: Setting::default(256 << 20),
            overflow: Setting::default(SpoolOverflow::DropOldest),
        }
    }
}

impl SpoolConfig {
    /// The least that a spool can work with.
    pub(super) const LEAST_BYTES: usize = 2 << 20;

    pub(super) fn read(&mut self, environment: &mut Environment<'_>) {
        environment.read(&["OTEL_RUST_SPOOL_DIRECTORY"], Show::Value, &mut self.directory, |text, _| {
            Ok(Some(PathBuf::from(text)))
        });
        environment.count(&["OTEL_RUST_SPOOL_MAX_BYTES"], Self::LEAST_BYTES, &mut self.max_bytes);
        environment
            .read(&["OTEL_RUST_SPOOL_OVERFLOW"], Show::Value, &mut self.overflow, |text, _| SpoolOverflow::read(text));
    }
}
