//! The real Zipkin server, in Java: what it answers about our spans, field by field.

use std::process::Command;

use clewline::config::Compression;
use clewline::exporter::{FinishedSpan, OwnedValue, Target, ZipkinExporter};
use clewline::{SpanKind, StatusCode};
use serde_json::{Value, json};

use crate::compare;
use crate::process::{Server, free_port, until};
use crate::program::{self, Values};
use crate::verdict::{Outcome, Report, found};
use crate::web;

pub(crate) fn run(report: &mut Report) {
    let started = found("INTEROP_ZIPKIN").and_then(|jar| Ok((jar, found("INTEROP_JAVA")?)));
    let started = started.map(|(jar, java)| start(&java, &jar));
    for (compression, gzip) in [(Compression::None, ""), (Compression::Gzip, ", with gzip")] {
        let name = format!("to Zipkin{gzip}");
        match &started {
            Err(reason) => report.not_run(&name, reason),
            Ok(Err(error)) => report.enter(&name, Err(vec![error.clone()])),
            Ok(Ok((_server, port))) => report.enter(&name, try_with(compression, *port)),
        }
    }
}

fn start(java: &str, jar: &str) -> Result<(Server, u16), String> {
    let port = free_port()?;
    let mut command = Command::new(java);
    command.args(["-Xmx256m", "-jar", jar]).env("QUERY_PORT", port.to_string()).env("STORAGE_TYPE", "mem");
    Ok((Server::start("zipkin", &mut command, &[port])?, port))
}

fn try_with(compression: Compression, port: u16) -> Outcome {
    let mut target = Target::new(format!("http://127.0.0.1:{port}/api/v2/spans"));
    target.compression = compression;
    let exporter = ZipkinExporter::new(&target).map_err(|error| vec![error.to_string()])?;
    let recorded = program::run(Box::new(exporter), Values::All).map_err(|error| vec![error])?;

    let mut differences = Vec::new();
    for span in &recorded {
        let trace = format!("http://127.0.0.1:{port}/api/v2/trace/{}", span.trace_id);
        let id = span.span_id.to_string();
        let ours = |spans: Value| spans.as_array()?.iter().find(|other| other["id"] == id.as_str()).cloned();
        match until(|| ours(web::get(&trace)?)) {
            None => differences.push(format!("{}: did not come back", span.name)),
            Some(found) => compare_span(span, &found, &mut differences),
        }
    }
    compare::verdict(recorded.len(), differences)
}

/// What Zipkin must know of a span. It lowers the case of names.
fn compare_span(span: &FinishedSpan, found: &Value, differences: &mut Vec<String>) {
    let kind = match span.kind {
        SpanKind::Internal | SpanKind::Unspecified => Value::Null,
        kind => kind.name().into(),
    };
    let micros = |nanos: u64| nanos / 1000;
    let annotations: Vec<Value> = span
        .events
        .iter()
        .map(|event| {
            let value = if event.attributes.is_empty() {
                event.name.clone()
            } else {
                let object: serde_json::Map<_, _> =
                    event.attributes.iter().map(|(key, value)| (key.clone(), as_json(value))).collect();
                format!("{:?}: {}", event.name, Value::Object(object))
            };
            json!({"timestamp": micros(event.time_unix_nano), "value": value})
        })
        .collect();
    let remote = span.attribute("peer.service").filter(|_| span.kind == SpanKind::Client).map(as_json);
    let expected = json!({
        "traceId": span.trace_id.to_string(),
        "parentId": span.parent_span_id.map(|parent| parent.to_string()),
        "id": span.span_id.to_string(),
        "kind": kind,
        "name": span.name.to_lowercase(),
        "timestamp": micros(span.start_time_unix_nano),
        "duration": micros(span.end_time_unix_nano - span.start_time_unix_nano).max(1),
        "localEndpoint": {"serviceName": "shop"},
        "remoteEndpoint": remote.map(|name| json!({"serviceName": name})),
        "annotations": (!annotations.is_empty()).then_some(annotations),
        "tags": tags(span),
    });
    for (field, expected) in expected.as_object().into_iter().flatten() {
        if field == "tags" {
            for (key, expected) in expected.as_object().into_iter().flatten() {
                differ(&span.name, &format!("tag {key}"), &parsed(expected), &parsed(&found["tags"][key]), differences);
            }
            let count =
                (expected.as_object().map(serde_json::Map::len), found["tags"].as_object().map(serde_json::Map::len));
            if count.0 != count.1 {
                differences.push(format!("{}: {count:?} tags", span.name));
            }
        } else {
            differ(&span.name, field, expected, &found[field], differences);
        }
    }
}

/// Of a text that is a JSON object what it says, in which the order does not matter.
fn parsed(tag: &Value) -> Value {
    let object = tag.as_str().filter(|text| text.starts_with('{')).and_then(|text| serde_json::from_str(text).ok());
    object.unwrap_or_else(|| tag.clone())
}

fn differ(span: &str, field: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    if expected != found {
        differences.push(format!("{span}: {field} is {found}, not {expected}"));
    }
}

fn tags(span: &FinishedSpan) -> Value {
    let mut tags = serde_json::Map::new();
    let mut add = |key: &str, value: Value| drop(tags.insert(key.to_owned(), value));
    for (key, value) in span.resource.attributes.iter().filter(|(key, _)| key != "service.name").chain(&span.attributes)
    {
        add(key, as_tag(value).into());
    }
    for (key, value) in [("name", &span.scope.name), ("version", &span.scope.version)] {
        if !value.is_empty() {
            add(&format!("otel.scope.{key}"), value.clone().into());
            add(&format!("otel.library.{key}"), value.clone().into());
        }
    }
    match span.status {
        StatusCode::Unset => {}
        StatusCode::Ok => add("otel.status_code", "OK".into()),
        StatusCode::Error => {
            add("otel.status_code", "ERROR".into());
            add("error", span.status_message.clone().into());
        }
    }
    if !span.trace_state.is_empty() {
        add("w3c.tracestate", span.trace_state.clone().into());
    }
    for (index, link) in span.links.iter().enumerate() {
        let attributes: serde_json::Map<_, _> =
            link.attributes.iter().map(|(key, value)| (key.clone(), as_json(value))).collect();
        let ids = format!("{}|{}|{}", link.trace_id, link.span_id, link.trace_state);
        let text = format!("{ids}|{}|{}", Value::Object(attributes), link.dropped_attributes_count);
        add(&format!("otlp.link.{index}"), text.into());
    }
    Value::Object(tags)
}

fn as_tag(value: &OwnedValue) -> String {
    match as_json(value) {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn as_json(value: &OwnedValue) -> Value {
    match value {
        OwnedValue::Bool(truth) => (*truth).into(),
        OwnedValue::I64(number) => (*number).into(),
        OwnedValue::F64(number) if number.is_nan() => "NaN".into(),
        OwnedValue::F64(number) if number.is_infinite() && *number > 0.0 => "Infinity".into(),
        OwnedValue::F64(number) if number.is_infinite() => "-Infinity".into(),
        OwnedValue::F64(number) => (*number).into(),
        OwnedValue::Str(text) => text.as_str().into(),
        // The only bytes that the program records.
        OwnedValue::Bytes(bytes) if bytes == &[0, 1, 254, 255] => "AAH+/w==".into(),
        OwnedValue::List(values) => values.iter().map(as_json).collect(),
        OwnedValue::Map(entries) => entries.iter().map(|(key, value)| (key.clone(), as_json(value))).collect(),
        _ => Value::Null,
    }
}
