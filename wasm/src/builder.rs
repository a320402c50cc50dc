//! `Builder`: from a service's name to a running pipeline, and what keeps it from starting.

use std::fmt;
use std::time::Duration;

use clewline::pipeline::SharedSampler;
use clewline::{ClewlineSubscriber, Pipeline, PipelineOptions, SpanLimits, ToValue, Value};
use clewline_core::{AlwaysOn, ParentBased, TraceIdRatio};
use js_sys::{Function, Object, Reflect};
use tracing_core::LevelFilter;
use tracing_subscriber::filter::Targets;

use crate::js;
use crate::request::{self, Propagation};
use crate::transport::{self, OUTBOX, Transport};

/// Bytes that spans may wait in before they are fetched: fixed while they leave in time, and that much more while they do not.
const OWN_BYTES: usize = 128 * 1024;
const BURST_BYTES: usize = 512 * 1024;

/// Why tracing could not be started. The program runs on without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// There is a pipeline already.
    #[error("clewline is initialised already")]
    AlreadyInitialised,
    /// There is a `tracing` subscriber already.
    #[error("a `tracing` subscriber is set already; use `start` and add `clewline_wasm::layer()` to it")]
    SubscriberSet,
    /// The service has no name.
    #[error("the service name is empty")]
    ServiceName,
    /// The address of the collector is none.
    #[error("the endpoint cannot be `{0}`")]
    Endpoint(String),
    /// A header for the export requests that no request can have.
    #[error("the header `{0}` cannot be set, or its value cannot")]
    Header(String),
    /// A share of traces that is none.
    #[error("the sample ratio must be a number from 0 to 1")]
    SampleRatio,
    /// A filter that cannot be read.
    #[error("the filter cannot be read: {0}")]
    Filter(String),
    /// An address to propagate to that is none.
    #[error("it is no address of HTTP that headers can be propagated to: `{0}`")]
    PropagateTo(String),
    /// There is no `fetch` to send spans with.
    #[error("there is no `fetch` here")]
    NoFetch,
}

/// Starts tracing with the defaults: as [`builder(service_name).init()`](Builder::init).
///
/// # Errors
/// As [`Builder::init`].
pub fn init(service_name: impl Into<String>) -> Result<(), InitError> {
    builder(service_name).init()
}

/// Tracing for a service of this name, to be started.
pub fn builder(service_name: impl Into<String>) -> Builder {
    Builder {
        service_name: service_name.into(),
        endpoint: "http://localhost:4318".to_owned(),
        headers: Vec::new(),
        resource: Vec::new(),
        sampler: None,
        limits: SpanLimits::DEFAULT,
        flush_interval: Duration::from_secs(1),
        filter: None,
        propagate_to: Vec::new(),
        records_query: false,
        fetch: None,
    }
}

/// Tracing to be started: call [`init`](Self::init), or [`start`](Self::start) to add [`layer`](crate::layer) to a subscriber of
/// your own.
#[must_use = "nothing is recorded until `init` or `start` is called"]
pub struct Builder {
    service_name: String,
    endpoint: String,
    headers: Vec<(String, String)>,
    resource: Vec<(String, Box<dyn ToValue>)>,
    // What is given is read where it is given: a program that does not ask for it has not the code either.
    sampler: Option<Result<SharedSampler, InitError>>,
    limits: SpanLimits,
    flush_interval: Duration,
    filter: Option<Result<Targets, InitError>>,
    propagate_to: Vec<String>,
    records_query: bool,
    fetch: Option<Function>,
}

impl Builder {
    /// The base address of an OTLP/HTTP receiver, `http://localhost:4318` unless told; `/v1/traces` is appended. It may be relative
    /// to the page: an address of the page's own origin needs no CORS.
    pub fn endpoint(mut self, address: impl Into<String>) -> Self {
        self.endpoint = address.into();
        self
    }

    /// A header for the export requests, such as an API key.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A further attribute of the resource: `.resource("service.version", "1.4.0")`.
    pub fn resource(mut self, key: impl Into<String>, value: impl ToValue + 'static) -> Self {
        self.resource.push((key.into(), Box::new(value)));
        self
    }

    /// The share of new traces to record, 0 to 1; all unless told. A trace that comes from elsewhere keeps its own decision.
    pub fn sample_ratio(mut self, ratio: f64) -> Self {
        let sampler = TraceIdRatio::new(ratio).map(|ratio| Box::new(ParentBased::new(ratio)) as SharedSampler);
        self.sampler = Some(sampler.map_err(|_| InitError::SampleRatio));
        self
    }

    /// Another sampler, in place of a [share](Self::sample_ratio).
    pub fn sampler(mut self, sampler: SharedSampler) -> Self {
        self.sampler = Some(Ok(sampler));
        self
    }

    /// How much one span may record.
    pub fn limits(mut self, limits: SpanLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How long an ended span waits for others, one second unless told; at least a millisecond, at most a minute.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval.clamp(Duration::from_millis(1), Duration::from_secs(60));
        self
    }

