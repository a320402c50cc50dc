//! OTLP over gRPC: one message in, one out, in gRPC's framing over HTTP/2 (gRPC over HTTP2, "Requests" and "Responses").

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, Full};

use super::answer::{Encoding, Refusal, export_message};
use super::body::ContentEncoding;
use super::receive::{Message, Receiver};
use super::store::Ingested;

/// The path of the only method (opentelemetry-proto, `trace_service.proto`).
pub(super) const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// One byte that says whether the message is compressed, and four for its length.
const PREFIX: usize = 5;

const UNIMPLEMENTED: u8 = 12;

/// The handler of the method.
pub(super) async fn export(State(receiver): State<Receiver>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if !is_grpc(&head.headers) {
        let message = "this is a gRPC method: its Content-Type is application/grpc; OTLP over HTTP goes to /v1/traces";
        return Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response(Encoding::Json);
    }
    let outcome = match receive(&receiver, &head.headers, body).await {
        Ok(ingested) => Ok(ingested),
        Err(failure) => {
            receiver.count_rejected();
            Err(failure)
        }
    };
    answer(outcome)
}

/// A status and what to say about it.
struct Failure {
    code: u8,
    message: String,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code(), message: refusal.message }
    }
}

async fn receive(receiver: &Receiver, headers: &HeaderMap, body: Body) -> Result<Ingested, Failure> {
    if !receiver.admits(headers) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "this origin may not send spans here").into());
    }
    let encoding = headers.get("grpc-encoding").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let compression = match encoding.as_deref() {
        None | Some("identity") => ContentEncoding::Identity,
        Some("gzip") => ContentEncoding::Gzip,
        Some(name) => {
            let message = format!("the grpc-encoding \"{name}\" is not supported: use gzip or none");
            return Err(Failure { code: UNIMPLEMENTED, message });
        }
    };
    let unframe = move |mut framed: Vec<u8>| {
        let compressed = unframe(&framed).map_err(|message| Refusal::new(StatusCode::BAD_REQUEST, message))?;
        framed.drain(..PREFIX);
        Ok(Message { bytes: framed, compression: if compressed { compression } else { ContentEncoding::Identity } })
    };
    Ok(receiver.read(Encoding::Protobuf, headers, body, unframe).await?)
}

/// Whether the one message, which must be the whole body, is compressed.
fn unframe(framed: &[u8]) -> Result<bool, String> {
    let Some(([flag, length @ ..], message)) = framed.split_first_chunk::<PREFIX>() else {
        return Err(format!("the body has {} bytes, which is no gRPC message: 5 precede it", framed.len()));
    };
    let length = u32::from_be_bytes(*length);
    if usize::try_from(length).ok() != Some(message.len()) {
        return Err(format!(
            "the message is to have {length} bytes, and the body has {} more: one is expected",
            message.len()
        ));
    }
    match flag {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(format!("the message's compressed flag is {other}: it must be 0 or 1")),
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    matches!(value.split(';').next().unwrap_or_default().trim(), "application/grpc" | "application/grpc+proto")
}

/// The message and an OK in the trailers, or the status alone, in the headers ("Trailers-Only").
fn answer(outcome: Result<Ingested, Failure>) -> Response {
    const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
    let mut response = match outcome {
        Ok(ingested) => {
            let message = export_message(ingested.rejected_spans, &ingested.error_message);
            let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
            let framed: Vec<u8> = [&[0][..], &length.to_be_bytes(), &message].concat();
            let trailers =
                HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
            Body::new(Full::new(Bytes::from(framed)).with_trailers(async { Some(Ok(trailers)) })).into_response()
        }
        Err(Failure { code, message }) => {
            let headers = [("grpc-status", HeaderValue::from(u16::from(code))), ("grpc-message", encoded(&message))];
            (headers, Body::empty()).into_response()
        }
    };
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    response
}

/// Percent-encoded, as `grpc-message` is ("Status-Message").
fn encoded(message: &str) -> HeaderValue {
    let mut text = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => text.push(char::from(byte)),
            _ => text += &format!("%{byte:02X}"),
        }
    }
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}
