//! The spans that helpers start.

use clewline::helpers::{SpanAttributes, create_span, db_span, get_tracer, http_client_span, in_span, llm_span};
use clewline::testing::Recorder;
use clewline::{SpanKind, StatusCode};

#[test]
fn a_database_call() {
    let recorder = Recorder::new();
    in_span("request", SpanKind::Server, || {
        drop(db_span("SELECT * FROM cart WHERE user = 'ann'", "postgresql"));
        drop(db_span("SET cart:7 secret", "redis"));
        drop(db_span("{\"find\": \"users\", \"filter\": {\"name\": \"ann\"}}", "mongodb"));
        drop(db_span("", "sqlite"));
        drop(db_span("SELECT \"ann\" FROM guests", "mysql"));
    });
    let spans = recorder.spans();
    spans
        .named("SELECT cart")
        .child_of("request")
        .has_kind(SpanKind::Client)
        .has_scope("clewline")
        .has("db.system.name", "postgresql")
        .has("db.operation.name", "SELECT")
        .has("db.query.summary", "SELECT cart")
        .has("db.query.text", "SELECT * FROM cart WHERE user = ?");
    spans.named("SET").has("db.query.text", "SET cart:7 ?").has("db.operation.name", "SET");
    spans.named("mongodb").has("db.system.name", "mongodb").lacks("db.query.text").lacks("db.operation.name");
    spans.named("sqlite").lacks("db.query.text").lacks("db.query.summary");
    assert!(!spans.to_string().contains("ann"), "{spans}");
}

#[test]
fn an_http_request() {
    let recorder = Recorder::new();
    drop(http_client_span("POST", "https://user:pass@stock.example:8443/items?token=secret#top"));
    drop(http_client_span("get", "not an address"));
    let spans = recorder.spans();
    spans
        .named("POST")
        .has_kind(SpanKind::Client)
        .has("http.request.method", "POST")
        .has("url.full", "https://stock.example:8443/items?token=REDACTED")
        .has("server.address", "stock.example")
        .has("server.port", 8443)
        .lacks("http.request.method_original");
    spans
        .named("HTTP")
        .has("http.request.method", "_OTHER")
        .has("http.request.method_original", "get")
        .lacks("server.address");
}

#[test]
fn a_language_model() {
    let recorder = Recorder::new();
    llm_span("chat", "openai", "gpt-5").set("gen_ai.usage.output_tokens", 36);
    recorder
        .spans()
        .named("chat gpt-5")
        .has_kind(SpanKind::Client)
        .has("gen_ai.operation.name", "chat")
        .has("gen_ai.provider.name", "openai")
        .has("gen_ai.request.model", "gpt-5")
        .has("gen_ai.usage.output_tokens", 36);
}

#[test]
fn a_span_of_attributes() {
    let recorder = Recorder::new();
    let attributes = SpanAttributes::new("checkout", "shop::cart").with_tenant("acme").with_user("u-17");
    drop(create_span(&attributes));
    let more = attributes.with("n", 3).with("share", 0.5).with("is_new", true).with("raw", &b"ab"[..]);
    drop(create_span(&more.with("list", clewline::Value::I64s(&[1])).with_kind(SpanKind::Server)));
    let spans = recorder.spans();
    let [first, second] = spans.all_named("checkout")[..] else { panic!("{spans}") };
    first
        .has_scope("shop::cart")
        .has("tenant.id", "acme")
        .has("user.id", "u-17")
        .has_kind(SpanKind::Internal)
        .lacks("n");
    second.has_kind(SpanKind::Server).has("n", 3).has("share", 0.5).has("is_new", true).has_key("raw").has_key("list");
    second.has("tenant.id", "acme");
}

#[test]
fn a_scope_of_work_ends_also_by_a_panic() {
    let recorder = Recorder::new();
    assert_eq!(in_span("works", SpanKind::Internal, || 7), 7);
    let panics = || in_span("panics", SpanKind::Internal, || panic!("as the test wants it"));
    assert!(std::panic::catch_unwind(panics).is_err());
    let spans = recorder.spans();
    spans.named("works").has_status(StatusCode::Unset);
    spans.named("panics").failed_with("panicked").has("error.type", "panic");
}

#[test]
fn tracers_are_the_same_for_all_threads() {
    let recorder = Recorder::new();
    let handle = recorder.handle();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                let _entered = handle.enter();
                get_tracer("shop").span("work").start().end();
            });
        }
    });
    for span in recorder.spans().all_named("work") {
        span.has_scope("shop");
    }
    assert_eq!(recorder.spans().len(), 4);
}
