//! One pipeline for all tests of this program, whose exports OpenTelemetry's own messages decode; servers on free ports.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use clewline::config::TracingConfig;
use clewline::exporter::{ExportOutcome, Request, SpanExporter, WorkerSettings};
use clewline::http::{Options, ServerLayer};
use clewline::{ClewlineLayer, Pipeline, PipelineOptions, Sampler};
use clewline_core::{AlwaysOn, Attribute, ParentBased, Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tracing_subscriber::layer::SubscriberExt as _;

/// A caller's trace.
pub(crate) const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
/// A caller's span.
pub(crate) const PARENT_ID: &str = "b7ad6b7169203331";

const LIMIT: Duration = Duration::from_secs(300);

/// `SpanKind` and `StatusCode` as OTLP numbers them.
pub(crate) const SERVER: i32 = 2;
pub(crate) const CLIENT: i32 = 3;
pub(crate) const UNSET: i32 = 0;
pub(crate) const ERROR: i32 = 2;

type Spans = Arc<Mutex<Vec<Span>>>;

struct Recording {
    pipeline: &'static Pipeline,
    spans: Spans,
}

struct Decoder(Spans);

impl SpanExporter for Decoder {
    fn export(&mut self, request: &Request<'_>, _: Option<Instant>) -> ExportOutcome {
        let request = ExportTraceServiceRequest::decode(request.parts().concat().as_slice()).expect("OTLP");
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        self.0.lock().expect("no panic").extend(scopes.flat_map(|scope| scope.spans));
        ExportOutcome::Delivered
    }
}

/// Starts recording, once for all tests.
fn recording() -> &'static Recording {
    static RECORDING: OnceLock<Recording> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let spans = Spans::default();
        let resource: [Attribute<'_>; 1] = [("service.name", Value::Str("test"))];
        let sampler: Box<dyn Sampler + Send + Sync> = Box::new(ParentBased::new(AlwaysOn));
        let settings = WorkerSettings::new(&TracingConfig::default());
        let exporter = Box::new(Decoder(Arc::clone(&spans)));
        let mut options = PipelineOptions::default();
        options.baggage_attributes = vec!["tenant".to_owned()];
        let pipeline = Pipeline::start(&resource, sampler, Vec::new(), options, settings, exporter).unwrap();
        let filter = tracing_subscriber::filter::Targets::new()
            .with_default(tracing::Level::INFO)
            .with_target("clewline::http", tracing::Level::DEBUG);
        let subscriber = tracing_subscriber::registry().with(filter).with(ClewlineLayer::new(pipeline));
        tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
        Recording { pipeline, spans }
    })
}

/// Starts recording.
pub(crate) fn start() {
    recording();
}

/// Serves `router` with Clewline's layer on a free port.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    serve_with(router, Options::new()).await
}

/// Serves `router` with Clewline's layer and these options.
pub(crate) async fn serve_with(router: Router, options: Options) -> SocketAddr {
    recording();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.layer(ServerLayer::with_options(options)).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// All spans that have ended so far and satisfy `wanted`.
pub(crate) fn ended(wanted: impl Fn(&Span) -> bool) -> Vec<Span> {
    let recording = recording();
    recording.pipeline.flush(LIMIT).unwrap();
    recording.spans.lock().unwrap().iter().filter(|span| wanted(span)).cloned().collect()
}

/// The only span that satisfies `wanted`, as soon as it has ended.
pub(crate) async fn the_span(wanted: impl Fn(&Span) -> bool + Copy) -> Span {
    let mut found = the_spans(1, wanted).await;
    found.remove(0)
}

/// Exactly `count` spans that satisfy `wanted`, as soon as they have ended.
pub(crate) async fn the_spans(count: usize, wanted: impl Fn(&Span) -> bool + Copy) -> Vec<Span> {
    recording();
    let began = Instant::now();
    loop {
        let found = ended(wanted);
        assert!(found.len() <= count, "wanted {count}, found {found:#?}");
        if found.len() == count {
            return found;
        }
        assert!(began.elapsed() < LIMIT, "wanted {count} spans within {LIMIT:?}, found {}", found.len());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The server span of the request for `path`, which only one test may use.
pub(crate) async fn server_span(path: &str) -> Span {
    the_span(|span| span.kind == SERVER && text(&span.attributes, "url.path") == Some(path)).await
}

/// A text attribute.
pub(crate) fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match attribute(attributes, key)? {
        any_value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// An attribute of several texts.
pub(crate) fn texts<'a>(attributes: &'a [KeyValue], key: &str) -> Vec<&'a str> {
    let Some(any_value::Value::ArrayValue(array)) = attribute(attributes, key) else { panic!("{key} is no array") };
    let texts = array.values.iter().map(|value| match &value.value {
        Some(any_value::Value::StringValue(text)) => text.as_str(),
        other => panic!("{key} holds {other:?}"),
    });
    texts.collect()
}

/// An integer attribute.
pub(crate) fn integer(attributes: &[KeyValue], key: &str) -> Option<i64> {
    match attribute(attributes, key)? {
        any_value::Value::IntValue(value) => Some(*value),
        _ => None,
    }
}

fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a any_value::Value> {
    let mut found = attributes.iter().filter(|attribute| attribute.key == key);
    let value = found.next()?.value.as_ref()?.value.as_ref();
    assert!(found.next().is_none(), "{key} is there twice");
    value
}

/// The status code and `error.type`.
pub(crate) fn verdict(span: &Span) -> (i32, Option<&str>) {
    (span.status.as_ref().map_or(UNSET, |status| status.code), text(&span.attributes, "error.type"))
}

/// An id in hexadecimal.
pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The names of a span's events.
pub(crate) fn events(span: &Span) -> Vec<&str> {
    span.events.iter().map(|event| event.name.as_str()).collect()
}

/// Sends one request as it stands and answers the whole response; the server is asked to close the connection.
pub(crate) async fn exchange(address: SocketAddr, head: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("{head}\r\nHost: shop.example:8080\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    String::from_utf8(response).unwrap()
}
