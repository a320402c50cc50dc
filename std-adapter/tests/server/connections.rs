//! Connections that say nothing, or too little, or are too many.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use clewline::server::ServerConfig;

use crate::support::{PATIENCE, TestServer};

/// Each is closed by the server, whatever it waits for: the version, the rest of a head, the next request.
#[test]
fn connections_that_say_too_little_are_closed() {
    let config = ServerConfig { header_timeout: Duration::from_millis(200), ..ServerConfig::default() };
    let server = TestServer::with(config);
    let answer = |started: &str| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // On a busy machine the connection may be closed before this.
        let _ = stream.write_all(started.as_bytes());
        let mut answer = Vec::new();
        // Closed or reset, but not left open, which would be a time-out here.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{started:?}");
        }
        answer
    };
    for started in ["", "P", "PRI * HTTP/2.0\r\n", "GET /healthz HTTP/1.1\r\nHost: "] {
        let answer = answer(started);
        assert!(!answer.starts_with(b"HTTP/1.1 200 "), "{started:?}");
    }
    let is_answered = |_| answer("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").starts_with(b"HTTP/1.1 200 ");
    assert!((0..100).any(is_answered), "a whole head in time is answered, and closed after that");
}

#[test]
fn further_connections_wait_for_a_place() {
    let server = TestServer::with(ServerConfig { max_connections: 2, ..ServerConfig::default() });
    let mut open: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    for stream in &mut open {
        ask(stream);
    }
    let (answered, answer) = mpsc::channel();
    let address = server.address;
    let third = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        ask(&mut stream);
        answered.send(()).unwrap();
    });
    // Meanwhile the others are served: often enough for a third one to have had its turn.
    for _ in 0..100 {
        ask(&mut open[0]);
    }
    assert_eq!(answer.try_recv(), Err(mpsc::TryRecvError::Empty), "there is no place for a third");
    open.pop();
    third.join().unwrap();
    assert_eq!(answer.try_recv(), Ok(()));
}

/// One request on a connection that stays open.
fn ask(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nok\n") {
        let mut bytes = [0; 256];
        let length = stream.read(&mut bytes).unwrap();
        assert_ne!(length, 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&bytes[..length]);
    }
}
