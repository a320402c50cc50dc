//! Configuration files: both formats, what wins over what, and what is said of mistakes.

use clewline::TracingConfig;
use clewline::config::{ExporterKind, Source};
use serde_json::{Value, json};

use crate::support::{File, from_lookup, report, run};

const TOML: &str = r#"
enabled = true
service_name = "shop"
service_version = "1.2.3"
environment = "production"
exporters = ["otlp", "zipkin", "jaeger", "console"]
include_events = false
include_links = true
propagators = ["b3", "baggage"]
endpoint = "http://collector:4318/my/"
protocol = "http/json"
headers = { api-key = "secret", X-Tenant = "a=b, c" }
timeout_ms = 0
compression = "gzip"
certificate = "ca.pem"
log_level = "error"
filter = "info,shop=debug"
shutdown_timeout_ms = 1000
detectors = ["process", "host"]
baggage_attributes = ["tenant"]

[sampler]
rules = [
    { name = "GET /health", sampler = "always_off" },
    { kind = "client", sampler = { trace_id_ratio = 0.5 } },
    { name = "a", sampler = { parent_threshold = { probability = 0.5 } } },
]
otherwise = { parent_based = { root = "TraceIdRatio(0.25)", remote_parent_not_sampled = "RateLimited(3)" } }

[resource]
team = "cart"
host.cores = 8
share = 0.5
spot = true
zones = ["a", "b"]
ports = [1, 2]

[jaeger]
endpoint = "jaeger:4317"
protocol = "grpc"
insecure = true

[zipkin]
endpoint = "http://zipkin:9411/api/v2/spans"
timeout_ms = 20

[batch]
schedule_delay_ms = 100
export_timeout_ms = 200
max_queue_size = 300
max_export_batch_size = 50

[limits]
attribute_count = 1
attribute_value_length = 2
event_count = 3
link_count = 4
event_attribute_count = 5
link_attribute_count = 6

[spans]
location = true
threads = true
level = true
target = true
inactivity = true
export_open = true

[memory]
span_bytes = 1024
thread_bytes = 2048
burst_bytes = 0

[tail]
errors = true
slower_than_ms = 500
longest_wait_ms = 7
max_bytes = 8

[spool]
directory = "spool"
max_bytes = 10000000
overflow = "drop_newest"
"#;

fn expected() -> Value {
    json!({
        "enabled": true,
        "service_name": "shop",
        "exporters": ["otlp", "zipkin", "jaeger", "console"],
        "traces_url": "http://collector:4318/my/v1/traces",
        "protocol": "http/json",
        "timeout_ms": 0,
        "compression": "gzip",
        "headers": {"api-key": "secret", "x-tenant": "a=b, c"},
        "sampler": "Rules(\"GET /health\"=AlwaysOff, CLIENT \"*\"=TraceIdRatio(0.5), \
            \"a\"=ParentThreshold(Probability(0.5)), \
            otherwise=ParentBased(TraceIdRatio(0.25), remote_parent_not_sampled=RateLimited(3)))",
        "propagators": ["b3", "baggage"],
        "batch": {"schedule_delay_ms": 100, "export_timeout_ms": 200, "max_queue_size": 300, "max_export_batch_size": 50},
        "limits": {
            "attribute_count": 1, "attribute_value_length": 2, "event_count": 3, "link_count": 4,
            "event_attribute_count": 5, "link_attribute_count": 6,
        },
        "spans": {"location": true, "threads": true, "level": true, "target": true, "inactivity": true, "export_open": true},
        "memory": {"span_bytes": 1024, "thread_bytes": 2048, "burst_bytes": 0},
        "tail": {"errors": true, "slower_than_ms": 500, "longest_wait_ms": 7, "max_bytes": 8},
        "spool": {"directory": "spool", "max_bytes": 10_000_000, "overflow": "drop_newest"},
        "filter": "info,shop=debug",
        "shutdown_timeout_ms": 1000,
        "detectors": ["process", "host"],
        "baggage_attributes": ["tenant"],
        "include_events": false,
        "include_links": true,
        "log_level": "error",
        "certificate": "ca.pem",
        "jaeger": {
            "traces_url": "http://jaeger:4317", "protocol": "grpc", "timeout_ms": 10000, "compression": "none",
            "headers": {}, "insecure": true,
        },
        "zipkin": {"endpoint": "http://zipkin:9411/api/v2/spans", "timeout_ms": 20},
    })
}

