//! OpenTelemetry's declarative configuration: what of it is read, what is said of the rest, and that it stands alone.

use clewline::TracingConfig;
use serde_json::{Value, json};

use crate::support::{File, from_lookup, report, run};

/// What a team that comes from environment variables starts with.
const MIGRATION: &str = r#"
file_format: "1.0"
disabled: ${OTEL_SDK_DISABLED:-false}
log_level: info
resource:
  attributes:
    - name: service.name
      value: ${OTEL_SERVICE_NAME:-unknown_service}
  attributes_list: ${OTEL_RESOURCE_ATTRIBUTES}
attribute_limits:
  attribute_value_length_limit: ${OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT}
  attribute_count_limit: ${OTEL_ATTRIBUTE_COUNT_LIMIT:-128}
propagator:
  composite_list: ${OTEL_PROPAGATORS:-tracecontext,baggage}
tracer_provider:
  processors:
    - batch:
        schedule_delay: ${OTEL_BSP_SCHEDULE_DELAY:-5000}
        max_queue_size: ${OTEL_BSP_MAX_QUEUE_SIZE:-2048}
        exporter:
          otlp_http:
            endpoint: ${OTEL_EXPORTER_OTLP_ENDPOINT:-http://localhost:4318}/v1/traces
            tls:
              ca_file: ${OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE}
            compression: ${OTEL_EXPORTER_OTLP_TRACES_COMPRESSION:-gzip}
            timeout: ${OTEL_EXPORTER_OTLP_TRACES_TIMEOUT:-10000}
            headers_list: ${OTEL_EXPORTER_OTLP_TRACES_HEADERS}
  limits:
    attribute_count_limit: ${OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT:-128}
  sampler:
    parent_based:
      root:
        always_on:
      remote_parent_sampled:
        always_on:
      local_parent_not_sampled:
        always_off:
meter_provider:
  readers:
    - periodic:
        interval: fast
logger_provider: {}
instrumentation/development: {}
"#;

fn read(text: &str, variables: &[(&str, &str)]) -> Value {
    let file = File::new("declarative.yaml", text);
    let variables = [variables, &[("OTEL_CONFIG_FILE", file.path())]].concat();
    report(&from_lookup(&variables))
}

/// A document with only this tracer provider.
fn provider(text: &str) -> Value {
    read(&format!("file_format: '1.0'\ntracer_provider: {text}\n"), &[])
}

#[test]
fn the_migration_template_means_the_defaults_and_its_variables() {
    let shown = read(MIGRATION, &[]);
    assert_eq!(shown["warnings"], json!([]));
    let expected = json!({
        "enabled": true, "service_name": "unknown_service", "exporters": ["otlp"], "protocol": "http/protobuf",
        "traces_url": "http://localhost:4318/v1/traces", "timeout_ms": 10000, "compression": "gzip", "headers": {},
        "sampler": "ParentBased(AlwaysOn)", "propagators": ["tracecontext", "baggage"],
        "batch": {"schedule_delay_ms": 5000, "export_timeout_ms": 30000, "max_queue_size": 2048, "max_export_batch_size": 512},
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert_eq!(shown["sources"]["sampler"], "file");
    assert_eq!(shown.pointer("/resource/host.name"), None, "what is not asked for is not detected");

    let shown = read(
        MIGRATION,
        &[
            ("OTEL_SERVICE_NAME", "shop"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,zone=z"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0x10"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b%2C"),
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", "7"),
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "9"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5"),
            ("OTEL_SDK_DISABLED", "true"),
            // Not referred to, and so without effect.
            ("OTEL_TRACES_SAMPLER", "always_off"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ],
    );
    let expected = [
        ("/enabled", json!(false)),
        ("/service_name", json!("shop")),
        ("/resource/zone", json!("z")),
        ("/batch/max_queue_size", json!(16)),
        ("/batch/max_export_batch_size", json!(16)),
        ("/traces_url", json!("https://collector/v1/traces")),
        ("/headers", json!({"a": "b,"})),
        ("/limits/attribute_count", json!(9)),
        ("/limits/attribute_value_length", json!(5)),
        ("/sampler", json!("ParentBased(AlwaysOn)")),
        ("/exporters", json!(["otlp"])),
        ("/warnings", json!([])),
    ];
    for (pointer, value) in expected {
        assert_eq!(shown.pointer(pointer), Some(&value), "{pointer}");
    }
}

#[test]
fn exporters_and_their_settings() {
    let shown = provider(
        "
  processors:
    - batch:
        schedule_delay: 1
        export_timeout: 0
        max_queue_size: 3
        max_export_batch_size: 2
        exporter:
          otlp_grpc:
            endpoint: collector:4317
            tls: {ca_file: /ca.pem, key_file: /key.pem, cert_file: /cert.pem, insecure: true}
            headers: [{name: a, value: '1'}, {name: gone, value: null}]
            headers_list: a=0,b=2
            compression: gzip
            timeout: 0
    - batch: {schedule_delay: 1, export_timeout: 0, max_queue_size: 3, max_export_batch_size: 2, exporter: {zipkin: {endpoint: 'http://z/', timeout: 7}}}
    - batch: {schedule_delay: 1, export_timeout: 0, max_queue_size: 3, max_export_batch_size: 2, exporter: {console: }}
    - batch: {schedule_delay: 1, export_timeout: 0, max_queue_size: 3, max_export_batch_size: 2, exporter: {otlp_file/development: {output_stream: stdout}}}
",
    );
    let expected = [
        ("/warnings", json!([])),
        ("/exporters", json!(["otlp", "zipkin", "console", "otlp/stdout"])),
        ("/protocol", json!("grpc")),
        ("/traces_url", json!("http://collector:4317")),
        ("/timeout_ms", json!(0)),
        ("/compression", json!("gzip")),
        ("/headers", json!({"a": "1", "b": "2"})),
        ("/certificate", json!("/ca.pem")),
        ("/client_key", json!("/key.pem")),
        ("/client_certificate", json!("/cert.pem")),
        ("/insecure", json!(true)),
        ("/zipkin", json!({"endpoint": "http://z/", "timeout_ms": 7})),
        (
            "/batch",
            json!({"schedule_delay_ms": 1, "export_timeout_ms": 0, "max_queue_size": 3, "max_export_batch_size": 2}),
        ),
        ("/propagators", json!([])),
    ];
    for (pointer, value) in expected {
        assert_eq!(shown.pointer(pointer), Some(&value), "{pointer}: {shown:#}");
    }
    let table = [
        ("{otlp_http: }", "http://localhost:4318/v1/traces", "http/protobuf"),
        ("{otlp_http: {encoding: json}}", "http://localhost:4318/v1/traces", "http/json"),
        ("{otlp_http: {endpoint: 'http://h:4318'}}", "http://h:4318/", "http/protobuf"),
        ("{otlp_http: {endpoint: 'http://h/my'}}", "http://h/my", "http/protobuf"),
        ("{otlp_grpc: }", "http://localhost:4317", "grpc"),
        ("{otlp_grpc: {endpoint: 'https://h:1'}}", "https://h:1", "grpc"),
    ];
    for (exporter, url, protocol) in table {
        let shown = provider(&format!("{{processors: [{{simple: {{exporter: {exporter}}}}}]}}"));
        assert_eq!((&shown["traces_url"], &shown["protocol"]), (&json!(url), &json!(protocol)), "{exporter}");
        assert_eq!((&shown["batch"]["schedule_delay_ms"], &shown["warnings"]), (&json!(0), &json!([])));
    }
}

#[test]
fn samplers() {
    let table = [
        ("{always_on: }", "AlwaysOn"),
        ("{always_off: {}}", "AlwaysOff"),
        ("{trace_id_ratio_based: {ratio: 0.25}}", "TraceIdRatio(0.25)"),
        ("{trace_id_ratio_based: }", "TraceIdRatio(1)"),
        ("{trace_id_ratio_based: {ratio: 1}}", "TraceIdRatio(1)"),
        ("{probability/development: {ratio: 0.5}}", "Probability(0.5)"),
        ("{parent_based: }", "ParentBased(AlwaysOn)"),
        ("{parent_based: {root: {trace_id_ratio_based: {ratio: 0.1}}}}", "ParentBased(TraceIdRatio(0.1))"),
        (
            "{parent_based: {root: {always_off: }, remote_parent_sampled: {always_off: }, \
             remote_parent_not_sampled: {always_on: }, local_parent_sampled: {always_off: }, \
             local_parent_not_sampled: {always_on: }}}",
            "ParentBased(AlwaysOff, remote_parent_sampled=AlwaysOff, remote_parent_not_sampled=AlwaysOn, \
             local_parent_sampled=AlwaysOff, local_parent_not_sampled=AlwaysOn)",
        ),
        (
            "{composite/development: {parent_threshold: {root: {probability: {ratio: 0.1}}}}}",
            "ParentThreshold(Probability(0.1))",
        ),
        ("{composite/development: {always_on: }}", "AlwaysOn"),
    ];
    for (sampler, expected) in table {
        let shown = provider(&format!("{{processors: [], sampler: {sampler}}}"));
        assert_eq!((&shown["sampler"], &shown["warnings"]), (&json!(expected), &json!([])), "{sampler}");
    }
    for bad in [
        "{jaeger_remote/development: {}}",
        "{trace_id_ratio_based: {ratio: 2}}",
        "{trace_id_ratio_based: {ratio: much}}",
        "{parent_based: {root: {xray: }}}",
        "{parent_based: {rot: {always_off: }}}",
        "{always_on: , always_off: }",
        "always_off",
    ] {
        let shown = provider(&format!("{{processors: [], sampler: {bad}}}"));
        assert_eq!(shown["sampler"], "ParentBased(AlwaysOn)", "{bad}");
        assert_eq!(shown["warnings"].as_array().unwrap().len(), 1, "{bad}: {}", shown["warnings"]);
    }
}

#[test]
fn the_resource_and_its_types() {
    let shown = read(
        "
file_format: '1.0'
tracer_provider: {processors: []}
resource:
  attributes:
    - {name: text, value: a}
    - {name: number, value: 1, type: string}
    - {name: int, value: 8, type: int}
    - {name: double, value: 2, type: double}
    - {name: bool, value: true, type: bool}
    - {name: texts, value: [a, b], type: string_array}
    - {name: ints, value: [1, 2], type: int_array}
    - {name: doubles, value: [1, 2.5], type: double_array}
    - {name: bools, value: [true], type: bool_array}
    - {name: mixed, value: [a, 1], type: string_array}
    - {name: wrong, value: many, type: int}
    - {name: listed, value: high}
  attributes_list: listed=low,zone=z
  detection/development:
    detectors: [{host: }, {process: }, {service: }, {container: }, {gpu: }]
",
        &[("OTEL_SERVICE_NAME", "shop")],
    );
    let resource = &shown["resource"];
    let expected = json!({
        "text": "a", "number": "1", "int": 8, "double": 2.0, "bool": true, "texts": ["a", "b"], "ints": [1, 2],
        "doubles": [1.0, 2.5], "bools": [true], "listed": "high", "zone": "z", "service.name": "shop",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(resource[name], *value, "{name}");
    }
    assert_eq!(resource["mixed"], json!(["a", "1"]), "a type that is asked for is made, as far as it can be");
    assert_eq!(resource.get("wrong"), None);
    for detected in ["host.arch", "os.type", "process.pid", "service.instance.id"] {
        assert!(resource.get(detected).is_some(), "{detected}");
    }
    assert_eq!(shown["warnings"].as_array().unwrap().len(), 2, "{}", shown["warnings"]);
}

#[test]
fn propagators() {
    let table = [
        ("{composite: [{tracecontext: }, {baggage: }, {b3: }]}", json!(["tracecontext", "baggage", "b3"]), 0),
        ("{composite_list: 'b3,baggage', composite: [{baggage: }]}", json!(["baggage", "b3"]), 0),
        ("{composite_list: none}", json!([]), 0),
        ("{composite_list: 'tracecontext,xray'}", json!(["tracecontext"]), 1),
        ("{composite: [{ottrace: }, {jaeger: }]}", json!(["jaeger"]), 1),
        ("{composte: []}", json!([]), 1),
    ];
    for (text, expected, warnings) in table {
        let shown =
            read(&format!("file_format: '1.0'\ntracer_provider: {{processors: []}}\npropagator: {text}\n"), &[]);
        assert_eq!(shown["propagators"], expected, "{text}");
        assert_eq!(shown["warnings"].as_array().unwrap().len(), warnings, "{text}: {}", shown["warnings"]);
    }
}

#[test]
fn what_is_not_as_the_schema_wants_it_is_named_with_its_line() {
    let table = [
        (
            "file_format: '1.0'\ntracer_provider:\n  processors: 7\n",
            "tracer_provider.processors: line 3: a list is expected",
        ),
        (
            "file_format: '1.0'\ntracer_provider:\n  samplr: {}\n  processors: []\n",
            "tracer_provider.samplr: line 3: \"samplr\" is not known; did you mean `sampler`",
        ),
        (
            "file_format: '1.0'\ntracer_provider:\n  processors:\n  - batch:\n      max_queue_size: 0\n      exporter: {console: }\n",
            "tracer_provider.processors[0].batch.max_queue_size: line 5: a whole number of at least 1",
        ),
        (
            "file_format: '1.0'\ntracer_provider:\n  processors:\n  - batch:\n      exporter: {kafka: }\n",
            "tracer_provider.processors[0].batch.exporter.kafka: line 5: not an exporter of this version",
        ),
        ("file_format: '1.0'\ndisabled: maybe\ntracer_provider: {processors: []}\n", "disabled: line 2: true or false"),
        ("file_format: '1.0'\nlog_level: loud\ntracer_provider: {processors: []}\n", "log_level: line 2: \"loud\""),
        ("file_format: '0.4'\ntracer_provider: {processors: []}\n", "file_format: line 1: "),
        ("file_format: '1.0'\n", "tracer_provider: line 1: missing, so no spans are recorded"),
        (
            "file_format: '1.0'\ntracer_provider: {limits: {}}\n",
            "tracer_provider.processors: line 2: missing, so nothing is exported",
        ),
    ];
    for (text, warning) in table {
        let shown = read(text, &[]);
        let warnings = shown["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), 1, "{text}: {warnings:#?}");
        assert!(warnings[0].as_str().unwrap().starts_with(warning), "{text}: {warnings:#?}");
    }
    assert_eq!(read("file_format: '1.0'\n", &[])["enabled"], false, "a no-op tracer provider");
}

#[test]
fn what_is_no_document_is_an_error_and_the_environment_counts() {
    for (text, place) in [
        ("file_format: '1.0'\ntracer_provider: [\n", "3:1"),
        ("file_format: '1.0'\ndisabled: ${1BAD}\n", "2:11"),
        ("disabled: true\n", "1:1"),
        ("file_format: '1.0'\nfile_format: '1.0'\n", "2:1"),
    ] {
        let file = File::new("wrong.yaml", text);
        let error = TracingConfig::from_file(&file).expect_err(text).to_string();
        assert!(error.starts_with(&format!("{}:{place}: ", file.path())), "{error}");
        let shown = read(text, &[("OTEL_SERVICE_NAME", "shop")]);
        assert_eq!(
            (&shown["service_name"], shown["warnings"].as_array().unwrap().len()),
            (&json!("shop"), 1),
            "{text}"
        );
    }
}

#[test]
fn the_program_reads_it_as_a_file_too_and_in_json() {
    let text = r#"{"file_format": "1.0", "tracer_provider": {"processors": [{"simple": {"exporter": {"console": null}}}], "sampler": {"always_off": {}}}}"#;
    for name in ["program.json", "program.yml"] {
        let file = File::new(name, text);
        let output = run(&[("OTEL_TRACES_SAMPLER", "always_on"), ("RUST_LOG", "debug")], &["--config", file.path()]);
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&shown["exporters"], &shown["sampler"]), (&json!(["console"]), &json!("AlwaysOff")), "{name}");
        assert_eq!(shown["filter"], "debug", "which no declarative configuration knows");
    }
}
