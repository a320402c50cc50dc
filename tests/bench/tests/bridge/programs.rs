//! Instrumented programs, written as their authors write them, that know of no tracing system.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tracing::field::{Empty, debug, display};
use tracing::{Instrument as _, Level, debug, error, event, info, info_span, instrument, span, trace, warn};

pub(crate) fn parents_and_kinds() {
    let root = info_span!("root", otel.kind = "server").entered();
    drop(span!(Level::TRACE, "finest"));
    let outer = info_span!("outer", otel.kind = "CLIENT").entered();
    drop(info_span!("inner", otel.kind = %"producer"));
    drop(info_span!(parent: &root, "explicit", otel.kind = "consumer"));
    drop(info_span!(parent: None, "another root", otel.kind = "internal"));
    drop(outer);
    info_span!("closure").in_scope(|| drop(info_span!("within", otel.name = "renamed within")));
    let name = String::from("a name made at run time");
    drop(info_span!("static", otel.name = %name));
    drop(info_span!("static", otel.name = name.as_str(), otel.status_code = "OK"));
    drop(info_span!("failed", otel.status_code = ?"error".to_owned()));
    drop(info_span!("failed too", otel.status_code = "ERROR"));
    drop(info_span!("described", otel.status_description = "out of stock"));
    drop(info_span!("neither", otel.status_code = "perhaps"));
    drop(info_span!("odd kind", otel.kind = "other"));
    drop(root);
}

#[derive(Debug)]
#[expect(dead_code, reason = "read by `Debug` only")]
struct Cart {
    items: u32,
    owner: &'static str,
}

pub(crate) fn fields_of_all_types() {
    let text = String::from("owned");
    let _span = info_span!(
        "types",
        text = "grün",
        owned = text.as_str(),
        signed = -7_i64,
        small = 7_i32,
        unsigned = 7_u64,
        large = u64::MAX,
        wide = 5_i128,
        wider = i128::MIN,
        double = 1.5,
        single = 0.25_f32,
        infinite = f64::INFINITY,
        truth = true,
        bytes = &[1_u8, 255][..],
        debugged = ?Cart { items: 2, owner: "me" },
        displayed = %"shown",
        quoted = ?"in quotes",
        nothing = Option::<i64>::None,
        something = Some(3_i64),
        empty = Empty,
        dotted.name = "dotted",
        "a key as text" = 1_i64,
    )
    .entered();
}

pub(crate) fn later_fields() {
    let span = info_span!("later", rows = Empty, text = "before", done = Empty, otel.name = Empty, otel.kind = Empty);
    span.record("rows", 3_i64);
    span.record("text", "after");
    span.record("done", display(true));
    span.record("rows", debug(4_i64));
    span.record("undeclared", 1_i64);
    span.record("otel.name", "renamed later");
    span.record("otel.kind", "client");
    drop(span);
    let judged = info_span!("judged", otel.status_code = Empty, otel.status_description = Empty);
    judged.record("otel.status_code", "error");
    judged.record("otel.status_description", "bad luck");
    drop(judged);
    let fine = info_span!("fine", otel.status_code = Empty).entered();
    fine.record("otel.status_code", "ok");
}

pub(crate) fn events() {
    info!("outside of every span");
    let span = info_span!("work").entered();
    info!("plain");
    warn!(number = 1_i64, truth = false, double = 2.5, text = "text", debugged = ?Some(1), displayed = %1, "with fields");
    debug!(target: "elsewhere", "with a target");
    trace!(only = "fields");
    info!("formatted {} and {number}", 1, number = 2_i64);
    event!(Level::INFO, message = "a message field", answer = 42_i64);
    event!(name: "named", Level::INFO, answer = 42_i64);
    event!(name: "named and told", Level::INFO, "told");
    let other = info_span!("other");
    info!(parent: &other, "in the other");
    info!(parent: None, "in none");
    drop(span);
    error!("outside again");
}

#[derive(Debug)]
struct Failure(&'static str, Option<Box<Self>>);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

pub(crate) fn errors() {
    let failure = Failure("payment failed", Some(Box::new(Failure("bank refused", None))));
    let cause = &failure as &(dyn Error + 'static);
    drop(info_span!("field", cause, kept = 1_i64));
    info_span!("event with a message").in_scope(|| warn!(cause, attempt = 2_i64, "will try again"));
    info_span!("event alone").in_scope(|| error!(cause));
    info_span!("error event").in_scope(|| error!(code = 7_i64, "declined"));
    info_span!("displayed").in_scope(|| warn!(error = %failure, "told"));
    info_span!("judged", otel.status_code = "ok").in_scope(|| error!("not so bad"));
}

#[instrument]
fn quiet(number: i64, text: &str, cart: &Cart) -> i64 {
    debug!("within");
    number + 1
}

#[instrument(err, ret, skip_all, fields(kept = 1_i64, later), name = "named", target = "shop::pay")]
fn fails(secret: &str) -> Result<i64, Failure> {
    tracing::Span::current().record("later", secret.len());
    if secret.is_empty() { Err(Failure("empty", None)) } else { Ok(1) }
}

#[instrument(err(Debug, level = "warn"))]
fn fails_quietly() -> Result<i64, Failure> {
    Err(Failure("quiet", None))
}

#[instrument(level = "debug", parent = None)]
fn orphan() {}

#[instrument(ret(Display))]
fn shows() -> i64 {
    9
}

pub(crate) fn instrumented_functions() {
    let _root = info_span!("root").entered();
    assert_eq!(quiet(1, "text", &Cart { items: 3, owner: "you" }), 2);
    assert!(fails("").is_err() && fails("known").is_ok() && fails_quietly().is_err());
    orphan();
    shows();
}

/// Is ready the second time.
#[derive(Default)]
struct Twice(bool);

impl Future for Twice {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[instrument]
async fn step(number: i64) -> i64 {
    info!("before");
    Twice::default().await;
    info!("after");
    info_span!("leaf", number).in_scope(|| info!("in the leaf"));
    number
}

pub(crate) fn futures_on_threads() {
    let task = async {
        let first = step(1).await;
        let second = async { step(2).await }.instrument(info_span!("block")).await;
        first + second
    }
    .instrument(info_span!("task"));
    let mut task = pin!(task);
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    // Every poll happens on a thread of its own, within a span that is none of the task's business.
    loop {
        let polled = std::thread::scope(|scope| {
            let (task, dispatch) = (task.as_mut(), &dispatch);
            let poll = move || {
                tracing::dispatcher::with_default(dispatch, || {
                    let _worker = info_span!("worker").entered();
                    task.poll(&mut Context::from_waker(Waker::noop()))
                })
            };
            scope.spawn(poll).join().expect("no panic")
        });
        if let Poll::Ready(sum) = polled {
            assert_eq!(sum, 3);
            return;
        }
    }
}

pub(crate) fn links() {
    let first = info_span!("first");
    let second = info_span!("second");
    let third = info_span!("third");
    third.follows_from(&first);
    third.follows_from(&second);
    third.follows_from(tracing::Span::none());
    drop(second);
    let _entered = third.entered();
    drop(info_span!("child"));
}
