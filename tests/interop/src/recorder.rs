//! An OTLP receiver of our own that others forward to: keeps what arrives as spans.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use clewline::exporter::{ExportOutcome, FinishedSpan, MemoryExporter, Request, SpanExporter as _};

use flate2::read::GzDecoder;

use crate::process::until;

/// Takes OTLP over HTTP in protobuf, on a thread that ends with the program.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    spans: MemoryExporter,
    port: u16,
}

impl Recorder {
    pub(crate) fn start() -> Result<Self, String> {
        let explain = |error: std::io::Error| error.to_string();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(explain)?;
        listener.set_nonblocking(true).map_err(explain)?;
        let port = listener.local_addr().map_err(explain)?.port();
        let recorder = Self { spans: MemoryExporter::new(10_000), port };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(explain)?;
        let app = Router::new()
            .route("/v1/traces", post(receive))
            .layer(DefaultBodyLimit::disable())
            .with_state(recorder.clone());
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, app).await
            })
        });
        Ok(recorder)
    }

    /// The base address that others forward to.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits for so many spans, and takes everything.
    pub(crate) fn take(&self, expected: usize) -> Result<Vec<FinishedSpan>, Vec<String>> {
        match until(|| (self.spans.len() >= expected).then(|| self.spans.take())) {
            Some(spans) => Ok(spans),
            None => Err(vec![format!("only {} of {expected} spans came back", self.spans.len())]),
        }
    }
}

async fn receive(State(mut recorder): State<Recorder>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut body = Vec::from(body);
    if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        let packed = std::mem::take(&mut body);
        if GzDecoder::new(&packed[..]).read_to_end(&mut body).is_err() {
            return StatusCode::BAD_REQUEST;
        }
    }
    // How many there are does not matter here.
    match recorder.spans.export(&Request::new(&[&body], 0), None) {
        ExportOutcome::Delivered => StatusCode::OK,
        _ => StatusCode::BAD_REQUEST,
    }
}
