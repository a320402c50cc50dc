//! `clewline firmware`, run as the binary that users run: a string table becomes a file, which is then all that is needed to
//! expand what a chip sent.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clewline_core::compact::write_attributes;
use clewline_core::frame::{FrameEncoder, Message, StringsChunk};
use clewline_core::{
    Compact, CountingIds, IdSource, InlineSpan, SpanContext, SpanKind, SpanLimits, SpanStart, Status, StringTable,
    TraceFlags, Value, string_table,
};
use serde_json::{Value as Json, json};

string_table! {
    /// What the firmware records. It also lies in the image of this test, as it would in a firmware's.
    struct Names {
        READING = "sensor.reading",
        UNIT = "sensor.unit",
        CELSIUS = "°C",
        READ = "read sensor",
        RANGE = "reading out of range",
    }
}

const BUILD: u32 = Names::FINGERPRINT;
const TICKS_PER_SECOND: u32 = 1_000_000;

/// One span of `ticks`, in compact form, as `Message::Spans` holds it.
fn span(ids: &CountingIds, start: u64, ticks: u64, reading: i64) -> Vec<u8> {
    let start = SpanStart {
        context: SpanContext::new(ids.trace_id(), ids.span_id(), TraceFlags::SAMPLED),
        parent: None,
        name: Names::READ,
        kind: SpanKind::Consumer,
        start_time: start,
        trace_state: "",
        limits: SpanLimits::DEFAULT,
    };
    let mut span = InlineSpan::<128, Compact<Names>>::new(heapless::Vec::new(), &start);
    span.set(Names::READING, reading).set(Names::UNIT, Names::CELSIUS).set("not.interned", "text");
    span.event(Names::RANGE, start.start_time + 1);
    span.set_status(Status::error("too hot"));
    let mut bytes = heapless::Vec::<u8, 256>::new();
    span.write_to(start.start_time + ticks, bytes.as_mut_view()).unwrap();
    bytes.to_vec()
}

fn encode(encoder: &mut FrameEncoder, message: &Message<'_>) -> Vec<u8> {
    encoder.encode(message, 2, &mut [0; 600]).unwrap().to_vec()
}

fn resource(encoder: &mut FrameEncoder) -> Vec<u8> {
    let mut attributes = heapless::Vec::<u8, 128>::new();
    write_attributes(&[("service.name", Value::from("sensor"))], attributes.as_mut_view()).unwrap();
    encode(encoder, &Message::Resource { ticks_per_second: TICKS_PER_SECOND, attributes: &attributes })
}

fn strings(encoder: &mut FrameEncoder) -> Vec<u8> {
    let mut chunk = StringsChunk::<32>::new();
    let (mut line, mut first) = (Vec::new(), 0);
    while let Some(next) = chunk.fill(&Names::strings(), first) {
        line.extend(encode(encoder, &Message::Strings(chunk.message())));
        first = next;
    }
    line
}

fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

fn firmware(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_clewline")).arg("firmware").args(arguments).output().unwrap()
}

/// What a successful run wrote, and what it remarked.
fn output(arguments: &[&str]) -> (String, String) {
    let output = firmware(arguments);
    let remarks = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{remarks}");
    (String::from_utf8(output.stdout).unwrap(), remarks)
}

