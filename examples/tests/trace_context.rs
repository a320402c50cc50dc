//! The trace context service over real HTTP: every rule of W3C Trace Context level 2 that a service can be seen to follow.
//!
//! Each request is written byte by byte, as no client library sends malformed headers; what the service hands on is read from the
//! request that arrives.

#[path = "../trace-context-service/service.rs"]
mod service;

use std::net::SocketAddr;
use std::sync::OnceLock;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use clewline::config::TracingConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const TRACE_ID: &str = "12345678901234567890123456789012";
const SPAN_ID: &str = "1234567890123456";

/// A request that arrived at the far end.
#[derive(Debug)]
struct Arrived {
    headers: HeaderMap,
    body: Value,
}

impl Arrived {
    /// The lines of a name.
    fn lines(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().expect("ASCII")).collect()
    }

    /// Trace id, span id and flags of the one valid `traceparent` that must be there.
    fn traceparent(&self) -> [&str; 3] {
        let lines = self.lines("traceparent");
        let [line] = lines[..] else { panic!("one traceparent, not {lines:?}") };
        let parts: Vec<&str> = line.split('-').collect();
        let ["00", trace_id, span_id, flags] = parts[..] else { panic!("not version 00: {line}") };
        let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        assert!(parts.iter().all(|part| is_hex(part)), "{line}");
        assert_eq!((trace_id.len(), span_id.len(), flags.len()), (32, 16, 2), "{line}");
        assert!(trace_id.contains(|digit| digit != '0') && span_id.contains(|digit| digit != '0'), "{line}");
        [trace_id, span_id, flags]
    }
}

/// The service and a far end that keeps what arrives.
struct Harness {
    service: SocketAddr,
    far_end: SocketAddr,
    arrived: mpsc::UnboundedReceiver<Arrived>,
}

impl Harness {
    async fn start() -> Self {
        static GUARD: OnceLock<clewline::Guard> = OnceLock::new();
        GUARD.get_or_init(|| {
            clewline::init_with(&TracingConfig::default().with_exporters([])).expect("nothing was initialised before")
        });
        let (sender, arrived) = mpsc::unbounded_channel();
        let keep = async move |headers: HeaderMap, body: String| {
            let body = serde_json::from_str(&body).expect("JSON");
            sender.send(Arrived { headers, body }).expect("the test goes on");
        };
        let far_end = serve(Router::new().route("/callback/{id}", post(keep))).await;
        Self { service: serve(service::router()).await, far_end, arrived }
    }

