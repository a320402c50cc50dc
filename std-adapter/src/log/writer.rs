//! Writers that put ids into a line while another formatter writes it.

use std::fmt::{self, Write};

use clewline_core::SpanContext;

use super::Suffix;

/// Holds back the end of the line, so that something can be written before it.
pub(super) struct BeforeEnd<W> {
    inner: W,
    /// Line ends that were not passed on yet.
    ends: usize,
}

impl<W: Write> BeforeEnd<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, ends: 0 }
    }

    /// Writes the ids and the end of the line.
    pub(super) fn finish(mut self, context: Option<SpanContext>) -> fmt::Result {
        write!(self.inner, "{}", Suffix(context))?;
        self.pass_ends()
    }

    fn pass_ends(&mut self) -> fmt::Result {
        for _ in 0..std::mem::take(&mut self.ends) {
            self.inner.write_char('\n')?;
        }
        Ok(())
    }
}

impl<W: Write> Write for BeforeEnd<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let line = text.trim_end_matches('\n');
        if !line.is_empty() {
            self.pass_ends()?;
            self.inner.write_str(line)?;
        }
        self.ends += text.len() - line.len();
        Ok(())
    }
}

/// Puts ids at the front of a JSON object.
pub(super) struct IntoObject<W> {
    inner: W,
    context: Option<SpanContext>,
    state: State,
}

enum State {
    /// The object has not begun.
    Before,
    /// The ids were written, and what follows is not known yet.
    Written,
    Rest,
}

impl<W: Write> IntoObject<W> {
    pub(super) fn new(inner: W, context: Option<SpanContext>) -> Self {
        Self { inner, context, state: State::Before }
    }

    /// Writes a whole object as it is.
    pub(super) fn pass(mut self, object: &str) -> fmt::Result {
        self.inner.write_str(object)
    }

    /// Writes the ids if the object begins in `text`; answers what is left of it.
    fn begin<'t>(&mut self, text: &'t str) -> Result<&'t str, fmt::Error> {
        let Some(at) = text.find('{') else {
            self.inner.write_str(text)?;
            return Ok("");
        };
        let (before, rest) = text.split_at(at + 1);
        self.inner.write_str(before)?;
        self.state = State::Rest;
        if let Some(context) = &self.context {
            let (trace_id, span_id, flags) = (context.trace_id(), context.span_id(), context.flags().bits());
            write!(self.inner, r#""trace_id":"{trace_id}","span_id":"{span_id}","trace_flags":"{flags:02x}""#)?;
            self.state = State::Written;
        }
        Ok(rest)
    }
}

impl<W: Write> Write for IntoObject<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        if let State::Before = self.state {
            rest = self.begin(rest)?;
        }
        if let State::Written = self.state
            && let Some(first) = rest.trim_start().chars().next()
        {
            // An object that was empty needs no comma.
            if first != '}' {
                self.inner.write_char(',')?;
            }
            self.state = State::Rest;
        }
        self.inner.write_str(rest)
    }
}

/// What the ids are called in JSON.
pub(super) const NAMES: [&str; 3] = ["trace_id", "span_id", "trace_flags"];

/// Whether an object has a member of one of the [`NAMES`] itself, not in an object within.
pub(super) fn has_names(object: &str) -> bool {
    let (mut rest, mut depth) = (object, 0_usize);
    while let Some(at) = rest.find(['{', '}', '[', ']', '"']) {
        let (found, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = after;
        match found {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {
                let (text, after) = split_text(after);
                if depth == 1 && NAMES.contains(&text) && after.trim_start().starts_with(':') {
                    return true;
                }
                rest = after;
            }
        }
    }
    false
}

/// What stands before the quotation mark that ends a text, and behind it.
fn split_text(text: &str) -> (&str, &str) {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or((text, ""), |end| (&text[..end], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use clewline_core::traceparent;

    use super::*;

    fn context() -> Option<SpanContext> {
        traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").ok()
    }

    #[test]
    fn ids_stand_before_the_end_of_the_line_however_it_is_written() {
        const IDS: &str = " trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331";
        for pieces in [&["INFO told", "\n"][..], &["INFO told\n"], &["INFO", " told", "", "\n"], &["INFO told"]] {
            for context in [context(), None] {
                let mut line = String::new();
                let mut writer = BeforeEnd::new(&mut line);
                pieces.iter().for_each(|piece| writer.write_str(piece).unwrap());
                writer.finish(context).unwrap();
                let end = if pieces.concat().ends_with('\n') { "\n" } else { "" };
                assert_eq!(line, format!("INFO told{}{end}", if context.is_some() { IDS } else { "" }), "{pieces:?}");
            }
        }
        let mut lines = String::new();
        let mut writer = BeforeEnd::new(&mut lines);
        for piece in ["first\n", "second", "\n", "\n"] {
            writer.write_str(piece).unwrap();
        }
        writer.finish(context()).unwrap();
        assert_eq!(lines, format!("first\nsecond{IDS}\n\n"), "the last line has them");
    }

    #[test]
    fn members_of_an_object_are_told_from_those_within() {
        for (object, expected) in [
            (r#"{"trace_id":"x"}"#, true),
            (r#"{"a":{"b":[{}]}, "span_id" : 1}"#, true),
            (r#"{"a":"\\\"{","trace_flags":"x"}"#, true),
            (r#"{"fields":{"trace_id":"x"}}"#, false),
            (r#"{"message":"\"trace_id\":","b":["trace_id"]}"#, false),
            (r#"{"message":"trace_id"}"#, false),
            (r#"{"a":"\\","b":"\"trace_id\":1"}"#, false),
            (r#"{"trace_id"#, false),
            ("", false),
        ] {
            assert_eq!(has_names(object), expected, "{object}");
        }
    }

    #[test]
    fn ids_are_the_first_of_an_object_however_it_is_written() {
        const IDS: &str =
            r#""trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","trace_flags":"01""#;
        for (object, rest) in
            [(r#"{"level":"INFO"}"#, r#","level":"INFO"}"#), ("{}", "}"), ("{ }", " }"), ("{\n1", ",\n1")]
        {
            for size in 1..=object.len() {
                for context in [context(), None] {
                    let mut line = String::new();
                    let mut writer = IntoObject::new(&mut line, context);
                    for piece in object.as_bytes().chunks(size) {
                        writer.write_str(std::str::from_utf8(piece).unwrap()).unwrap();
                    }
                    let expected = if context.is_some() { format!("{{{IDS}{rest}") } else { object.to_owned() };
                    // White space may come before the comma or behind it.
                    let without_space = |text: &str| text.replace([' ', '\n'], "");
                    assert_eq!(without_space(&line), without_space(&expected), "{object} in pieces of {size}");
                }
            }
        }
    }
}