/// What is shown of these, apart from what the machine adds.
fn shown(config: &TracingConfig) -> Value {
    let mut report = report(config);
    let map = report.as_object_mut().unwrap();
    assert_eq!(map.remove("warnings").unwrap(), json!([]));
    let (resource, _) = (map.remove("resource").unwrap(), map.remove("sources"));
    let of_the_file = [
        ("team", json!("cart")),
        ("host.cores", json!(8)),
        ("share", json!(0.5)),
        ("spot", json!(true)),
        ("zones", json!(["a", "b"])),
        ("ports", json!([1, 2])),
        ("service.name", json!("shop")),
        ("service.version", json!("1.2.3")),
        ("deployment.environment.name", json!("production")),
    ];
    for (key, value) in of_the_file {
        assert_eq!(resource[key], value, "{key}");
    }
    report
}

#[test]
fn every_field_is_read_and_what_is_written_reads_as_the_same() {
    let config = TracingConfig::from_toml(TOML).unwrap();
    assert_eq!(shown(&config), expected());
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(shown(&TracingConfig::from_json(&json).unwrap()), expected(), "{json}");
    let toml = toml::to_string(&config).unwrap();
    assert_eq!(shown(&TracingConfig::from_toml(&toml).unwrap()), expected(), "{toml}");
    assert_eq!(report(&TracingConfig::from_toml(&toml).unwrap())["sources"], report(&config)["sources"]);
    assert_eq!(serde_json::to_value(TracingConfig::default()).unwrap(), json!({}), "nothing was set");
}

#[test]
fn what_is_shown_can_be_read() {
    let config = TracingConfig::from_toml(TOML).unwrap();
    let printed = serde_json::to_string_pretty(&config.report()).unwrap();
    assert_eq!(shown(&TracingConfig::from_json(&printed).unwrap()), expected());
}

#[test]
fn it_can_be_part_of_an_application_s_own_configuration() {
    #[derive(serde::Deserialize)]
    struct Application {
        port: u16,
        tracing: TracingConfig,
    }
    let text = "port = 80\n[tracing]\nexporter = 'none'\nbatch.max_queue_size = 0\n";
    let Application { port, tracing } = toml::from_str(text).unwrap();
    assert_eq!((port, tracing.exporters.get().len(), tracing.exporters.source()), (80, 0, Source::File));
    assert_eq!(
        tracing.warnings()[0].to_string(),
        "batch.max_queue_size=\"0\": must be at least 1; the value is ignored"
    );
    let wrong = toml::from_str::<Application>("port = 80\n[tracing]\nexportr = 'none'\n").err().unwrap().to_string();
    assert!(wrong.contains("did you mean `exporter`") && wrong.contains("line 3"), "{wrong}");
}

#[test]
fn code_wins_over_the_environment_over_the_file_in_any_order() {
    let text =
        "service_name = 'file'\nexporter = 'zipkin'\n[limits]\nevent_count = 1\nlink_count = 1\nattribute_count = 1\n";
    let file = File::new("order.toml", text);
    let variables =
        [("OTEL_SPAN_EVENT_COUNT_LIMIT", "2"), ("OTEL_SPAN_LINK_COUNT_LIMIT", "2"), ("OTEL_SERVICE_NAME", "env")];
    let lookup = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let code = |mut config: TracingConfig| {
        config.limits.link_count = 3.into();
        config
    };
    let one = code(TracingConfig::from_file(&file).unwrap().with_lookup(lookup));
    let other = code(TracingConfig::default()).with_lookup(lookup).with_file(&file).unwrap();
    for config in [one, other] {
        let report = report(&config);
        assert_eq!(report["service_name"], "env");
        assert_eq!(report["limits"]["attribute_count"], 1);
        assert_eq!(report["limits"]["event_count"], 2);
        assert_eq!(report["limits"]["link_count"], 3);
        assert_eq!(report["sources"]["exporters"], "file");
        assert_eq!(report["sources"]["service_name"], "env OTEL_SERVICE_NAME");
        assert_eq!(report["sources"]["limits.attribute_count"], "file");
        assert_eq!(report["sources"]["limits.event_count"], "env OTEL_SPAN_EVENT_COUNT_LIMIT");
        assert_eq!(report["sources"]["limits.link_count"], "code");
        assert_eq!(report["sources"]["limits.event_attribute_count"], "default");
    }
}

