//! What Clewline has to say about itself, on stderr.

use std::fmt;
use std::io::{self, Write as _};

/// Writes one line. Where stderr is gone there is nowhere left to say that, which must not end the program, as `eprintln!` would.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
