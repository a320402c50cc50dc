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

use crate::collector::{self, Collector, answer, unreachable_url};
use crate::grpc_collector::{self, GrpcCollector, success};
use crate::{ENOUGH, SLACK};

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
    /// Answers only the first request.
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
}

impl Running {
    fn new(url: String) -> Self {
        Self { url, _grpc: None, _http: None }
    }

    /// `unreachable` is the one that takes no connection.
    fn start(transport: Transport, mood: Mood, unreachable: SocketAddr) -> Self {
        let is_slow = move |request| {
            thread::sleep(Duration::from_millis(100));
            mood == Mood::TooSlow && request > 0
        };
        match (mood, transport) {
            (Mood::Dead, _) => Self::new(unreachable_url()),
            (Mood::Hanging, _) => Self::new(url(hanging())),
            (Mood::Unreachable, _) => Self::new(url(unreachable)),
            (Mood::Slow | Mood::TooSlow, Transport::Http) => {
                let answer = move |request| match is_slow(request) {
                    true => collector::Step::Stall(Vec::new()),
                    false => answer(200, "", b""),
                };
                let collector = Collector::start(answer);
                let url = collector.url("/v1/traces");
                Self { _http: Some(collector), ..Self::new(url) }
            }
            (Mood::Slow | Mood::TooSlow, Transport::Grpc) => {
                let answer = move |request| if is_slow(request) { grpc_collector::Step::Stall } else { success(b"") };
                let collector = GrpcCollector::start(answer);
                let url = collector.url();
                Self { _grpc: Some(collector), ..Self::new(url) }
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
fn unreachable() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
    }
    (address, listener, waiting)
}

fn exporter(transport: Transport, url: &str) -> Box<dyn SpanExporter> {
    let target = Target::new(url);
    match transport {
        Transport::Http => Box::new(OtlpHttpExporter::with_target(&target, HttpEncoding::Protobuf).expect("a URL")),
        Transport::Grpc => Box::new(OtlpGrpcExporter::with_target(&target).expect("a URL")),
    }
}

/// Records spans and shuts down, all on this thread. Answers how long the shutdown took.
fn record_and_shut_down(pipeline: &'static Pipeline, limit: Duration) -> Duration {
    let tracer = pipeline.tracer(&Scope { name: "test", ..Scope::default() });
    (0..SPANS).for_each(|_| tracer.span("work").start().end());
    let started = Instant::now();
    // On a machine that is busy with something else, the exporter thread may be a moment late.
    let _ = pipeline.shutdown(limit);
    started.elapsed()
}

fn run(place: Place, pipeline: &'static Pipeline, limit: Duration) -> Duration {
    use tokio::runtime::Builder;
    let work = async move { record_and_shut_down(pipeline, limit) };
    let current = || Builder::new_current_thread().enable_all().build().expect("a runtime");
    let multi = || Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    match place {
        Place::NoRuntime => record_and_shut_down(pipeline, limit),
        Place::CurrentThread => current().block_on(work),
        Place::TaskOfCurrentThread => current().block_on(async { tokio::spawn(work).await.expect("no panic") }),
        Place::MultiThread => multi().block_on(work),
        Place::TaskOfMultiThread => multi().block_on(async { tokio::spawn(work).await.expect("no panic") }),
    }
}

fn check(transport: Transport, mood: Mood, place: Place, unreachable: SocketAddr) {
    let running = Running::start(transport, mood, unreachable);
    let settings = WorkerSettings { export_timeout: None, report: Box::new(|_| {}), ..WorkerSettings::default() };
    let destination = Destination::new("", exporter(transport, &running.url)).settings(settings);
    let pipeline = Pipeline::builder(&[]).sampler(Box::new(AlwaysOn)).destination(destination);
    let pipeline = pipeline.start().expect("a thread");
    let limit = if mood == Mood::Slow { ENOUGH } else { LIMIT };
    let took = run(place, pipeline, limit);
    let name = format!("{transport:?}, {mood:?}, {place:?}: {took:?}");
    assert!(took < limit + SLACK, "{name}");
    let ledger = settled(pipeline, &name);
    let delivered = ledger.delivered;
    assert_eq!((ledger.started, delivered + ledger.dropped_exporting.shutdown), (SPANS, SPANS), "{name}: {ledger:?}");
    match mood {
        Mood::Slow => assert_eq!(delivered, SPANS, "{name}: {ledger:?}"),
        Mood::TooSlow => assert!(delivered < SPANS, "{name}: {ledger:?}"),
        Mood::Dead | Mood::Hanging | Mood::Unreachable => assert_eq!(delivered, 0, "{name}: {ledger:?}"),
    }
}

/// The ledger once the fate of every span is known: what hangs has been cut short, and nothing is left that waits for it.
fn settled(pipeline: &Pipeline, name: &str) -> Ledger {
    let started = Instant::now();
    loop {
        let ledger = pipeline.ledger();
        if ledger.pending == 0 {
            return ledger;
        }
        assert!(started.elapsed() < SLACK * 2, "{name}: {ledger:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn ends_in_time_everywhere_with_every_collector() {
    use Place::{CurrentThread, MultiThread, NoRuntime, TaskOfCurrentThread, TaskOfMultiThread};
    let (unreachable, _listener, _waiting) = unreachable();
    let mut moods = vec![Mood::Dead, Mood::Hanging, Mood::Slow, Mood::TooSlow];
    // Where the queue of a listener is full, other systems refuse.
    moods.extend(cfg!(target_os = "linux").then_some(Mood::Unreachable));
    thread::scope(|threads| {
        for transport in [Transport::Http, Transport::Grpc] {
            for mood in &moods {
                for place in [NoRuntime, CurrentThread, TaskOfCurrentThread, MultiThread, TaskOfMultiThread] {
                    threads.spawn(move || check(transport, *mood, place, unreachable));
                }
            }
        }
    });
}
