//! The keys that helpers write are those of OpenTelemetry's current semantic conventions.

use std::collections::BTreeSet;
use std::io;

use clewline::helpers::{
    SpanAttributes, create_span, db_span, event_span, http_client_span, llm_span, traced_backend_call, traced_query,
};
use clewline::testing::Recorder;
use opentelemetry_semantic_conventions::attribute as semconv;

/// Everything that may be written, by the crate that is generated from the conventions. A key that is renamed there is marked
/// as deprecated, and then this does not compile without a warning.
const KNOWN: [&str; 21] = [
    semconv::DB_COLLECTION_NAME,
    semconv::DB_OPERATION_NAME,
    semconv::DB_QUERY_SUMMARY,
    semconv::DB_QUERY_TEXT,
    semconv::DB_SYSTEM_NAME,
    semconv::ERROR_TYPE,
    semconv::EXCEPTION_MESSAGE,
    semconv::EXCEPTION_STACKTRACE,
    semconv::EXCEPTION_TYPE,
    semconv::HTTP_REQUEST_METHOD,
    semconv::HTTP_REQUEST_METHOD_ORIGINAL,
    semconv::MESSAGING_DESTINATION_NAME,
    semconv::MESSAGING_OPERATION_NAME,
    semconv::MESSAGING_OPERATION_TYPE,
    semconv::MESSAGING_SYSTEM,
    semconv::SERVER_ADDRESS,
    semconv::SERVER_PORT,
    semconv::SERVICE_PEER_NAME,
    semconv::URL_FULL,
    semconv::USER_ID,
    // The conventions have no word for it yet.
    "tenant.id",
];

#[expect(deprecated, reason = "those for language models have moved to conventions of their own, under the same names")]
const FOR_LANGUAGE_MODELS: [&str; 3] =
    [semconv::GEN_AI_OPERATION_NAME, semconv::GEN_AI_PROVIDER_NAME, semconv::GEN_AI_REQUEST_MODEL];

/// An error with a source.
#[derive(Debug, thiserror::Error)]
#[error("outer")]
struct Outer(#[source] io::Error);

#[tokio::test]
async fn every_key_is_one_of_the_conventions() {
    let recorder = Recorder::new();
    drop(db_span("SELECT * FROM cart WHERE id = 1", "sqlite"));
    drop(http_client_span("brew", "http://shop.example/"));
    let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    drop(event_span("orders", "kafka").send(&mut clewline::propagation::carrier::pairs_mut(&mut headers)));
    drop(llm_span("chat", "openai", "gpt-5"));
    drop(create_span(&SpanAttributes::new("checkout", "shop").with_tenant("acme").with_user("u-17")));
    let failure = || async { Err::<(), _>(io::Error::other("refused")) };
    traced_query("SELECT", "cart", failure).await.unwrap_err();
    traced_backend_call("stock", "reserve", failure).await.unwrap_err();
    clewline::helpers::with_span("w", clewline::SpanKind::Internal, async || {
        clewline::helpers::record_error(&Outer(io::Error::other("inner")));
        Ok::<_, io::Error>(())
    })
    .await
    .unwrap();
    let spans = recorder.spans();
    let mut keys = BTreeSet::new();
    for span in spans.iter() {
        let events = span.events.iter().flat_map(|event| &event.attributes);
        keys.extend(span.attributes.iter().chain(events).map(|(key, _)| key.clone()));
    }
    let known: BTreeSet<String> = KNOWN.iter().chain(&FOR_LANGUAGE_MODELS).map(|key| (*key).to_owned()).collect();
    assert_eq!(keys.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(known.difference(&keys).collect::<Vec<_>>(), Vec::<&String>::new(), "all of them were seen");
}
