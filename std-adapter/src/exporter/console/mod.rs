//! Spans to stdout: trees for people, or lines of OTLP/JSON for programs.

mod tree;

use std::fmt;
use std::io::{self, Write};

use super::joined::Joined;
use super::json::JsonRequest;
use super::{ExportOutcome, Request, SpanExporter};
use crate::terminal::Style;
use crate::time::Instant;

/// How spans are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsoleFormat {
    /// A tree for each trace, with attributes, events and links; in colour in a terminal, unless `NO_COLOR` is set. Spans of
    /// a trace that are exported later make a tree of their own.
    #[default]
    Tree,
    /// One OTLP/JSON request a line (`protocol/file-exporter.md`), as the OpenTelemetry Collector reads it from a file.
    JsonLines,
}

/// Prints spans.
///
/// What spans hold is printed without control characters in trees and escaped in JSON: it cannot steer a terminal.
pub struct ConsoleExporter {
    format: ConsoleFormat,
    style: Style,
    /// `None` is stdout, locked for one request at a time.
    output: Option<Box<dyn Write + Send>>,
    joined: Joined,
    json: JsonRequest,
}

impl ConsoleExporter {
    /// Prints to stdout.
    #[must_use]
    pub fn new(format: ConsoleFormat) -> Self {
        let style = Style::of(&io::stdout());
        Self { format, style, output: None, joined: Joined::default(), json: JsonRequest::default() }
    }

    /// Prints to `output` without colours, one write for each request.
    #[must_use]
    pub fn to_writer(format: ConsoleFormat, output: impl Write + Send + 'static) -> Self {
        Self { style: Style::Plain, output: Some(Box::new(output)), ..Self::new(format) }
    }

    fn print(&mut self, text: &[u8]) -> ExportOutcome {
        let printed = match &mut self.output {
            Some(output) => output.write_all(text).and_then(|()| output.flush()),
            None => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(text).and_then(|()| stdout.flush())
            }
        };
        match printed {
            Ok(()) => ExportOutcome::Delivered,
            Err(error) => ExportOutcome::Rejected { reason: format!("printing spans: {error}") },
        }
    }
}

impl SpanExporter for ConsoleExporter {
    fn export(&mut self, request: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        match self.format {
            ConsoleFormat::Tree => {
                let (text, rejected) = match self.joined.parse(request) {
                    Ok(view) => tree::draw(&view, self.style),
                    Err(outcome) => return outcome,
                };
                match self.print(text.as_bytes()) {
                    ExportOutcome::Delivered => super::all_but(rejected),
                    other => other,
                }
            }
            ConsoleFormat::JsonLines => {
                let line = match self.json.encode(request) {
                    Ok(json) => [json, b"\n"].concat(),
                    Err(outcome) => return outcome,
                };
                self.print(&line)
            }
        }
    }
}

impl fmt::Debug for ConsoleExporter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ConsoleExporter").field("format", &self.format).finish_non_exhaustive()
    }
}