#[test]
fn the_program_reads_a_file_and_the_environment_wins() {
    let file = File::new("program.toml", "service_name = 'file'\nsampling_rate = 0.25\n[zipkin]\ntimeout_ms = 5\n");
    let output = run(&[("OTEL_SERVICE_NAME", "env")], &["--config", file.path()]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["service_name"], &report["sources"]["service_name"]),
        (&json!("env"), &json!("env OTEL_SERVICE_NAME"))
    );
    assert_eq!(
        (&report["sampler"], &report["sources"]["sampler"]),
        (&json!("ParentBased(TraceIdRatio(0.25))"), &json!("file"))
    );

    let json = File::new("program.json", r#"{"exporter": "console", "batch": {"max_queue_size": 9}}"#);
    let report: Value = serde_json::from_slice(&run(&[], &["--config", json.path()]).stdout).unwrap();
    assert_eq!((&report["exporters"], &report["batch"]["max_export_batch_size"]), (&json!(["console"]), &json!(9)));
}

#[test]
fn a_file_that_the_environment_names_stands_in_place_of_the_other_variables() {
    let file = File::new("named.toml", "service_name = 'file'\n");
    let variables =
        [("OTEL_CONFIG_FILE", file.path()), ("OTEL_SERVICE_NAME", "env"), ("OTEL_TRACES_SAMPLER", "always_off")];
    let config = from_lookup(&variables);
    assert_eq!((config.service_name().as_str(), config.sampler.source()), ("file", Source::Default));
    assert!(config.warnings().is_empty());

    let variables = [("OTEL_CONFIG_FILE", "/absent/named.toml"), ("OTEL_SERVICE_NAME", "env")];
    let config = from_lookup(&variables);
    assert_eq!(config.service_name(), "env", "a file that cannot be used is as good as none");
    assert!(config.warnings()[0].to_string().contains("/absent/named.toml"), "{:?}", config.warnings());

    let given = File::new("given.toml", "service_name = 'given'\n");
    let output = run(&[("OTEL_CONFIG_FILE", file.path())], &["--config", given.path()]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["service_name"], "given");
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_mistake_is_named_with_its_field_and_its_place() {
    // Text, line and column, field, part of what is said.
    let json = [
        ("{\"service_nam\": \"a\"}", (1, 14), None, "did you mean `service_name`"),
        ("{\"zzzzzz\": 1}", (1, 9), None, "is not one of `enabled`"),
        ("{\"jaeger_endpoint\": \"http://j\"}", (1, 18), None, "did you mean `jaeger.endpoint`?"),
        ("{\n \"batch\": {\"max_queue_sise\": 1}}", (2, 27), None, "of `batch`"),
        ("{\n  \"enabled\": \"yes\"\n}", (2, 18), Some("enabled"), "expected a boolean"),
        ("{\"limits\": {\"event_count\": \"many\"}}", (1, 33), Some("limits.event_count"), "a whole number"),
        ("{\"limits\": {\"event_count\": 1.5}}", (1, 30), Some("limits.event_count"), "a whole number"),
        ("{\"exporters\": [1]}", (1, 16), Some("exporters[0]"), "expected a string"),
        ("{\"resource\": {\"a\": [1, \"b\"]}}", (1, 27), Some("resource.a"), "one type"),
        ("{\"resource\": {\"a\": null}}", (1, 23), Some("resource.a"), "a text, a number"),
        ("{\"enabled\": true, \"enabled\": false}", (1, 27), None, "twice"),
        ("{\"enabled\": true", (1, 16), None, "EOF"),
        ("{\"enabled\": true} x", (1, 19), None, "trailing"),
        ("[]", (1, 1), None, "a table of settings"),
        ("", (1, 1), None, "EOF"),
        (
            "{\"sampler\": {\"rules\": [{\"sampler\": \"always_on\"}]}}",
            (1, 47),
            Some("sampler.rules[0]"),
            "neither `name` nor `kind`",
        ),
        ("{\"sampler\": {\"parent_based\": {\"rot\": \"always_on\"}}}", (1, 35), None, "did you mean `root`"),
        (
            "{\"sampler\": {\"parent_based\": {\"root\": \"sometimes\"}}}",
            (1, 50),
            Some("sampler.parent_based.root"),
            "sometimes",
        ),
    ];
    for (text, position, field, problem) in json {
        let error = TracingConfig::from_json(text).expect_err(text);
        assert_eq!((error.position(), error.field()), (Some(position), field), "{text}: {error}");
        assert!(error.to_string().contains(problem), "{text}: {error}");
    }
    let toml = [
        ("service_nam = 'a'", (1, 1), None, "did you mean `service_name`"),
        ("max_queue_size = 1", (1, 1), None, "did you mean `batch.max_queue_size`?"),
        ("max_bytes = 1", (1, 1), None, "is not one of `enabled`"),
        ("enabled = true\nbatch.max_queue_sise = 1", (2, 7), None, "did you mean `max_queue_size`"),
        ("\n[limits]\nevent_count = 'many'", (3, 15), Some("limits.event_count"), "a whole number"),
        ("enabled = tru", (1, 11), None, ""),
        ("enabled = true\nenabled = true", (2, 1), None, "duplicate"),
        ("headers = { a = 1 }", (1, 17), Some("headers.a"), "expected a string"),
    ];
    for (text, position, field, problem) in toml {
        let error = TracingConfig::from_toml(text).expect_err(text);
        assert_eq!((error.position(), error.field()), (Some(position), field), "{text}: {error}");
        assert!(error.to_string().contains(problem), "{text}: {error}");
    }
    let file = File::new("mistake.toml", "\nenabled = 7\n");
    let error = TracingConfig::from_file(&file).unwrap_err();
    assert_eq!(error.path(), Some(file.as_ref()));
    assert!(error.to_string().starts_with(&format!("{}:2:11: `enabled`: ", file.path())), "{error}");
    let output = run(&[], &["--config", file.path()]);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().contains("mistake.toml:2:11: `enabled`"));
    assert!(!run(&[], &["--config", "/absent.toml"]).status.success());
}

