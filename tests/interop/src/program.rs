//! The program whose spans travel: something of everything that a span can hold.

use std::time::Duration;

use clewline::exporter::{Destination, FinishedSpan, MemoryExporter, SpanExporter};
use clewline::{Attribute, Link, Pipeline, Scope, SpanKind, Status, Value, traceparent};

/// Which values the spans hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// Also those that some receivers refuse: numbers that are not finite, arrays and maps without an entry.
    All,
    /// Those that everybody takes.
    Common,
}

/// Runs the program with an exporter to the receiver. Returns its spans as they were recorded.
pub(crate) fn run(exporter: Box<dyn SpanExporter>, values: Values) -> Result<Vec<FinishedSpan>, String> {
    let memory = MemoryExporter::new(100);
    let resource: [Attribute<'_>; 4] = [
        ("service.name", "shop".into()),
        ("service.namespace", "eu".into()),
        ("process.pid", 42.into()),
        ("host.is_virtual", true.into()),
    ];
    let pipeline = Pipeline::builder(&resource)
        .destination(Destination::new("memory", Box::new(memory.clone())))
        .destination(Destination::new("receiver", exporter))
        .start()
        .map_err(|error| error.to_string())?;
    record(pipeline, values)?;
    pipeline.shutdown(Duration::from_secs(20)).map_err(|error| error.to_string())?;
    let ledgers = pipeline.ledgers();
    match ledgers.iter().find(|ledger| ledger.name == "receiver").map(|ledger| ledger.ledger) {
        Some(ledger) if ledger.delivered == ledger.started => Ok(memory.take()),
        other => Err(format!("not all spans were delivered: {other:?}")),
    }
}

fn record(pipeline: &'static Pipeline, values: Values) -> Result<(), String> {
    let remote = traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let remote = remote.map_err(|error| error.to_string())?;
    let cart = pipeline.tracer(&Scope { name: "cart", version: "1.2.3", ..Scope::default() });
    let sql = pipeline.tracer(&Scope { name: "sql", ..Scope::default() });

    let mut server = cart.span("GET /cart/{id}").kind(SpanKind::Server).root().start();
    server
        .set("http.request.method", "GET")
        .set("http.response.status_code", 500)
        .set("text.unicode", "Grüße, 世界 🧶 \"quoted\" \\ and \t tab")
        .set("text.empty", "")
        .set("truth", true)
        .set("untruth", false)
        .set("integer.least", i64::MIN)
        .set("integer.most", i64::MAX)
        .set("integer.zero", 0)
        .set("double", -0.125)
        .set("double.small", 5e-324)
        .set("bytes", &[0_u8, 1, 254, 255][..])
        .set("list.texts", &["a", "b", ""][..])
        .set("list.integers", &[1_i64, -2, i64::MAX][..])
        .set("list.doubles", &[0.5_f64, 1e300][..])
        .set("list.truths", &[true, false][..])
        .set("map", Value::Map(&[("inner", Value::I64(1)), ("deeper", Value::Map(&[("text", Value::Str("x"))]))]));
    if values == Values::All {
        server
            .set("double.nan", f64::NAN)
            .set("double.infinite", f64::NEG_INFINITY)
            .set("list.empty", Value::List(&[]))
            .set("map.empty", Value::Map(&[]));
    }
    server.event("cache.miss").event_with("retry", &[("attempt", 2.into()), ("why", "timeout".into())]);
    let attributes = [("reason", "batch".into())];
    server.add_link(&Link { context: remote, trace_state: "vendor=a1,other=b2", attributes: &attributes });

    let mut client = sql.span("SELECT carts").kind(SpanKind::Client).child_of(&server).start();
    client.set("peer.service", "database").set_status(Status::OK).end();
    let mut producer = cart.span("send order").kind(SpanKind::Producer).child_of(&server).start();
    producer.end();
    let mut consumer = cart.span("take order").kind(SpanKind::Consumer).child_of(&producer).start();
    consumer.end();
    cart.span("inside").child_of(&server).start().end();
    server.set_status(Status::error("no such cart")).end();

    cart.span("continued from elsewhere").child_of(remote).trace_state("vendor=a1").start().end();
    Ok(())
}
