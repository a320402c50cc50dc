//! Tables of environment variables and what each must lead to, with the rule that says so.

use std::time::Duration;

use super::{Compression, ExporterKind, Header, HeaderError, SamplerConfig, Source, TracingConfig};

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
fn booleans_are_true_only_for_the_word_true() {
    for (value, expected) in [("true", true), ("TRUE", true), ("True", true), ("false", false), ("1", false)] {
        assert_eq!(*read(&[("OTEL_SDK_DISABLED", value)]).enabled.get(), !expected, "{value}");
        assert_eq!(*read(&[("OTEL_ENABLED", value)]).enabled.get(), expected, "{value}");
    }
}

#[test]
fn a_general_endpoint_is_a_base_and_a_traces_endpoint_is_used_as_it_is() {
    // exporter.md, "Endpoint URLs for OTLP/HTTP".
    let base = [
        ("http://h:4318", "http://h:4318/v1/traces"),
        ("http://h:4318/", "http://h:4318/v1/traces"),
        ("http://h:4318/my", "http://h:4318/my/v1/traces"),
        ("http://h:4318/my/", "http://h:4318/my/v1/traces"),
        ("http://h", "http://h/v1/traces"),
        ("https://h?key=a", "https://h/v1/traces?key=a"),
        ("HTTPS://H/p/?key=a/b", "HTTPS://H/p/v1/traces?key=a/b"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
        ("http://user:word@h:4318", "http://user:word@h:4318/v1/traces"),
    ];
    for (value, expected) in base {
        let config = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", value)]);
        assert_eq!(config.otlp.traces_url(), expected);
        assert_eq!(config.otlp.endpoint.source(), Source::Environment("OTEL_EXPORTER_OTLP_ENDPOINT"));
    }
    let as_is = [
        ("http://h:4318", "http://h:4318/"),
        ("http://h:4318/", "http://h:4318/"),
        ("http://h:4318/my", "http://h:4318/my"),
        ("http://h:4318/my/", "http://h:4318/my/"),
        ("https://h?key=a", "https://h/?key=a"),
        ("http://h/v1/traces", "http://h/v1/traces"),
    ];
    for (value, expected) in as_is {
        let both = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://other")];
        assert_eq!(read(&both).otlp.traces_url(), expected);
    }
    for bad in [
        "h:4318",
        "http://",
        "http:///v1",
        "http://h:port",
        "http://h:70000",
        "http://h/a b",
        "http://[::1",
        "",
        "\u{e9}://h",
    ] {
        let config =
            read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", bad), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://base")]);
        assert_eq!(config.otlp.traces_url(), "http://base/v1/traces", "{bad}");
        assert_eq!(config.warnings().len(), usize::from(!bad.is_empty()), "{bad}");
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
fn exporter_names() {
    let table: [(&str, &[ExporterKind], usize); 9] = [
        ("otlp", &[ExporterKind::Otlp], 0),
        ("OTLP,otlp", &[ExporterKind::Otlp], 0),
        ("none", &[], 0),
        ("none,otlp", &[], 1),
        ("otlp, Zipkin,", &[ExporterKind::Otlp, ExporterKind::Zipkin], 0),
        ("console", &[ExporterKind::Console], 0),
        ("otlp/stdout,stdout", &[ExporterKind::OtlpStdout, ExporterKind::Stdout], 0),
        ("jaeger,memory,logging", &[ExporterKind::Jaeger, ExporterKind::Memory], 1),
        ("logging", &[ExporterKind::Otlp], 2),
    ];
    for (value, expected, warnings) in table {
        let config = read(&[("OTEL_TRACES_EXPORTER", value)]);
        assert_eq!(config.exporters.get(), expected, "{value}");
        assert_eq!(config.warnings().len(), warnings, "{value}: {:?}", config.warnings());
    }
}

#[test]
fn sampler_names_and_arguments() {
    // sdk-environment-variables.md, "General SDK configuration", OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG.
    let table = [
        ("always_on", "", "AlwaysOn", 0),
        ("ALWAYS_OFF", "", "AlwaysOff", 0),
        ("traceidratio", "", "TraceIdRatio(1)", 0),
        ("traceidratio", "0.25", "TraceIdRatio(0.25)", 0),
        ("parentbased_always_on", "0.25", "ParentBased(AlwaysOn)", 1),
        ("parentbased_always_off", "", "ParentBased(AlwaysOff)", 0),
        ("parentbased_traceidratio", "0", "ParentBased(TraceIdRatio(0))", 0),
        ("traceidratio", "1.01", "TraceIdRatio(1)", 1),
        ("traceidratio", "-0.1", "TraceIdRatio(1)", 1),
        ("traceidratio", "NaN", "TraceIdRatio(1)", 1),
        ("parentbased_traceidratio", "half", "ParentBased(TraceIdRatio(1))", 1),
        ("xray", "0.5", "ParentBased(AlwaysOn)", 2),
    ];
    for (name, argument, expected, warnings) in table {
        let config = read(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)]);
        assert_eq!(config.sampler.get().to_string(), expected, "{name} {argument}");
        assert_eq!(config.warnings().len(), warnings, "{name} {argument}: {:?}", config.warnings());
    }
    let config = read(&[("OTEL_TRACES_SAMPLER", "always_off")]).with_sampler(SamplerConfig::AlwaysOn);
    assert_eq!((config.sampler.get(), config.sampler.source()), (&SamplerConfig::AlwaysOn, Source::Code));
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
fn an_address_with_credentials_is_not_shown_in_a_warning() {
    let config = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "user:word@host:4318")]);
    assert_eq!(config.warnings().len(), 1);
    assert!(!config.warnings()[0].to_string().contains("word"));
}

