//! `POST /v1/traces`: from the bytes on the wire to the store, and the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use clewline_core::StorageView as _;
use tokio::sync::Semaphore;

use super::answer::{Encoding, Refusal, export_response};
use super::body::{self, BodyError, Bounds, Collected, ContentEncoding};
use super::cors::Cors;
use super::otlp_json;
use super::store::{Ingested, Store};

/// How many requests are decompressed and read at a time. A small gzip body can ask for the whole limit, so without a
/// bound a handful of clients could ask for any amount of memory.
const AT_A_TIME: usize = 4;

/// How many bodies of the largest size may be on their way at a time; smaller ones accordingly more.
const BODIES: usize = 4;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the receiver needs.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    store: Arc<Store>,
    cors: Arc<Cors>,
    places: Arc<Semaphore>,
    bounds: Bounds,
}

impl Receiver {
    /// A receiver that fills the store.
    pub(super) fn new(store: Arc<Store>, cors: Cors, body_limit: usize) -> Self {
        let room = body_limit.saturating_mul(BODIES).min(Semaphore::MAX_PERMITS);
        let bounds = Bounds { limit: body_limit, patience: PATIENCE, room: Arc::new(Semaphore::new(room)) };
        Self { store, cors: Arc::new(cors), places: Arc::new(Semaphore::new(AT_A_TIME)), bounds }
    }

    /// Whether the request's origin may send spans.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        self.cors.admits(headers)
    }

    /// Notes a request that could not be read.
    pub(super) fn count_rejected(&self) {
        self.store.count_rejected_request();
    }

    /// Reads the body, in one of its forms, into the store. `unwrap` takes the message out of the body as it came.
    pub(super) async fn read(
        &self,
        encoding: Encoding,
        headers: &HeaderMap,
        body: Body,
        unwrap: impl FnOnce(Vec<u8>) -> Result<Message, Refusal> + Send + 'static,
    ) -> Result<Ingested, Refusal> {
        let limit = self.bounds.limit;
        let refused = |error| refusal(&error, limit);
        let Collected { bytes: body, room } = body::collect(headers, body, &self.bounds).await.map_err(refused)?;
        let failed = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed to read this request");
        let place = Arc::clone(&self.places).acquire_owned().await;
        let store = Arc::clone(&self.store);
        let work = move || {
            let _place = place;
            let Message { bytes, compression } = unwrap(body)?;
            let body = body::decompress(compression, bytes, limit).map_err(|error| refusal(&error, limit))?;
            // Read one after another, bodies that are decompressed are bounded by their places.
            drop(room);
            ingest(&store, encoding, &body)
        };
        tokio::task::spawn_blocking(work).await.map_err(failed)?
    }
}

impl Receiver {
    /// Reads a body of OTLP/HTTP.
    async fn read_http(&self, encoding: Encoding, headers: &HeaderMap, body: Body) -> Result<Ingested, Refusal> {
        let compression = ContentEncoding::of(headers).map_err(|error| refusal(&error, self.bounds.limit))?;
        self.read(encoding, headers, body, move |bytes| Ok(Message { bytes, compression })).await
    }
}

/// A message as it was sent.
#[derive(Debug)]
pub(super) struct Message {
    /// Compressed or not.
    pub(super) bytes: Vec<u8>,
    /// How.
    pub(super) compression: ContentEncoding,
}

/// The handler for every method on `/v1/traces`.
pub(super) async fn receive(State(receiver): State<Receiver>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if head.method == Method::OPTIONS {
        return receiver.cors.preflight(&head.headers);
    }
    let encoding = Encoding::of(&head.headers);
    let outcome = if head.method != Method::POST {
        let message = format!("{} is not possible here: spans are sent with POST", head.method);
        Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message))
    } else if !receiver.cors.admits(&head.headers) {
        Err(Refusal::new(StatusCode::FORBIDDEN, "this origin may not send spans here (see --allow-origin)"))
    } else if let Some(encoding) = encoding {
        receiver.read_http(encoding, &head.headers, body).await
    } else {
        let given = head.headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let given = given.as_deref().unwrap_or("missing");
        let message = format!("the Content-Type is {given}: it must be application/x-protobuf or application/json");
        Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
    };
    // Someone who sent neither encoding is most likely a person, who can read JSON.
    let encoding = encoding.unwrap_or(Encoding::Json);
    let mut response = match outcome {
        Ok(ingested) => export_response(encoding, ingested.rejected_spans, &ingested.error_message),
        Err(refusal) => {
            receiver.count_rejected();
            let status = refusal.status;
            let mut response = refusal.into_response(encoding);
            if status == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
            } else if status == StatusCode::SERVICE_UNAVAILABLE {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            } else if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
                response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, identity"));
            }
            response
        }
    };
    receiver.cors.mark(&head.headers, response.headers_mut());
    response.into_response()
}

/// Keeps what the body holds.
fn ingest(store: &Store, encoding: Encoding, body: &[u8]) -> Result<Ingested, Refusal> {
    let bad = |message| Refusal::new(StatusCode::BAD_REQUEST, message);
    let converted;
    let protobuf = match encoding {
        Encoding::Protobuf => body,
        Encoding::Json => {
            converted = otlp_json::to_protobuf(body)
                .map_err(|error| bad(format!("the body is not an ExportTraceServiceRequest in JSON: {error}")))?;
            converted.as_slice()
        }
    };
    store
        .ingest(protobuf)
        .map_err(|error| bad(format!("the body is not an ExportTraceServiceRequest in protobuf: {error}")))
}

/// The answer to a body that could not be read.
fn refusal(error: &BodyError, limit: usize) -> Refusal {
    match error {
        BodyError::TooLarge => {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than the limit of {limit} bytes"))
        }
        BodyError::TooLargeDecompressed => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than the limit of {limit} bytes after decompression"),
        ),
        BodyError::NotGzip(reason) => Refusal::new(
            StatusCode::BAD_REQUEST,
            format!("the body is not gzip, as its Content-Encoding says: {reason}"),
        ),
        BodyError::UnknownEncoding(name) => Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("the Content-Encoding \"{name}\" is not supported: use gzip or none"),
        ),
        BodyError::TooSlow => {
            let message = format!("the body did not arrive within {} s", PATIENCE.as_secs());
            Refusal::new(StatusCode::REQUEST_TIMEOUT, message)
        }
        BodyError::Busy => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many bodies are on their way: try again in a moment")
        }
        BodyError::Interrupted(reason) => {
            Refusal::new(StatusCode::BAD_REQUEST, format!("the body ended early: {reason}"))
        }
    }
}
