//! Damaged input of every kind: nothing panics, and what is accepted keeps its promises.

use clewline::TracingConfig;
use clewline::config::{FilterConfig, SamplerConfig};

use crate::support::{File, from_lookup, report};

/// Mutations of each seed.
const ROUNDS: usize = 2_000;

/// Numbers from a fixed seed, so that a failure comes again (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below.max(1) as u64).unwrap()
    }
}

/// Calls `check` with many damaged forms of `seed`: characters taken out, put in, doubled, and pieces moved.
fn damaged(seed: &str, mut check: impl FnMut(&str)) {
    let pieces = [
        "\"", "'", "{", "}", "[", "]", "(", ")", ",", "=", ":", "%", "%4", "${", "$", "*", "&a ", "\n", " ", "-1",
        "\u{e9}", "0x", "1e999", "null",
    ];
    let mut numbers = Numbers(seed.len() as u64);
    for _ in 0..ROUNDS {
        let mut characters: Vec<char> = seed.chars().collect();
        for _ in 0..=numbers.next(4) {
            let place = numbers.next(characters.len());
            match numbers.next(4) {
                0 if !characters.is_empty() => drop(characters.remove(place)),
                1 => {
                    let piece = pieces[numbers.next(pieces.len())];
                    characters.splice(place..place, piece.chars());
                }
                2 => {
                    let end = (place + numbers.next(20)).min(characters.len());
                    let copy: Vec<char> = characters[place.min(end)..end].to_vec();
                    let to = numbers.next(characters.len());
                    characters.splice(to..to, copy);
                }
                _ => characters.truncate(place.max(1)),
            }
        }
        check(&characters.into_iter().collect::<String>());
    }
}

/// What was accepted can be shown, and reads as the same when it is written.
fn keeps_its_promises(config: &TracingConfig) {
    // What is found out about the machine is not in question, and takes its time.
    let shown = report(&config.clone().with_detectors([]));
    assert!(shown["traces_url"].as_str().unwrap().starts_with("http"), "{shown:#}");
    let (queue, batch) = (&shown["batch"]["max_queue_size"], &shown["batch"]["max_export_batch_size"]);
    assert!(batch.as_u64() <= queue.as_u64() && batch.as_u64() > Some(0), "{shown:#}");
    let written = serde_json::to_string(config).unwrap();
    let again = TracingConfig::from_json(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
    assert_eq!(serde_json::to_string(&again).unwrap(), written);
}

const TOML: &str = "service_name = 'shop'\nexporters = ['otlp', 'console']\nendpoint = 'http://h:4318/a'\ntimeout_ms = 5\nheaders = { a = 'b' }\n\
    sampler = 'ParentBased(TraceIdRatio(0.25))'\n[batch]\nmax_queue_size = 9\nmax_export_batch_size = 3\n[resource]\na.b = [1, 2]\nc = 1.5\n";
const JSON: &str = r#"{"exporters": ["zipkin"], "traces_url": "https://h/v1", "protocol": "grpc", "sampler": {"rules": [{"name": "a*",
    "sampler": {"parent_based": {"root": "always_off"}}}], "otherwise": "Probability(0.5)"}, "limits": {"attribute_value_length": null,
    "event_count": 5}, "zipkin": {"endpoint": "http://z"}, "resource": {"k": ["a", "b"], "t": true}}"#;
const YAML: &str = "file_format: '1.0'\nresource:\n  attributes: &a\n    - {name: a, value: [1, 2], type: int_array}\n  attributes_list: ${LIST:-b=c}\n\
    tracer_provider:\n  processors:\n    - batch: {max_queue_size: 5, exporter: {otlp_http: {endpoint: 'http://h/', headers: [{name: a, value: b}]}}}\n\
    \x20 sampler: {parent_based: {root: {trace_id_ratio_based: {ratio: 0.25}}}}\npropagator: {composite_list: 'b3,baggage'}\n";

#[test]
fn files() {
    let mut accepted = 0;
    let mut take = |config: Result<TracingConfig, clewline::config::ConfigFileError>| match config {
        Ok(config) => {
            keeps_its_promises(&config);
            accepted += 1;
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    };
    damaged(TOML, |text| take(TracingConfig::from_toml(text)));
    damaged(JSON, |text| take(TracingConfig::from_json(text)));
    damaged(YAML, |text| take(TracingConfig::from_file(File::new("hostile.yaml", text))));
    assert!(accepted > ROUNDS / 20, "some damage is harmless, so that the promises were held: {accepted}");
}

#[test]
fn variables() {
    let seeds = [
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,a=%2C,zone=z"),
        ("OTEL_ENTITIES", "service{service.name=a}[b=c]@http://h;host{host.id=d}"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b,x=y"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user@h:4318/a?b=c"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://[::1]:4318"),
        (
            "OTEL_TRACES_SAMPLER",
            "ParentBased(Rules(\"a*\"=AlwaysOff, otherwise=TraceIdRatio(0.5)), local_parent_sampled=RateLimited(5))",
        ),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "2048"),
        ("OTEL_TRACES_EXPORTER", "otlp,zipkin"),
        ("RUST_LOG", "info,shop::db=debug"),
    ];
    for (name, seed) in seeds {
        damaged(seed, |text| {
            keeps_its_promises(&from_lookup(&[(name, text), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]));
        });
    }
}

#[test]
fn what_is_displayed_reads_as_the_same() {
    let sampler = "Rules(SERVER \"GET /\\\"x\"=RateLimited(5), otherwise=ParentThreshold(Probability(0.25)))";
    damaged(sampler, |text| {
        if let Ok(sampler) = text.parse::<SamplerConfig>() {
            assert_eq!(sampler.to_string().parse(), Ok(sampler), "{text}");
        }
    });
    damaged("warn,shop=debug,shop::db=off", |text| {
        if let Ok(filter) = text.parse::<FilterConfig>() {
            assert_eq!(filter.to_string().parse(), Ok(filter), "{text}");
        }
    });
}