#[test]
fn a_traces_variable_replaces_the_general_one_and_a_bad_one_falls_back_to_it() {
    // exporter.md: "each configuration option MUST be overridable by a signal specific option".
    let general = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=2"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "10"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "100"),
    ];
    let config = read(&general);
    assert_eq!(config.otlp.headers.get().len(), 2);
    assert_eq!(*config.otlp.timeout.get(), Some(Duration::from_secs(1)));
    assert_eq!(*config.otlp.compression.get(), Compression::Gzip);
    assert_eq!(*config.limits.attribute_count.get(), 10);
    assert_eq!(*config.limits.attribute_value_length.get(), Some(100));

    let specific = [
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=3"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "NONE"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "50"),
    ];
    let config = read(&[general, specific].concat());
    assert_eq!(*config.otlp.headers.get(), [Header::new("b", "3").expect("a valid header")]);
    assert_eq!(*config.otlp.timeout.get(), None, "0 is no limit");
    assert_eq!(*config.otlp.compression.get(), Compression::None);
    assert_eq!(*config.limits.attribute_count.get(), 0);
    assert_eq!(*config.limits.attribute_value_length.get(), Some(50));
    assert!(config.warnings().is_empty());

    let config = read(&[&general[..], &[("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "soon")]].concat());
    assert_eq!(*config.otlp.timeout.get(), Some(Duration::from_secs(1)));
    assert_eq!(config.otlp.timeout.source(), Source::Environment("OTEL_EXPORTER_OTLP_TIMEOUT"));
    assert_eq!(config.warnings().len(), 1);
}

#[test]
fn batch_variables_and_their_bounds() {
    // sdk-environment-variables.md, "Batch Span Processor": batch size "must be less than or equal to" the queue size.
    let config = read(&[
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "5000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "5000"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5000"),
    ]);
    assert_eq!(*config.batch.schedule_delay.get(), Duration::from_millis(100));
    assert_eq!(config.export_timeout(), Some(Duration::from_secs(5)), "shorter than OTLP's 10 s");
    assert_eq!((*config.batch.max_queue_size.get(), *config.batch.max_export_batch_size.get()), (5000, 5000));
    assert!(config.warnings().is_empty());

    let config = read(&[("OTEL_BSP_MAX_QUEUE_SIZE", "100")]);
    assert_eq!(*config.batch.max_export_batch_size.get(), 100, "the default follows a smaller queue");
    assert!(config.warnings().is_empty());

    let config = read(&[]).with_batch_sizes(10, 20);
    assert_eq!((*config.batch.max_queue_size.get(), *config.batch.max_export_batch_size.get()), (10, 10));
}

#[test]
fn no_limit_is_the_absence_of_both_limits() {
    let config = read(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "0"), ("OTEL_BSP_EXPORT_TIMEOUT", "0")]);
    assert_eq!(config.export_timeout(), None);
    assert_eq!(read(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "0")]).export_timeout(), Some(Duration::from_secs(30)));
}

#[test]
fn propagators_are_each_named_once_and_unknown_ones_left_out() {
    use super::Propagator::{B3, B3Multi, Baggage, Jaeger, TraceContext};
    let table: [(&str, &[super::Propagator], usize); 7] = [
        ("", &[TraceContext, Baggage], 0),
        ("tracecontext", &[TraceContext], 0),
        ("B3, b3multi,jaeger", &[B3, B3Multi, Jaeger], 0),
        ("baggage,TraceContext,baggage,tracecontext,", &[Baggage, TraceContext], 0),
        ("none", &[], 0),
        ("none,b3", &[], 1),
        ("xray,ottrace,b3", &[B3], 2),
    ];
    for (list, expected, warnings) in table {
        let config = read(&[("OTEL_PROPAGATORS", list), ("OTEL_SDK_DISABLED", "true")]);
        assert_eq!(config.propagators.get(), expected, "{list}");
        assert_eq!(config.warnings().len(), warnings, "{list}: {:?}", config.warnings());
    }
    assert_eq!(read(&[("OTEL_PROPAGATORS", "xray")]).propagators, TracingConfig::default().propagators);
}
