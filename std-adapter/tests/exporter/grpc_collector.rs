//! A gRPC collector that answers as a test tells it to, on plain HTTP/2.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// What to do with a request that was read completely.
pub(crate) enum Step {
    Answer(Answer),
    /// Ends the call and keeps the connection.
    Reset(Reason),
    /// Closes the connection without an answer.
    Close,
    /// Says nothing more and keeps the connection.
    Stall,
    /// Begins an answer with these bytes of a body, says nothing more and keeps the connection.
    StallWith(Vec<u8>),
}

type Fields = Vec<(&'static str, String)>;

#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) http: Option<u16>,
    pub(crate) headers: Fields,
    /// `None` is an answer of headers alone.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) trailers: Fields,
}

/// A status of headers alone, as servers send it when there is no message.
pub(crate) fn status(code: u16, message: &str) -> Step {
    Step::Answer(Answer { headers: fields(code, message), ..Answer::default() })
}

/// A status with details: an encoded `google.rpc.Status`.
pub(crate) fn status_with(code: u16, details: &[u8]) -> Step {
    use base64::Engine as _;
    let mut headers = fields(code, "");
    headers.push(("grpc-status-details-bin", base64::engine::general_purpose::STANDARD_NO_PAD.encode(details)));
    Step::Answer(Answer { headers, ..Answer::default() })
}

/// A success with this message.
pub(crate) fn success(message: &[u8]) -> Step {
    Step::Answer(Answer { body: Some(framed(message)), trailers: fields(0, ""), ..Answer::default() })
}

/// A message behind its flag and length.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a message of less than 4 GiB").to_be_bytes();
    [&[0][..], &length, message].concat()
}

pub(crate) fn fields(code: u16, message: &str) -> Fields {
    let mut fields = vec![("grpc-status", code.to_string())];
    if !message.is_empty() {
        fields.push(("grpc-message", message.to_owned()));
    }
    fields
}

/// An encoded `google.rpc.Status` whose details ask for a wait.
pub(crate) fn retry_info(seconds: u8) -> Vec<u8> {
    const KIND: &[u8] = b"type.googleapis.com/google.rpc.RetryInfo";
    let field = |number: u8, content: &[u8]| {
        [&[number << 3 | 2, u8::try_from(content.len()).expect("a short field")], content].concat()
    };
    let delay = field(1, &[0x08, seconds]);
    [field(2, b"busy"), field(3, &[field(1, KIND), field(2, &delay)].concat())].concat()
}

/// A request as it arrived.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    /// Counts the connections from 0.
    pub(crate) connection: usize,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The message of the request, which must be one frame.
    pub(crate) fn message(&self) -> &[u8] {
        let (prefix, message) = self.body.split_first_chunk::<5>().expect("a frame");
        let [_, length @ ..] = *prefix;
        assert_eq!(u32::from_be_bytes(length) as usize, message.len(), "one whole frame");
        message
    }
}

type Script = Box<dyn FnMut(usize) -> Step + Send>;

struct Shared {
    received: Mutex<Vec<Received>>,
    script: Mutex<Script>,
    closers: Mutex<Vec<Closer>>,
}

/// Tells a connection to close, and is closed itself when that is done.
type Closer = mpsc::UnboundedSender<()>;

pub(crate) struct GrpcCollector {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl GrpcCollector {
    /// Starts a collector; `script` is asked for each request, counted from 0.
    pub(crate) fn start(script: impl FnMut(usize) -> Step + Send + 'static) -> Self {
        Self::start_with(None, script)
    }

    /// The same behind TLS.
    pub(crate) fn start_with(tls: Option<TlsAcceptor>, script: impl FnMut(usize) -> Step + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            script: Mutex::new(Box::new(script)),
            closers: Mutex::default(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                listener.set_nonblocking(true).expect("a socket");
                let listener = TcpListener::from_std(listener).expect("a socket");
                for connection in 0.. {
                    let (stream, _) = listener.accept().await.expect("an incoming connection");
                    let (shared, tls) = (Arc::clone(&of_thread), tls.clone());
                    tokio::spawn(async move {
                        match tls {
                            None => serve(stream, connection, shared).await,
                            // A handshake that fails is part of some tests.
                            Some(tls) => {
                                if let Ok(stream) = tls.accept(stream).await {
                                    serve(stream, connection, shared).await;
                                }
                            }
                        }
                    });
                }
            });
        });
        Self { address, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes every connection, and returns when that is done.
    pub(crate) fn close_connections(&self) {
        for closer in self.shared.closers.lock().expect("no panic in the collector").drain(..) {
            if closer.send(()).is_ok() {
                while !closer.is_closed() {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("no panic in the collector").clone()
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, number: usize, shared: Arc<Shared>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let (closer, mut closed) = mpsc::unbounded_channel();
    shared.closers.lock().expect("no panic in the collector").push(closer.clone());
    loop {
        tokio::select! {
            request = connection.accept() => match request {
                Some(Ok((request, response))) => {
                    tokio::spawn(answer(request, response, number, Arc::clone(&shared), closer.clone()));
                }
                _ => break,
            },
            _ = closed.recv() => break,
        }
    }
    // Before `closed` goes, which tells whoever asked for it that this is done.
    drop(connection);
}

async fn answer(
    request: Request<RecvStream>,
    mut response: SendResponse<Bytes>,
    connection: usize,
    shared: Arc<Shared>,
    closer: Closer,
) {
    let (parts, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        // A client that gives up is part of some tests.
        let Ok(data) = data else { return };
        let _ = stream.flow_control().release_capacity(data.len());
        body.extend_from_slice(&data);
    }
    let index = {
        let mut received = shared.received.lock().expect("no panic in the collector");
        received.push(Received {
            at: Instant::now(),
            connection,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            headers: parts.headers,
            body,
        });
        received.len() - 1
    };
    let step = (shared.script.lock().expect("no panic in the script"))(index);
    match step {
        Step::Answer(answer) => send(answer, response).await,
        Step::Reset(reason) => response.send_reset(reason),
        Step::Close => closer.send(()).expect("a connection"),
        Step::Stall => std::future::pending::<()>().await,
        Step::StallWith(bytes) => {
            let head = Response::builder().header("content-type", "application/grpc").body(()).expect("an answer");
            let mut stream = response.send_response(head, false).expect("a stream");
            stream.send_data(bytes.into(), false).expect("a stream");
            std::future::pending::<()>().await;
        }
    }
}

async fn send(answer: Answer, mut response: SendResponse<Bytes>) {
    let mut head = Response::builder().status(answer.http.unwrap_or(200));
    let headers = head.headers_mut().expect("a valid status");
    *headers = map(&answer.headers);
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut stream =
        response.send_response(head.body(()).expect("an answer"), answer.body.is_none()).expect("a stream");
    let Some(mut body) = answer.body.map(Bytes::from) else { return };
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        // A client that has read enough is part of some tests.
        let Some(Ok(room)) = std::future::poll_fn(|context| stream.poll_capacity(context)).await else { return };
        if stream.send_data(body.split_to(room.min(body.len())), false).is_err() {
            return;
        }
    }
    let _ = stream.send_trailers(map(&answer.trailers));
}

fn map(fields: &Fields) -> HeaderMap {
    let field = |(name, value): &(&'static str, String)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a valid value"))
    };
    fields.iter().map(field).collect()
}
