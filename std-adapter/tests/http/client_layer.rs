//! The client layer around hyper's client: streaming bodies, failures, and requests that are given up.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use clewline::http::{ClientLayer, ClientService};
use futures_util::{StreamExt as _, stream};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::{Notify, mpsc};
use tower::ServiceExt as _;
use tower_layer::Layer as _;

use crate::support::{CLIENT, ERROR, UNSET, ended, events, integer, serve, text, the_span, verdict};

type TracedClient = ClientService<Client<HttpConnector, Full<Bytes>>>;

fn client() -> TracedClient {
    ClientLayer::new().layer(Client::builder(TokioExecutor::new()).build_http())
}

fn request(address: SocketAddr, path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("http://{address}{path}")).body(Full::default()).unwrap()
}

fn is_of(span: &Span, path: &str) -> bool {
    span.kind == CLIENT && text(&span.attributes, "url.full").is_some_and(|url| url.ends_with(path))
}

#[tokio::test]
async fn the_span_ends_with_the_body() {
    let (sender, receiver) = mpsc::channel::<&'static str>(1);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let handler = async move |body: String| {
        let parts = stream::unfold((receiver.lock_owned().await, Some(body)), async |(mut receiver, first)| {
            let part = match first {
                Some(first) => first,
                None => receiver.recv().await?.to_owned(),
            };
            Some((Ok::<_, Infallible>(part), (receiver, None)))
        });
        Body::from_stream(parts)
    };
    let address = serve(Router::new().route("/layer/stream", post(handler))).await;
    let url = format!("http://{address}/layer/stream");
    let request = Request::post(url).body(Full::from("sent")).unwrap();
    let mut body = client().oneshot(request).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "sent");
    assert_eq!(ended(|span| is_of(span, "/layer/stream")), [], "the body goes on");
    sender.send("more").await.unwrap();
    drop(sender);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "more");
    let span = the_span(|span| is_of(span, "/layer/stream")).await;
    assert_eq!((span.name.as_str(), verdict(&span), events(&span)), ("POST", (UNSET, None), vec![]));
    assert_eq!(integer(&span.attributes, "http.response.status_code"), Some(200));
    assert_eq!(text(&span.attributes, "network.protocol.version"), Some("1.1"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let arrived = Arc::new(Notify::new());
    let told = Arc::clone(&arrived);
    let handler = async move || {
        let first = stream::iter([Ok(Bytes::from_static(b"some"))]);
        // The first part leaves before the connection does.
        let told = Arc::clone(&told);
        let second = stream::once(async move {
            told.notified().await;
            Err(std::io::Error::other("broken"))
        });
        Body::from_stream(first.chain(second))
    };
    let address = serve(Router::new().route("/layer/broken", get(handler))).await;
    let mut body = client().oneshot(request(address, "/layer/broken")).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "some");
    arrived.notify_one();
    assert!(body.collect().await.is_err());
    let span = the_span(|span| is_of(span, "/layer/broken")).await;
    assert_eq!((verdict(&span), events(&span)), ((ERROR, Some("_OTHER")), vec!["exception"]));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_an_error() {
    crate::support::start();
    let address = crate::nobody::nobody();
    client().oneshot(request(address, "/layer/unreachable")).await.unwrap_err();
    let span = the_span(|span| is_of(span, "/layer/unreachable")).await;
    assert_eq!(verdict(&span), (ERROR, Some("_OTHER")));
}

#[tokio::test]
async fn requests_that_are_given_up_say_so() {
    const GIVEN_UP: &str = "request cancelled: it was dropped before its end";
    let arrived = Arc::new(Notify::new());
    let told = Arc::clone(&arrived);
    let silent = async move || {
        told.notify_one();
        std::future::pending::<()>().await;
    };
    let endless = async || Body::from_stream(stream::iter([Ok::<_, Infallible>("some")]).chain(stream::pending()));
    let address = serve(Router::new().route("/layer/silent", get(silent)).route("/layer/endless", get(endless))).await;
    tokio::select! {
        _ = client().oneshot(request(address, "/layer/silent")) => panic!("the server says nothing"),
        () = arrived.notified() => {}
    }
    let mut body = client().oneshot(request(address, "/layer/endless")).await.unwrap().into_body();
    assert!(body.frame().await.is_some());
    drop(body);
    for (path, status) in [("/layer/silent", None), ("/layer/endless", Some(200))] {
        let span = the_span(|span| is_of(span, path)).await;
        assert_eq!((verdict(&span), events(&span)), ((UNSET, None), vec![GIVEN_UP]), "{path}");
        assert_eq!(integer(&span.attributes, "http.response.status_code"), status, "{path}");
    }
}
