//! `clewline firmware spans`: the spans of a recorded line, as OTLP.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use clewline::pipeline::GrowingBuffer;
use clewline_core::compact::read_attributes;
use clewline_core::{Attribute, Batch, CompactSpans, Envelope, Scope, StorageView as _, TimeAnchor};

use super::read;
use super::recording::{Boot, Recording, Spans};
use super::table::Table;
use crate::inspect::otlp::{Output, write_request};
use crate::streams::note;

/// What one span and one request may grow to.
const LONGEST_SPAN: usize = 1 << 20;
const LONGEST_REQUEST: usize = 1 << 30;

/// Expand the recorded bytes of a chip's line to an OTLP request on stdout.
///
/// A recording has ticks and no dates, so its last span ends when the file was written, or at --end; an earlier run of the chip
/// ends when the next one begins.
#[derive(Debug, Args)]
pub(super) struct SpansArguments {
    /// The recorded bytes; `-` is stdin.
    #[arg(value_name = "FILE")]
    input: PathBuf,

    /// A file that `clewline firmware strings` wrote; may be given for several builds. Tables in the recording need none.
    #[arg(long, value_name = "FILE")]
    strings: Vec<PathBuf>,

    /// The time of the last tick, in nanoseconds since the Unix epoch. [default: when the file was last changed]
    #[arg(long, value_name = "NANOS")]
    end: Option<u64>,

    /// How many of its ticks make a second, for a chip that does not say so in the recording.
    #[arg(long, value_name = "NUMBER")]
    ticks_per_second: Option<u32>,

    /// The encoding of the output.
    #[arg(long, value_enum, default_value_t = Output::Json)]
    to: Output,
}

/// Reads the frames and writes their spans. What is missing is told on stderr, and an error if spans are.
pub(super) fn expand(arguments: &SpansArguments) -> Result<(), String> {
    let recording = Recording::read(&read(&arguments.input)?);
    if recording.boots.is_empty() && recording.counts.damaged > 0 {
        return Err(format!("{}: no whole frame is in it", arguments.input.display()));
    }
    let table = |path: &PathBuf| Table::from_json(&read(path)?).map_err(|error| format!("{}: {error}", path.display()));
    let mut tables = arguments.strings.iter().map(table).collect::<Result<Vec<_>, _>>()?;
    tables.extend(recording.tables.iter().filter_map(|(build_id, table)| table.complete(*build_id).ok()));
    let end = arguments.end.map_or_else(|| last_changed(arguments), Ok)?;
    let mut problems = recording.unreadable.clone();
    let mut request = GrowingBuffer::new(LONGEST_REQUEST);
    for (boot, end) in recording.boots.iter().zip(ends(&recording.boots, end, arguments.ticks_per_second)) {
        let table = tables.iter().find(|table| table.build_id == boot.build_id);
        expand_boot(boot, table, end, arguments.ticks_per_second, &mut request, &mut problems)?;
    }
    write_request(request.as_slice(), arguments.to)?;
    report(&recording, &problems)
}

fn last_changed(arguments: &SpansArguments) -> Result<u64, String> {
    let modified = fs::metadata(&arguments.input).and_then(|metadata| metadata.modified());
    let time = modified.unwrap_or_else(|_| SystemTime::now());
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| "the file is from before 1970: give --end".to_owned())?;
    u64::try_from(since.as_nanos()).map_err(|_| "the file is from after 2554: give --end".to_owned())
}

/// When the last tick of each run was.
fn ends(boots: &[Boot], mut end: u64, ticks_per_second: Option<u32>) -> Vec<u64> {
    let mut ends: Vec<u64> = boots
        .iter()
        .rev()
        .map(|boot| {
            let this = end;
            let anchor = TimeAnchor { ticks: 0, unix_nanos: 0, ticks_per_second: rate(boot, ticks_per_second) };
            end = end.saturating_sub(anchor.unix_nanos(last_tick(boot)));
            this
        })
        .collect();
    ends.reverse();
    ends
}

fn rate(boot: &Boot, ticks_per_second: Option<u32>) -> u32 {
    boot.ticks_per_second.or(ticks_per_second).unwrap_or(0)
}

fn last_tick(boot: &Boot) -> u64 {
    let spans = boot.spans.iter().flat_map(|spans| match spans {
        Spans::Compact(records) => CompactSpans::new(records),
        Spans::Otlp(_) => CompactSpans::new(&[]),
    });
    spans.flatten().map(|span| span.end_ticks().max(span.start_ticks())).max().unwrap_or(0)
}

/// Adds the spans of one run to the request.
fn expand_boot(
    boot: &Boot,
    table: Option<&Table>,
    end: u64,
    ticks_per_second: Option<u32>,
    request: &mut GrowingBuffer,
    problems: &mut Vec<String>,
) -> Result<(), String> {
    let rate = rate(boot, ticks_per_second);
    let anchor = TimeAnchor { ticks: last_tick(boot), unix_nanos: end, ticks_per_second: rate };
    if rate == 0 && anchor.ticks != 0 {
        return Err("the recording does not say how fast the chip's clock is: give --ticks-per-second".to_owned());
    }
    let mut resource: Vec<Attribute<'_>> = Vec::new();
    for attribute in read_attributes(&boot.resource) {
        match attribute {
            Ok(attribute) => resource.push(attribute),
            Err(error) => problems.push(format!("resource: {error}")),
        }
    }
    let mut batch = Batch::new(GrowingBuffer::new(LONGEST_REQUEST));
    let mut fields = Vec::new();
    for spans in &boot.spans {
        match spans {
            Spans::Otlp(otlp) => fields.extend_from_slice(otlp),
            Spans::Compact(records) => {
                for span in CompactSpans::new(records) {
                    let strings = |id: u32| table.and_then(|table| table.get(id));
                    let expanded =
                        span.and_then(|span| span.expand(&strings, &anchor, GrowingBuffer::new(LONGEST_SPAN)));
                    match expanded {
                        Ok(span) => batch.push(&span.span, span.end_time).map_err(|error| error.to_string())?,
                        Err(error) if table.is_none() => {
                            problems.push(format!(
                                "a span of build {:08x}, of which there is no table: {error}",
                                boot.build_id
                            ));
                        }
                        Err(error) => problems.push(format!("a span of build {:08x}: {error}", boot.build_id)),
                    }
                }
            }
        }
    }
    fields.extend_from_slice(batch.as_bytes());
    if fields.is_empty() {
        return Ok(());
    }
    let envelope = Envelope::new(GrowingBuffer::default(), resource.as_slice(), &Scope::default());
    let envelope = envelope.map_err(|error| format!("the chip's resource: {error}"))?;
    envelope.write_request(&fields, request).map_err(|error| format!("the request: {error}"))
}

/// Says what is missing.
fn report(recording: &Recording, problems: &[String]) -> Result<(), String> {
    let counts = recording.counts;
    for (number, one, several) in [
        (counts.lost, "frame was lost on the line", "frames were lost on the line"),
        (counts.damaged, "run of bytes was no frame", "runs of bytes were no frame"),
        (counts.dropped_spans, "span was dropped by the chip", "spans were dropped by the chip"),
    ] {
        if number > 0 {
            note(format_args!("clewline: {number} {}", if number == 1 { one } else { several }));
        }
    }
    let Some(first) = problems.first() else { return Ok(()) };
    Err(format!("{} could not be expanded; the first: {first}", clewline::terminal::plural(problems.len(), "item")))
}
