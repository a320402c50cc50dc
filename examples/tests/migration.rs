//! The migration from tracing-opentelemetry: the diff turns one program into the other, and both send the same trace.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use clewline_core::{RequestView, ResourceSpansView, SpanId};

/// What a program sent, span by span: what the two must agree on.
#[derive(Debug, PartialEq)]
struct Seen {
    name: String,
    kind: &'static str,
    trace_id: String,
    /// The parent's name, or its id if it is somebody else's span.
    parent: String,
    status: String,
    attributes: BTreeMap<String, String>,
    events: Vec<String>,
}

/// Keys that tracing-opentelemetry adds unless it is told not to, and Clewline only if it is told to.
fn is_optional(key: &str) -> bool {
    key.starts_with("code.") || key.starts_with("thread.") || matches!(key, "busy_ns" | "idle_ns" | "target")
}

fn seen(requests: &[Bytes]) -> Vec<Seen> {
    let views: Vec<_> = requests.iter().map(|bytes| RequestView::parse(bytes).expect("OTLP")).collect();
    let groups: Vec<_> = views.iter().flat_map(RequestView::resource_spans).collect();
    for group in &groups {
        assert_eq!(group.resource().attributes().get("service.name").and_then(|name| name.as_str()), Some("orders"));
    }
    let scopes = groups.iter().flat_map(ResourceSpansView::scope_spans);
    let spans: Vec<_> =
        scopes.flat_map(|scope| scope.spans().collect::<Vec<_>>()).map(|span| span.expect("ids").1).collect();
    let name = |id: SpanId| {
        let parent = spans.iter().find(|span| span.span_id() == id);
        parent.map_or_else(|| id.to_string(), |span| span.name().to_owned())
    };
    let mut seen: Vec<_> = spans
        .iter()
        .map(|span| Seen {
            name: span.name().to_owned(),
            kind: span.kind().name(),
            trace_id: span.trace_id().to_string(),
            parent: span.parent_span_id().map(name).unwrap_or_default(),
            status: format!("{:?}", span.status()),
            attributes: span
                .attributes()
                .filter(|(key, _)| !is_optional(key))
                // tracing-opentelemetry writes unsigned numbers as texts.
                .map(|(key, value)| (key.to_owned(), format!("{value:?}").trim_matches('"').to_owned()))
                .collect(),
            events: span.events().map(|event| event.name().to_owned()).collect(),
        })
        .collect();
    seen.sort_by_key(|span| (span.name.clone(), span.attributes.get("card").cloned()));
    seen
}

/// Runs a program against a collector of the test's own.
async fn run(program: &'static str) -> Vec<Seen> {
    let requests: Arc<Mutex<Vec<Bytes>>> = Arc::default();
    let kept = Arc::clone(&requests);
    let collect = post(move |body: Bytes| async move { kept.lock().unwrap().push(body) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/traces", collect)).await });
    let status = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name == "RUST_LOG") {
            command.env_remove(name);
        }
        // A collector that is held up, as this one may be, must not make a program send twice or give up.
        command.env("OTEL_EXPORTER_OTLP_TIMEOUT", "30000");
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")).status().unwrap()
    });
    assert!(status.await.unwrap().success(), "{program}");
    server.abort();
    let requests = requests.lock().unwrap();
    seen(&requests)
}

#[tokio::test]
async fn both_programs_send_the_same_trace() {
    let before = run(env!("CARGO_BIN_EXE_migration-before")).await;
    let after = run(env!("CARGO_BIN_EXE_migration-after")).await;
    assert_eq!(before.len(), 3, "{before:?}");
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after.trace_id, "0af7651916cd43dd8448eb211c80319c");
        assert_eq!((&after.name, after.kind, &after.trace_id), (&before.name, before.kind, &before.trace_id));
        assert_eq!(after.parent, before.parent, "{}", after.name);
        assert_eq!(after.status, before.status, "{}", after.name);
        assert_eq!(after.attributes, before.attributes, "{}", after.name);
        assert_eq!(after.events, before.events, "{}", after.name);
    }
    assert_eq!(before.len(), after.len());
}

/// Applies a unified diff of one file.
fn apply(before: &str, diff: &str) -> Option<String> {
    let old: Vec<&str> = before.lines().collect();
    let (mut new, mut at): (Vec<&str>, usize) = (Vec::new(), 0);
    for line in diff.lines().skip(2) {
        if let Some(hunk) = line.strip_prefix("@@ -") {
            let start: usize = hunk.split([',', ' ']).next()?.parse().ok()?;
            new.extend(old.get(at..start - 1)?);
            at = start - 1;
            continue;
        }
        let (mark, text) = line.split_at_checked(1)?;
        if mark != "+" {
            (old.get(at) == Some(&text)).then_some(())?;
            at += 1;
        }
        if mark != "-" {
            new.push(text);
        }
    }
    new.extend(old.get(at..)?);
    Some(new.join("\n") + "\n")
}

#[test]
fn the_diff_is_that_of_the_two_programs() {
    let (before, after) = (include_str!("../migration/before.rs"), include_str!("../migration/after.rs"));
    let diff = include_str!("../migration/migration.diff");
    let applied = apply(before, diff).expect("a diff of the first program");
    assert_eq!(applied, after, "run: diff -u before.rs after.rs > migration.diff");
}
