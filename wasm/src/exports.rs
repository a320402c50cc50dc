//! The exports: numbers in, numbers out. What each means is in `js/wasm-exports.d.ts`, next to the code that calls them.

use core::cell::RefCell;

use clewline_core::{SpanKind, Status, StatusCode, Value, traceparent};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::contexts::Handle;
use crate::list::{List, integer, visit_array};
use crate::store::{Counter, SCRATCH_BYTES, Store, front, text, utf8};

thread_local! {
    static STORE: RefCell<Store> = const { RefCell::new(Store::new()) };
}

/// One call's access to the state. Calls do not nest, so it is always granted; if it ever were not, nothing happens.
#[inline]
fn with<R: Default>(work: impl FnOnce(&mut Store) -> R) -> R {
    let granted = STORE.try_with(|store| store.try_borrow_mut().map(|mut store| work(&mut store)).ok());
    granted.ok().flatten().unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, reason = "addresses and lengths in a wasm32 memory have 32 bits")]
fn number(size: usize) -> u32 {
    size as u32
}

/// Where the scratch buffer begins.
#[wasm_bindgen]
#[must_use]
pub fn scratch() -> u32 {
    with(|store| number(store.scratch.as_mut_ptr().expose_provenance()))
}

/// The scratch buffer's size in bytes.
#[wasm_bindgen]
#[must_use]
pub fn scratch_size() -> u32 {
    number(SCRATCH_BYTES)
}

/// Seeds the ids with 128 random bits.
#[wasm_bindgen]
pub fn seed(a: u32, b: u32, c: u32, d: u32) {
    let join = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    with(|store| store.seed([join(a, b), join(c, d)]));
}

/// Sets the moment that times count from.
#[wasm_bindgen]
pub fn anchor(seconds: u32, nanoseconds: u32) {
    with(|store| store.set_anchor(u64::from(seconds) * 1_000_000_000 + u64::from(nanoseconds)));
}

/// Takes the resource and the sampling ratio; false if the resource is too large or this was called before.
#[wasm_bindgen]
#[must_use]
pub fn configure(length: u32, ratio: f64) -> bool {
    with(|store| store.configure(length, ratio))
}

/// Remembers a text; its number, or -1.
#[wasm_bindgen]
#[must_use]
pub fn intern(length: u32) -> i32 {
    let id = with(|store| {
        let Store { scratch, texts, .. } = store;
        texts.add(utf8(front(scratch, length)))
    });
    id.and_then(|id| i32::try_from(id).ok()).unwrap_or(-1)
}

/// Starts a span below a local parent, or a new trace.
#[wasm_bindgen]
#[must_use]
pub fn span_start(name: u32, kind: u32, parent: u32, start: f64) -> u32 {
    with(|store| {
        let kind = SpanKind::from_number(kind.into());
        Some(store.start_below(name, kind, Handle::from_number(parent), start))
    })
    .map_or(0, Handle::number)
}

/// Starts a span below the traceparent that stands behind the name.
#[wasm_bindgen]
#[must_use]
pub fn span_start_remote(name: u32, kind: u32, length: u32, start: f64) -> u32 {
    with(|store| {
        let (_, rest) = text(&store.texts, &store.scratch, name);
        let parent = traceparent::parse(front(rest, length)).ok();
        if parent.is_none() {
            store.count_malformed_parent();
        }
        Some(store.start(name, SpanKind::from_number(kind.into()), parent, start))
    })
    .map_or(0, Handle::number)
}

/// Gives the start time that was not known at the start.
#[wasm_bindgen]
pub fn set_start(span: u32, start: f64) {
    with(|store| {
        let start_time = store.unix_nanos(start);
        store.with_span(Handle::from_number(span), |span, _, _| {
            span.set_start_time(start_time);
        });
    });
}

/// Renames a span.
#[wasm_bindgen]
pub fn update_name(span: u32, name: u32) {
    with(|store| {
        store.with_span(Handle::from_number(span), |span, texts, scratch| {
            span.set_name(text(texts, scratch, name).0);
        });
    });
}

/// Sets a text attribute.
#[wasm_bindgen]
pub fn set_str(span: u32, key: u32, length: u32) {
    with(|store| {
        store.with_span(Handle::from_number(span), |span, texts, scratch| {
            let (key, rest) = text(texts, scratch, key);
            span.set(key, utf8(front(rest, length)));
        });
    });
}

/// Sets an attribute whose value came as a number.
#[inline]
fn set_number(span: u32, key: u32, value: Value<'_>) {
    with(|store| {
        store.with_span(Handle::from_number(span), |span, texts, scratch| {
            span.set(text(texts, scratch, key).0, value);
        });
    });
}

