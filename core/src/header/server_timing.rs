//! The way back to the page: the server's context in a `Server-Timing` header, or in a `<meta>` element of the document.
//!
//! Both carry the text of a `traceparent`: `Server-Timing: traceparent;desc="00-…"` (W3C Server Timing, section 4) and
//! `<meta name="traceparent" content="00-…">`. A page can read the header's metrics where it cannot read other headers.

use core::fmt;

use super::text::{HeaderText, is_token_character};
use super::traceparent::{self, Traceparent, TraceparentError};
use crate::SpanContext;

/// The header's name, in lower case as HTTP/2 wants it.
pub const NAME: &str = "server-timing";

/// The metric's name, and the `name` of the `<meta>` element.
pub const METRIC: &str = "traceparent";

/// Why no context was found in `Server-Timing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerTimingError {
    /// No metric is named `traceparent`.
    Missing,
    /// The metric has no `desc` parameter, or one without a value.
    NoDescription,
    /// The metric's text is no `traceparent`.
    Traceparent(TraceparentError),
}

impl fmt::Display for ServerTimingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "server-timing: no metric is named traceparent",
            Self::NoDescription => "server-timing: the metric traceparent has no desc",
            Self::Traceparent(error) => return error.fmt(formatter),
        })
    }
}

impl core::error::Error for ServerTimingError {}

/// Writes the header's value. A server that sends other metrics too may send this as a line of its own.
///
/// ```
/// use clewline_core::{server_timing, traceparent};
/// let context = traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
/// let value = server_timing::value(context);
/// assert_eq!(value.as_str(), "traceparent;desc=\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"");
/// ```
#[must_use]
pub fn value(context: SpanContext) -> HeaderText<74> {
    HeaderText::of(&[b"traceparent;desc=\"", Traceparent::new(context).as_bytes(), b"\""])
}

/// Writes the element for the document's head. To read it, give its `content` to [`traceparent::parse`].
///
/// ```
/// # use clewline_core::{server_timing, traceparent};
/// # let context = traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
/// let element = server_timing::meta_element(context);
/// assert!(element.as_str().starts_with("<meta name=\"traceparent\" content=\"00-0af7"));
/// ```
#[must_use]
pub fn meta_element(context: SpanContext) -> HeaderText<91> {
    HeaderText::of(&[b"<meta name=\"traceparent\" content=\"", Traceparent::new(context).as_bytes(), b"\">"])
}

/// Reads the context from all the lines of that name that arrived: the `desc` of the first metric named `traceparent`,
/// whatever metrics stand around it.
///
/// # Errors
/// Why there is none.
pub fn extract<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<SpanContext, ServerTimingError> {
    lines.into_iter().find_map(find).unwrap_or(Err(ServerTimingError::Missing))
}

/// Goes through the metrics of one line: `name *( OWS ";" OWS parameter [ OWS "=" OWS value ] )`, separated by commas.
fn find(line: &[u8]) -> Option<Result<SpanContext, ServerTimingError>> {
    let mut scanner = Scanner { rest: line };
    while !scanner.rest.is_empty() {
        let is_ours = scanner.token() == METRIC.as_bytes();
        let mut description = None;
        while scanner.take(b';') {
            let name = scanner.token();
            let value = if scanner.take(b'=') { Some(scanner.value()) } else { None };
            // The first of several parameters with one name counts (section 4); names have no case.
            if description.is_none() && name.eq_ignore_ascii_case(b"desc") {
                description = Some(value);
            }
        }
        if is_ours {
            let text = description.flatten().ok_or(ServerTimingError::NoDescription);
            return Some(text.and_then(|text| text.read().map_err(ServerTimingError::Traceparent)));
        }
        // What is no metric is skipped up to the next one (section 4.1: "ignore unknown").
        scanner.skip_metric();
    }
    None
}

/// A parameter's value: a token, or what stands between quotes.
#[derive(Clone, Copy)]
struct Text<'a> {
    bytes: &'a [u8],
    is_quoted: bool,
}

impl Text<'_> {
    fn read(self) -> Result<SpanContext, TraceparentError> {
        if !self.is_quoted || !self.bytes.contains(&b'\\') {
            return traceparent::parse(self.bytes);
        }
        // Quoted pairs (RFC 9110, section 5.6.4). No traceparent needs them, so a small buffer does.
        let mut text = HeaderText::<128>::EMPTY;
        let mut bytes = self.bytes.iter();
        while let Some(byte) = bytes.next() {
            let byte = if *byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte };
            text.push(&[*byte]).ok_or(TraceparentError::Length)?;
        }
        traceparent::parse(text.as_bytes())
    }
}

