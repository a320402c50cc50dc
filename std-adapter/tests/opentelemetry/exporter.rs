//! Exporters written for `opentelemetry_sdk` behind a pipeline: their futures, their failures, their time limits.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use clewline::exporter::WorkerSettings;
use clewline::opentelemetry::OpenTelemetryExporter;
use clewline::{Ledger, Pipeline, PipelineOptions, Scope, Tracer, Value};
use clewline_core::AlwaysOn;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tracing::{Dispatch, dispatcher};

const LIMIT: Duration = Duration::from_secs(300);

/// Answers as the test says.
struct Scripted<F> {
    answer: F,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    batches: Mutex<Vec<usize>>,
    resources: Mutex<Vec<Resource>>,
    is_shut_down: AtomicBool,
}

impl<F> std::fmt::Debug for Scripted<F> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Scripted")
    }
}

impl<F: Fn(usize) -> R + Send + Sync, R: Future<Output = OTelSdkResult> + Send> SpanExporter for Scripted<F> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let attempt = {
            let mut batches = self.log.batches.lock().unwrap();
            batches.push(batch.len());
            batches.len()
        };
        (self.answer)(attempt)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.log.resources.lock().unwrap().push(resource.clone());
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        self.log.is_shut_down.store(true, Ordering::Relaxed);
        Ok(())
    }
}

fn start<F, R>(settings: WorkerSettings, answer: F) -> (&'static Pipeline, Tracer, Arc<Log>)
where
    F: Fn(usize) -> R + Send + Sync + 'static,
    R: Future<Output = OTelSdkResult> + Send + 'static,
{
    let log = Arc::new(Log::default());
    let exporter = OpenTelemetryExporter::new(Scripted { answer, log: Arc::clone(&log) });
    let pipeline = pipeline(settings, exporter);
    (pipeline, pipeline.tracer(&Scope { name: "test", ..Scope::default() }), log)
}

fn pipeline<E: SpanExporter + 'static>(
    settings: WorkerSettings,
    exporter: OpenTelemetryExporter<E>,
) -> &'static Pipeline {
    let resource = [("service.name", Value::from("shop")), ("n", Value::from(1))];
    let (sampler, options) = (Box::new(AlwaysOn), PipelineOptions::default());
    Pipeline::start(&resource, sampler, Vec::new(), options, settings, Box::new(exporter)).unwrap()
}

fn quiet() -> WorkerSettings {
    // Nothing leaves before it is flushed.
    WorkerSettings { schedule_delay: LIMIT, report: Box::new(|_| {}), ..WorkerSettings::default() }
}

fn counts(ledger: &Ledger) -> (u64, u64, u64, u64) {
    (ledger.delivered, ledger.rejected, ledger.dropped(), ledger.pending)
}

#[test]
fn the_exporter_learns_of_the_resource_once_and_of_the_end() {
    let (pipeline, tracer, log) = start(quiet(), |_| async { Ok(()) });
    for _ in 0..3 {
        tracer.span("a").start().end();
        pipeline.flush(LIMIT).unwrap();
    }
    pipeline.shutdown(LIMIT).unwrap();
    let attributes = [KeyValue::new("service.name", "shop"), KeyValue::new("n", 1_i64)];
    assert_eq!(*log.resources.lock().unwrap(), [Resource::builder_empty().with_attributes(attributes).build()]);
    assert_eq!(*log.batches.lock().unwrap(), [1, 1, 1]);
    assert!(log.is_shut_down.load(Ordering::Relaxed));
    assert_eq!(counts(&pipeline.ledger()), (3, 0, 0, 0));
}

