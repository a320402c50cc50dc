//! A collector in place of `fetch`: keeps what it is sent, decoded, and answers as it is told.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use clewline::exporter::{FinishedSpan, MemoryExporter, Request, SpanExporter as _};
use clewline_wasm::{InitError, Ledger};
use js_sys::{Function, Promise, Reflect, Uint8Array, global};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::JsValue;
use wasm_bindgen_futures::JsFuture;

/// How long an ended span waits for others in these tests.
pub(crate) const INTERVAL: Duration = Duration::from_millis(50);

/// One request as the collector got it.
pub(crate) struct Sent {
    pub(crate) url: String,
    pub(crate) content_type: String,
    pub(crate) api_key: String,
    pub(crate) is_kept_alive: bool,
    pub(crate) size: usize,
    pub(crate) spans: Vec<FinishedSpan>,
}

/// How the collector answers a request.
#[derive(Clone)]
pub(crate) enum Answer {
    Status(u16),
    RetryAfter(u16, &'static str),
    Body(&'static [u8]),
    NoNetwork,
    /// Not before [`answer_late`].
    Later,
}

thread_local! {
    static SENT: RefCell<Vec<Sent>> = const { RefCell::new(Vec::new()) };
    static LATE: RefCell<Option<Function>> = const { RefCell::new(None) };
    static ANSWERS: RefCell<VecDeque<Answer>> = const { RefCell::new(VecDeque::new()) };
}

/// Starts tracing for all tests of this page, once.
pub(crate) fn start() {
    let collector = Closure::<dyn FnMut(JsValue, JsValue) -> Promise>::new(|url, init| collect(&url, &init));
    let started = clewline_wasm::builder("shop-web")
        .endpoint("/otlp/")
        .header("x-api-key", "secret")
        .resource("service.version", "1.4.0")
        .flush_interval(INTERVAL)
        .filter("info,tracing=debug")
        .propagate_to("https://api.example/v1")
        .fetch(collector.into_js_value().unchecked_into())
        .init();
    match started {
        Ok(()) | Err(InitError::SubscriberSet) => {}
        Err(error) => panic!("{error}"),
    }
}

/// The next requests are answered so, later ones with 200.
pub(crate) fn answer(answers: impl IntoIterator<Item = Answer>) {
    ANSWERS.set(answers.into_iter().collect());
}

/// Answers the request that still waits for it.
pub(crate) fn answer_late() {
    LATE.take().unwrap().call1(&JsValue::UNDEFINED, &response(200, "", &[])).unwrap();
}

fn collect(url: &JsValue, init: &JsValue) -> Promise {
    let member = |object: &JsValue, name: &str| Reflect::get(object, &name.into()).unwrap();
    let headers = member(init, "headers");
    let header = |name: &str| member(&headers, name).as_string().unwrap_or_default();
    let bytes = member(init, "body").unchecked_into::<Uint8Array>().to_vec();
    let mut memory = MemoryExporter::new(10_000);
    let _ = memory.export(&Request::new(&[&bytes], 0), None);
    SENT.with_borrow_mut(|sent| {
        sent.push(Sent {
            url: url.as_string().unwrap(),
            content_type: header("content-type"),
            api_key: header("x-api-key"),
            is_kept_alive: member(init, "keepalive").is_truthy(),
            size: bytes.len(),
            spans: memory.spans(),
        });
    });
    let answer = ANSWERS.with_borrow_mut(VecDeque::pop_front).unwrap_or(Answer::Status(200));
    match answer {
        Answer::Status(status) => Promise::resolve(&response(status, "", &[])),
        Answer::RetryAfter(status, after) => Promise::resolve(&response(status, after, &[])),
        Answer::Body(body) => Promise::resolve(&response(200, "", body)),
        Answer::NoNetwork => Promise::reject(&"no network".into()),
        Answer::Later => Promise::new(&mut |resolve, _| LATE.set(Some(resolve))),
    }
}

pub(crate) fn response(status: u16, retry_after: &str, body: &[u8]) -> JsValue {
    let make = "return new Response(body, { status, headers: after ? { 'retry-after': after } : {} })";
    let make = Function::new_with_args("status, after, body", make);
    make.call3(&JsValue::UNDEFINED, &status.into(), &retry_after.into(), &Uint8Array::from(body)).unwrap()
}

/// The requests that have arrived since the last time.
pub(crate) fn sent() -> Vec<Sent> {
    SENT.take()
}

/// Begins a test: nothing waits, and nothing has arrived.
pub(crate) async fn begin() -> Ledger {
    start();
    answer([]);
    clewline_wasm::flush().await;
    sent();
    let ledger = clewline_wasm::ledger();
    assert_eq!(ledger.pending, 0, "{ledger:?}");
    ledger
}

/// All spans that have ended and not arrived before.
pub(crate) async fn spans() -> Vec<FinishedSpan> {
    clewline_wasm::flush().await;
    sent().into_iter().flat_map(|sent| sent.spans).collect()
}

/// The only span of this name.
pub(crate) fn named<'s>(spans: &'s [FinishedSpan], name: &str) -> &'s FinishedSpan {
    let mut found = spans.iter().filter(|span| span.name == name);
    let first = found.next().unwrap_or_else(|| panic!("no {name} in {spans:#?}"));
    assert!(found.next().is_none(), "several {name}");
    first
}

pub(crate) async fn sleep(millis: u32) {
    let promise = Promise::new(&mut |resolve, _| {
        let set_timeout: Function = Reflect::get(&global(), &"setTimeout".into()).unwrap().unchecked_into();
        set_timeout.call2(&JsValue::UNDEFINED, &resolve, &millis.into()).unwrap();
    });
    JsFuture::from(promise).await.unwrap();
}

/// Waits until something is so, for a minute at least.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if is_so() {
            return;
        }
        sleep(10).await;
    }
    panic!("waited in vain: {what}");
}

/// Has the page get an event, as when it is left.
pub(crate) fn dispatch(event: &str) {
    js(&format!("dispatchEvent(new Event('{event}'))"));
}

/// Runs a little JavaScript.
pub(crate) fn js(code: &str) -> JsValue {
    Function::new_no_args(code).call0(&JsValue::UNDEFINED).unwrap()
}

pub(crate) const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
pub(crate) const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