struct Scanner<'a> {
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    /// Takes the first bytes that `is_wanted` answers true for.
    fn take_while(&mut self, is_wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().position(|byte| !is_wanted(*byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    /// Takes a token and the white space before it; empty if there is none.
    fn token(&mut self) -> &'a [u8] {
        self.take_while(is_white_space);
        self.take_while(is_token_character)
    }

    /// Takes white space, and the delimiter if it comes next.
    fn take(&mut self, delimiter: u8) -> bool {
        self.take_while(is_white_space);
        match self.rest.split_first() {
            Some((first, rest)) if *first == delimiter => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn value(&mut self) -> Text<'a> {
        if !self.take(b'"') {
            return Text { bytes: self.token(), is_quoted: false };
        }
        let mut is_escaped = false;
        let end = self.rest.iter().position(|byte| {
            let ends = !is_escaped && *byte == b'"';
            is_escaped = !is_escaped && *byte == b'\\';
            ends
        });
        // Without a closing quote all of the line is inside.
        let (bytes, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len())).unwrap_or((self.rest, &[]));
        self.rest = rest.get(1..).unwrap_or_default();
        Text { bytes, is_quoted: true }
    }

    /// Takes everything up to and with the next comma that is not quoted.
    fn skip_metric(&mut self) {
        loop {
            self.take_while(|byte| byte != b',' && byte != b'"');
            match self.rest.first() {
                Some(b'"') => drop(self.value()),
                _ => break,
            }
        }
        self.take(b',');
    }
}

const fn is_white_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// A line (`T` stands for the traceparent), whether the context is found, and the rule with its place.
    #[test]
    fn specification_table() {
        use ServerTimingError as E;
        let table: &[(&str, Result<(), E>)] = &[
            (r#"traceparent;desc="T""#, Ok(())),
            // Server Timing, section 4: tokens or quoted strings, white space around delimiters.
            ("traceparent;desc=T", Ok(())),
            ("traceparent \t; desc \t= \tT", Ok(())),
            (r#"traceparent;desc="T" , db;dur=53"#, Ok(())),
            (r#"miss, db;dur=53, app;dur=47.2, traceparent;desc="T""#, Ok(())),
            (r#"cache;desc="Cache Read";dur=23.2,traceparent;desc="T""#, Ok(())),
            // A comma and a semicolon inside quotes separate nothing; neither does an escaped quote end them.
            (r#"a;desc="x,traceparent;desc=\"no\",y",traceparent;desc="T""#, Ok(())),
            (r#"a;desc="\",traceparent;desc=no,\"",traceparent;desc="T""#, Ok(())),
            (r#"a;desc="x\\",traceparent;desc="T""#, Ok(())),
            (r#"traceparent;desc="\00\-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01""#, Ok(())),
            // Parameters: other ones around, the first of one name counts, names have no case.
            (r#"traceparent;dur=1;desc="T";x"#, Ok(())),
            (r#"traceparent;DESC="T";desc=no"#, Ok(())),
            (r#"traceparent;desc=no;desc="T""#, Err(E::Traceparent(TraceparentError::Length))),
            ("traceparent", Err(E::NoDescription)),
            ("traceparent;desc", Err(E::NoDescription)),
            ("traceparent;dur=1", Err(E::NoDescription)),
            (r#"traceparent;desc="""#, Err(E::Traceparent(TraceparentError::Length))),
            // The first metric of the name counts; its name has a case and is whole.
            (r#"traceparent;desc="T", traceparent;desc=no"#, Ok(())),
            ("Traceparent;desc=T", Err(E::Missing)),
            ("traceparents;desc=T", Err(E::Missing)),
            ("a;traceparent;desc=T", Err(E::Missing)),
            ("", Err(E::Missing)),
            (",,\t,", Err(E::Missing)),
            // What is no metric is skipped.
            (r#"@?("x,"), =, ;; ,traceparent;desc="T""#, Ok(())),
            (r#"a "x,traceparent;desc=no",traceparent;desc="T""#, Ok(())),
            (r#"traceparent;desc="T"#, Ok(())),
            (r#"a;desc="T,traceparent;desc=T"#, Err(E::Missing)),
        ];
        for (line, verdict) in table {
            let line = line.replace('T', TEXT);
            let verdict = verdict.map(|()| traceparent::parse(TEXT.as_bytes()).unwrap());
            assert_eq!(extract([line.as_bytes()]), verdict, "{line}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let line = std::format!("traceparent;desc=\"{TEXT}\"");
        assert!(extract([b"db;dur=1" as &[u8], line.as_bytes()]).is_ok());
        assert_eq!(extract([]), Err(ServerTimingError::Missing));
    }

    #[test]
    fn what_is_written_is_read() {
        let context = traceparent::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(extract([value(context).as_bytes()]), Ok(context));
        assert_eq!(meta_element(context).as_str(), std::format!("<meta name=\"traceparent\" content=\"{TEXT}\">"));
    }
}
