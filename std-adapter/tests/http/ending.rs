//! When the server span ends: with the body, with an error, or with the client.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use clewline::http::{ServerLayer, TracedBody};
use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::support::{ERROR, UNSET, ended, events, exchange, integer, serve, server_span, text, verdict};

const CANCELLED: &str = "response cancelled: the client disconnected or a time limit passed";

async fn request(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

/// Reads until `text` has arrived.
async fn read_until(stream: &mut TcpStream, text: &str) {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(text) {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "the end came before {text:?}");
    }
}

#[tokio::test]
async fn a_streaming_body_keeps_its_span_open_and_current() {
    let (sender, receiver) = mpsc::channel::<&'static str>(1);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let handler = async move || {
        let body = stream::unfold(receiver.lock_owned().await, async |mut receiver| {
            let part = receiver.recv().await?;
            tracing::info!("sending {part}");
            Some((Ok::<_, Infallible>(part), receiver))
        });
        Body::from_stream(body)
    };
    let address = serve(Router::new().route("/stream", get(handler))).await;
    let mut client = request(address, "/stream").await;
    sender.send("first").await.unwrap();
    read_until(&mut client, "first").await;
    assert_eq!(ended(|span| text(&span.attributes, "url.path") == Some("/stream")), [], "the body goes on");

    sender.send("second").await.unwrap();
    drop(sender);
    // The last chunk of a chunked body (RFC 9112, section 7.1).
    read_until(&mut client, "\r\n0\r\n\r\n").await;
    let span = server_span("/stream").await;
    assert_eq!(events(&span), ["sending first", "sending second"]);
    assert_eq!(verdict(&span), (UNSET, None));
}

#[tokio::test]
async fn a_body_that_fails_is_an_error() {
    let handler = async || {
        let parts = [Ok(Bytes::from_static(b"some")), Err(io::Error::other("the disk is gone"))];
        Body::from_stream(stream::iter(parts))
    };
    let address = serve(Router::new().route("/broken", get(handler))).await;
    exchange(address, "GET /broken HTTP/1.1").await;
    let span = server_span("/broken").await;
    assert_eq!(verdict(&span), (ERROR, Some("_OTHER")));
    assert_eq!(events(&span), ["exception"]);
    assert_eq!(text(&span.events[0].attributes, "exception.message"), Some("the disk is gone"));
}

#[tokio::test]
async fn a_client_that_leaves_before_the_response_is_an_event() {
    let started = Arc::new(Notify::new());
    let told = Arc::clone(&started);
    let handler = async move || {
        told.notify_one();
        pending::<()>().await;
    };
    let address = serve(Router::new().route("/left/early", get(handler))).await;
    let client = request(address, "/left/early").await;
    started.notified().await;
    drop(client);
    let span = server_span("/left/early").await;
    assert_eq!(events(&span), [CANCELLED]);
    assert_eq!(verdict(&span), (UNSET, None), "it is not the server's fault");
    assert_eq!(integer(&span.attributes, "http.response.status_code"), None);
}

#[tokio::test]
async fn a_client_that_leaves_during_the_body_is_an_event() {
    let handler = async || {
        let first = stream::iter([Ok::<_, Infallible>("some")]);
        Body::from_stream(first.chain(stream::pending()))
    };
    let address = serve(Router::new().route("/left/late", get(handler))).await;
    let mut client = request(address, "/left/late").await;
    read_until(&mut client, "some").await;
    drop(client);
    let span = server_span("/left/late").await;
    assert_eq!(events(&span), [CANCELLED]);
    assert_eq!(integer(&span.attributes, "http.response.status_code"), Some(200));
}

/// hyper drops such bodies without asking for their end, which must not look as if the client had left.
#[tokio::test]
async fn bodies_that_nobody_reads_to_the_end_are_complete() {
    fn endless() -> Body {
        Body::from_stream(stream::repeat(Ok::<_, Infallible>("x")))
    }
    let announced = async || ([(header::CONTENT_LENGTH, "2")], endless()).into_response();
    let router = Router::new()
        .route("/unread/head", get(async || endless()))
        .route("/unread/204", get(async || (StatusCode::NO_CONTENT, endless())))
        .route("/unread/304", get(async || (StatusCode::NOT_MODIFIED, endless())))
        .route("/unread/empty", get(async || ()))
        .route("/unread/announced", get(announced));
    let address = serve(router).await;
    for (method, path, ending) in [
        ("HEAD", "/unread/head", "\r\n\r\n"),
        ("GET", "/unread/204", "\r\n\r\n"),
        ("GET", "/unread/304", "\r\n\r\n"),
        ("GET", "/unread/empty", "\r\n\r\n"),
        ("GET", "/unread/announced", "\r\n\r\nxx"),
    ] {
        let response = exchange(address, &format!("{method} {path} HTTP/1.1")).await;
        assert!(response.ends_with(ending), "{path}: {response}");
        assert_eq!(events(&server_span(path).await), [""; 0], "{path}");
    }
}

#[tokio::test]
async fn a_handler_that_panics_is_an_error() {
    let handler = async || -> &'static str { panic!("on purpose, in a test") };
    let address = serve(Router::new().route("/panics", get(handler))).await;
    exchange(address, "GET /panics HTTP/1.1").await;
    let span = server_span("/panics").await;
    assert_eq!(verdict(&span), (ERROR, Some("panic")));
    assert_eq!(events(&span), [""; 0]);
}

/// axum's handlers cannot fail; other tower services can.
#[derive(Clone)]
struct Failing;

impl Service<Request<Body>> for Failing {
    type Response = Response<Body>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        std::future::ready(Err("no database".into()))
    }
}

#[tokio::test]
async fn a_service_that_fails_is_an_error() {
    // Starts recording.
    serve(Router::new()).await;
    let mut service = ServerLayer::new().layer(Failing);
    poll_fn(|context| service.poll_ready(context)).await.unwrap();
    let request = Request::get("/fails").body(Body::empty()).unwrap();
    let outcome: Result<Response<TracedBody<Body>>, _> = service.call(request).await;
    assert_eq!(outcome.unwrap_err().to_string(), "no database", "the error goes on to whoever handles it");
    let span = server_span("/fails").await;
    assert_eq!(verdict(&span), (ERROR, Some("_OTHER")));
    assert_eq!(text(&span.events[0].attributes, "exception.message"), Some("no database"));
    assert_eq!(integer(&span.attributes, "http.response.status_code"), None);
}
