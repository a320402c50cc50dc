//! Sends ended spans to the collector by `fetch`: in batches, within the budget of a leaving page, with bounded retry. Every outcome
//! is in the ledger.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use clewline::exporter::{ExportOutcome, Outbox, OutboxLimits, Parcel};
use clewline::{Ledger, Pipeline};
use js_sys::{Date, Function, Math, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::JsValue;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use crate::js::{self, Answer};

/// The largest request: all keepalive requests of a page share 64 KiB (Fetch standard, "HTTP-network-or-cache fetch"), and some of
/// that is left to others.
const LARGEST: usize = 60 * 1024;
/// A budget that is not worth another request.
const SMALLEST: usize = 1024;
/// How many spans a leaving page steps over because they are too large for what is left of the budget.
const STEPS: usize = 4;
/// Attempts at one request, and how long each may take in milliseconds.
const ATTEMPTS: u32 = 5;
const TIMEOUT: f64 = 10_000.0;
/// The longest that a collector is left alone, in milliseconds, whatever its `Retry-After` says.
const LONGEST_PAUSE: f64 = 60_000.0;

/// What waits for its turn; a request is worth sending at once at about 32 KiB.
pub(crate) const OUTBOX: OutboxLimits = OutboxLimits { queue_spans: 2048, queue_bytes: 512 * 1024, batch_spans: 128 };

thread_local! {
    static TRANSPORT: OnceCell<Rc<Transport>> = const { OnceCell::new() };
}

/// What sends the spans of one pipeline.
pub(crate) struct Transport {
    pipeline: &'static Pipeline,
    outbox: Outbox,
    fetch: Function,
    endpoint: JsValue,
    /// What all requests have in common, as the second argument of `fetch`.
    init: Object,
    interval: f64,
    /// Sends when its time has come.
    on_time: Closure<dyn FnMut()>,
    timer: RefCell<Option<Timer>>,
    /// Requests that failed and may be sent again, oldest first. Bounded: one from the loop, and one keepalive budget.
    again: RefCell<VecDeque<Parcel>>,
    /// The loop that sends, while it runs.
    running: RefCell<Option<Promise>>,
    /// Requests that were sent as the page was left or hidden: the last ones, as many as are on their way.
    left: RefCell<VecDeque<Promise>>,
    /// Before this moment (`Date.now()`) the collector is left alone, unless the page leaves or somebody asks for a flush.
    not_before: Cell<f64>,
    /// Bytes of keepalive requests on their way.
    kept_alive: Cell<usize>,
}

/// A timer that runs.
struct Timer {
    id: JsValue,
    is_soon: bool,
}

/// Whether there is a transport.
pub(crate) fn is_open() -> bool {
    TRANSPORT.with(|transport| transport.get().is_some())
}

fn with<R>(work: impl FnOnce(&Rc<Transport>) -> R) -> Option<R> {
    // Not borrowed while `work` runs.
    TRANSPORT.with(|transport| transport.get().cloned()).map(|transport| work(&transport))
}

fn run(work: impl FnOnce(&Rc<Transport>)) {
    with(work);
}

/// A span has ended; it may be time to send.
pub(crate) fn span_ended(is_pressing: bool) {
    run(|transport| transport.schedule(is_pressing));
}

/// What became of every span so far: `started = delivered + rejected + dropped() + not_exported + pending`. All zeros before
/// [`init`](crate::init).
#[must_use]
pub fn ledger() -> Ledger {
    with(|transport| transport.pipeline.ledger()).unwrap_or_default()
}

/// Tries once to deliver every span that has ended so far, and waits for the outcome; what fails is kept and sent later.
pub async fn flush() {
    let Some(transport) = with(Rc::clone) else { return };
    let running = transport.running.borrow().clone();
    if let Some(running) = running {
        // It has nothing to say but that it is done.
        let _ = JsFuture::from(running).await;
    }
    let _ = JsFuture::from(transport.pump()).await;
    let left: Vec<_> = transport.left.borrow().iter().cloned().collect();
    for left in left {
        let _ = JsFuture::from(left).await;
    }
}

impl Transport {
    /// From here on the spans in `outbox` are sent.
    pub(crate) fn open(
        pipeline: &'static Pipeline,
        outbox: Outbox,
        fetch: Function,
        endpoint: String,
        headers: &Object,
        interval: Duration,
    ) {
        let init = Object::new();
        set(headers, "content-type", &"application/x-protobuf".into());
        set(&init, "method", &"POST".into());
        set(&init, "headers", headers);
        let transport = Rc::new(Self {
            pipeline,
            outbox,
            fetch,
            endpoint: endpoint.into(),
            init,
            interval: interval.as_secs_f64() * 1000.0,
            on_time: Closure::new(|| run(Transport::on_time)),
            timer: RefCell::default(),
            again: RefCell::default(),
            running: RefCell::default(),
            left: RefCell::default(),
            not_before: Cell::new(0.0),
            kept_alive: Cell::new(0),
        });
        TRANSPORT.with(|open| drop(open.set(transport)));
        listen("pagehide", || run(Self::leave));
        listen("visibilitychange", || {
            if js::is_hidden() {
                run(Self::leave);
            } else {
                follow_clock();
            }
        });
    }

    /// Sees to it that what waits leaves: after the interval, or as soon as the current task is done.
    fn schedule(&self, is_soon: bool) {
        if self.running.borrow().is_some() {
            return;
        }
        let mut timer = self.timer.borrow_mut();
        if let Some(timer) = &*timer {
            if timer.is_soon || !is_soon {
                return;
            }
            js::clear_timeout(&timer.id);
        }
        let wait = if is_soon { 0.0 } else { self.interval };
        let wait = wait.max(self.not_before.get() - Date::now());
        let id = js::set_timeout(self.on_time.as_ref().unchecked_ref(), wait);
        *timer = Some(Timer { id, is_soon });
    }

    fn on_time(self: &Rc<Self>) {
        // Nobody waits for it.
        let _ = self.pump();
    }

    /// Sends what waits now, unless that is being done.
    fn pump(self: &Rc<Self>) -> Promise {
        if let Some(timer) = self.timer.take() {
            js::clear_timeout(&timer.id);
        }
        let mut running = self.running.borrow_mut();
        let transport = Rc::clone(self);
        running.get_or_insert_with(|| future_to_promise(transport.pumping())).clone()
    }

    /// One request after the other, until everything that waits now has left, or one fails.
    async fn pumping(self: Rc<Self>) -> Result<JsValue, JsValue> {
        follow_clock();
        let again: usize = self.again.borrow().iter().map(Parcel::spans).sum();
        let mut owed = again + self.outbox.waiting();
        while owed > 0
            && let Some(mut parcel) = self.next(LARGEST)
        {
            owed = owed.saturating_sub(parcel.spans());
            // The browser refuses a keepalive request when others have spent the budget; so only the first attempt is one.
            let is_first = parcel.attempts() == 0;
            let may_keep_alive = is_first && self.kept_alive.get() + parcel.size() <= LARGEST;
            let sent = self.send(&mut parcel, may_keep_alive);
            if !self.settle(parcel, sent, may_keep_alive).await {
                break;
            }
        }
        self.running.take();
        if !self.again.borrow().is_empty() || self.outbox.waiting() > 0 {
            self.schedule(false);
        }
        Ok(JsValue::UNDEFINED)
    }

    /// The page may be gone in a moment: hands over as much as the keepalive budget allows, now, oldest first.
    fn leave(self: &Rc<Self>) {
        let mut too_large = Vec::new();
        while too_large.len() < STEPS {
            let budget = LARGEST.saturating_sub(self.kept_alive.get());
            if budget < SMALLEST {
                break;
            }
            let Some(mut parcel) = self.next(budget) else { break };
            if parcel.size() > budget {
                too_large.push(parcel);
                continue;
            }
            let sent = self.send(&mut parcel, true);
            let transport = Rc::clone(self);
            let settled = future_to_promise(async move {
                transport.settle(parcel, sent, true).await;
                transport.left.borrow_mut().pop_front();
                Ok(JsValue::UNDEFINED)
            });
            self.left.borrow_mut().push_back(settled);
        }
        // The newest goes back first, so that the oldest is first again.
        while let Some(parcel) = too_large.pop() {
            if parcel.attempts() > 0 { self.again.borrow_mut().push_front(parcel) } else { drop(parcel) }
        }
    }

    /// The next request: one that failed before, or one of at most `max_bytes` with the oldest spans.
    fn next(&self, max_bytes: usize) -> Option<Parcel> {
        let again = self.again.borrow_mut().pop_front();
        again.or_else(|| self.outbox.take(max_bytes))
    }

    /// Begins to send a request.
    fn send(&self, parcel: &mut Parcel, is_kept_alive: bool) -> Result<Promise, JsValue> {
        let size = parcel.size();
        let body = parcel.attempt(|request| {
            let body = Uint8Array::new_with_length(as_u32(size));
            let mut start = 0;
            for part in request.parts() {
                let end = start + part.len();
                body.subarray(as_u32(start), as_u32(end)).copy_from(part);
                start = end;
            }
            body
        });
        if is_kept_alive {
            self.kept_alive.set(self.kept_alive.get() + size);
        }
        let init = Object::assign(&Object::new(), &self.init);
        set(&init, "body", &body);
        set(&init, "keepalive", &is_kept_alive.into());
        // Older browsers do without.
        if let Ok(signal) = js::abort_after(TIMEOUT) {
            set(&init, "signal", &signal);
        }
        self.fetch.call2(&JsValue::UNDEFINED, &self.endpoint, &init).map(|promise| Promise::resolve(&promise))
    }

    /// Waits for the answer to a request, and enters it in the ledger or keeps the request for later. Answers whether it is settled.
    async fn settle(self: &Rc<Self>, parcel: Parcel, sent: Result<Promise, JsValue>, is_kept_alive: bool) -> bool {
        let outcome = outcome(sent).await;
        if is_kept_alive {
            self.kept_alive.set(self.kept_alive.get().saturating_sub(parcel.size()));
        }
        let ExportOutcome::Retryable { after, .. } = &outcome else {
            self.not_before.set(0.0);
            parcel.settle(outcome);
            return true;
        };
        if parcel.attempts() >= ATTEMPTS {
            parcel.settle(outcome);
            return false;
        }
        // 1, 2, 4, 8 seconds give or take a fifth, or what the collector asked for.
        let pause = f64::from(1 << parcel.attempts()) * (400.0 + 200.0 * Math::random());
        let asked = after.map_or(0.0, |after| after.as_secs_f64() * 1000.0);
        self.not_before.set(Date::now() + pause.max(asked).min(LONGEST_PAUSE));
        self.again.borrow_mut().push_back(parcel);
        self.schedule(false);
        false
    }
}

/// What an answer means, and none (OTLP specification, "OTLP/HTTP Response").
async fn outcome(sent: Result<Promise, JsValue>) -> ExportOutcome {
    let reason = String::new();
    // No answer is as retryable as a busy collector.
    let none = ExportOutcome::Retryable { after: None, reason: String::new() };
    let Ok(sent) = sent else { return none };
    let Ok(answer) = JsFuture::from(sent).await else {
        // A page that is left hears that its requests failed, while they go on: it has no other task, and must not send them again.
        let task = Promise::new(&mut |resolve, _| drop(js::set_timeout(&resolve, 0.0)));
        let _ = JsFuture::from(task).await;
        return none;
    };
    let answer: Answer = answer.unchecked_into();
    match answer.status() {
        200..=299 => match answer.array_buffer().map(JsFuture::from) {
            Ok(body) => match body.await {
                Ok(body) => ExportOutcome::from_response(&Uint8Array::new(&body).to_vec()),
                // The spans were taken; what else there was to say was lost on the way.
                Err(_) => ExportOutcome::Delivered,
            },
            Err(_) => ExportOutcome::Delivered,
        },
        429 | 502..=504 => ExportOutcome::Retryable { after: retry_after(&answer), reason },
        _ => ExportOutcome::Rejected { reason },
    }
}

/// `Retry-After` in both its forms: seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.headers().get("retry-after").ok()??;
    // Whole seconds: to read a number with a point would take 13 KB of code.
    let seconds = text.parse::<u32>().map_or_else(|_| (Date::parse(&text) - Date::now()) / 1000.0, f64::from);
    Duration::try_from_secs_f64(seconds).ok()
}

fn set(object: &Object, name: &str, value: &JsValue) {
    // Plain objects of our own take everything.
    let _ = Reflect::set(object, &name.into(), value);
}

fn listen(kind: &str, listener: impl FnMut() + 'static) {
    // Hosts without such events have none to miss.
    let _ = js::add_event_listener(kind, Closure::<dyn FnMut()>::new(listener).into_js_value().unchecked_ref());
}

fn as_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The computer may have slept: the clock is compared with the one of the system.
fn follow_clock() {
    #[cfg(target_family = "wasm")]
    clewline::pipeline::HostClock::get().compare();
}
