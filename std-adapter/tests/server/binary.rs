//! The `clewline` binary: what it prints, how it ends, and what `tail` shows of a running `serve`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::nobody::nobody;
use crate::spans::{failed, request, service, span, trace_hex};
use crate::support::{PATIENCE, TestServer};

fn clewline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clewline"));
    command.args(arguments).env_remove("NO_COLOR").stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
    command
}

/// A running binary, killed when dropped.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = clewline(arguments).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits until the binary says this on stderr.
    fn wait_for_error_line(&mut self, part: &str) {
        let mut reader = BufReader::new(self.child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            assert_ne!(reader.read_line(&mut line).unwrap(), 0, "ended without saying {part:?}");
        }
        // Keeps the pipe open and empty.
        std::thread::spawn(move || drop(reader.read_to_end(&mut Vec::new())));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn serve_takes_grpc_at_a_second_address_too() {
    let mut serve = Running::start(&["serve", "--port", "0", "--grpc-listen", "127.0.0.1:0"]);
    assert!(serve.line().contains("viewer at"));
    let line = serve.line();
    let address = line.split("OTLP/gRPC spans at http://").nth(1).unwrap_or_else(|| panic!("{line}"));
    assert!(!address.ends_with(":0") && std::net::TcpStream::connect(address).is_ok(), "{line}");
}

#[test]
fn serve_says_where_it_is_and_ends_on_request() {
    let mut serve = Running::start(&["serve", "--port", "0"]);
    let line = serve.line();
    let viewer =
        line.split("viewer at ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{line}"));
    let address = viewer.trim_start_matches("http://").trim_end_matches('/');
    assert!(!address.ends_with(":0"), "{line}");
    assert!(line.contains(&format!("http://{address}/v1/traces")), "{line}");
    assert!(std::net::TcpStream::connect(address).is_ok(), "{line}");
    #[cfg(unix)]
    {
        let asked = Instant::now();
        assert!(Command::new("kill").arg(serve.child.id().to_string()).status().unwrap().success());
        let ended = loop {
            assert!(asked.elapsed() < PATIENCE, "SIGTERM did not end it");
            match serve.child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        assert!(ended.success(), "SIGTERM is a request, not a failure: {ended}");
    }
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = clewline(&["serve", "--port", &port]).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        message.contains(&format!("port {port} on 127.0.0.1 is in use")) && message.contains("--port"),
        "{message}"
    );
}

#[test]
fn arguments_that_cannot_be_are_refused() {
    for arguments in [
        &["serve", "--port", "1", "--listen", "127.0.0.1:1"][..],
        &["serve", "--memory-limit", "lots"],
        &["serve", "--body-limit", "0"],
        &["serve", "--allow-origin", "shop.example"],
        &["tail", "--from", "https://localhost"],
        &["tail", "--min-duration", "-3"],
    ] {
        let output = clewline(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn tail_says_when_nothing_is_there() {
    let free = nobody();
    let output = clewline(&["tail", "--from", &format!("http://{free}")]).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains(&format!("nothing answers at http://{free}")) && message.contains("--from"), "{message}");
}

#[test]
fn tail_prints_the_finished_traces_that_match() {
    let server = TestServer::start();
    let from = format!("http://{}", server.address);
    let mut tail = Running::start(&["tail", "--from", &from, "--color", "always", "--errors", "--service", "shop"]);
    tail.wait_for_error_line("Following");
    let post = |resource_spans| assert_eq!(server.post_protobuf(&request(resource_spans)).status, 200);
    post(vec![service("shop", vec![span(2, 1, 0, "without an error", 0, 1)])]);
    let mut checkout = span(1, 2, 1, "POST /checkout", 5, 95);
    checkout.status = failed("declined");
    // The child first, its root in another request: one finished trace.
    post(vec![service("shop", vec![checkout])]);
    std::thread::sleep(Duration::from_millis(300));
    post(vec![service("page", vec![span(1, 1, 0, "click", 0, 100)])]);
    // On a machine that stands still for long, the child may be shown alone before, as its root seemed not to come.
    let mut headline = tail.line();
    if headline.contains("its root has not arrived") {
        headline = (0..5).map(|_| tail.line()).find(|line| line.contains(&trace_hex(1))).unwrap_or_default();
    }
    assert!(
        headline.contains(&trace_hex(1)) && headline.contains("2 spans") && headline.contains("1 error"),
        "{headline}"
    );
    assert!(headline.contains("\u{1b}["), "{headline}");
    let root = tail.line();
    assert!(root.contains("click") && root.contains("page") && root.contains("100 ms"), "{root}");
    let child = tail.line();
    assert!(child.contains("└─ ") && child.contains("POST /checkout") && child.contains("✗ declined"), "{child}");
}

#[test]
fn tail_finds_a_server_that_comes_back() {
    let serve = |port: &str| {
        let mut serve = Running::start(&["serve", "--port", port]);
        serve.line().contains("viewer at").then_some(serve)
    };
    // Below what systems give out themselves: nobody else gets the port while the server is away.
    let start = 20_000 + std::process::id() % 10_000;
    let (port, first) = (start..start + 1000)
        .map(|port| port.to_string())
        .find_map(|port| serve(&port).map(|server| (port, server)))
        .expect("one of a thousand ports is free");
    let from = format!("http://127.0.0.1:{port}");
    let mut tail = Running::start(&["tail", "--from", &from]);
    let mut errors = BufReader::new(tail.child.stderr.take().unwrap());
    let mut said = |part: &str| {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            assert_ne!(errors.read_line(&mut line).unwrap(), 0, "ended without saying {part:?}");
        }
    };
    said("Following");
    drop(first);
    said("is gone");
    let _second = serve(&port).expect("the port is free again");
    said("again");
    let client = TestClient(from.trim_start_matches("http://").to_owned());
    client.post(&request(vec![service("shop", vec![span(7, 1, 0, "after the return", 0, 1)])]));
    assert!(tail.line().contains(&trace_hex(7)));
    let span = tail.line();
    assert!(span.starts_with("after the return") && !span.contains('\u{1b}'), "no colours in a pipe: {span:?}");
}

/// Sends to a server that is another process.
struct TestClient(String);

impl TestClient {
    fn post(&self, body: &[u8]) {
        use std::io::Write as _;
        let mut stream = std::net::TcpStream::connect(&self.0).unwrap();
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
