//! What a task prints: headings, lines with durations and, on a terminal, one live line at the bottom.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The widest live line; a wider one would wrap in a small terminal and could not be erased.
const LIVE_WIDTH: usize = 79;
/// How often the live line is drawn again.
const REDRAW: Duration = Duration::from_millis(100);
/// Without a terminal, a sign of life is printed this often.
const HEARTBEAT: Duration = Duration::from_secs(30);

const FRAMES: [char; 4] = ['|', '/', '-', '\\'];

/// Whether stdout is a terminal that understands cursor movement.
pub(crate) fn on_terminal() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb"))
}

/// Prints a line; a closed stdout (`| head`) is no reason to stop the work.
pub(crate) fn line(text: &str) {
    let _closed = writeln!(io::stdout(), "{text}");
}

/// Prints the heading of a step.
pub(crate) fn heading(text: &str) {
    if on_terminal() {
        line(&format!("\n\x1b[1m== {text}\x1b[0m"));
    } else {
        line(&format!("\n== {text}"));
    }
}

/// A duration as a reader wants it: `0.12 s`, `12.3 s`, `3 min 05 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 9.995 {
        format!("{seconds:.2} s")
    } else if seconds < 99.95 {
        format!("{seconds:.1} s")
    } else {
        let whole = duration.as_secs();
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

/// Text without terminal colour codes.
pub(crate) fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\x1b' {
            plain.push(char);
        } else if chars.next() == Some('[') {
            // A control sequence ends with its first byte in 0x40..=0x7e (ECMA-48, section 5.4).
            for char in chars.by_ref() {
                if ('\x40'..='\x7e').contains(&char) {
                    break;
                }
            }
        }
    }
    plain
}

/// What a running program is doing, in one line that is drawn over and over.
pub(crate) struct LiveLine {
    label: String,
    started: Instant,
    latest: String,
    drawn: Option<Instant>,
    frame: usize,
    heartbeat: Instant,
}

impl LiveLine {
    /// Begins a live line for the work named `label`.
    pub(crate) fn start(label: &str) -> Self {
        let now = Instant::now();
        Self { label: label.to_owned(), started: now, latest: String::new(), drawn: None, frame: 0, heartbeat: now }
    }

    /// Notes the latest line of output.
    pub(crate) fn note(&mut self, output: &str) {
        let plain = without_colours(output);
        let plain = plain.trim();
        if !plain.is_empty() {
            plain.clone_into(&mut self.latest);
        }
    }

    /// Prints a line of output above the live line.
    pub(crate) fn print(&mut self, output: &str) {
        self.erase();
        line(output);
        self.note(output);
        self.heartbeat = Instant::now();
    }

    /// Draws the line again when it is time.
    pub(crate) fn tick(&mut self) {
        let now = Instant::now();
        if !on_terminal() {
            if now - self.heartbeat >= HEARTBEAT {
                self.heartbeat = now;
                let elapsed = (now - self.started).as_secs();
                line(&format!("  … {}, {elapsed} s so far: {}", self.label, self.latest));
            }
            return;
        }
        if self.drawn.is_some_and(|drawn| now - drawn < REDRAW) {
            return;
        }
        self.frame = (self.frame + 1) % FRAMES.len();
        let elapsed = (now - self.started).as_secs();
        let text = format!("{} {} {elapsed} s  {}", FRAMES[self.frame], self.label, self.latest);
        let text: String = text.chars().filter(|char| !char.is_control()).take(LIVE_WIDTH).collect();
        let mut out = io::stdout();
        let _closed = write!(out, "\r\x1b[K{text}").and_then(|()| out.flush());
        self.drawn = Some(now);
    }

    fn erase(&mut self) {
        if self.drawn.take().is_some() {
            let mut out = io::stdout();
            let _closed = write!(out, "\r\x1b[K").and_then(|()| out.flush());
        }
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.erase();
    }
}

#[cfg(test)]
mod tests {
    use super::{seconds, without_colours};
    use std::time::Duration;

    #[test]
    fn durations_read_well() {
        assert_eq!(seconds(Duration::from_millis(123)), "0.12 s");
        assert_eq!(seconds(Duration::from_millis(9_996)), "10.0 s");
        assert_eq!(seconds(Duration::from_millis(99_960)), "1 min 39 s");
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn colours_are_removed_and_text_kept() {
        assert_eq!(without_colours("test result: \x1b[32mok\x1b[m. 5 passed"), "test result: ok. 5 passed");
        assert_eq!(without_colours("\x1b[1;38;5;9merror\x1b[0m: ü"), "error: ü");
        assert_eq!(without_colours("cut \x1b["), "cut ");
    }
}
