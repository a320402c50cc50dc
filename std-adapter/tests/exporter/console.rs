//! What is printed of spans: trees that can be read, and lines that a program reads.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use clewline::exporter::{ConsoleExporter, ConsoleFormat, ExportOutcome, Request, SpanExporter};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message as _;

use crate::full::{self, START};

/// Keeps what is written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn print(format: ConsoleFormat, request: &ExportTraceServiceRequest) -> (String, ExportOutcome) {
    let paper = Paper::default();
    let mut exporter = ConsoleExporter::to_writer(format, paper.clone());
    let outcome = exporter.export(&Request::new(&[&request.encode_to_vec()], 2), None);
    let text = String::from_utf8(paper.0.lock().expect("no panic").clone()).expect("text");
    (text, outcome)
}

fn tree(request: &ExportTraceServiceRequest) -> String {
    let (text, outcome) = print(ConsoleFormat::Tree, request);
    assert_eq!(outcome, ExportOutcome::Delivered);
    text
}

/// A span of the trace `0x11…` with this id and parent, which starts so many milliseconds later.
fn span(id: u8, parent: Option<u8>, milliseconds: u64) -> Span {
    Span {
        trace_id: vec![0x11; 16],
        span_id: vec![id; 8],
        parent_span_id: parent.map(|parent| vec![parent; 8]).unwrap_or_default(),
        name: format!("span {id}"),
        start_time_unix_nano: START + milliseconds * 1_000_000,
        end_time_unix_nano: START + 100_000_000,
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let mut request = full::request();
    let scopes = &mut request.resource_spans[0].scope_spans;
    scopes.truncate(1);
    scopes[0].spans = spans;
    request
}

#[test]
fn a_span_is_printed_with_everything_it_recorded() {
    let expected = format!(
        "\
trace {trace}  03:04:05.123 UTC  12.3 ms  2 spans, 1 error
GET /cart  shop  12.3 ms  server  ✗ no such cart
│    text=\"quote \\\" and \\u0001 and é\"  truth=false  integer=-9223372036854775808  double=1.5  bytes=AP8=  \
array=[\"a\",2,\"NaN\"]  map={{\"inner\":\"AQL/\"}}  empty=\"\"  nothing=
│    +1.00 µs cache.miss
│    +2.00 µs retry attempt=2  why=timeout
│    → {linked} {span} reason=batch
│    refused: 1 attribute, 2 events, 3 links
└─ SELECT  shop  999 ns  client  ✓
        peer.service=database
",
        trace = "ab".repeat(16),
        linked = "cd".repeat(16),
        span = "0c".repeat(8),
    );
    assert_eq!(tree(&full::request()), expected);
}

#[test]
fn spans_hang_on_their_parents_in_the_order_of_their_starts() {
    let text = tree(&request(vec![
        span(5, Some(3), 9),
        span(4, Some(2), 4),
        span(2, Some(1), 2),
        span(3, Some(1), 1),
        span(1, None, 0),
        span(6, Some(99), 3),
    ]));
    let names: Vec<_> = text.lines().map(|line| line.split("  shop").next().expect("a name")).collect();
    assert_eq!(
        names[1..],
        ["span 1", "├─ span 3", "│  └─ span 5", "└─ span 2", "   └─ span 4", "span 6"],
        "the parent of the last one is not here"
    );
}

#[test]
fn every_span_is_printed_once_whatever_its_parent_says() {
    // Its own parent; each other's parents; the same id twice.
    let text = tree(&request(vec![
        span(1, Some(1), 0),
        span(2, Some(3), 1),
        span(3, Some(2), 2),
        span(4, None, 3),
        span(4, None, 4),
        span(5, Some(4), 5),
    ]));
    let mut names: Vec<_> =
        text.lines().skip(1).map(|line| line.trim_start_matches(['└', '├', '─', ' ', '│']).to_owned()).collect();
    names.sort_unstable();
    let starts: Vec<_> = names.iter().map(|line| line.split("  ").next().expect("a name")).collect();
    assert_eq!(starts, ["span 1", "span 2", "span 3", "span 4", "span 4", "span 5"]);
}

#[test]
fn a_failure_without_a_message_shows_its_exception() {
    let attributes = [("exception.type", "Declined"), ("exception.message", "no funds")];
    let attributes = attributes.map(|(key, value)| full::attribute(key, full::text(value))).to_vec();
    let mut failed = span(1, None, 0);
    failed.events = vec![Event { name: "exception".to_owned(), attributes, ..Event::default() }];
    failed.status = Some(Status { code: 2, ..Status::default() });
    assert!(tree(&request(vec![failed])).contains("✗ Declined: no funds\n"));
}

#[test]
fn each_trace_has_a_tree_of_its_own() {
    let mut other = span(7, None, 0);
    other.trace_id = vec![0x22; 16];
    let text = tree(&request(vec![span(1, None, 0), other, span(2, Some(1), 0)]));
    let traces: Vec<_> = text.lines().filter(|line| line.starts_with("trace ")).collect();
    assert_eq!(traces.len(), 2, "{text}");
    assert!(traces[0].starts_with(&format!("trace {}", "11".repeat(16))) && traces[0].ends_with("2 spans"), "{text}");
    assert!(traces[1].ends_with("1 span"), "{text}");
}

#[test]
fn nothing_that_spans_hold_steers_the_terminal() {
    let mut hostile = span(1, None, 0);
    hostile.name = "\u{1b}[2Jname\nnext".to_owned();
    hostile.attributes = vec![full::attribute("\u{7}key", full::text("\u{1b}]0;title\u{7}"))];
    let text = tree(&request(vec![hostile]));
    assert!(text.contains("·[2Jname·next") && text.contains("·key="), "{text:?}");
    assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
}

#[test]
fn spans_with_an_invalid_id_are_counted() {
    let mut invalid = span(2, None, 0);
    invalid.span_id = vec![0; 8];
    let (text, outcome) = print(ConsoleFormat::Tree, &request(vec![span(1, None, 0), invalid]));
    assert!(matches!(outcome, ExportOutcome::PartiallyRejected { rejected: 1, .. }), "{outcome:?}");
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn a_line_of_json_is_the_whole_request() {
    let (text, outcome) = print(ConsoleFormat::JsonLines, &full::request());
    assert_eq!(outcome, ExportOutcome::Delivered);
    assert_eq!((text.lines().count(), text.ends_with('\n')), (1, true));
    let line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let span = &line["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!((&span["name"], &span["traceId"]), (&"GET /cart".into(), &"ab".repeat(16).into()));
    assert_eq!(span["attributes"][2]["value"]["intValue"], "-9223372036854775808");
}

#[test]
fn output_that_is_gone_is_counted_as_a_loss() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for format in [ConsoleFormat::Tree, ConsoleFormat::JsonLines] {
        let outcome = ConsoleExporter::to_writer(format, Gone)
            .export(&Request::new(&[&full::request().encode_to_vec()], 2), None);
        assert!(
            matches!(&outcome, ExportOutcome::Rejected { reason } if reason.contains("broken pipe")),
            "{outcome:?}"
        );
    }
}
