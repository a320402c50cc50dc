//! A shutdown ends within its limit whatever the collector does and wherever it is called, and the ledger says what became of
//! every span.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use clewline::exporter::{
    Destination, HttpEncoding, OtlpGrpcExporter, OtlpHttpExporter, SpanExporter, Target, WorkerSettings,
};
use clewline::{Ledger, Pipeline, Scope};
use clewline_core::AlwaysOn;

use crate::SLACK;
use crate::collector::{Collector, answer, unreachable_url};
use crate::grpc_collector::{GrpcCollector, success};

/// Two requests, the second one smaller.
const SPANS: u64 = 1000;
const LIMIT: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Http,
    Grpc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Nobody listens.
    Dead,
    /// Takes the connection and says nothing.
    Hanging,
    /// Answers, both requests in time.
    Slow,
    /// Answers, but only the first request in time.
    TooSlow,
    /// Does not even take the connection.
    Unreachable,
}

/// Where the shutdown is called.
#[derive(Clone, Copy, Debug)]
enum Place {
    NoRuntime,
    CurrentThread,
    TaskOfCurrentThread,
    MultiThread,
    TaskOfMultiThread,
}

/// A collector, which lives as long as this, and its URL.
struct Running {
    url: String,
    _grpc: Option<GrpcCollector>,
    _http: Option<Collector>,
    _waiting: Vec<TcpStream>,
}

impl Running {
    fn new(url: String) -> Self {
        Self { url, _grpc: None, _http: None, _waiting: Vec::new() }
    }

    fn start(transport: Transport, mood: Mood) -> Self {
        let delay = match mood {
            Mood::Dead => return Self::new(unreachable_url()),
            Mood::Hanging => return Self::new(url(hanging())),
            Mood::Unreachable => {
                let (address, waiting) = unreachable();
                return Self { _waiting: waiting, ..Self::new(url(address)) };
            }
            Mood::Slow => Duration::from_millis(100),
            Mood::TooSlow => Duration::from_millis(1200),
        };
        match transport {
            Transport::Http => {
                let collector = Collector::start(move |_| {
                    thread::sleep(delay);
                    answer(200, "", b"")
                });
                Self { url: collector.url("/v1/traces"), _http: Some(collector), ..Self::new(String::new()) }
            }
            Transport::Grpc => {
                let collector = GrpcCollector::start(move |_| {
                    thread::sleep(delay);
                    success(b"")
                });
                Self { url: collector.url(), _grpc: Some(collector), ..Self::new(String::new()) }
            }
        }
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/v1/traces")
}

/// Takes every connection, reads, and never says a word.
fn hanging() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || stream.map(|mut stream| stream.read_to_end(&mut Vec::new())));
        }
    });
    address
}

/// A listener that takes no connection, and as many connections as its queue holds: the next one waits, as it does for a host
/// behind a firewall.
fn unreachable() -> (SocketAddr, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
    }
    thread::spawn(move || {
        let _listener = listener;
        thread::sleep(Duration::from_secs(60));
    });
    (address, waiting)
}

fn exporter(transport: Transport, url: &str) -> Box<dyn SpanExporter> {
    let target = Target::new(url);
    match transport {
        Transport::Http => Box::new(OtlpHttpExporter::with_target(&target, HttpEncoding::Protobuf).expect("a URL")),
        Transport::Grpc => Box::new(OtlpGrpcExporter::with_target(&target).expect("a URL")),
    }
}

/// What a shutdown answers, how long it took, and the ledger after it.
struct Outcome {
    has_ended: bool,
    took: Duration,
    ledger: Ledger,
}

/// Records spans and shuts down, all on this thread.
fn record_and_shut_down(pipeline: &'static Pipeline) -> Outcome {
    let tracer = pipeline.tracer(&Scope { name: "test", ..Scope::default() });
    (0..SPANS).for_each(|_| tracer.span("work").start().end());
    let started = Instant::now();
    let has_ended = pipeline.shutdown(LIMIT).is_ok();
    Outcome { has_ended, took: started.elapsed(), ledger: pipeline.ledger() }
}

fn run(place: Place, pipeline: &'static Pipeline) -> Outcome {
    use tokio::runtime::Builder;
    let work = async move { record_and_shut_down(pipeline) };
    let current = || Builder::new_current_thread().enable_all().build().expect("a runtime");
    let multi = || Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    match place {
        Place::NoRuntime => record_and_shut_down(pipeline),
        Place::CurrentThread => current().block_on(work),
        Place::TaskOfCurrentThread => current().block_on(async { tokio::spawn(work).await.expect("no panic") }),
        Place::MultiThread => multi().block_on(work),
        Place::TaskOfMultiThread => multi().block_on(async { tokio::spawn(work).await.expect("no panic") }),
    }
}

fn check(transport: Transport, mood: Mood, place: Place) {
    let running = Running::start(transport, mood);
    let settings = WorkerSettings { report: Box::new(|_| {}), ..WorkerSettings::default() };
    let destination = Destination::new("", exporter(transport, &running.url)).settings(settings);
    let pipeline = Pipeline::builder(&[]).sampler(Box::new(AlwaysOn)).destination(destination);
    let Outcome { has_ended, took, ledger } = run(place, pipeline.start().expect("a thread"));
    let name = format!("{transport:?}, {mood:?}, {place:?}: {took:?}, {ledger:?}");
    assert!(took < LIMIT + SLACK, "{name}");
    let delivered = ledger.delivered;
    let known = delivered + ledger.dropped_exporting.shutdown + ledger.pending;
    assert_eq!((ledger.started, known), (SPANS, SPANS), "{name}");
    match mood {
        // Nothing can cut a blocking connect short.
        Mood::Unreachable if transport == Transport::Http => {}
        _ => assert!(has_ended && ledger.pending == 0, "{name}"),
    }
    match mood {
        Mood::Slow => assert_eq!(delivered, SPANS, "{name}"),
        Mood::TooSlow => assert!(delivered < SPANS, "{name}"),
        Mood::Dead | Mood::Hanging | Mood::Unreachable => assert_eq!(delivered, 0, "{name}"),
    }
}

#[test]
fn ends_in_time_everywhere_with_every_collector() {
    use Place::{CurrentThread, MultiThread, NoRuntime, TaskOfCurrentThread, TaskOfMultiThread};
    let mut moods = vec![Mood::Dead, Mood::Hanging, Mood::Slow, Mood::TooSlow];
    // Where the queue of a listener is full, other systems refuse.
    moods.extend(cfg!(target_os = "linux").then_some(Mood::Unreachable));
    thread::scope(|threads| {
        for transport in [Transport::Http, Transport::Grpc] {
            for mood in &moods {
                for place in [NoRuntime, CurrentThread, TaskOfCurrentThread, MultiThread, TaskOfMultiThread] {
                    threads.spawn(move || check(transport, *mood, place));
                }
            }
        }
    });
}
