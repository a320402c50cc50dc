//! The variables of the specification for traces (`sdk-environment-variables.md`), row by row.

use serde_json::json;

use crate::support::{Row, check, from_lookup, given, report, run};

#[test]
fn without_variables_everything_is_the_specification_s_default() {
    let row = given(&[])
        .has("/enabled", true)
        .has("/exporters", json!(["otlp"]))
        .has("/traces_url", "http://localhost:4318/v1/traces")
        .has("/protocol", "http/protobuf")
        .has("/timeout_ms", 10_000)
        .has("/compression", "none")
        .has("/headers", json!({}))
        .has("/sampler", "ParentBased(AlwaysOn)")
        .has("/propagators", json!(["tracecontext", "baggage"]))
        .has(
            "/batch",
            json!({
                "schedule_delay_ms": 5000, "export_timeout_ms": 30_000, "max_queue_size": 2048,
                "max_export_batch_size": 512,
            }),
        )
        .has(
            "/limits",
            json!({
                "attribute_count": 128, "attribute_value_length": null, "event_count": 128, "link_count": 128,
                "event_attribute_count": 128, "link_attribute_count": 128,
            }),
        );
    check(vec![row]);
    let report: serde_json::Value = serde_json::from_slice(&run(&[], &[]).stdout).unwrap();
    assert_eq!(report["service_name"], "unknown_service:clewline");
    let sources = report["sources"].as_object().unwrap();
    assert!(sources.len() > 20 && sources.values().all(|source| source == "default"), "{sources:#?}");
}

#[test]
fn every_shown_value_has_a_source() {
    let variables = [
        ("OTEL_TRACES_EXPORTER", "otlp,zipkin,jaeger"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
        ("OTEL_RUST_SPOOL_DIRECTORY", "/a"),
    ];
    let report = report(&from_lookup(&variables));
    let mut wanted = Vec::new();
    collect("", &report, &mut wanted);
    let sources = report["sources"].as_object().unwrap();
    let missing: Vec<&String> = wanted.iter().filter(|name| !sources.contains_key(name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(sources.len(), wanted.len());

    fn collect(path: &str, value: &serde_json::Value, names: &mut Vec<String>) {
        for (name, value) in value.as_object().unwrap() {
            if ["sources", "warnings"].contains(&name.as_str()) {
                continue;
            }
            let name = format!("{path}{name}");
            let is_table = ["batch", "limits", "resource", "jaeger", "zipkin", "memory", "spans", "spool", "tail"]
                .contains(&name.as_str());
            if is_table { collect(&format!("{name}."), value, names) } else { names.push(name) }
        }
    }
}

/// Every variable that is read, with a value that its setting accepts.
const VARIABLES: [(&str, &str); 48] = [
    ("OTEL_ENTITIES", "a{b=c}"),
    ("OTEL_RUST_SPOOL_DIRECTORY", "/a"),
    ("OTEL_RUST_SPOOL_MAX_BYTES", "3000000"),
    ("OTEL_RUST_SPOOL_OVERFLOW", "drop_newest"),
    ("RUST_LOG", "debug"),
    ("OTEL_RUST_RESOURCE_DETECTORS", "none"),
    ("OTEL_SDK_DISABLED", "true"),
    ("OTEL_ENABLED", "false"),
    ("OTEL_SERVICE_NAME", "shop"),
    ("OTEL_RESOURCE_ATTRIBUTES", "a=b"),
    ("OTEL_LOG_LEVEL", "error"),
    ("OTEL_PROPAGATORS", "b3"),
    ("OTEL_TRACES_SAMPLER", "always_off"),
    ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
    ("OTEL_TRACES_EXPORTER", "none"),
    ("OTEL_BSP_SCHEDULE_DELAY", "1"),
    ("OTEL_BSP_EXPORT_TIMEOUT", "1"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "1"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
    ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1"),
    ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1"),
    ("OTEL_ATTRIBUTE_COUNT_LIMIT", "1"),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1"),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", "1"),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", "1"),
    ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "1"),
    ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "1"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://h"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "a=b"),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b"),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "a.pem"),
    ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "a.pem"),
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "a.pem"),
    ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "a.pem"),
    ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "a.pem"),
    ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "a.pem"),
    ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
    ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "true"),
    ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "http://h/"),
    ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "1"),
    ("OTEL_CONFIG_FILE", "absent.toml"),
];

