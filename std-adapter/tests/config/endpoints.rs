//! Where OTLP goes: the rules of `protocol/exporter.md`, "Endpoint URLs for OTLP/HTTP", and those for gRPC.

use crate::support::{Row, check, given};

const BASE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const INSECURE: &str = "OTEL_EXPORTER_OTLP_INSECURE";

fn leads_to(variables: &[(&'static str, &'static str)], url: &'static str) -> Row {
    given(variables).has("/traces_url", url)
}

#[test]
fn a_base_gets_the_path_of_traces() {
    let table = [
        ("http://h:4318", "http://h:4318/v1/traces"),
        ("http://h:4318/", "http://h:4318/v1/traces"),
        ("http://h:4318/my", "http://h:4318/my/v1/traces"),
        ("http://h:4318/my/", "http://h:4318/my/v1/traces"),
        ("http://h:4318/v1/traces", "http://h:4318/v1/traces/v1/traces"),
        ("http://h", "http://h/v1/traces"),
        ("https://h", "https://h/v1/traces"),
        ("https://h/a%20b?key=c", "https://h/a%20b/v1/traces?key=c"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
        ("http://a_b:4318", "http://a_b:4318/v1/traces"),
        ("https://a_b.c-d.example.:4318", "https://a_b.c-d.example.:4318/v1/traces"),
        ("https://127.0.0.1:4318", "https://127.0.0.1:4318/v1/traces"),
        ("https://u:p%40@h", "https://u:p%40@h/v1/traces"),
    ];
    let from = "env OTEL_EXPORTER_OTLP_ENDPOINT";
    check(table.map(|(base, url)| leads_to(&[(BASE, base)], url).has("/sources/traces_url", from)).into());
}

#[test]
fn a_traces_endpoint_is_used_as_it_is() {
    let table = [
        ("http://h:4318", "http://h:4318/"),
        ("http://h:4318/", "http://h:4318/"),
        ("http://h:4318/my", "http://h:4318/my"),
        ("http://h:4318/my/", "http://h:4318/my/"),
        ("http://h", "http://h/"),
        ("https://h?key=a", "https://h/?key=a"),
        ("http://h/v1/traces", "http://h/v1/traces"),
    ];
    let from = "env OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    let row =
        |(url, expected)| leads_to(&[(TRACES, url), (BASE, "http://other")], expected).has("/sources/traces_url", from);
    check(table.map(row).into());
}

#[test]
fn a_bad_endpoint_is_a_warning_and_the_next_one_counts() {
    let bad = [
        "h:4318",
        "h",
        "ftp://h",
        "http://",
        "http:///v1",
        "http://h:port",
        "http://h:70000",
        "http://h:0",
        "http://h:",
        "http://h/a b",
        "http://[::1",
        "http://[::g]",
        "http://[127.0.0.1]",
        "http://h%41",
        "https://h..h",
        "https://-h",
        "https://999.1.1.1",
    ];
    let mut rows = Vec::new();
    for bad in bad {
        rows.push(leads_to(&[(TRACES, bad), (BASE, "http://base")], "http://base/v1/traces").warns(TRACES));
        rows.push(leads_to(&[(BASE, bad)], "http://localhost:4318/v1/traces").warns(BASE));
    }
    rows.push(leads_to(&[(TRACES, ""), (BASE, "http://base")], "http://base/v1/traces"));
    check(rows);
}

#[test]
fn the_protocol_decides_about_port_and_path() {
    let grpc =
        |protocol| given(&[(PROTOCOL, protocol)]).has("/traces_url", "http://localhost:4317").has("/protocol", "grpc");
    check(vec![
        grpc("grpc"),
        grpc("GRPC"),
        leads_to(&[(PROTOCOL, "http/json")], "http://localhost:4318/v1/traces").has("/protocol", "http/json"),
        leads_to(&[(PROTOCOL, "HTTP/protobuf")], "http://localhost:4318/v1/traces").has("/protocol", "http/protobuf"),
        leads_to(&[(PROTOCOL, "http")], "http://localhost:4318/v1/traces")
            .has("/protocol", "http/protobuf")
            .warns(PROTOCOL),
        given(&[(PROTOCOL, "grpc"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json")])
            .has("/protocol", "http/json")
            .has("/sources/protocol", "env OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
        given(&[(PROTOCOL, "grpc"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "smoke")])
            .has("/protocol", "grpc")
            .warns("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
    ]);
}

#[test]
fn over_grpc_the_scheme_decides_about_tls_and_insecure_where_there_is_none() {
    let table: [(&'static str, &'static str, &'static str); 8] = [
        ("http://h:4317", "", "http://h:4317"),
        ("http://h:4317", "false", "http://h:4317"),
        ("https://h:4317", "true", "https://h:4317"),
        ("h:4317", "", "https://h:4317"),
        ("h:4317", "false", "https://h:4317"),
        ("h:4317", "true", "http://h:4317"),
        ("http://h:4317/", "", "http://h:4317/"),
        ("[::1]:4317", "TRUE", "http://[::1]:4317"),
    ];
    let mut rows = Vec::new();
    for (endpoint, insecure, url) in table {
        for variable in [BASE, TRACES] {
            rows.push(leads_to(&[(PROTOCOL, "grpc"), (variable, endpoint), (INSECURE, insecure)], url));
        }
    }
    let local = "http://localhost:4317";
    for bad in ["ftp://h", "unix:///tmp/a", "http://", "h:port"] {
        rows.push(leads_to(&[(PROTOCOL, "grpc"), (BASE, bad)], local).warns(BASE));
    }
    check(rows);
}

#[test]
fn headers_that_grpc_keeps_to_itself_are_left_out_with_a_warning() {
    const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
    let headers = (HEADERS, "grpc-timeout=1S,a=b,te=gzip");
    check(vec![
        given(&[(PROTOCOL, "grpc"), headers]).warns(HEADERS).warns(HEADERS),
        given(&[(PROTOCOL, "grpc"), headers, ("OTEL_TRACES_EXPORTER", "console")]),
        given(&[(PROTOCOL, "http/json"), headers]),
    ]);
}

#[test]
fn jaeger_takes_otlp() {
    const JAEGER: &str = "OTEL_EXPORTER_JAEGER_ENDPOINT";
    const NAMED: (&str, &str) = ("OTEL_TRACES_EXPORTER", "jaeger");
    let default = "http://localhost:4318/v1/traces";
    check(vec![
        leads_to(&[NAMED, (JAEGER, "http://jaeger:4318")], "http://jaeger:4318/v1/traces"),
        leads_to(&[NAMED, (JAEGER, "http://jaeger:14268/api/traces")], default).warns(JAEGER),
        leads_to(&[NAMED, (JAEGER, "jaeger:4318")], default).warns(JAEGER),
        leads_to(&[NAMED, (BASE, "http://elsewhere")], default),
        given(&[NAMED, ("OTEL_EXPORTER_JAEGER_TIMEOUT", "5")]).has("/timeout_ms", 5),
    ]);
}

#[test]
fn zipkin_s_endpoint_is_used_as_it_is() {
    const ZIPKIN: &str = "OTEL_EXPORTER_ZIPKIN_ENDPOINT";
    const NAMED: (&str, &str) = ("OTEL_TRACES_EXPORTER", "zipkin");
    check(vec![
        leads_to(&[NAMED, (ZIPKIN, "https://h:9411/my/spans")], "https://h:9411/my/spans")
            .has("/sources/traces_url", "env OTEL_EXPORTER_ZIPKIN_ENDPOINT"),
        leads_to(&[NAMED, (ZIPKIN, "h:9411")], "http://localhost:9411/api/v2/spans").warns(ZIPKIN),
        given(&[("OTEL_TRACES_EXPORTER", "otlp,zipkin"), (ZIPKIN, "http://h/")]).has("/zipkin/endpoint", "http://h/"),
    ]);
}
