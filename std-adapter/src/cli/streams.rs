//! stdin as a whole and stdout as a whole, with errors in words; notes on stderr.

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};

/// What is read of stdin at most, and what compressed input may grow to.
pub(crate) const MOST_BYTES: u64 = 1 << 30;

/// Everything that stdin has, up to [`MOST_BYTES`].
pub(crate) fn read_stdin() -> Result<Vec<u8>, String> {
    let mut input = Vec::new();
    let length = io::stdin().lock().take(MOST_BYTES).read_to_end(&mut input);
    match length {
        Ok(length) if length as u64 == MOST_BYTES => Err(format!("stdin has more than {MOST_BYTES} bytes")),
        Ok(_) => Ok(input),
        Err(error) => Err(format!("stdin cannot be read: {error}")),
    }
}

/// Writes to stdout. Whoever has read enough may close the pipe; everything else that keeps the text from getting there is an error,
/// where `println!` would end the program in a panic.
pub(crate) fn print(text: impl fmt::Display) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("stdout cannot be written: {error}")),
        _ => Ok(()),
    }
}

/// Says something on stderr, if anybody reads it; where nobody does, `eprintln!` would end the program in a panic.
pub(crate) fn note(text: impl fmt::Display) {
    let _nobody_reads_it = writeln!(io::stderr(), "{text}");
}