    /// Which `tracing` spans and events [`init`](Self::init) records, by level and target, `info` unless told:
    /// `"info,shop=debug"`. A subscriber of your own has filters of its own.
    pub fn filter(mut self, filter: &str) -> Self {
        self.filter = Some(filter.parse::<Targets>().map_err(|error| InitError::Filter(error.to_string())));
        self
    }

    /// Another origin whose requests get `traceparent` from [`SendTraced`](crate::SendTraced): an address, and all that lies below
    /// its path. It must allow the header (CORS).
    pub fn propagate_to(mut self, address: impl Into<String>) -> Self {
        self.propagate_to.push(address.into());
        self
    }

    /// Whether `url.full` of requests keeps the query string; not unless told, as there may be secrets in it.
    pub fn record_query(mut self, records_query: bool) -> Self {
        self.records_query = records_query;
        self
    }

    /// Sends the requests with spans by another function than the global `fetch`, with its arguments and its answer.
    pub fn fetch(mut self, fetch: Function) -> Self {
        self.fetch = Some(fetch);
        self
    }

    /// Starts tracing, and sets Clewline's subscriber for `tracing`.
    ///
    /// # Errors
    /// What is wrong with an option, or that something was initialised before. Nothing has been started then.
    pub fn init(mut self) -> Result<(), InitError> {
        if tracing_core::dispatcher::has_been_set() {
            return Err(InitError::SubscriberSet);
        }
        let targets = match self.filter.take() {
            None => Targets::new().with_default(LevelFilter::INFO),
            Some(filter) => filter?,
        };
        let pipeline = self.start_pipeline()?;
        let subscriber = ClewlineSubscriber::new(pipeline).with_targets(targets);
        tracing_core::dispatcher::set_global_default(subscriber.into()).map_err(|_| InitError::SubscriberSet)
    }

    /// Starts tracing, and no more: for programs that add [`layer`](crate::layer) to a `tracing` subscriber of their own, or have
    /// none.
    ///
    /// ```no_run
    /// use tracing_subscriber::layer::SubscriberExt as _;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// clewline_wasm::builder("shop-web").start()?;
    /// tracing::subscriber::set_global_default(tracing_subscriber::registry().with(clewline_wasm::layer()))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`init`](Self::init), but for the subscriber.
    pub fn start(self) -> Result<(), InitError> {
        self.start_pipeline().map(drop)
    }

    fn start_pipeline(self) -> Result<&'static Pipeline, InitError> {
        if self.service_name.trim().is_empty() {
            return Err(InitError::ServiceName);
        }
        let sampler = self.sampler.unwrap_or_else(|| Ok(Box::new(ParentBased::new(AlwaysOn))))?;
        let propagation = Propagation::new(&self.propagate_to, self.records_query)?;
        if transport::is_open() {
            return Err(InitError::AlreadyInitialised);
        }
        let address = format!("{}/v1/traces", self.endpoint.trim_end_matches('/'));
        let endpoint = js::http_url(&address).ok_or(InitError::Endpoint(self.endpoint))?.href();
        let headers = headers(self.headers)?;
        let fetch = self.fetch.or_else(js::fetch).ok_or(InitError::NoFetch)?;

        let fixed = [
            ("telemetry.sdk.name", Value::from("clewline")),
            ("telemetry.sdk.language", Value::from("rust")),
            ("telemetry.sdk.version", Value::from(env!("CARGO_PKG_VERSION"))),
            ("service.name", Value::from(self.service_name.as_str())),
        ];
        let further = self.resource.iter().map(|(key, value)| (key.as_str(), value.to_value()));
        // Said again, it is said better.
        let is_said = |key: &str| self.resource.iter().any(|(further, _)| further == key);
        let resource: Vec<_> = fixed.into_iter().filter(|(key, _)| !is_said(key)).chain(further).collect();
        let mut options = PipelineOptions::default();
        (options.limits, options.thread_bytes, options.burst_bytes) = (self.limits, OWN_BYTES, BURST_BYTES);
        let builder = Pipeline::builder(&resource).sampler(sampler).options(options);
        let (pipeline, outbox) = builder.start_polled(OUTBOX, transport::span_ended);
        if !pipeline.make_global() {
            return Err(InitError::AlreadyInitialised);
        }
        request::set_propagation(propagation);
        Transport::open(pipeline, outbox, fetch, endpoint, &headers, self.flush_interval);
        Ok(pipeline)
    }
}

/// The headers of export requests, as the browser has checked them.
fn headers(list: Vec<(String, String)>) -> Result<Object, InitError> {
    let checked = web_sys::Headers::new().map_err(|_| InitError::NoFetch)?;
    let headers = Object::new();
    for (name, value) in list {
        if checked.set(&name, &value).is_err() || Reflect::set(&headers, &name.as_str().into(), &value.into()).is_err()
        {
            return Err(InitError::Header(name));
        }
    }
    Ok(headers)
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Header values may be keys.
        formatter
            .debug_struct("Builder")
            .field("service_name", &self.service_name)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