fn error(arguments: &[&str]) -> String {
    let output = firmware(arguments);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

/// The table of this test's own image, exported by the tool.
fn table_file(name: &str) -> PathBuf {
    let image = std::env::current_exe().unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let build = format!("{BUILD:08x}");
    let arguments = ["strings", image.to_str().unwrap(), "--from", "image", "--build-id", &build, "-o"];
    output(&[&arguments[..], &[path.to_str().unwrap()]].concat());
    path
}

fn spans_of(request: &str) -> Vec<Json> {
    let request: Json = serde_json::from_str(request).unwrap();
    let groups = request["resourceSpans"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["scopeSpans"][0]["spans"].as_array().unwrap().clone()).collect()
}

#[test]
fn a_recording_is_expanded_by_the_table_of_the_image_alone() {
    let table = table_file("image.json");
    let written: Json = serde_json::from_slice(&fs::read(&table).unwrap()).unwrap();
    assert_eq!(
        written,
        json!({
            "build_id": format!("{BUILD:08x}"),
            "strings": ["sensor.reading", "sensor.unit", "°C", "read sensor", "reading out of range"],
        })
    );

    // The chip's resource and spans; it never sends a string of its table.
    let (ids, mut encoder) = (CountingIds::new(), FrameEncoder::new(BUILD, 1));
    let mut line = resource(&mut encoder);
    line.extend(encode(
        &mut encoder,
        &Message::Spans(&[span(&ids, 1_000, 250, 21), span(&ids, 2_000, 500, 35)].concat()),
    ));
    let recording = file("image.frames", &line);
    let arguments = ["spans", recording.to_str().unwrap(), "--end", "1700000000000000000", "--strings"];
    let (request, remarks) = output(&[&arguments[..], &[table.to_str().unwrap()]].concat());
    assert_eq!(remarks, "clewline: 2 spans were dropped by the chip\n");
    let parsed: Json = serde_json::from_str(&request).unwrap();
    assert_eq!(
        parsed["resourceSpans"][0]["resource"]["attributes"],
        json!([{"key": "service.name", "value": {"stringValue": "sensor"}}])
    );
    let spans = spans_of(&request);
    assert_eq!(spans.len(), 2);
    let last = &spans[1];
    assert_eq!(last["name"], "read sensor");
    // The last tick is the given time; a tick is a microsecond.
    assert_eq!(last["endTimeUnixNano"], "1700000000000000000");
    assert_eq!(last["startTimeUnixNano"], "1699999999999500000");
    assert_eq!(spans[0]["endTimeUnixNano"], "1699999999998750000");
    assert_eq!(
        last["attributes"],
        json!([
            {"key": "sensor.reading", "value": {"intValue": "35"}},
            {"key": "sensor.unit", "value": {"stringValue": "°C"}},
            {"key": "not.interned", "value": {"stringValue": "text"}},
        ])
    );
    assert_eq!(last["events"][0]["name"], "reading out of range");
    assert_eq!(last["status"], json!({"message": "too hot", "code": 2}));

    let unknown = error(&arguments[..4]);
    assert!(
        unknown.contains("2 items") && unknown.contains(&format!("{BUILD:08x}, of which there is no table")),
        "{unknown}"
    );
}

#[test]
fn a_recording_that_holds_the_table_gives_the_same_file() {
    let mut encoder = FrameEncoder::new(BUILD, 1);
    let told = strings(&mut encoder);
    let recording = file("told.frames", &told);
    let (written, _) = output(&["strings", recording.to_str().unwrap()]);
    assert_eq!(written, fs::read_to_string(table_file("told.json")).unwrap());

    let first_frame = told.split_inclusive(|byte| *byte == 0).next().unwrap();
    let incomplete = file("incomplete.frames", first_frame);
    let message = error(&["strings", incomplete.to_str().unwrap()]);
    assert!(message.contains("of the 5 strings of build"), "{message}");
    let build = format!("{:08x}", !BUILD);
    let other = error(&["strings", recording.to_str().unwrap(), "--build-id", &build]);
    assert!(other.contains(&format!("no strings of build {build}")), "{other}");
}

/// The runs of a chip follow each other, and what the line lost is told.
#[test]
fn boots_and_losses_are_told_apart() {
    let ids = CountingIds::new();
    let mut line = Vec::new();
    for epoch in [1, 2] {
        let mut encoder = FrameEncoder::new(BUILD, epoch);
        line.extend(resource(&mut encoder));
        line.extend(strings(&mut encoder));
        line.extend(encode(&mut encoder, &Message::Spans(&span(&ids, 500_000, 500_000, 1))));
    }
    // After the second boot: a frame that is lost, one that is garbled, and one more span.
    let mut encoder = FrameEncoder::new(BUILD, 2);
    for _ in 0..100 {
        encode(&mut encoder, &Message::Spans(b""));
    }
    line.extend_from_slice(b"garbage\0");
    line.extend(encode(&mut encoder, &Message::Spans(&span(&ids, 2_000_000, 0, 1))));
    let recording = file("boots.frames", &line);
    let (request, remarks) = output(&["spans", recording.to_str().unwrap(), "--end", "10000000000"]);
    let ends: Vec<Json> = spans_of(&request).iter().map(|span| span["endTimeUnixNano"].clone()).collect();
    // The second run took two seconds, so the first ended at eight.
    assert_eq!(ends, ["8000000000", "9000000000", "10000000000"]);
    assert!(remarks.contains("frames were lost") && remarks.contains("1 run of bytes was no frame"), "{remarks}");
}

/// A recording stops where somebody stopped it: what was cut off is told, and what was not is there.
#[test]
fn a_frame_that_the_end_cut_off_is_told() {
    let ids = CountingIds::new();
    let mut encoder = FrameEncoder::new(BUILD, 1);
    let mut line = resource(&mut encoder);
    line.extend(strings(&mut encoder));
    line.extend(encode(&mut encoder, &Message::Spans(&span(&ids, 1, 1, 1))));
    let whole = line.len();
    line.extend(encode(&mut encoder, &Message::Spans(&span(&ids, 2, 1, 2))));
    for (length, spans, is_told) in [(whole, 1, false), (line.len() - 1, 2, false), (line.len() - 2, 1, true)] {
        let recording = file(&format!("cut-{length}.frames"), &line[..length]);
        let (request, remarks) = output(&["spans", recording.to_str().unwrap()]);
        assert_eq!(spans_of(&request).len(), spans, "{length} of {}", line.len());
        assert_eq!(remarks.contains("1 run of bytes was no frame"), is_told, "{remarks}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let empty = file("empty.frames", b"");
    assert!(error(&["strings", empty.to_str().unwrap()]).contains("no string table"));
    let no_table = file("broken.json", b"{}");
    let arguments = ["spans", empty.to_str().unwrap(), "--strings", no_table.to_str().unwrap()];
    let message = error(&arguments);
    assert!(message.contains("broken.json: not the file of a string table"), "{message}");
    for other in [b"service_name = 'no recording'".as_slice(), b"\x7fELF\0\x01\0\0text\0"] {
        let other = file("other.file", other);
        let message = error(&["spans", other.to_str().unwrap()]);
        assert!(message.contains("other.file: no whole frame is in it"), "{message}");
    }
    assert!(error(&["spans", "/nowhere/recording"]).contains("cannot be read"));
    // A chip that does not say how fast its clock is.
    let mut encoder = FrameEncoder::new(BUILD, 1);
    let mut line = strings(&mut encoder);
    line.extend(encode(&mut encoder, &Message::Spans(&span(&CountingIds::new(), 1, 1, 1))));
    let no_clock = file("clock.frames", &line);
    assert!(error(&["spans", no_clock.to_str().unwrap()]).contains("--ticks-per-second"));
    let (request, _) = output(&["spans", no_clock.to_str().unwrap(), "--ticks-per-second", "1000"]);
    assert_eq!(spans_of(&request).len(), 1);
}
