//! The stream of changes: what it tells, that a flood is gathered, that it resumes and that it ends with the server.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};

use crate::spans::{failed, request, service, span, trace_hex};
use crate::support::{PATIENCE, TestServer};

/// One event: name, id and data.
#[derive(Debug)]
struct Event {
    name: String,
    id: Option<String>,
    data: Value,
}

struct Events(BufReader<TcpStream>);

impl Events {
    fn open(server: &TestServer, headers: &[(&str, &str)]) -> Self {
        let mut events = Self(BufReader::new(server.open("GET", "/api/stream", headers, b"")));
        let head = events.lines_to_empty().unwrap();
        assert!(head[0].contains(" 200 "), "{head:?}");
        assert!(head.iter().any(|line| line.eq_ignore_ascii_case("content-type: text/event-stream")), "{head:?}");
        assert_eq!(events.next().unwrap().name, "hello");
        events
    }

    /// The lines up to the next empty one, without the sizes of HTTP chunks.
    fn lines_to_empty(&mut self) -> Option<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_owned();
            if line == ":" || line.is_empty() && !lines.is_empty() {
                return Some(lines);
            }
            let chunk_size = line.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !chunk_size {
                lines.push(line);
            }
        }
    }

    /// The next event; `None` if the stream ends, or tells nothing but signs of life for long.
    fn next(&mut self) -> Option<Event> {
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            let lines = self.lines_to_empty()?;
            let field = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name)).map(ToOwned::to_owned);
            if let Some(name) = field("event: ") {
                let data = serde_json::from_str(&field("data: ").unwrap()).unwrap();
                return Some(Event { name, id: field("id: "), data });
            }
        }
        None
    }
}

fn post(server: &TestServer, numbers: std::ops::RangeInclusive<u8>) {
    let spans = numbers.map(|number| span(number, 1, 0, "s", 0, 1)).collect();
    assert_eq!(server.post_protobuf(&request(vec![service("s", spans)])).status, 200);
}

#[test]
fn a_changed_trace_is_told() {
    let server = TestServer::start();
    post(&server, 9..=9);
    let mut events = Events::open(&server, &[]);
    let mut child = span(1, 2, 1, "child", 0, 1);
    child.status = failed("no");
    server.post_protobuf(&request(vec![service("s", vec![child])]));
    let event = events.next().unwrap();
    assert_eq!(event.name, "trace");
    assert_eq!(
        event.data,
        json!({"trace_id": trace_hex(1), "span_count": 1, "error_count": 1, "root_received": false})
    );
    post(&server, 1..=1);
    let event = events.next().unwrap();
    assert_eq!(event.data, json!({"trace_id": trace_hex(1), "span_count": 2, "error_count": 1, "root_received": true}));
}

#[test]
fn a_flood_is_gathered() {
    let server = TestServer::start();
    let mut events = Events::open(&server, &[]);
    let began = Instant::now();
    for _ in 0..100 {
        post(&server, 1..=5);
    }
    post(&server, 6..=6);
    let mut told = 0;
    loop {
        let event = events.next().unwrap();
        told += 1;
        if event.data["trace_id"] == trace_hex(6) {
            break;
        }
    }
    // Each trace is told of at most once in 150 ms, however long a busy machine takes.
    let times = usize::try_from(began.elapsed().as_millis() / 150).unwrap() + 2;
    assert!(told <= 6 * times, "{told} events for 501 changes of 6 traces in {times} times");

    post(&server, 1..=250);
    let skipped = events.next().unwrap();
    assert_eq!((skipped.name.as_str(), &skipped.data), ("skipped", &json!({"traces": 50})));
    let ids: Vec<_> = (0..200).map(|_| events.next().unwrap().data["trace_id"].clone()).collect();
    assert_eq!((&ids[0], &ids[199]), (&json!(trace_hex(51)), &json!(trace_hex(250))));
}

#[test]
fn a_client_that_comes_back_hears_what_it_missed() {
    let server = TestServer::start();
    let mut events = Events::open(&server, &[]);
    post(&server, 1..=1);
    let id = events.next().unwrap().id.unwrap();
    drop(events);
    post(&server, 2..=3);
    let mut resumed = Events::open(&server, &[("last-event-id", &id)]);
    assert_eq!(resumed.next().unwrap().data["trace_id"], trace_hex(2));
    assert_eq!(resumed.next().unwrap().data["trace_id"], trace_hex(3));

    // An id of another run of the server means nothing: such a client starts with what comes next.
    let mut stranger = Events::open(&server, &[("last-event-id", "17-0")]);
    post(&server, 4..=4);
    assert_eq!(stranger.next().unwrap().data["trace_id"], trace_hex(4));
}

#[test]
fn streams_end_with_the_server() {
    let ends_whole = || {
        let mut server = TestServer::start();
        let mut events = Events::open(&server, &[]);
        server.end();
        let mut rest = String::new();
        events.0.read_to_string(&mut rest).unwrap();
        // The last chunk (RFC 9112, section 7.1): a stream that holds the server up is cut off without one.
        rest.ends_with("0\r\n\r\n")
    };
    // A machine that is busy with something else may hold it up too, but hardly every time.
    assert!((0..20).any(|_| ends_whole()), "a waiting stream held up the end");
}
