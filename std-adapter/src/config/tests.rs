//! Tables of environment variables and what each must lead to, with the rule that says so.

use std::time::Duration;

use super::{Compression, EndpointError, ExporterKind, Header, HeaderError, Source, TracingConfig};

fn read(variables: &[(&str, &str)]) -> TracingConfig {
    TracingConfig::from_lookup(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

fn attribute(config: &TracingConfig, key: &str) -> Option<(String, Source)> {
    let resource = config.resource();
    let found = resource.iter().find(|(known, _)| known == key);
    found.map(|(_, value)| (value.get().as_text().expect("a text").to_owned(), value.source()))
}

fn text(text: &str, source: Source) -> Option<(String, Source)> {
    Some((text.to_owned(), source))
}

#[test]
fn an_empty_environment_gives_the_defaults_of_the_specification() {
    let config = read(&[]);
    assert_eq!(config, TracingConfig::default());
    assert!(*config.enabled.get());
    assert_eq!(*config.exporters.get(), [ExporterKind::Otlp]);
    assert_eq!(config.sampler.get().to_string(), "ParentBased(AlwaysOn)");
    assert_eq!(config.otlp.traces_url(), "http://localhost:4318/v1/traces");
    assert_eq!(*config.otlp.timeout.get(), Some(Duration::from_secs(10)));
    assert_eq!(*config.otlp.compression.get(), Compression::None);
    assert_eq!(*config.batch.schedule_delay.get(), Duration::from_secs(5));
    assert_eq!(*config.batch.export_timeout.get(), Some(Duration::from_secs(30)));
    assert_eq!((*config.batch.max_queue_size.get(), *config.batch.max_export_batch_size.get()), (2048, 512));
    let limits = &config.limits;
    let counts = [&limits.attribute_count, &limits.event_count, &limits.link_count];
    assert!(counts.iter().all(|limit| *limit.get() == 128));
    assert_eq!((*limits.event_attribute_count.get(), *limits.link_attribute_count.get()), (128, 128));
    assert_eq!(*limits.attribute_value_length.get(), None);
    assert!(config.service_name().starts_with("unknown_service"));
    assert_eq!(attribute(&config, "telemetry.sdk.language"), text("rust", Source::Default));
    assert!(config.warnings().is_empty());
}

#[test]
fn an_empty_value_is_unset() {
    // common.md: "an empty value MUST be treated the same as unset", for every variable that is read.
    let config = TracingConfig::from_lookup(|_| Some("  ".to_owned()));
    assert_eq!(config, TracingConfig::default());
}

#[test]
fn a_bad_value_is_a_warning_that_names_the_variable_and_leaves_the_default() {
    // common.md: "not parsable or out of range: warn, ignore", "unknown enum value: warn, ignore".
    let table = [
        ("OTEL_SDK_DISABLED", "yes"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1,b"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://h/x"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "smoke"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1.5"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "99999999999999999999999"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "1e3"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "-5"),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "x"),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "x"),
    ];
    for (name, value) in table {
        let mut config = read(&[(name, value)]);
        let warnings = std::mem::take(&mut config.warnings);
        assert_eq!(warnings.len(), 1, "{name}={value}: {warnings:?}");
        assert_eq!(warnings[0].subject(), name);
        assert!(warnings[0].to_string().starts_with(name));
        if name == "OTEL_SDK_DISABLED" {
            assert!(*config.enabled.get());
        } else {
            assert_eq!(config, TracingConfig::default(), "{name}={value}");
        }
    }
}

#[test]
fn resource_attributes_are_decoded_and_one_error_discards_them_all() {
    // resource/sdk.md, "Specifying resource information via an environment variable".
    let config = read(&[("OTEL_RESOURCE_ATTRIBUTES", " a = 1 ,b=%2C%3D%25,c=%C3%A9,d=,a=2,e=x+y,%66=1")]);
    let expected = [("a", "2"), ("b", ",=%"), ("c", "é"), ("d", ""), ("e", "x+y"), ("f", "1")];
    for (key, value) in expected {
        assert_eq!(attribute(&config, key), text(value, Source::Environment("OTEL_RESOURCE_ATTRIBUTES")), "{key}");
    }
    assert!(config.warnings().is_empty());

    for bad in ["a=1,b", "a=1,=2", "a=1,b=%2", "a=1,b=%zz", "a=1,b=%ff", "a=1,b=c=d", "a=1,%=2"] {
        let config = read(&[("OTEL_RESOURCE_ATTRIBUTES", bad)]);
        assert_eq!(attribute(&config, "a"), None, "{bad}");
        assert_eq!(config.warnings().len(), 1, "{bad}");
    }
}

#[test]
fn the_service_name_variable_wins_and_code_wins_over_both() {
    // sdk-environment-variables.md: OTEL_SERVICE_NAME "takes precedence"; resource/sdk.md: code-given resource wins.
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=from-attributes,zone=z");
    assert_eq!(read(&[attributes]).service_name(), "from-attributes");
    let config = read(&[attributes, ("OTEL_SERVICE_NAME", "from-name")]);
    assert_eq!(attribute(&config, "service.name"), text("from-name", Source::Environment("OTEL_SERVICE_NAME")));
    assert_eq!(attribute(&config, "zone").map(|(value, _)| value).as_deref(), Some("z"));
    let config = config.with_service_name("from-code");
    assert_eq!(attribute(&config, "service.name"), text("from-code", Source::Code));
    assert_eq!(config.resource().iter().filter(|(key, _)| key == "service.name").count(), 1);
    assert!(read(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=")]).service_name().starts_with("unknown_service"));
}

#[test]
fn headers_are_decoded_checked_and_never_shown() {
    // exporter.md, "Specifying headers via environment variables".
    let list = "Authorization=Basic%20c2VjcmV0==, x-tenant = a%2Cb ,x-tenant=c,bad name=1,content-type=x,v=%0d%0aInjected: 1,z=%4";
    let config = read(&[("OTEL_EXPORTER_OTLP_HEADERS", list)]);
    let headers: Vec<_> = config.otlp.headers.get().iter().map(|header| (header.name(), header.value())).collect();
    assert_eq!(headers, [("authorization", "Basic c2VjcmV0=="), ("x-tenant", "c")]);
    assert_eq!(config.warnings().len(), 4, "{:?}", config.warnings());
    let shown = format!("{config:?}{}", config.warnings().iter().map(ToString::to_string).collect::<String>());
    assert!(!shown.contains("c2VjcmV0") && !shown.contains("Injected"), "{shown}");
    assert_eq!(Header::new("Host", "x"), Err(HeaderError::Reserved));
}

#[test]
fn no_limit_is_the_absence_of_both_limits() {
    let config = read(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "0"), ("OTEL_BSP_EXPORT_TIMEOUT", "0")]);
    assert_eq!(config.export_timeout(), None);
    assert_eq!(read(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "0")]).export_timeout(), Some(Duration::from_secs(30)));
}

#[test]
fn code_is_told_that_the_base_address_is_not_that_of_traces() {
    for url in [
        "http://localhost:4318/v1/traces",
        "http://localhost:4318/otlp/v1/traces/",
        "http://localhost:4318/v1/traces?key=1",
    ] {
        assert_eq!(TracingConfig::default().with_endpoint(url).err(), Some(EndpointError::TracesPath), "{url}");
        let config = TracingConfig::default().with_traces_endpoint(url).unwrap();
        assert_eq!(config.otlp.traces_url(), url);
    }
    for base in ["http://v1/traces", "http://localhost:4318/v1/traces/eu"] {
        assert!(TracingConfig::default().with_endpoint(base).is_ok(), "{base}");
    }
    // Variables and files mean what the specification says of them (protocol/exporter.md, "Endpoint URLs for OTLP/HTTP").
    let config = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318/v1/traces")]);
    assert!(config.warnings().is_empty());
}