#[test]
fn a_future_that_waits_is_woken_and_a_failure_is_tried_again() {
    let (pipeline, tracer, log) = start(quiet(), |attempt| async move {
        let (waker, woken) = (Arc::new(Mutex::new(None::<std::task::Waker>)), Arc::new(AtomicBool::new(false)));
        let (of_thread, to_set) = (Arc::clone(&waker), Arc::clone(&woken));
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            to_set.store(true, Ordering::Release);
            if let Some(waker) = of_thread.lock().unwrap().take() {
                waker.wake();
            }
        });
        std::future::poll_fn(|context| {
            *waker.lock().unwrap() = Some(context.waker().clone());
            if woken.load(Ordering::Acquire) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        if attempt == 1 { Err(OTelSdkError::InternalFailure("connection refused".to_owned())) } else { Ok(()) }
    });
    tracer.span("a").start().end();
    tracer.span("b").start().end();
    pipeline.flush(LIMIT).unwrap();
    assert_eq!(*log.batches.lock().unwrap(), [2, 2]);
    assert_eq!(counts(&pipeline.ledger()), (2, 0, 0, 0));
}

#[test]
fn an_exporter_that_was_shut_down_takes_no_more() {
    let (pipeline, tracer, log) = start(quiet(), |_| async { Err(OTelSdkError::AlreadyShutdown) });
    tracer.span("a").start().end();
    pipeline.flush(LIMIT).unwrap();
    assert_eq!(log.batches.lock().unwrap().len(), 1);
    assert_eq!(counts(&pipeline.ledger()), (0, 1, 0, 0));
}

#[test]
fn an_exporter_that_never_answers_holds_up_neither_flush_nor_shutdown() {
    let settings = WorkerSettings { export_timeout: Some(Duration::from_millis(50)), ..quiet() };
    let (pipeline, tracer, _) = start(settings, |_| std::future::pending());
    tracer.span("a").start().end();
    pipeline.flush(LIMIT).unwrap();
    assert_eq!(counts(&pipeline.ledger()), (0, 0, 1, 0));
    let (pipeline, tracer, _) = start(WorkerSettings { export_timeout: None, ..quiet() }, |_| std::future::pending());
    tracer.span("b").start().end();
    let begin = Instant::now();
    let _ = pipeline.shutdown(Duration::from_millis(300));
    assert!(begin.elapsed() < LIMIT, "the wait for the exporter was cut short");
    while pipeline.ledger().pending > 0 {
        assert!(begin.elapsed() < LIMIT, "{:?}", pipeline.ledger());
        std::thread::yield_now();
    }
    assert_eq!(counts(&pipeline.ledger()), (0, 0, 1, 0));
}

#[test]
fn a_runtime_can_be_lent_and_nothing_that_happens_in_it_is_recorded() {
    static SLEPT: AtomicUsize = AtomicUsize::new(0);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let handle = runtime.handle().clone();
    let log = Arc::new(Log::default());
    let own: Arc<OnceLock<(Tracer, Dispatch)>> = Arc::default();
    let of_exporter = Arc::clone(&own);
    let answer = move |_| {
        let own = Arc::clone(&of_exporter);
        async move {
            let (tracer, dispatch) = own.get().expect("set before the first span");
            tracer.span("the exporter's own").start().in_scope(|| assert!(!clewline::current_span().is_recording()));
            dispatcher::with_default(dispatch, || {
                tracing::info_span!("the exporter's own").in_scope(|| tracing::info!("sent"));
            });
            assert!(opentelemetry::Context::current().is_telemetry_suppressed());
            tokio::time::sleep(Duration::from_millis(1)).await;
            SLEPT.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    };
    let exporter = OpenTelemetryExporter::new(Scripted { answer, log: Arc::clone(&log) }).within(move |work| {
        let _entered = handle.enter();
        work();
    });
    let pipeline = pipeline(quiet(), exporter);
    let tracer = pipeline.tracer(&Scope { name: "test", ..Scope::default() });
    own.set((tracer, Dispatch::new(clewline::ClewlineSubscriber::new(pipeline)))).unwrap();
    tracer.span("a").start().end();
    pipeline.flush(LIMIT).unwrap();
    pipeline.flush(LIMIT).unwrap();
    assert_eq!(SLEPT.load(Ordering::Relaxed), 1);
    assert_eq!(counts(&pipeline.ledger()), (1, 0, 0, 0), "one span, and none by the exporter");
}
