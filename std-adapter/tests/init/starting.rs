//! What is started: exporters, propagators, limits and resource as configured, and what is said of mistakes.

use std::time::Duration;

use clewline::config::{ExporterKind, Header, SamplerConfig};
use clewline::propagation::{self, Format};
use clewline::{InitError, TracingConfig};

use crate::alone::alone;
use crate::collector::Collector;

const SOON: Duration = Duration::from_secs(300);

#[test]
fn spans_go_to_memory_with_the_resource_and_the_limits_of_the_configuration() {
    let variables = [
        ("OTEL_TRACES_EXPORTER", "memory"),
        ("OTEL_SERVICE_NAME", "shop"),
        ("OTEL_RESOURCE_ATTRIBUTES", "zone=z"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3"),
    ];
    alone("starting::spans_go_to_memory_with_the_resource_and_the_limits_of_the_configuration", &variables, || {
        let config = TracingConfig::from_env().with_resource_attribute("cores", 8).with_events(false);
        let guard = clewline::init_with(&config).unwrap();
        tracing::info_span!("cart", a = "abcdef", b = 2).in_scope(|| tracing::info!("left out"));
        guard.flush(SOON).unwrap();
        let spans = guard.memory().unwrap().take();
        let [span] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!((span.attributes.len(), span.dropped_attributes_count), (1, 1));
        assert_eq!(span.attribute("a"), Some(&"abc".into()));
        assert_eq!((span.events.len(), span.dropped_events_count), (0, 1));
        let resource =
            |key: &str| span.resource.attributes.iter().find(|(known, _)| known == key).map(|(_, value)| value);
        assert_eq!(resource("service.name"), Some(&"shop".into()));
        assert_eq!(resource("zone"), Some(&"z".into()));
        assert_eq!(resource("cores"), Some(&8.into()));
        assert!(matches!(clewline::init(), Err(InitError::SubscriberSet)));
        assert!(matches!(clewline::start(&config), Err(InitError::AlreadyInitialised)));
    });
}

#[test]
fn several_exporters_each_get_every_span_and_only_their_own_headers() {
    alone("starting::several_exporters_each_get_every_span_and_only_their_own_headers", &[], || {
        let [otlp, jaeger, zipkin] = [(); 3].map(|()| Collector::start());
        let config = TracingConfig::default()
            .with_exporters([ExporterKind::Otlp, ExporterKind::Jaeger, ExporterKind::Zipkin, ExporterKind::Memory])
            .with_endpoint(&format!("{}/base", otlp.url()))
            .and_then(|config| config.with_jaeger_endpoint(&jaeger.url()))
            .and_then(|config| config.with_zipkin_endpoint(&format!("{}/api/v2/spans", zipkin.url())))
            .unwrap()
            .with_header(Header::new("x-secret", "key").unwrap());
        let guard = clewline::init_with(&config).unwrap();
        drop(tracing::info_span!("cart"));
        guard.flush(SOON).unwrap();
        assert_eq!((guard.ledger().delivered, guard.memory().unwrap().len()), (1, 1));
        let head = otlp.head();
        assert!(head.starts_with("post /base/v1/traces ") && head.contains("x-secret: key"), "{head}");
        let head = jaeger.head();
        assert!(head.starts_with("post /v1/traces ") && !head.contains("x-secret"), "{head}");
        let head = zipkin.head();
        assert!(head.starts_with("post /api/v2/spans ") && !head.contains("x-secret"), "{head}");
    });
}

#[test]
fn a_disabled_program_has_no_spans_but_its_propagators() {
    let variables = [("OTEL_SDK_DISABLED", "true"), ("OTEL_PROPAGATORS", "b3,baggage")];
    alone("starting::a_disabled_program_has_no_spans_but_its_propagators", &variables, || {
        let guard = clewline::init().unwrap();
        assert!(guard.pipeline().is_none());
        drop(tracing::info_span!("cart"));
        guard.set_sampler(&SamplerConfig::AlwaysOff).unwrap();
        assert_eq!(guard.ledger().started, 0);
        assert_eq!((propagation::global().formats(), propagation::global().has_baggage()), (&[Format::B3][..], true));
        guard.shutdown(SOON).unwrap();
    });
}

#[test]
fn without_exporters_spans_are_held_back_and_counted() {
    alone("starting::without_exporters_spans_are_held_back_and_counted", &[("OTEL_TRACES_EXPORTER", "none")], || {
        let guard = clewline::init().unwrap();
        drop(tracing::info_span!("cart"));
        guard.flush(SOON).unwrap();
        let ledger = guard.ledger();
        assert_eq!((ledger.started, ledger.not_exported, ledger.pending), (1, 1, 0));
    });
}

#[test]
fn stdout_gets_lines_for_programs_and_console_trees_for_people() {
    let test = "starting::stdout_gets_lines_for_programs_and_console_trees_for_people";
    for (exporter, is_json) in [("stdout", true), ("otlp/stdout", true), ("console", false)] {
        let printed = alone(test, &[("OTEL_TRACES_EXPORTER", exporter)], || {
            let guard = clewline::init().unwrap();
            drop(tracing::info_span!("GET /cart"));
            // The test runner leaves its line open.
            println!();
            drop(guard);
        });
        let Some(printed) = printed else { return };
        let line = printed.stdout.lines().find(|line| line.contains("GET /cart"));
        let line = line.unwrap_or_else(|| panic!("{exporter}: {}", printed.stdout));
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert_eq!(parsed.is_ok_and(|json| json.get("resourceSpans").is_some()), is_json, "{exporter}: {line}");
    }
}

#[test]
fn mistakes_are_named_on_stderr_unless_the_log_level_says_otherwise() {
    let test = "starting::mistakes_are_named_on_stderr_unless_the_log_level_says_otherwise";
    for (level, is_said) in [("info", true), ("warn", true), ("error", false), ("none", false)] {
        let variables = [
            ("OTEL_LOG_LEVEL", level),
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
            ("RUST_LOG", "shop=loud"),
        ];
        let printed = alone(test, &variables, || drop(clewline::init().unwrap()));
        let Some(printed) = printed else { return };
        for name in ["OTEL_BSP_MAX_QUEUE_SIZE", "RUST_LOG"] {
            assert_eq!(printed.stderr.contains(name), is_said, "{level}: {}", printed.stderr);
        }
    }
}

#[test]
fn what_cannot_work_is_an_error_and_leaves_nothing_behind() {
    alone("starting::what_cannot_work_is_an_error_and_leaves_nothing_behind", &[], || {
        let mut config = TracingConfig::default().with_exporters([ExporterKind::Memory]);
        config.sampler = SamplerConfig::TraceIdRatio(2.0).into();
        assert!(matches!(clewline::init_with(&config), Err(InitError::Sampler(_))));
        let mut config = TracingConfig::default().with_endpoint("https://localhost:1").unwrap();
        config.otlp.certificate = Some("/absent.pem".into()).into();
        let error = clewline::init_with(&config).unwrap_err();
        assert!(error.to_string().contains("trusted certificates"), "{error}");
        drop(clewline::init_with(&TracingConfig::default().with_exporters([ExporterKind::Memory])).unwrap());
    });
}

#[test]
fn a_spool_keeps_what_a_collector_that_is_away_cannot_take() {
    let directory = std::env::temp_dir().join(format!("clewline-init-spool-{}", std::process::id()));
    let variables = [
        ("OTEL_RUST_SPOOL_DIRECTORY", directory.to_str().unwrap()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ("OTEL_TRACES_EXPORTER", "otlp,memory"),
    ];
    alone("starting::a_spool_keeps_what_a_collector_that_is_away_cannot_take", &variables, || {
        let guard = clewline::init().unwrap();
        drop(tracing::info_span!("cart"));
        guard.flush(SOON).unwrap();
        assert_eq!(guard.ledger().spooled, 1, "{:?}", guard.ledger());
        guard.shutdown(SOON).unwrap();
    });
    if directory.exists() {
        assert!(directory.join("otlp.redb").is_file());
        assert!(!directory.join("memory.redb").exists(), "memory is not spooled");
        std::fs::remove_dir_all(directory).unwrap();
    } else {
        assert!(std::env::var_os("CLEWLINE_TEST_CASE").is_some(), "the spool was not made");
    }
}

#[test]
fn spans_say_what_they_are_asked_for() {
    alone("starting::spans_say_what_they_are_asked_for", &[], || {
        let mut config = TracingConfig::default().with_exporters([ExporterKind::Memory]);
        config.spans.location = true.into();
        config.spans.threads = true.into();
        let guard = clewline::init_with(&config).unwrap();
        drop(tracing::info_span!("cart"));
        guard.flush(SOON).unwrap();
        let span = guard.memory().unwrap().take().remove(0);
        assert!(span.attribute("code.line.number").is_some() && span.attribute("thread.name").is_some(), "{span:?}");
        assert!(span.attribute("level").is_none() && span.attribute("target").is_none(), "{span:?}");
    });
}

#[test]
fn a_tail_rule_keeps_what_failed() {
    alone("starting::a_tail_rule_keeps_what_failed", &[("OTEL_TRACES_EXPORTER", "memory")], || {
        let guard = clewline::init_with(&TracingConfig::from_env().with_errors_or_slow_traces_only(None)).unwrap();
        drop(tracing::info_span!("fine"));
        tracing::info_span!("failing").in_scope(|| tracing::error!("no"));
        guard.flush(SOON).unwrap();
        let names: Vec<String> = guard.memory().unwrap().take().into_iter().map(|span| span.name).collect();
        assert_eq!(names, ["failing"]);
        let pipeline = guard.pipeline().unwrap();
        guard.shutdown(SOON).unwrap();
        assert_eq!((pipeline.ledger().delivered, pipeline.ledger().dropped_by_tail_rule), (1, 1));
    });
}
