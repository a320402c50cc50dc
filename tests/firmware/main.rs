//! Boots the firmware example on emulated boards and reads its line as a host does. Run by
//! `cargo xtask test --only firmware`, which builds the firmware and says by `FIRMWARE` where it is.

mod board;
mod host;

use std::collections::HashMap;

use board::{BOARDS, Board};
use clewline_core::frame::Message;
use clewline_core::{FoundStrings, SpanContext, SpanId, SpanKind, TraceFlags, TraceId};
use host::{Host, SpanRecord};

/// Enough for hundreds of readings on each board.
const BYTES: usize = 30_000;

fn context() -> SpanContext {
    let ids = (TraceId::from_bytes([0x7a; 16]), SpanId::from_bytes([0x5b; 8]));
    let (Some(trace_id), Some(span_id)) = ids else { panic!("not zero") };
    SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED)
}

/// What the host says at once; the chip reads it when it has booted.
fn requests() -> Vec<u8> {
    Host::frames(&[Message::DescriptionRequest, Message::TimeRequest { token: 77 }, Message::Context(context())])
}

/// Whether the chip has read that, up to the context, which is next.
fn is_answered(line: &[u8]) -> bool {
    !Host::reading(line).time_tokens.is_empty()
}

/// The spans of the host's trace, by id.
fn of_trace(spans: &[SpanRecord]) -> HashMap<[u8; 8], &SpanRecord> {
    spans
        .iter()
        .filter(|span| span.trace_id == context().trace_id().to_bytes())
        .map(|span| (span.span_id, span))
        .collect()
}

#[test]
fn every_board_continues_the_hosts_trace_and_loses_nothing() {
    for board in BOARDS {
        let host = Host::reading(&board.run(&requests(), is_answered, BYTES));
        check_line(&host, board);
        check_spans(&host, board);
    }
}

fn check_line(host: &Host, board: &Board) {
    let counts = host.counts();
    assert!(counts.received > 100, "{}: {counts:?}", board.name);
    assert_eq!((counts.lost, counts.damaged, counts.repeated, counts.late), (0, 0, 0, 0), "{}", board.name);
    assert_eq!((counts.dropped_spans, counts.boots), (0, 0), "{}", board.name);
    assert_eq!(host.resource.get("device.model.name").map(String::as_str), Some(board.model), "{}", board.name);
    assert_eq!(host.time_tokens, [77], "{}: the answer to the time request", board.name);
    assert!(host.strings.len() > 5, "{}: {:?}", board.name, host.strings);
    // What the chip tells is what a host finds in the image, without a symbol.
    let image = board.image();
    let table = FoundStrings::find(&image).find_map(|table| table.with_fingerprint(host.build_id));
    let found = table.expect("the table lies in the image").iter().map(str::to_owned);
    assert_eq!((0..).zip(found).collect::<HashMap<_, _>>(), host.strings, "{}", board.name);
}

fn check_spans(host: &Host, board: &Board) {
    let spans = host.spans();
    let trace = of_trace(&spans);
    let named = |name: &str| trace.values().filter(|span| span.name == name).copied().collect::<Vec<_>>();
    let readings = named("read sensor");
    assert!(readings.len() > 20, "{}: {} readings", board.name, readings.len());
    for reading in &readings {
        assert_eq!(reading.parent, Some(context().span_id().to_bytes()), "{}", board.name);
        assert!(reading.is_parent_remote, "{}: the host is another process", board.name);
        assert_eq!(reading.kind, SpanKind::Consumer);
        assert_eq!(reading.attribute("sensor.id"), Some("7"), "{}: {reading:?}", board.name);
        assert_eq!(reading.attribute("sensor.unit"), Some("\"°C\""), "{}", board.name);
        assert!(reading.attribute("sensor.reading.milli").is_some(), "{}", board.name);
    }
    for child in named("sample").iter().chain(&named("convert")) {
        let parent = child.parent.and_then(|id| trace.get(&id));
        // The last reading may not have left yet.
        if let Some(parent) = parent {
            assert_eq!(parent.name, "read sensor", "{}", board.name);
            assert!(!child.is_parent_remote, "{}", board.name);
            assert!(parent.start <= child.start && child.end <= parent.end, "{}: {child:?} in {parent:?}", board.name);
        }
    }
    let unconverted = named("sample").len() - named("convert").len();
    assert!(unconverted <= 1, "{}: {unconverted} conversions missing", board.name);
    let late = named("sample").len() - readings.len();
    assert!(late <= 1, "{}: {late} readings missing", board.name);
    assert!(named("convert").iter().any(|span| span.events == ["reading out of range"]), "{}", board.name);
    let interrupts = named("timer");
    assert!(interrupts.len() > 20, "{}: {} spans of the interrupt", board.name, interrupts.len());
    let mut counts: Vec<u32> =
        interrupts.iter().map(|span| span.attribute("timer.count").unwrap().parse().unwrap()).collect();
    counts.sort_unstable();
    assert!(counts.windows(2).all(|pair| pair[1] == pair[0] + 10), "{}: one in ten, each once: {counts:?}", board.name);
    // Ten milliseconds apart, by the chip's own rate and the host's conversion.
    let mut starts: Vec<u64> = readings.iter().map(|span| span.start).collect();
    starts.sort_unstable();
    for pair in starts.windows(2) {
        let distance = pair[1] - pair[0];
        assert!((8_000_000..14_000_000).contains(&distance), "{}: {distance} ns between readings", board.name);
    }
}

/// A line that swallows single bytes, by a fixed pattern.
fn swallowed(line: &[u8]) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut arrives = |_: &u8| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state % 400 != 0
    };
    line.iter().copied().filter(|byte| arrives(byte)).collect()
}

#[test]
fn a_line_that_swallows_bytes_is_counted_exactly() {
    for board in BOARDS {
        let sent = board.run(&requests(), is_answered, BYTES);
        let frames: Vec<&[u8]> = sent.split_inclusive(|&byte| byte == 0).filter(|run| run.ends_with(&[0])).collect();
        let line = swallowed(&sent);
        // Told without a decoder: which frames still stand whole between two end marks.
        let mut left = line.split_inclusive(|&byte| byte == 0).peekable();
        let mut whole = Vec::new();
        for run in left.by_ref() {
            whole.extend(frames.iter().position(|frame| *frame == run));
        }
        let last = *whole.last().expect("most frames arrive");
        let expected = last + 1 - whole.len();
        assert!(expected > 5, "{}: only {expected} frames were hit", board.name);

        let host = Host::reading(&line);
        let counts = host.counts();
        assert_eq!(counts.received, whole.len() as u64, "{}", board.name);
        assert_eq!(counts.lost, expected as u64, "{}", board.name);
        assert_eq!(counts.dropped_spans, 0, "{}: the chip itself dropped nothing", board.name);
    }
}
