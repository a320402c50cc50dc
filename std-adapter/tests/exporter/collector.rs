//! A collector that answers as a test tells it to, on plain sockets.

#[path = "../nobody/mod.rs"]
mod nobody;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nobody::nobody;

/// How long a stall lasts: longer than any test waits.
const STALL: Duration = Duration::from_secs(600);

/// What to do with a request that was read completely.
pub(crate) enum Step {
    /// Write these bytes and keep the connection open.
    Answer(Vec<u8>),
    /// Close the connection without an answer.
    Close,
    /// Write these bytes and close the connection.
    Cut(Vec<u8>),
    /// Write these bytes, then say nothing more and keep the connection open.
    Stall(Vec<u8>),
}

/// An answer with this status, extra header lines (each ending in CR LF) and body.
pub(crate) fn answer(status: u16, headers: &str, body: &[u8]) -> Step {
    let head = format!("HTTP/1.1 {status} Scripted\r\n{headers}content-length: {}\r\n\r\n", body.len());
    Step::Answer([head.as_bytes(), body].concat())
}

/// The header line of a protobuf body.
pub(crate) const PROTOBUF: &str = "content-type: application/x-protobuf\r\n";

/// A request as it arrived.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    /// Counts the connections from 0.
    pub(crate) connection: usize,
    pub(crate) request_line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

type Script = Box<dyn FnMut(usize) -> Step + Send>;

pub(crate) struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Collector {
    /// Starts a collector; `script` is asked for each request, counted from 0.
    pub(crate) fn start(script: impl FnMut(usize) -> Step + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let log = Arc::clone(&received);
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                let stream = stream.expect("an incoming connection");
                thread::spawn(move || serve(stream, connection, &log, &script));
            }
        });
        Self { address, received }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no panic in the collector").clone()
    }
}

/// A URL that nothing listens on.
pub(crate) fn unreachable_url() -> String {
    format!("http://{}/v1/traces", nobody())
}

fn serve(stream: TcpStream, connection: usize, log: &Mutex<Vec<Received>>, script: &Mutex<Script>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut writer = stream;
    while let Some(request) = read_request(&mut reader, connection) {
        let index = {
            let mut log = log.lock().expect("no panic in the collector");
            log.push(request);
            log.len() - 1
        };
        let step = (script.lock().expect("no panic in the script"))(index);
        match step {
            Step::Answer(bytes) => {
                // A client that has gone away is part of some tests.
                let _ = writer.write_all(&bytes);
            }
            Step::Close => return,
            Step::Cut(bytes) => {
                let _ = writer.write_all(&bytes);
                return;
            }
            Step::Stall(bytes) => {
                let _ = writer.write_all(&bytes);
                thread::sleep(STALL);
            }
        }
    }
}

/// Reads one request, or `None` where the client has closed the connection.
fn read_request(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Received> {
    let request_line = read_line(reader)?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Received { at: Instant::now(), connection, request_line, headers, body: Vec::new() };
    let length = request.header("content-length")?.parse().ok()?;
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let count = reader.read_line(&mut line).ok()?;
    (count > 0).then(|| line.trim_end().to_owned())
}
