//! Spans as text for people: what the console exporter and the command line share.

use std::borrow::Cow;
use std::io::IsTerminal;

/// Whether escape sequences may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    Plain,
    /// With ANSI colours.
    Colour,
}

impl Style {
    /// Colours in a terminal that has them, unless `NO_COLOR` is set (<https://no-color.org>).
    #[must_use]
    pub fn of(output: &impl IsTerminal) -> Self {
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        if output.is_terminal() && !is_refused && !is_dumb { Self::Colour } else { Self::Plain }
    }

    /// The text, in the colour of an ANSI code such as [`DIM`].
    #[must_use]
    pub fn paint<'a>(self, code: &str, text: &'a str) -> Cow<'a, str> {
        if self == Self::Plain || text.is_empty() {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(format!("\u{1b}[{code}m{text}\u{1b}[0m"))
        }
    }
}

/// Colours for services out of the 256 of a terminal, none of them close to the red of errors.
const PALETTE: [u8; 12] = [39, 214, 77, 141, 44, 178, 111, 176, 114, 80, 149, 180];

/// What matters most.
pub const BOLD: &str = "1";
/// What is there for the sake of completeness.
pub const DIM: &str = "2";
/// What went wrong.
pub const RED: &str = "1;31";

/// The ANSI code of a service's colour: the same for the same name, everywhere.
#[must_use]
pub fn service_colour(name: &str) -> String {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("38;5;{}", PALETTE[hash as usize % PALETTE.len()])
}

/// Text of a span without control characters, which could otherwise steer the reader's terminal.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        Cow::Owned(text.chars().map(|character| if character.is_control() { '·' } else { character }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The text, or as much of it as has room in `width` columns.
#[must_use]
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.chars().count() <= width {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    Cow::Owned(format!("{kept}…"))
}

/// `1 span`, `2 spans`.
#[must_use]
pub fn plural(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A length of time in the unit that needs the fewest digits.
#[must_use]
pub fn duration(nanos: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];
    for (unit, name) in UNITS {
        if nanos >= unit {
            let (whole, thousandths) = (nanos / unit, nanos % unit / (unit / 1000));
            return match whole {
                0..10 => format!("{whole}.{:02} {name}", thousandths / 10),
                10..100 => format!("{whole}.{} {name}", thousandths / 100),
                _ => format!("{whole} {name}"),
            };
        }
    }
    format!("{nanos} ns")
}

/// The time of day in UTC.
#[must_use]
pub fn clock(unix_nano: u64) -> String {
    let milliseconds = unix_nano / 1_000_000;
    let seconds = milliseconds / 1000 % 86_400;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03} UTC", seconds % 60, milliseconds % 1000)
}
