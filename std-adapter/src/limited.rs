//! Texts of values that are not ours: what their `Display` or `Debug` says, up to a limit, and whatever it answers.

use std::error::Error;
use std::fmt::{self, Display, Write as _};

/// What one value may become. One that goes on is stopped there, so that it neither fills the memory nor takes for ever; much
/// less fits into a span.
pub(crate) const MOST_BYTES: usize = 1024 * 1024;

/// Writes up to a length.
pub(crate) struct Limited<'t> {
    pub(crate) text: &'t mut String,
    pub(crate) end: usize,
}

impl fmt::Write for Limited<'_> {
    #[inline]
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let room = self.end.saturating_sub(self.text.len());
        if piece.len() <= room {
            self.text.push_str(piece);
            return Ok(());
        }
        self.text.push_str(piece.get(..piece.floor_char_boundary(room)).unwrap_or_default());
        // Whatever comes now finds no room.
        self.end = self.text.len();
        Err(fmt::Error)
    }
}

/// What a value shows. A `Display` that reports an error has said what it could; `to_string` would panic over it.
pub(crate) fn text(value: &(impl Display + ?Sized)) -> String {
    let mut text = String::new();
    let _ = write!(Limited { text: &mut text, end: MOST_BYTES }, "{value}");
    text
}

/// Writes one line for each source of an error, until there is no more of them, or no more room: it may be its own.
///
/// # Errors
/// There is no more room, or a source could not be shown.
pub(crate) fn write_sources<E: Error + ?Sized>(error: &E, text: &mut Limited<'_>) -> fmt::Result {
    let mut source = error.source();
    let mut line = "";
    while let Some(cause) = source {
        write!(text, "{line}caused by: {cause}")?;
        (source, line) = (cause.source(), "\n");
    }
    Ok(())
}

/// The sources of an error as a text.
pub(crate) fn sources<E: Error + ?Sized>(error: &E) -> String {
    let mut text = String::new();
    let _ = write_sources(error, &mut Limited { text: &mut text, end: MOST_BYTES });
    text
}