    /// Sends a request with these header lines, each with its end, that asks for `count` requests; answers what arrived.
    async fn send(&mut self, headers: &str, count: usize) -> Vec<Arrived> {
        let calls: Vec<Value> = (0..count)
            .map(|number| json!({"url": format!("http://{}/callback/{number}", self.far_end), "arguments": [number]}))
            .collect();
        let answer = self.post(headers, &Value::from(calls).to_string()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{headers:?}: {answer}");
        let mut arrived = Vec::new();
        while let Ok(request) = self.arrived.try_recv() {
            arrived.push(request);
        }
        let bodies: Vec<&Value> = arrived.iter().map(|request| &request.body).collect();
        assert_eq!(json!(bodies), json!((0..count).map(|number| [number]).collect::<Vec<_>>()), "one after the other");
        arrived
    }

    async fn post(&self, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.service).await.unwrap();
        let length = body.len();
        let head = format!(
            "POST /test HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n"
        );
        stream.write_all(format!("{head}{headers}\r\n{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// `T` and `S` stand for the ids, and lines end where a row has `\n`.
fn lines(row: &str) -> String {
    let row = row.replace("{T}", TRACE_ID).replace("{S}", SPAN_ID);
    row.split('\n').filter(|line| !line.is_empty()).map(|line| format!("{line}\r\n")).collect()
}

/// What is handed on of a trace that goes on: its flags and its list.
type GoesOn = Option<(&'static str, &'static str)>;

async fn check(harness: &mut Harness, row: &str, expected: GoesOn) {
    let arrived = harness.send(&lines(row), 1).await;
    let [trace_id, span_id, flags] = arrived[0].traceparent();
    assert_ne!(span_id, SPAN_ID, "{row:?}: the service has spans of its own");
    match expected {
        Some((expected_flags, list)) => {
            assert_eq!((trace_id, flags), (TRACE_ID, expected_flags), "{row:?}");
            assert_eq!(arrived[0].lines("tracestate").join(","), list, "{row:?}");
        }
        None => {
            assert_ne!(trace_id, TRACE_ID, "{row:?}: a new trace");
            // Sampled, and random as far as the flag says.
            assert_eq!(flags, "03", "{row:?}");
            assert_eq!(arrived[0].lines("tracestate"), [""; 0], "{row:?}: the list goes with the traceparent");
        }
    }
}

/// Header lines, what goes on, and the section of W3C Trace Context level 2.
#[tokio::test]
async fn traceparent_table() {
    let on = |flags| Some((flags, ""));
    let table: &[(&str, GoesOn)] = &[
        ("", None),
        ("traceparent: 00-{T}-{S}-01", on("01")),
        ("traceparent: 00-{T}-{S}-00", on("00")),
        // 3.2.1: the name has no case, and no other spelling.
        ("TraceParent: 00-{T}-{S}-01", on("01")),
        ("TrAcEpArEnT: 00-{T}-{S}-01", on("01")),
        ("TRACEPARENT: 00-{T}-{S}-01", on("01")),
        ("trace-parent: 00-{T}-{S}-01", None),
        ("trace.parent: 00-{T}-{S}-01", None),
        // White space around the value.
        ("traceparent:00-{T}-{S}-01", on("01")),
        ("traceparent: \t 00-{T}-{S}-01 \t", on("01")),
        // Two headers, equal or not, in one spelling or two, or one broken.
        ("traceparent: 00-{T}-{S}-01\ntraceparent: 00-{T}-{S}-01", None),
        ("traceparent: 00-{T}-{S}-01\nTraceparent: 00-12345678901234567890123456789011-{S}-01", None),
        ("traceparent: 00-{T}-{S}-01\ntraceparent: x", None),
        ("traceparent: 00-{T}-{S}-01,00-{T}-{S}-01", None),
        // 3.2.2.1: the version.
        ("traceparent: 01-{T}-{S}-01", on("01")),
        ("traceparent: cc-{T}-{S}-01", on("01")),
        ("traceparent: cc-{T}-{S}-01-what-the-future-will-be-like", on("01")),
        ("traceparent: cc-{T}-{S}-01.what-the-future-will-be-like", None),
        ("traceparent: cc-{T}-{S}-01what", None),
        ("traceparent: ff-{T}-{S}-01", None),
        ("traceparent: FF-{T}-{S}-01", None),
        ("traceparent: .0-{T}-{S}-01", None),
        ("traceparent: 0.-{T}-{S}-01", None),
        ("traceparent: 000-{T}-{S}-01", None),
        ("traceparent: 0-{T}-{S}-01", None),
        // 3.2.2.2: version 00 ends with the flags.
        ("traceparent: 00-{T}-{S}-01.", None),
        ("traceparent: 00-{T}-{S}-01-", None),
        ("traceparent: 00-{T}-{S}-01-what-the-future-will-be-like", None),
        // 3.2.2.3: the trace id.
        ("traceparent: 00-00000000000000000000000000000000-{S}-01", None),
        ("traceparent: 00-.2345678901234567890123456789012-{S}-01", None),
        ("traceparent: 00-1234567890123456789012345678901.-{S}-01", None),
        ("traceparent: 00-{T}3-{S}-01", None),
        ("traceparent: 00-1234567890123456789012345678901-{S}-01", None),
        ("traceparent: 00-1234567890123456789012345678901A-{S}-01", None),
        // 3.2.2.4: the parent id.
        ("traceparent: 00-{T}-0000000000000000-01", None),
        ("traceparent: 00-{T}-.234567890123456-01", None),
        ("traceparent: 00-{T}-123456789012345.-01", None),
        ("traceparent: 00-{T}-{S}7-01", None),
        ("traceparent: 00-{T}-123456789012345-01", None),
        ("traceparent: 00-{T}-123456789012345F-01", None),
        // 3.2.2.5: the flags; what is not known is not handed on, the random flag is as it came.
        ("traceparent: 00-{T}-{S}-02", on("02")),
        ("traceparent: 00-{T}-{S}-03", on("03")),
        ("traceparent: 00-{T}-{S}-ff", on("03")),
        ("traceparent: 00-{T}-{S}-f9", on("01")),
        ("traceparent: 00-{T}-{S}-.0", None),
        ("traceparent: 00-{T}-{S}-0.", None),
        ("traceparent: 00-{T}-{S}-001", None),
        ("traceparent: 00-{T}-{S}-1", None),
        ("traceparent: 00-{T}-{S}-0A", None),
        ("traceparent: 00-{T}-{S}", None),
        ("traceparent:", None),
    ];
    let mut harness = Harness::start().await;
    for (row, expected) in table {
        check(&mut harness, row, *expected).await;
    }
}

/// Header lines beside a valid `traceparent`, the list that is handed on, and the section.
#[tokio::test]
async fn tracestate_table() {
    const ALL: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@=!\"#$%&'()*+-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";
    let table: &[(&str, &str)] = &[
        ("tracestate: foo=1,bar=2", "foo=1,bar=2"),
        // 3.3.1: the name has no case, and no other spelling.
        ("TraceState: foo=1", "foo=1"),
        ("TRACESTATE: foo=1", "foo=1"),
        ("trace-state: foo=1", ""),
        ("trace.state: foo=1", ""),
        // Several lines are one list, in order; empty ones are none of it.
        ("tracestate: foo=1,bar=2\nTracestate: rojo=1,congo=2\ntracestate: baz=3", "foo=1,bar=2,rojo=1,congo=2,baz=3"),
        ("tracestate:", ""),
        ("tracestate: foo=1\ntracestate:", "foo=1"),
        ("tracestate:\ntracestate: foo=1", "foo=1"),
        ("tracestate: foo=1,,bar=2, ,", "foo=1,bar=2"),
        // White space.
        ("tracestate: foo=1 \t , \t bar=2, \t baz=3 \t", "foo=1,bar=2,baz=3"),
        ("tracestate: foo= a b ", "foo= a b"),
        // 3.3.2.2: keys and values. One malformed member costs the list, and only that.
        (
            concat!(
                "tracestate: ",
                "abcdefghijklmnopqrstuvwxyz0123456789_-*/@=!\"#$%&'()*+-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
            ),
            ALL,
        ),
        ("tracestate: 0a=1,a@b@c=2", "0a=1,a@b@c=2"),
        ("tracestate: foo @=1,bar=2", ""),
        ("tracestate: @foo=1,bar=2", ""),
        ("tracestate: FOO=1", ""),
        ("tracestate: foo.bar=1", ""),
        ("tracestate: foo", ""),
        ("tracestate: foo=", ""),
        ("tracestate: =1", ""),
        ("tracestate: foo=bar=baz", ""),
        ("tracestate: foo=1\ntracestate: foo", ""),
        ("tracestate: foo=a\tb", ""),
        // 3.3.2 and 3.5: keys that arrive twice are somebody else's mistake.
        ("tracestate: foo=1,foo=1", "foo=1,foo=1"),
        ("tracestate: foo=1\ntracestate: foo=2", "foo=1,foo=2"),
    ];
    let mut harness = Harness::start().await;
    for (row, list) in table {
        check(&mut harness, &format!("traceparent: 00-{{T}}-{{S}}-00\n{row}"), Some(("00", list))).await;
    }
    // 3.3: without a valid traceparent there is no list.
    check(&mut harness, "tracestate: foo=1", None).await;
    check(&mut harness, "traceparent: 00-{T}-{S}-1\ntracestate: foo=1", None).await;
}

/// Sections 3.3.2.1, 3.3.2.2 and 3.3.3.1.
#[tokio::test]
async fn limits_of_tracestate() {
    let many = |count: usize| (0..count).map(|index| format!("bar{index:02}={index:02}")).collect::<Vec<_>>().join(",");
    let member = |key: usize, value: usize| format!("{}={}", "z".repeat(key), "1".repeat(value));
    let long = format!("{},{}", member(200, 55), member(128, 127));
    assert_eq!(long.len(), 513);
    let table = [
        (many(32), many(32)),
        (many(33), String::new()),
        (member(256, 1), member(256, 1)),
        (member(257, 1), String::new()),
        (member(1, 256), member(1, 256)),
        (member(1, 257), String::new()),
        // At least 512 bytes are handed on; here whatever is valid.
        (long[1..].to_owned(), long[1..].to_owned()),
        (long.clone(), long),
        (many(20).replace(',', ",,,"), many(20)),
    ];
    let mut harness = Harness::start().await;
    for (list, expected) in table {
        let arrived = harness.send(&lines(&format!("traceparent: 00-{{T}}-{{S}}-01\ntracestate: {list}")), 1).await;
        assert_eq!(arrived[0].traceparent()[0], TRACE_ID);
        assert_eq!(arrived[0].lines("tracestate").join(","), expected);
    }
}

#[tokio::test]
async fn each_request_has_a_span_of_its_own() {
    let mut harness = Harness::start().await;
    for (headers, is_known) in [("traceparent: 00-{T}-{S}-01", true), ("", false), ("traceparent: 00-{T}-{S}-1", false)]
    {
        let arrived = harness.send(&lines(headers), 3).await;
        let parts: Vec<[&str; 3]> = arrived.iter().map(Arrived::traceparent).collect();
        assert!(parts.iter().all(|part| part[0] == parts[0][0]), "one trace: {parts:?}");
        assert_eq!(parts[0][0] == TRACE_ID, is_known);
        assert!(parts[0][1] != parts[1][1] && parts[1][1] != parts[2][1] && parts[0][1] != parts[2][1], "{parts:?}");
    }
    let first = harness.send("", 1).await[0].traceparent()[0].to_owned();
    assert_ne!(harness.send("", 1).await[0].traceparent()[0], first, "requests without a parent share no trace");
}

/// W3C Baggage, sections 3.3 and 3.4: several lines are one list; it is handed on whether there is a trace or not.
#[tokio::test]
async fn baggage_is_handed_on() {
    let mut harness = Harness::start().await;
    for trace in ["", "traceparent: 00-{T}-{S}-00\n", "traceparent: broken\n"] {
        let row = format!("{trace}baggage: userId=Am%C3%A9lie;p=1 , broken,=1\nBaggage: serverNode=DF%2028 ; q");
        let arrived = harness.send(&lines(&row), 1).await;
        assert_eq!(arrived[0].lines("baggage"), ["userId=Am%C3%A9lie;p=1,serverNode=DF%2028;q"], "{trace}");
    }
    assert_eq!(harness.send("", 1).await[0].lines("baggage"), [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let mut harness = Harness::start().await;
    assert_eq!(harness.send("", 0).await.len(), 0);
    assert!(harness.post("", "{}").await.starts_with("HTTP/1.1 400 "));
    // Taken, but nobody listens there.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let nobody = socket.local_addr().unwrap();
    let body = json!([{"url": format!("http://{nobody}/"), "arguments": []}]).to_string();
    assert!(harness.post("", &body).await.starts_with("HTTP/1.1 502 "));
}
