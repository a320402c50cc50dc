//! How [`CurrentSpan`](crate::CurrentSpan) reaches a recording that the OpenTelemetry API keeps in a box of its own.
//!
//! The API lends a context's span only as a trait object without a way back to its type. But `SpanRef::set_attributes` locks
//! the span and then draws attributes from an iterator, and in between code of ours runs, on the same thread: the iterator
//! asks the span to hand over its recording by a first attribute, works on it when asked for the second, and gives it back
//! with that. Spans of other libraries do not answer, and are given nothing.

use std::cell::RefCell;

use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context as OtelContext, KeyValue};

use crate::Span as NativeSpan;
use crate::current::Place;
use crate::pipeline::Recording;

thread_local! {
    static EXCHANGE: RefCell<Exchange> = const { RefCell::new(Exchange::Nothing) };
}

/// What lies between the iterator and the span.
enum Exchange {
    /// No visit is going on.
    Nothing,
    /// A visit begins.
    Calling,
    /// The span is one of ours.
    Present,
    /// It is asked for its recording.
    Asked,
    /// Its recording.
    Lent(Box<Recording>),
    /// It belongs to another door, which has the recording.
    Elsewhere(Place),
    /// The recording, on its way back.
    Returned(Box<Recording>),
}

fn replace(with: Exchange) -> Exchange {
    EXCHANGE.try_with(|exchange| exchange.replace(with)).unwrap_or(Exchange::Nothing)
}

/// Works on what the context's span records, or does nothing. No foreign code may run inside `work`.
pub(crate) fn with_recording<R>(cx: &OtelContext, work: impl FnOnce(&mut Recording) -> R) -> Option<R> {
    let before = replace(Exchange::Calling);
    let mut visit = Visit { work: Some(work), result: None };
    cx.span().set_attributes(&mut visit);
    replace(before);
    visit.result
}

/// Says that a span of ours is being visited.
pub(super) fn present() {
    answer(|exchange| if let Exchange::Calling = exchange { Exchange::Present } else { exchange });
}

/// What a span does with the attribute of a visit. False if there is no visit, and the attribute is an ordinary one.
pub(super) fn receive(span: &mut NativeSpan) -> bool {
    let mut is_visit = true;
    answer(|exchange| match exchange {
        Exchange::Asked => span.take_recording().map_or(Exchange::Nothing, Exchange::Lent),
        Exchange::Returned(recording) => {
            span.put_recording(recording);
            Exchange::Nothing
        }
        exchange => {
            is_visit = false;
            exchange
        }
    });
    is_visit
}

/// What a span that stands for a place of another door does with the attribute of a visit.
pub(super) fn point_to(place: &Place) {
    answer(|exchange| match exchange {
        Exchange::Asked => Exchange::Elsewhere(place.clone()),
        exchange => exchange,
    });
}

fn answer(change: impl FnOnce(Exchange) -> Exchange) {
    let _ = EXCHANGE.try_with(|exchange| {
        // Most often nothing is going on, and this is on the way of every `is_recording`.
        if !matches!(*exchange.borrow(), Exchange::Nothing) {
            let now = exchange.replace(Exchange::Nothing);
            let next = change(now);
            exchange.replace(next);
        }
    });
}

struct Visit<W, R> {
    work: Option<W>,
    result: Option<R>,
}

impl<W: FnOnce(&mut Recording) -> R, R> Iterator for &mut Visit<W, R> {
    type Item = KeyValue;

    fn next(&mut self) -> Option<KeyValue> {
        let message = || Some(KeyValue::new("", false));
        match replace(Exchange::Nothing) {
            Exchange::Present => {
                replace(Exchange::Asked);
                message()
            }
            Exchange::Lent(mut recording) => {
                self.result = self.work.take().map(|work| work(&mut recording));
                replace(Exchange::Returned(recording));
                message()
            }
            Exchange::Elsewhere(place) => {
                self.result = self.work.take().and_then(|work| place.with(work));
                None
            }
            _ => None,
        }
    }
}