/// Sets an integer attribute.
#[wasm_bindgen]
pub fn set_i64(span: u32, key: u32, value: f64) {
    set_number(span, key, Value::I64(integer(value)));
}

/// Sets a double attribute.
#[wasm_bindgen]
pub fn set_f64(span: u32, key: u32, value: f64) {
    set_number(span, key, Value::F64(value));
}

/// Sets a boolean attribute.
#[wasm_bindgen]
pub fn set_bool(span: u32, key: u32, value: u32) {
    set_number(span, key, Value::Bool(value != 0));
}

/// Sets an array attribute from the list behind the key.
#[wasm_bindgen]
pub fn set_array(span: u32, key: u32, length: u32) {
    with(|store| {
        store.with_span(Handle::from_number(span), |span, texts, scratch| {
            let (key, rest) = text(texts, scratch, key);
            visit_array(front(rest, length), |array| {
                let (key, array) = array.map_or(("", Value::Empty), |array| (key, array));
                span.set(key, array);
            });
        });
    });
}

/// Counts an attribute whose value has no OTLP form: core refuses an empty key, and counts it.
#[wasm_bindgen]
pub fn refuse_attribute(span: u32) {
    with(|store| {
        store.with_span(Handle::from_number(span), |span, _, _| {
            span.set("", Value::Empty);
        });
    });
}

/// Records an event with the attributes in the list behind its name.
#[wasm_bindgen]
pub fn event(span: u32, name: u32, length: u32, time: f64) {
    with(|store| {
        let time = store.unix_nanos(time);
        store.with_span(Handle::from_number(span), |span, texts, scratch| {
            let (name, rest) = text(texts, scratch, name);
            let mut event = span.event(name, time);
            for entry in List(front(rest, length)) {
                entry.visit(|key, value| {
                    event.set(key, value);
                });
            }
        });
    });
}

/// Records a link to the traceparent in the scratch buffer, with the attributes in the list behind it.
#[wasm_bindgen]
pub fn link(span: u32, length: u32) {
    with(|store| {
        let context =
            store.scratch.first_chunk::<{ traceparent::LENGTH }>().and_then(|text| traceparent::parse(text).ok());
        let Some(context) = context else { return store.count_malformed_parent() };
        store.with_span(Handle::from_number(span), |span, _, scratch| {
            let rest = scratch.get(traceparent::LENGTH..).unwrap_or_default();
            let mut link = span.link(&context, "");
            for entry in List(front(rest, length)) {
                entry.visit(|key, value| {
                    link.set(key, value);
                });
            }
        });
    });
}

/// Judges the outcome; the description is in the scratch buffer.
#[wasm_bindgen]
pub fn set_status(span: u32, code: u32, length: u32) {
    let code = match code {
        1 => StatusCode::Ok,
        2 => StatusCode::Error,
        _ => StatusCode::Unset,
    };
    with(|store| {
        store.with_span(Handle::from_number(span), |span, _, scratch| {
            span.set_status(Status { code, message: utf8(front(scratch, length)) });
        });
    });
}

/// Ends a span; how many bytes the batch then holds.
#[wasm_bindgen]
#[must_use]
pub fn end(span: u32, end: f64) -> u32 {
    with(|store| number(store.end(Handle::from_number(span), end)))
}

/// Writes a span's traceparent into the scratch buffer; its length, or 0 if the span is forgotten.
#[wasm_bindgen]
#[must_use]
pub fn traceparent(span: u32) -> u32 {
    with(|store| {
        let Some(context) = store.context(Handle::from_number(span)) else { return 0 };
        if let Some(front) = store.scratch.first_chunk_mut() {
            *front = *traceparent::Traceparent::new(context).as_bytes();
        }
        number(traceparent::LENGTH)
    })
}

/// Makes a request of at most `max` bytes from the oldest ended spans; its length, 0 for none.
#[wasm_bindgen]
#[must_use]
pub fn take(max: u32) -> u32 {
    with(|store| usize::try_from(max).map_or(0, |max| number(store.take(max))))
}

/// Where the request that `take` made begins.
#[wasm_bindgen]
#[must_use]
pub fn request() -> u32 {
    with(|store| number(store.request().0.as_ptr().expose_provenance()))
}

/// How many spans the request that `take` made holds.
#[wasm_bindgen]
#[must_use]
pub fn request_spans() -> u32 {
    with(|store| store.request().1)
}

/// A count by its number.
#[wasm_bindgen]
#[must_use]
pub fn counter(index: u32) -> f64 {
    with(|store| Counter::from_number(index).map_or(0.0, |counter| store.count(counter).into()))
}
