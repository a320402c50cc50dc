//! gRPC through tonic's own server and channel: names, statuses and contexts of unary and streaming calls.

use std::net::SocketAddr;
use std::time::Duration;

use clewline::http::{ClientLayer, ClientService, Options, ServerLayer};
use clewline::propagation::WithContext as _;
use clewline::{Context, traceparent};
use opentelemetry_proto::tonic::trace::v1::Span;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower_layer::Layer as _;
use tracing::Instrument as _;

use crate::support::{
    CLIENT, ERROR, PARENT_ID, SERVER, TRACE_ID, UNSET, ended, events, hex, integer, text, the_span, the_spans, verdict,
};

const CHECK: &str = "grpc.health.v1.Health/Check";
const WATCH: &str = "grpc.health.v1.Health/Watch";

/// Answers what it is told to by the name of the service that is asked about.
struct Told;

type Watching = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for Told {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        tracing::info!("checking {service}");
        tokio::task::yield_now().await;
        match service.split_once(' ') {
            Some(("fail", code)) => Err(Status::new(code.parse::<i32>().unwrap().into(), "café; so sorry")),
            _ => {
                let context = Context::current();
                let shown = format!("{} {}", context.trace_state(), context.baggage());
                let mut response = tonic::Response::new(HealthCheckResponse { status: 1 });
                response.metadata_mut().insert("shown", shown.parse().unwrap());
                Ok(response)
            }
        }
    }

    type WatchStream = Watching;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<tonic::Response<Watching>, Status> {
        use futures_util::StreamExt as _;
        let service = request.into_inner().service;
        let parts = futures_util::stream::iter(0..3).map(|number| {
            tracing::info!("part {number}");
            Ok(HealthCheckResponse { status: number })
        });
        let end: Watching = match service.as_str() {
            "fails" => Box::pin(futures_util::stream::iter([Err(Status::data_loss("gone"))])),
            "endless" => Box::pin(futures_util::stream::pending()),
            _ => Box::pin(futures_util::stream::empty()),
        };
        Ok(tonic::Response::new(Box::pin(parts.chain(end))))
    }
}

async fn serve() -> SocketAddr {
    crate::support::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().layer(ServerLayer::new()).add_service(HealthServer::new(Told));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    address
}

async fn client(address: SocketAddr) -> HealthClient<ClientService<Channel>> {
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let options = Options::new().server(&address.to_string());
    HealthClient::new(ClientLayer::with_options(options).layer(channel))
}