#[test]
fn empty_is_unset_for_every_variable() {
    let nothing = report(&from_lookup(&[]));
    for (name, value) in VARIABLES {
        for empty in ["", " ", "\t"] {
            assert_eq!(report(&from_lookup(&[(name, empty)])), nothing, "{name}={empty:?}");
        }
        // The table is worth nothing if a variable in it is not read.
        let with_exporter = [(name, value), ("OTEL_TRACES_EXPORTER", "otlp,zipkin")];
        let other = report(&from_lookup(&with_exporter[1..]));
        assert_ne!(report(&from_lookup(&with_exporter)), other, "{name} is read");
    }
    let all_empty: Vec<_> = VARIABLES.iter().map(|(name, _)| (*name, "")).collect();
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&run(&all_empty, &[]).stdout).unwrap()["warnings"],
        json!([])
    );
}

fn on(value: &'static str) -> Row {
    given(&[("OTEL_SDK_DISABLED", value)])
}

#[test]
fn disabled_and_enabled() {
    const BOTH: fn(&'static str, &'static str) -> Row =
        |disabled, enabled| given(&[("OTEL_SDK_DISABLED", disabled), ("OTEL_ENABLED", enabled)]);
    let (disabled, enabled) = ("env OTEL_SDK_DISABLED", "env OTEL_ENABLED");
    check(vec![
        on("true").has("/enabled", false).has("/sources/enabled", disabled),
        on("TRUE").has("/enabled", false),
        on("True").has("/enabled", false),
        on("false").has("/enabled", true).has("/sources/enabled", disabled),
        on("False").has("/enabled", true),
        on("1").has("/enabled", true).warns("OTEL_SDK_DISABLED"),
        on("yes").has("/enabled", true).warns("OTEL_SDK_DISABLED"),
        given(&[("OTEL_ENABLED", "true")]).has("/enabled", true).has("/sources/enabled", enabled),
        given(&[("OTEL_ENABLED", "False")]).has("/enabled", false).has("/sources/enabled", enabled),
        given(&[("OTEL_ENABLED", "on")]).has("/enabled", false).warns("OTEL_ENABLED"),
        BOTH("true", "false").has("/enabled", false).has("/sources/enabled", disabled),
        BOTH("false", "true").has("/enabled", true),
        BOTH("true", "true").has("/enabled", false).warns("OTEL_ENABLED"),
        BOTH("false", "false").has("/enabled", true).has("/sources/enabled", disabled).warns("OTEL_ENABLED"),
        // "This setting has no effect on propagators".
        given(&[("OTEL_SDK_DISABLED", "true"), ("OTEL_PROPAGATORS", "b3")]).has("/propagators", json!(["b3"])),
    ]);
}