#[test]
fn a_value_that_cannot_be_used_is_ignored_with_a_warning_as_in_the_environment() {
    let table = [
        (json!({"batch": {"max_queue_size": 0}}), "batch.max_queue_size"),
        (json!({"batch": {"schedule_delay_ms": -1}}), "batch.schedule_delay_ms"),
        (json!({"timeout_ms": -1}), "timeout_ms"),
        (json!({"limits": {"event_count": -1}}), "limits.event_count"),
        (json!({"sampling_rate": 1.5}), "sampling_rate"),
        (json!({"sampler": "sometimes"}), "sampler"),
        (json!({"sampler": {"trace_id_ratio": 2}}), "sampler"),
        (json!({"sampler": {"parent_threshold": {"rate_limited": 2}}}), "sampler"),
        (json!({"protocol": "smoke"}), "protocol"),
        (json!({"compression": "zstd"}), "compression"),
        (json!({"endpoint": "h:4318"}), "endpoint"),
        (json!({"endpoint": "ftp://h"}), "endpoint"),
        (json!({"traces_url": "http://h:port"}), "traces_url"),
        (json!({"zipkin": {"endpoint": "h"}}), "zipkin.endpoint"),
        (json!({"log_level": "loud"}), "log_level"),
        (json!({"filter": "shop[a]=debug"}), "filter"),
        (json!({"spool": {"max_bytes": 1000}}), "spool.max_bytes"),
        (json!({"spool": {"overflow": "explode"}}), "spool.overflow"),
        (json!({"memory": {"span_bytes": 10}}), "memory.span_bytes"),
        (json!({"tail": {"slower_than_ms": -1}}), "tail.slower_than_ms"),
        (json!({"detectors": ["gpu", "host"]}), "detectors"),
        (json!({"headers": {"bad name": "secret"}}), "headers"),
        (json!({"propagators": ["b3", "pigeon"]}), "propagators"),
    ];
    for (json, field) in table {
        let config = TracingConfig::from_json(&json.to_string()).unwrap();
        let warnings = config.warnings();
        assert_eq!(warnings.len(), 1, "{json}: {warnings:?}");
        assert_eq!(warnings[0].subject(), field);
        assert!(!warnings[0].to_string().contains("secret"));
    }
    let config = TracingConfig::from_json(r#"{"exporters": ["otlp", "otpl", "zipkin"]}"#).unwrap();
    assert_eq!(*config.exporters.get(), [ExporterKind::Otlp, ExporterKind::Zipkin]);
    assert!(config.warnings()[0].to_string().contains("did you mean `otlp`"), "{:?}", config.warnings());
    let config = TracingConfig::from_toml("batch = { max_queue_size = 5, max_export_batch_size = 9 }").unwrap();
    assert_eq!((*config.batch.max_export_batch_size.get(), config.warnings().len()), (5, 1));
    let config = TracingConfig::from_toml("endpoint = 'h:4317'\nprotocol = 'grpc'").unwrap();
    assert_eq!((config.otlp.traces_url().as_str(), config.warnings().len()), ("https://h:4317", 0), "in any order");
}
