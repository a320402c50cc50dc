//! Processors, exporters and samplers of the program's own beside those of the configuration.

use std::time::Duration;

use clewline::config::{ExporterKind, SamplerConfig};
use clewline::exporter::MemoryExporter;
use clewline::{ReadWriteSpan, Sampler, Setup, SpanProcessor, SpanView, TracingConfig, Verdict};
use clewline_core::{ParentDecisions, SamplingDecision, SamplingParameters, SamplingResult};

use crate::alone::alone;

const SOON: Duration = Duration::from_secs(300);

/// Marks what begins, and drops what is called `health`.
struct Marks(&'static str);

impl SpanProcessor for Marks {
    fn on_start(&self, span: &mut ReadWriteSpan<'_>) {
        span.set("marked by", self.0);
    }

    fn on_end(&self, span: &SpanView<'_>) -> Verdict {
        if span.name() == "health" { Verdict::Drop } else { Verdict::Keep }
    }
}

/// Does not want what is called `noise`.
struct WithoutNoise;

impl Sampler for WithoutNoise {
    fn should_sample(&self, asked: &SamplingParameters<'_>) -> SamplingResult<'_> {
        if asked.name == "noise" { SamplingDecision::Drop } else { SamplingDecision::RecordAndSample }.into()
    }
}

fn record_all() {
    for name in ["cart", "noise", "health"] {
        clewline::tracer("shop").span(name).start().end();
    }
}

fn names(memory: &MemoryExporter) -> Vec<String> {
    memory.take().into_iter().map(|span| span.name).collect()
}

#[test]
fn the_systems_clock_may_be_asked_for() {
    alone("setup::the_systems_clock_may_be_asked_for", &[], || {
        let config = TracingConfig::default().with_exporters([ExporterKind::Memory]);
        let guard = Setup::new(&config).system_clock().start().unwrap();
        clewline::tracer("shop").span("cart").start().end();
        let clock = guard.pipeline().unwrap().clock();
        // Its ticks are times already; those of the processor's counter are not.
        assert_eq!(clock.to_unix_nanos(7), 7);
        guard.flush(SOON).unwrap();
        let spans = guard.memory().unwrap().take();
        let [cart] = spans.as_slice() else { panic!("{spans:?}") };
        assert!(cart.start_time_unix_nano > 1_700_000_000_000_000_000, "{cart:?}");
    });
}

#[test]
fn what_the_program_adds_stands_beside_what_is_configured() {
    alone("setup::what_the_program_adds_stands_beside_what_is_configured", &[], || {
        let own = MemoryExporter::new(10);
        let config = TracingConfig::default().with_exporters([ExporterKind::Memory]).with_service_name("shop");
        let setup = Setup::new(&config).processor(Marks("first")).processor(Marks("second")).sampler(WithoutNoise);
        let guard = setup.exporter("own", own.clone()).init().unwrap();
        record_all();
        guard.flush(SOON).unwrap();
        let spans = own.take();
        let [cart] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!((cart.name.as_str(), cart.attribute("marked by")), ("cart", Some(&"second".into())));
        assert!(cart.resource.attributes.contains(&("service.name".to_owned(), "shop".into())));
        assert_eq!(names(guard.memory().unwrap()), ["cart"]);
        let ledgers = guard.pipeline().unwrap().ledgers();
        assert_eq!(ledgers.iter().map(|ledger| ledger.name).collect::<Vec<_>>(), ["memory", "own"]);
        // The sampler can be replaced while the program runs.
        guard.set_sampler(&SamplerConfig::AlwaysOn).unwrap();
        record_all();
        guard.flush(SOON).unwrap();
        assert_eq!(names(&own), ["cart", "noise"]);
    });
}

#[test]
fn an_exporter_can_be_the_only_one_and_needs_no_subscriber() {
    alone("setup::an_exporter_can_be_the_only_one_and_needs_no_subscriber", &[], || {
        let own = MemoryExporter::new(10);
        let config = TracingConfig::default().with_exporters([]);
        let guard = Setup::new(&config).exporter("own", own.clone()).start().unwrap();
        record_all();
        guard.flush(SOON).unwrap();
        assert_eq!(names(&own), ["cart", "noise", "health"]);
        assert!(!tracing::dispatcher::has_been_set() && guard.memory().is_none());
    });
}

/// Has a mistake that some names meet, and cannot say anything of itself.
struct Mistaken;

impl Sampler for Mistaken {
    fn should_sample(&self, asked: &SamplingParameters<'_>) -> SamplingResult<'_> {
        assert!(!asked.name.starts_with("bad"), "as intended");
        if asked.name == "dropped" { SamplingDecision::Drop } else { SamplingDecision::RecordAndSample }.into()
    }

    fn by_parent(&self) -> ParentDecisions {
        panic!("as intended")
    }

    fn sees_attributes(&self) -> bool {
        panic!("as intended")
    }
}

#[test]
fn a_sampler_that_panics_costs_neither_a_request_nor_a_span() {
    alone("setup::a_sampler_that_panics_costs_neither_a_request_nor_a_span", &[], || {
        let own = MemoryExporter::new(10);
        let config = TracingConfig::default().with_exporters([]);
        let guard = Setup::new(&config).sampler(Mistaken).exporter("own", own.clone()).init().unwrap();
        tracing::info_span!("bad root").in_scope(|| drop(tracing::info_span!("bad child")));
        tracing::info_span!("dropped").in_scope(|| drop(tracing::info_span!("bad child of what is dropped")));
        record_all();
        guard.flush(SOON).unwrap();
        assert_eq!(names(&own), ["bad child", "bad root", "cart", "noise", "health"]);
    });
}