#[test]
fn the_resource() {
    const ATTRIBUTES: fn(&'static str) -> Row = |list| given(&[("OTEL_RESOURCE_ATTRIBUTES", list)]);
    const BAD: fn(&'static str) -> Row = |list| ATTRIBUTES(list).warns("OTEL_RESOURCE_ATTRIBUTES");
    check(vec![
        given(&[("OTEL_SERVICE_NAME", "shop")])
            .has("/service_name", "shop")
            .has("/resource/service.name", "shop")
            .has("/sources/service_name", "env OTEL_SERVICE_NAME")
            .has("/sources/resource.service.name", "env OTEL_SERVICE_NAME"),
        ATTRIBUTES("service.name=a,zone=z")
            .has("/service_name", "a")
            .has("/resource/zone", "z")
            .has("/sources/service_name", "env OTEL_RESOURCE_ATTRIBUTES"),
        given(&[("OTEL_SERVICE_NAME", "b"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,zone=z")])
            .has("/service_name", "b")
            .has("/resource/service.name", "b")
            .has("/resource/zone", "z"),
        ATTRIBUTES("a=%2C%3D%25,b=x%20y,c=%C3%A9,d=,%65=1")
            .has("/resource/a", ",=%")
            .has("/resource/b", "x y")
            .has("/resource/c", "é")
            .has("/resource/d", "")
            .has("/resource/e", "1"),
        given(&[
            ("OTEL_ENTITIES", "service{service.name=a}[service.version=1];host{host.id}"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.version=2"),
        ])
        .has("/service_name", "a")
        .has("/sources/service_name", "env OTEL_ENTITIES")
        .has("/resource/service.version", "2")
        .warns("OTEL_ENTITIES"),
        // Any error discards the whole value (`resource/sdk.md`).
        BAD("zone=z,b").has("/resource/telemetry.sdk.language", "rust"),
    ]);
    for bad in ["zone=z,b", "zone=z,=c", "zone=z,b=%", "zone=z,b=%4", "zone=z,b=%zz", "zone=z,b=%ff", "zone=z,b=c=d"] {
        let report = report(&from_lookup(&[("OTEL_RESOURCE_ATTRIBUTES", bad)]));
        assert_eq!(report.pointer("/resource/zone"), None, "{bad}");
        assert_eq!(report["warnings"].as_array().unwrap().len(), 1, "{bad}");
    }
}

#[test]
fn what_is_found_out_about_the_process() {
    let told = ["service.name", "telemetry.sdk.language", "telemetry.sdk.name", "telemetry.sdk.version"];
    let keys = |list: &'static str| {
        let output = run(&[("OTEL_RUST_RESOURCE_DETECTORS", list)], &[]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["warnings"], json!([]));
        report["resource"].as_object().unwrap().clone()
    };
    let nothing: Vec<String> = keys("none").keys().cloned().collect();
    assert_eq!(nothing, told);

    let usual = keys("");
    assert_eq!(usual["process.executable.name"], "clewline");
    assert_eq!(usual["process.command"], env!("CARGO_BIN_EXE_clewline"));
    assert!(usual["process.pid"].is_i64() && usual["process.runtime.version"].as_str().unwrap().starts_with("1."));
    assert!(usual.contains_key("host.arch") && usual.contains_key("os.type"));
    assert!(!usual.contains_key("process.command_args"), "arguments may hold secrets");
    assert_ne!(usual["service.instance.id"], keys("all")["service.instance.id"], "each process has its own");

    let arguments = &keys("process_arguments")["process.command_args"];
    assert_eq!(*arguments, json!([env!("CARGO_BIN_EXE_clewline"), "config"]));
    let ours = [("OTEL_RESOURCE_ATTRIBUTES", "host.arch=mine"), ("OTEL_RUST_RESOURCE_DETECTORS", "host")];
    check(vec![
        given(&ours)
            .has("/resource/host.arch", "mine")
            .has("/sources/resource.host.arch", "env OTEL_RESOURCE_ATTRIBUTES"),
        given(&[("OTEL_RUST_RESOURCE_DETECTORS", "gpu,os")])
            .has("/resource/os.type", std::env::consts::OS)
            .warns("OTEL_RUST_RESOURCE_DETECTORS"),
    ]);
}

#[test]
fn exporters_and_propagators() {
    const EXPORTERS: fn(&'static str) -> Row = |list| given(&[("OTEL_TRACES_EXPORTER", list)]);
    const PROPAGATORS: fn(&'static str) -> Row = |list| given(&[("OTEL_PROPAGATORS", list)]);
    let variable = "OTEL_TRACES_EXPORTER";
    check(vec![
        EXPORTERS("otlp").has("/exporters", json!(["otlp"])).has("/sources/exporters", "env OTEL_TRACES_EXPORTER"),
        EXPORTERS("OTLP").has("/exporters", json!(["otlp"])),
        EXPORTERS("none").has("/exporters", json!([])),
        EXPORTERS("console").has("/exporters", json!(["console"])),
        EXPORTERS("zipkin")
            .has("/exporters", json!(["zipkin"]))
            .has("/traces_url", "http://localhost:9411/api/v2/spans"),
        EXPORTERS("otlp/stdout").has("/exporters", json!(["otlp/stdout"])),
        EXPORTERS("stdout,memory").has("/exporters", json!(["stdout", "memory"])),
        EXPORTERS("jaeger").has("/exporters", json!(["jaeger"])).has("/traces_url", "http://localhost:4318/v1/traces"),
        EXPORTERS(" otlp , zipkin,otlp,").has("/exporters", json!(["otlp", "zipkin"])),
        EXPORTERS("otlp,logging").has("/exporters", json!(["otlp"])).warns(variable),
        EXPORTERS("otlp,none").has("/exporters", json!([])).warns(variable),
        EXPORTERS("otpl")
            .has("/exporters", json!(["otlp"]))
            .has("/sources/exporters", "default")
            .warns(variable)
            .warns(variable),
        PROPAGATORS("tracecontext,baggage,tracecontext").has("/propagators", json!(["tracecontext", "baggage"])),
        PROPAGATORS("B3,b3multi,Jaeger")
            .has("/propagators", json!(["b3", "b3multi", "jaeger"]))
            .has("/sources/propagators", "env OTEL_PROPAGATORS"),
        PROPAGATORS("none").has("/propagators", json!([])),
        PROPAGATORS("xray,b3").has("/propagators", json!(["b3"])).warns("OTEL_PROPAGATORS"),
        PROPAGATORS("ottrace")
            .has("/propagators", json!(["tracecontext", "baggage"]))
            .warns("OTEL_PROPAGATORS")
            .warns("OTEL_PROPAGATORS"),
    ]);
}

#[test]
fn numbers() {
    // Name, where its value stands, the default, the least value, whether it is a time limit with 0 for none.
    let table = [
        ("OTEL_BSP_SCHEDULE_DELAY", "/batch/schedule_delay_ms", json!(5000), 0),
        ("OTEL_BSP_EXPORT_TIMEOUT", "/batch/export_timeout_ms", json!(30_000), 0),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "/batch/max_queue_size", json!(2048), 1),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "/batch/max_export_batch_size", json!(512), 1),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "/limits/attribute_value_length", json!(null), 0),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "/limits/attribute_value_length", json!(null), 0),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "/limits/attribute_count", json!(128), 0),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "/limits/attribute_count", json!(128), 0),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "/limits/event_count", json!(128), 0),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "/limits/link_count", json!(128), 0),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "/limits/event_attribute_count", json!(128), 0),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "/limits/link_attribute_count", json!(128), 0),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "/timeout_ms", json!(10_000), 0),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "/timeout_ms", json!(10_000), 0),
    ];
    let mut rows = Vec::new();
    for (name, pointer, default, least) in table {
        for good in ["1", " 37 ", "007"] {
            let value: u64 = good.trim().parse().unwrap();
            rows.push(given(&[(name, good)]).has(pointer, value));
        }
        let zero = given(&[(name, "0")]);
        rows.push(if least == 0 { zero.has(pointer, 0) } else { zero.has(pointer, default.clone()).warns(name) });
        for bad in ["-1", "1.5", "1e3", "ten", "10s", "0x10", "1,000", "99999999999999999999"] {
            rows.push(given(&[(name, bad)]).has(pointer, default.clone()).warns(name));
        }
    }
    // "SHOULD support nonnegative values between 0 and 2^31 - 1"; a batch is no larger than the queue.
    let most = "2147483647";
    rows.extend([
        given(&[("OTEL_BSP_MAX_QUEUE_SIZE", most)]).has("/batch/max_queue_size", 2_147_483_647),
        given(&[("OTEL_SPAN_EVENT_COUNT_LIMIT", most)]).has("/limits/event_count", 2_147_483_647),
        given(&[("OTEL_BSP_MAX_QUEUE_SIZE", "100")])
            .has("/batch/max_export_batch_size", 100)
            .has("/sources/batch.max_queue_size", "env OTEL_BSP_MAX_QUEUE_SIZE"),
        given(&[("OTEL_BSP_MAX_QUEUE_SIZE", "100"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100")])
            .has("/batch/max_export_batch_size", 100),
        given(&[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049")])
            .has("/batch/max_export_batch_size", 512)
            .warns("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
        // Specific, else general, else default.
        given(&[("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "5"), ("OTEL_ATTRIBUTE_COUNT_LIMIT", "9")])
            .has("/limits/attribute_count", 5)
            .has("/sources/limits.attribute_count", "env OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
        given(&[("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many"), ("OTEL_ATTRIBUTE_COUNT_LIMIT", "9")])
            .has("/limits/attribute_count", 9)
            .warns("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
        given(&[("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5"), ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "9")])
            .has("/limits/attribute_value_length", 5),
        given(&[("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "5"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "9")]).has("/timeout_ms", 5),
        given(&[("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "7")])
            .has("/timeout_ms", 7)
            .has("/sources/timeout_ms", "env OTEL_EXPORTER_ZIPKIN_TIMEOUT"),
        given(&[("OTEL_TRACES_EXPORTER", "otlp,zipkin"), ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "-7")])
            .has("/zipkin/timeout_ms", 10_000)
            .warns("OTEL_EXPORTER_ZIPKIN_TIMEOUT"),
    ]);
    check(rows);
}

#[test]
fn what_goes_with_every_request() {
    const GENERAL: fn(&'static str) -> Row = |list| given(&[("OTEL_EXPORTER_OTLP_HEADERS", list)]);
    check(vec![
        GENERAL("api-key=secret,x-tenant=shop")
            .has("/headers", json!({"api-key": "secret", "x-tenant": "shop"}))
            .has("/sources/headers", "env OTEL_EXPORTER_OTLP_HEADERS"),
        GENERAL(" Authorization = Basic%20dXNlcg== , v=a%2Cb")
            .has("/headers", json!({"authorization": "Basic dXNlcg==", "v": "a,b"})),
        GENERAL("a=1,bad name=2,b")
            .has("/headers", json!({"a": "1"}))
            .warns("OTEL_EXPORTER_OTLP_HEADERS")
            .warns("OTEL_EXPORTER_OTLP_HEADERS"),
        GENERAL("a")
            .has("/headers", json!({}))
            .has("/sources/headers", "default")
            .warns("OTEL_EXPORTER_OTLP_HEADERS")
            .warns("OTEL_EXPORTER_OTLP_HEADERS"),
        given(&[("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=%0a"), ("OTEL_EXPORTER_OTLP_HEADERS", "a=1")])
            .has("/headers", json!({"a": "1"}))
            .has("/sources/headers", "env OTEL_EXPORTER_OTLP_HEADERS")
            .warns("OTEL_EXPORTER_OTLP_TRACES_HEADERS")
            .warns("OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
        given(&[("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2"), ("OTEL_EXPORTER_OTLP_HEADERS", "a=1")])
            .has("/headers", json!({"b": "2"}))
            .has("/sources/headers", "env OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
        given(&[("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP")])
            .has("/compression", "gzip")
            .has("/sources/compression", "env OTEL_EXPORTER_OTLP_COMPRESSION"),
        given(&[("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")])
            .has("/compression", "none"),
        given(&[("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")])
            .has("/compression", "none")
            .warns("OTEL_EXPORTER_OTLP_COMPRESSION"),
        given(&[("OTEL_EXPORTER_OTLP_INSECURE", "TRUE")])
            .has("/insecure", true)
            .has("/sources/insecure", "env OTEL_EXPORTER_OTLP_INSECURE"),
        given(&[("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "false"), ("OTEL_EXPORTER_OTLP_INSECURE", "true")])
            .has("/insecure", false),
        given(&[("OTEL_LOG_LEVEL", "Error")]).has("/log_level", "error"),
        given(&[("OTEL_LOG_LEVEL", "loud")]).warns("OTEL_LOG_LEVEL"),
        given(&[("RUST_LOG", "warn,shop=debug")])
            .has("/filter", "warn,shop=debug")
            .has("/sources/filter", "env RUST_LOG"),
        given(&[("RUST_LOG", "warn,shop=loud")]).has("/filter", "warn").warns("RUST_LOG"),
        given(&[("OTEL_RUST_SPOOL_DIRECTORY", "/a"), ("OTEL_RUST_SPOOL_OVERFLOW", "Drop_Newest")])
            .has("/spool", json!({"directory": "/a", "max_bytes": 268_435_456, "overflow": "drop_newest"}))
            .has("/sources/spool.directory", "env OTEL_RUST_SPOOL_DIRECTORY"),
        given(&[("OTEL_RUST_SPOOL_DIRECTORY", "/a"), ("OTEL_RUST_SPOOL_MAX_BYTES", "1")])
            .has("/spool/max_bytes", 268_435_456)
            .warns("OTEL_RUST_SPOOL_MAX_BYTES"),
    ]);
}

#[test]
fn secrets_are_hidden_on_request_and_never_part_of_a_warning() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret,bad key=secret"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "user:secret@host"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@host/?key=secret"),
        ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "user:secret@host"),
    ];
    let shown = String::from_utf8(run(&variables, &["--redact"]).stdout).unwrap();
    assert!(!shown.contains("secret"), "{shown}");
    let report: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(report["headers"], json!({"api-key": "(hidden)"}));
    assert_eq!(report["traces_url"], "http://host/v1/traces");
    assert_eq!(report["warnings"].as_array().unwrap().len(), 3);
}
