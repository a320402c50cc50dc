//! OTLP over gRPC: what tonic's client sends is kept, and what nobody should send is refused in gRPC's words.

use std::future::Future;

use axum::body::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use tonic::codec::CompressionEncoding;
use tonic::transport::Endpoint;

use crate::spans::{request, service, span, trace_hex};
use crate::support::{TestServer, gzip};

const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

fn run<R>(work: impl Future<Output = R>) -> R {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(work)
}

fn message(body: &[u8]) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(body).unwrap()
}

#[test]
fn what_tonic_sends_is_kept() {
    let server = TestServer::start();
    let spans = |trace| message(&request(vec![service("shop", vec![span(trace, 1, 0, "GET /cart", 0, 5)])]));
    let rejected = run(async {
        let channel = Endpoint::from_shared(format!("http://{}", server.address)).unwrap().connect().await.unwrap();
        let mut client = TraceServiceClient::new(channel.clone());
        let whole = client.export(spans(1)).await.unwrap().into_inner();
        assert_eq!(whole.partial_success, None);
        let mut compressing = TraceServiceClient::new(channel).send_compressed(CompressionEncoding::Gzip);
        compressing.export(spans(2)).await.unwrap();
        let mut bad = spans(3);
        bad.resource_spans[0].scope_spans[0].spans[0].span_id = vec![0; 8];
        client.export(bad).await.unwrap().into_inner().partial_success.unwrap()
    });
    assert_eq!(rejected.rejected_spans, 1);
    assert!(rejected.error_message.contains("span id"), "{}", rejected.error_message);
    for trace in [1, 2] {
        let kept = server.get_json(&format!("/api/traces/{}", trace_hex(trace)));
        assert_eq!(kept["spans"][0]["name"], "GET /cart");
    }
    assert_eq!(server.get_json("/api/stats")["received_spans"], 2);
}

/// A body as it stands, with further headers; answers the status and what was said.
fn send(server: &TestServer, headers: &[(&'static str, &'static str)], body: Vec<u8>) -> (String, String) {
    run(async {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
        let mut request = Request::post(format!("http://{}{PATH}", server.address)).header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = client.request(request.body(Full::from(body)).unwrap()).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"application/grpc".parse().unwrap())
        );
        let text = |headers: &HeaderMap, name: &str| {
            headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let head = response.headers().clone();
        let trailers = response.into_body().collect().await.unwrap().trailers().cloned().unwrap_or_default();
        let status = [text(&head, "grpc-status"), text(&trailers, "grpc-status")].concat();
        (status, text(&head, "grpc-message"))
    })
}

fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

#[test]
fn what_is_malformed_is_refused_with_a_status() {
    const GRPC: (&str, &str) = ("content-type", "application/grpc");
    let server = TestServer::start();
    let good = request(vec![service("shop", vec![span(1, 1, 0, "GET /cart", 0, 5)])]);
    let with_gzip = [GRPC, ("grpc-encoding", "gzip")];
    type Case<'c> = (&'c [(&'static str, &'static str)], Vec<u8>, &'c str, &'c str);
    let cases: [Case<'_>; 10] = [
        (&[GRPC], framed(0, &good), "0", ""),
        (&[("content-type", "application/grpc+proto; a=b")], framed(0, &good), "0", ""),
        (&with_gzip, framed(1, &gzip(&good)), "0", ""),
        (&with_gzip, framed(0, &good), "0", ""),
        (&with_gzip, framed(1, &good), "3", "not gzip"),
        (&[GRPC, ("grpc-encoding", "br")], framed(1, &good), "12", "br"),
        (&[GRPC], b"\0\0\0".to_vec(), "3", "3 bytes"),
        (&[GRPC], framed(0, &good)[..20].to_vec(), "3", "15 more"),
        (&[GRPC], framed(2, &good), "3", "flag is 2"),
        (&[GRPC], framed(0, b"\xff\xff"), "3", "at byte"),
    ];
    for (headers, body, status, message) in cases {
        let (found, said) = send(&server, headers, body);
        assert_eq!(found, status, "{headers:?}: {said}");
        assert!(said.contains(message), "{said}");
    }
    let stats = server.get_json("/api/stats");
    assert_eq!((&stats["received_requests"], &stats["rejected_requests"]), (&4.into(), &6.into()));
}

#[test]
fn who_comes_without_grpc_is_shown_the_way() {
    let server = TestServer::start();
    let answer = server.send("POST", PATH, &[("content-type", "application/x-protobuf")], b"");
    assert_eq!(answer.status, 415);
    assert!(answer.text().contains("/v1/traces"), "{}", answer.text());
}