fn asked(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

/// The client's span and the server's below a span of this name.
async fn pair(work: &str) -> [Span; 2] {
    let work = the_span(|span| span.name == work).await;
    let spans =
        the_spans(2, |span| span.trace_id == work.trace_id && (span.kind == CLIENT || span.kind == SERVER)).await;
    let [client, server] = [CLIENT, SERVER].map(|kind| spans.iter().find(|span| span.kind == kind).unwrap().clone());
    assert_eq!((&client.parent_span_id, &server.parent_span_id), (&work.span_id, &client.span_id));
    [client, server]
}

#[tokio::test]
async fn a_unary_call_is_one_span_on_each_side() {
    let address = serve().await;
    let mut client = client(address).await;
    client.check(asked("shop")).instrument(tracing::info_span!("unary work")).await.unwrap();
    let [client, server] = pair("unary work").await;
    for span in [&client, &server] {
        assert_eq!(span.name, CHECK);
        for (key, value) in [
            ("rpc.system.name", "grpc"),
            ("rpc.method", CHECK),
            ("rpc.response.status_code", "OK"),
            ("server.address", "127.0.0.1"),
            ("network.protocol.version", "2"),
        ] {
            assert_eq!(text(&span.attributes, key), Some(value), "{key} of {}", span.kind);
        }
        assert_eq!(verdict(span), (UNSET, None));
        assert_eq!(integer(&span.attributes, "server.port"), Some(address.port().into()));
        assert!(!span.attributes.iter().any(|attribute| attribute.key.starts_with("http.")), "{span:?}");
    }
    assert_eq!((events(&server), events(&client)), (vec!["checking shop"], vec![]));
}

/// The number of a status, its name, and whether it is an error to the server; to the client every one is.
#[tokio::test]
async fn statuses_are_judged_on_each_side() {
    let address = serve().await;
    for (code, name, is_servers) in [
        (Code::Cancelled, "CANCELLED", false),
        (Code::Unknown, "UNKNOWN", true),
        (Code::InvalidArgument, "INVALID_ARGUMENT", false),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", true),
        (Code::NotFound, "NOT_FOUND", false),
        (Code::AlreadyExists, "ALREADY_EXISTS", false),
        (Code::PermissionDenied, "PERMISSION_DENIED", false),
        (Code::ResourceExhausted, "RESOURCE_EXHAUSTED", false),
        (Code::FailedPrecondition, "FAILED_PRECONDITION", false),
        (Code::Aborted, "ABORTED", false),
        (Code::OutOfRange, "OUT_OF_RANGE", false),
        (Code::Internal, "INTERNAL", true),
        (Code::Unavailable, "UNAVAILABLE", true),
        (Code::DataLoss, "DATA_LOSS", true),
        (Code::Unauthenticated, "UNAUTHENTICATED", false),
    ] {
        let work = tracing::info_span!("status work", otel.name = format!("work {name}"));
        let mut client = client(address).await;
        let status = client.check(asked(&format!("fail {}", i32::from(code)))).instrument(work).await.unwrap_err();
        assert_eq!(status.code(), code);
        let [client, server] = pair(&format!("work {name}")).await;
        for (span, is_error) in [(&client, true), (&server, is_servers)] {
            assert_eq!(text(&span.attributes, "rpc.response.status_code"), Some(name));
            let expected = if is_error { (ERROR, Some(name)) } else { (UNSET, None) };
            assert_eq!(verdict(span), expected, "{name} of {}", span.kind);
            let message = span.status.clone().unwrap_or_default().message;
            assert_eq!(message, if is_error { "café; so sorry" } else { "" });
        }
    }
}

#[tokio::test]
async fn a_method_that_is_not_implemented_makes_no_name() {
    let address = serve().await;
    let work = tracing::info_span!("unimplemented work");
    let status = client(address).await.check(asked("fail 12")).instrument(work).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    let [client, server] = pair("unimplemented work").await;
    assert_eq!(client.name, CHECK, "the client knows its methods");
    assert_eq!((server.name.as_str(), text(&server.attributes, "rpc.method")), ("grpc", Some("_OTHER")));
    assert_eq!(text(&server.attributes, "rpc.method_original"), Some(CHECK));
    assert_eq!(verdict(&server), (ERROR, Some("UNIMPLEMENTED")));
}

#[tokio::test]
async fn a_stream_ends_its_spans_with_its_trailers() {
    let address = serve().await;
    for (service, outcome, name) in [("whole", Ok(()), "OK"), ("fails", Err(Code::DataLoss), "DATA_LOSS")] {
        let mut client = client(address).await;
        let work = async {
            let mut stream = client.watch(asked(service)).await.unwrap().into_inner();
            for number in 0..3 {
                assert_eq!(stream.message().await.unwrap().unwrap().status, number);
            }
            match stream.message().await {
                Ok(None) => Ok(()),
                Ok(message) => panic!("{message:?}"),
                Err(status) => Err(status.code()),
            }
        };
        let span = tracing::info_span!("stream work", otel.name = format!("watching {service}"));
        assert_eq!(work.instrument(span).await, outcome);
        let [client, server] = pair(&format!("watching {service}")).await;
        for span in [&client, &server] {
            assert_eq!((span.name.as_str(), text(&span.attributes, "rpc.response.status_code")), (WATCH, Some(name)));
        }
        assert_eq!(events(&server), ["part 0", "part 1", "part 2"], "the body's work is within the span");
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled_on_both_sides() {
    let address = serve().await;
    let mut client = client(address).await;
    let work = async {
        let mut stream = client.watch(asked("endless")).await.unwrap().into_inner();
        assert!(stream.message().await.unwrap().is_some());
        assert_eq!(ended(|span| span.name == "given up"), []);
    };
    work.instrument(tracing::info_span!("given up")).await;
    let [client, server] = pair("given up").await;
    for span in [&client, &server] {
        assert_eq!(text(&span.attributes, "rpc.response.status_code"), Some("CANCELLED"));
    }
    assert_eq!((verdict(&client), verdict(&server)), ((ERROR, Some("CANCELLED")), (UNSET, None)));
    assert!(events(&server).iter().any(|event| event.starts_with("response cancelled")), "{:?}", events(&server));
}

#[tokio::test]
async fn contexts_travel_as_metadata() {
    let address = serve().await;
    let remote = traceparent::parse(format!("00-{TRACE_ID}-{PARENT_ID}-01").as_bytes()).unwrap();
    let context = Context::from(remote).with_trace_state("congo=1").with_baggage_entry("tenant", "acme").unwrap();
    let mut client = client(address).await;
    let response = client.check(asked("context")).with_context(context).await.unwrap();
    assert_eq!(response.metadata().get("shown").unwrap(), "congo=1 tenant=acme");
    let server = the_span(|span| span.kind == SERVER && hex(&span.trace_id) == TRACE_ID && span.name == CHECK).await;
    let client = the_span(|span| span.kind == CLIENT && span.span_id == server.parent_span_id).await;
    assert_eq!((hex(&client.parent_span_id), client.trace_state.as_str()), (PARENT_ID.to_owned(), "congo=1"));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_an_error() {
    crate::support::start();
    let address = crate::nobody::nobody();
    let endpoint =
        Endpoint::from_shared(format!("http://{address}")).unwrap().connect_timeout(Duration::from_secs(300));
    let mut client = HealthClient::new(ClientLayer::new().layer(endpoint.connect_lazy()));
    let work = tracing::info_span!("unreachable work");
    assert_eq!(client.check(asked("nobody")).instrument(work).await.unwrap_err().code(), Code::Unavailable);
    let work = the_span(|span| span.name == "unreachable work").await;
    let client = the_span(|span| span.parent_span_id == work.span_id).await;
    assert_eq!((client.name.as_str(), verdict(&client)), (CHECK, (ERROR, Some("_OTHER"))));
}
