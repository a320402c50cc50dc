//! `clewline inspect otlp`: an OTLP request from stdin, in the other encoding or as a tree to stdout.

use std::io::{IsTerminal as _, Read as _, Write as _};

use clap::{Args, ValueEnum};
use clewline::server::{JsonError, json_to_protobuf};
use clewline_core::{RequestView, StorageView as _};
use flate2::read::MultiGzDecoder;

use super::tree;
use crate::streams::{MOST_BYTES, read_stdin};
use crate::tail::tree::Style;

/// Convert an OTLP trace request (ExportTraceServiceRequest) from stdin to stdout.
#[derive(Debug, Args)]
pub(super) struct OtlpArguments {
    /// The encoding of the input; gzip is undone by itself. [default: whichever it is]
    #[arg(long, value_enum)]
    from: Option<Encoding>,

    /// The encoding of the output. [default: the one that the input does not have]
    #[arg(long, value_enum)]
    to: Option<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Encoding {
    /// OTLP/protobuf
    Protobuf,
    /// OTLP/JSON
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// OTLP/protobuf
    Protobuf,
    /// OTLP/JSON
    Json,
    /// Each trace as a tree, to read
    Tree,
}

impl Encoding {
    /// A protobuf request cannot begin like a JSON object: `{` would be the tag of a group, which OTLP does not have.
    fn of(input: &[u8]) -> Self {
        if without_mark(input).trim_ascii_start().first() == Some(&b'{') { Self::Json } else { Self::Protobuf }
    }
}

/// Reads stdin and writes stdout.
pub(super) fn convert(arguments: &OtlpArguments) -> Result<(), String> {
    let input = decompress(read_stdin()?)?;
    let from = arguments.from.unwrap_or_else(|| Encoding::of(&input));
    let to = arguments.to.unwrap_or(match from {
        Encoding::Protobuf => Output::Json,
        Encoding::Json => Output::Protobuf,
    });
    let converted;
    let protobuf = match from {
        Encoding::Protobuf => input.as_slice(),
        Encoding::Json => {
            converted = json_to_protobuf(without_mark(&input))
                .map_err(|error: JsonError| format!("not an OTLP request in JSON: {error}"))?;
            converted.as_slice()
        }
    };
    write_request(protobuf, to)
}

/// JSON without the byte order mark that some editors put in front; a reader may ignore it (RFC 8259, section 8.1).
fn without_mark(input: &[u8]) -> &[u8] {
    input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input)
}

/// Writes a request to stdout.
pub(crate) fn write_request(protobuf: &[u8], to: Output) -> Result<(), String> {
    let request = RequestView::parse(protobuf).map_err(|error| format!("not an OTLP request in protobuf: {error}"))?;
    let is_terminal = std::io::stdout().is_terminal();
    let output = match to {
        Output::Protobuf => protobuf.to_vec(),
        Output::Json => to_json(&request, is_terminal)?,
        Output::Tree => tree::draw(&request, Style::of(&std::io::stdout())).into_bytes(),
    };
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(&output)
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("stdout cannot be written: {error}"))
}

/// Undoes gzip, in one or more members (RFC 1952).
fn decompress(input: Vec<u8>) -> Result<Vec<u8>, String> {
    if !input.starts_with(&[0x1f, 0x8b]) {
        return Ok(input);
    }
    let mut output = Vec::new();
    let read = MultiGzDecoder::new(input.as_slice()).take(MOST_BYTES).read_to_end(&mut output);
    let length =
        read.map_err(|error| format!("the gzip data is broken after {} bytes of content: {error}", output.len()))?;
    if length as u64 == MOST_BYTES {
        return Err(format!("the gzip data holds more than {MOST_BYTES} bytes"));
    }
    Ok(output)
}

/// One line, or indented for a person.
fn to_json(request: &RequestView<'_>, is_terminal: bool) -> Result<Vec<u8>, String> {
    let written = if is_terminal { serde_json::to_vec_pretty(request) } else { serde_json::to_vec(request) };
    let mut json = written.map_err(|error| format!("the request cannot be written as JSON: {error}"))?;
    json.push(b'\n');
    Ok(json)
}
