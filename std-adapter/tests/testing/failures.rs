//! What a test that fails says: the messages, word for word.

use std::panic::{AssertUnwindSafe, catch_unwind};

use clewline::testing::{Recorder, Spans};
use clewline::{SpanKind, Status, StatusCode, tracer};

/// The message of the panic that `assertion` ends with.
fn message(assertion: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(assertion)).expect_err("the assertion holds, though it should not");
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).expect("a text")
}

/// A request with a query and a retry, another trace, and a span that has not ended.
fn recorded() -> (Recorder, Spans) {
    let recorder = Recorder::new();
    let shop = tracer("shop");
    {
        let request = shop.span("GET /cart").kind(SpanKind::Server).start().enter();
        request.set("http.request.method", "GET").set("user.roles", clewline::Value::Strs(&["admin", "ops"]));
        let mut query = shop.span("db.query").kind(SpanKind::Client).start();
        query.set("db.system.name", "postgresql").event_with("retry", &[("attempt", 2.into())]);
        query.set_status(Status::error("timeout"));
        let context = query.context().expect("it is recorded");
        query.end();
        let mut render = shop.span("render").start();
        render.add_link(&context.into());
        shop.span("template").child_of(&render).start().end();
        render.end();
    }
    let remote = clewline::traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").ok();
    shop.span("job").child_of(remote).start().set_status(Status::OK);
    std::mem::forget(shop.span("never ended").root().start());
    let spans = recorder.spans();
    (recorder, spans)
}

const TREE: &str = r#"GET /cart · SERVER
│   http.request.method = "GET"
│   user.roles = ["admin", "ops"]
├── db.query · CLIENT · ERROR "timeout"
│       db.system.name = "postgresql"
│       • retry attempt = 2
└── render
    │   → db.query
    └── template
job · OK · its parent was not recorded here
1 span has not ended
"#;

#[test]
fn the_tree_shows_everything_but_ids_and_times() {
    let (_recorder, spans) = recorded();
    assert_eq!(spans.to_string(), TREE);
    assert_eq!(Recorder::new().spans().to_string(), "no span was recorded\n");
}

#[test]
fn a_failed_assertion_says_what_was_expected_and_what_was_found() {
    let (_recorder, spans) = recorded();
    let query = spans.named("db.query");
    let table: [(&dyn Fn(), &str); 21] = [
        (&|| done(spans.named("db.queries")), "no span is named `db.queries`"),
        (
            &|| done(query.has("db.system.name", "sqlite")),
            "span `db.query`: expected `db.system.name` = \"sqlite\", found \"postgresql\"",
        ),
        (
            &|| done(query.has("db.namespace", 7)),
            "span `db.query`: expected `db.namespace` = 7, found no such attribute",
        ),
        (&|| done(query.has_key("db.namespace")), "span `db.query`: expected an attribute `db.namespace`"),
        (
            &|| done(query.lacks("db.system.name")),
            "span `db.query`: expected no attribute `db.system.name`, found \"postgresql\"",
        ),
        (
            &|| done(query.child_of("render")),
            "span `db.query`: expected a child of `render`, but its parent is `GET /cart`",
        ),
        (&|| done(query.child_of("nobody")), "no span is named `nobody`"),
        (&|| done(query.is_root()), "span `db.query`: expected a root, but its parent is `GET /cart`"),
        (
            &|| done(spans.named("GET /cart").child_of(query)),
            "span `GET /cart`: expected a child of `db.query`, but it is a root",
        ),
        (
            &|| done(spans.named("job").child_of(query)),
            "span `job`: expected a child of `db.query`, but its parent is a span that was not recorded here, b7ad6b7169203331",
        ),
        (&|| done(spans.named("job").in_trace_of(query)), "span `job`: expected to be in the trace of `db.query`"),
        (&|| done(query.linked_to("render")), "span `db.query`: expected a link to `render`"),
        (
            &|| done(spans.named("GET /cart").has_children(&["render"])),
            "span `GET /cart`: expected the children [\"render\"], found [\"db.query\", \"render\"]",
        ),
        (&|| done(query.has_kind(SpanKind::Server)), "span `db.query`: expected the kind SERVER, found CLIENT"),
        (
            &|| done(query.has_status(StatusCode::Ok)),
            "span `db.query`: expected the status OK, found ERROR \"timeout\"",
        ),
        (
            &|| done(query.failed_with("refused")),
            "span `db.query`: expected the status ERROR \"refused\", found ERROR \"timeout\"",
        ),
        (&|| done(query.did_not_fail()), "span `db.query`: expected no failure, found ERROR \"timeout\""),
        (&|| done(query.has_event("cache.miss")), "span `db.query`: expected an event `cache.miss`"),
        (
            &|| done(query.event("retry").has("attempt", 3)),
            "span `db.query`: event `retry`: expected `attempt` = 3, found 2",
        ),
        (&|| done(query.has_scope("billing")), "span `db.query`: expected the scope `billing`, found `shop`"),
        (
            &|| done(spans.are_named(&["job"])),
            "expected spans named [\"job\"], found [\"GET /cart\", \"db.query\", \"job\", \"render\", \"template\"]",
        ),
    ];
    for (assertion, expected) in table {
        assert_eq!(message(assertion), format!("{expected}\n\n{TREE}"));
    }
}

#[test]
fn a_name_that_several_spans_have_is_no_answer() {
    let recorder = Recorder::new();
    tracer("shop").span("twice").start().end();
    tracer("shop").span("twice").start().end();
    let spans = recorder.spans();
    let expected = "2 spans are named `twice`; `all_named` gives them all\n\ntwice\ntwice\n";
    assert_eq!(message(|| done(spans.named("twice"))), expected);
    assert_eq!(message(|| done(spans.root())), "expected one root, found 2\n\ntwice\ntwice\n");
}

/// What an assertion that holds answers is of no interest here.
fn done<T>(_: T) {}

/// Runs itself once more, as a test that fails by an assertion of the standard library.
#[test]
fn a_failure_of_another_kind_prints_the_tree() {
    const VARIABLE: &str = "CLEWLINE_TEST_FAILS";
    if std::env::var_os(VARIABLE).is_some() {
        let _recorder = Recorder::new();
        tracer("shop").span("seen before the failure").start().end();
        panic!("as the test wants it");
    }
    let name = "failures::a_failure_of_another_kind_prints_the_tree";
    let mut command = std::process::Command::new(std::env::current_exe().expect("a path"));
    let output = command.args([name, "--exact", "--nocapture"]).env(VARIABLE, "1").output().expect("it runs");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(printed.contains("recorded so far:\n\nseen before the failure\n"), "{printed}");
}
