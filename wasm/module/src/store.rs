//! `Store`: all state of the module, and what each export does with it.

use clewline_core::direct::{DirectBatch, DirectSpan, child_of, parse_traceparent};
use clewline_core::{SpanContext, SpanKind, StatusCode, TraceIdRatio, traceparent};

use crate::contexts::Contexts;
use crate::ids::Ids;
use crate::records::{Kind, Written};
use crate::slots::{SPAN_BYTES, Slots};

/// How many bytes of ended spans can wait to be taken, the envelope's room included.
const BATCH_BYTES: usize = 264 * 1024;

const SCOPE: &str = "clewline";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What JavaScript reads in place, in this order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Where the request that `take` made begins.
    pub request: usize,
    /// How many spans are in it.
    pub request_spans: u32,
    /// Spans that record.
    pub started: u32,
    /// Spans that the sampler left out.
    pub not_sampled: u32,
    /// Spans that record and have not ended.
    pub live: u32,
    /// Ended spans in the batch.
    pub batched: u32,
    /// Spans that nobody can end any more, or that did not end while as many others were live as there are slots.
    pub abandoned: u32,
    /// Spans that ended while the batch was full.
    pub batch_full: u32,
    /// Uses of handles that name nothing any more.
    pub stale_handles: u32,
    /// `traceparent` texts that broke a rule.
    pub malformed_parents: u32,
    /// Texts that were cut.
    pub truncated_texts: u32,
}

/// The state. Empty it is nearly all zero, so that it costs no byte in the module file; what is used most comes first, where
/// addresses are short.
#[repr(C)]
pub struct Store {
    /// What JavaScript reads.
    pub counters: Counters,
    /// Ids, into whose state JavaScript writes random bytes before `configure`.
    pub ids: Ids,
    root: TraceIdRatio,
    anchor: u64,
    pub(crate) written: Written,
    contexts: Contexts,
    batch: DirectBatch<BATCH_BYTES, SPAN_BYTES>,
    slots: Slots,
}

impl Store {
    /// The state before `configure`: spans are started and dropped at once.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            counters: Counters {
                request: 0,
                request_spans: 0,
                started: 0,
                not_sampled: 0,
                live: 0,
                batched: 0,
                abandoned: 0,
                batch_full: 0,
                stale_handles: 0,
                malformed_parents: 0,
                truncated_texts: 0,
            },
            ids: Ids::unseeded(),
            root: TraceIdRatio::ALL,
            anchor: 0,
            written: Written::new(),
            batch: DirectBatch::new(),
            contexts: Contexts::new(),
            slots: Slots::new(),
        }
    }

    /// Takes the resource (a run of records), the ratio of roots to sample, and the moment that times count from in
    /// whole Unix milliseconds. To be called once. False if the ratio is none, or the resource does not fit.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is no integer saturates, by the definition of `as`"
    )]
    pub fn configure(&mut self, resource: u32, ratio: f64, anchor: f64) -> bool {
        let Ok(root) = TraceIdRatio::new(ratio) else { return false };
        self.root = root;
        self.anchor = (anchor as u64).wrapping_mul(1_000_000);
        self.slots.open();
        let Self { written, batch, .. } = self;
        batch.describe(SCOPE, VERSION, |buffer, tag| written.attributes(buffer, tag, resource) == 0)
    }

    /// Starts a span below a local `parent`, or below the `traceparent` that the text `remote` is, or else a new trace; its handle.
    pub fn start(&mut self, name: u32, kind: u32, parent: u32, remote: u32) -> u32 {
        let remote = if remote > 0 { self.parse(remote) } else { None };
        let Self { counters, contexts, slots, written, .. } = self;
        let parent = if parent > 0 { context(counters, contexts, parent) } else { remote.as_ref() };
        let new = child_of(parent, &self.ids, self.root);
        let mut slot = None;
        if new.is_sampled() {
            counters.started += 1;
            slot = slots.take();
            if slot.is_some() {
                counters.live += 1;
            } else {
                counters.abandoned += 1;
                slot = contexts.abandon_oldest().map(|entry| entry.slot);
            }
            if let Some(slot) = slot {
                let kind = SpanKind::from_number(kind.into());
                slots.span(slot).start(&new, parent, kind, written.text(name));
            }
        } else {
            counters.not_sampled += 1;
        }
        contexts.insert(new, slot)
    }

    /// Sets the attributes that the run of records `attributes` is.
    pub fn set(&mut self, handle: u32, attributes: u32) {
        let Self { counters, contexts, slots, written, .. } = self;
        if let Some(span) = live(counters, contexts, slots, handle) {
            for record in written.run(attributes) {
                if record.kind == Kind::TraceState as u32 {
                    span.set_trace_state(written.text(record.number()));
                    continue;
                }
                span.set(written.text(record.key), |buffer, tag| written.attribute(buffer, tag, record));
            }
        }
    }

    /// Renames a span.
    pub fn rename(&mut self, handle: u32, name: u32) {
        let Self { counters, contexts, slots, written, .. } = self;
        if let Some(span) = live(counters, contexts, slots, handle) {
            span.set_name(written.text(name));
        }
    }

    /// Judges the outcome, by OTLP's number and a text.
    pub fn status(&mut self, handle: u32, code: u32, message: u32) {
        let code = match code {
            1 => StatusCode::Ok,
            2 => StatusCode::Error,
            _ => return,
        };
        let Self { counters, contexts, slots, written, .. } = self;
        if let Some(span) = live(counters, contexts, slots, handle) {
            span.set_status(code, written.text(message));
        }
    }

    /// Records an event with a run of attributes, at a time in nanoseconds since the anchor.
    pub fn event(&mut self, handle: u32, name: u32, time: f64, attributes: u32) {
        let time = self.unix_nanos(time);
        let Self { counters, contexts, slots, written, .. } = self;
        if let Some(span) = live(counters, contexts, slots, handle) {
            span.event(written.text(name), time, |buffer, tag| written.attributes(buffer, tag, attributes));
        }
    }

    /// Records a link to the `traceparent` that the text `context` is, with a run of attributes.
    pub fn link(&mut self, handle: u32, context: u32, attributes: u32) {
        let context = self.parse(context);
        let Self { counters, contexts, slots, written, .. } = self;
        if let Some(context) = context
            && let Some(span) = live(counters, contexts, slots, handle)
        {
            span.link(&context, |buffer, tag| written.attributes(buffer, tag, attributes));
        }
    }

    /// Ends a span; how many bytes of spans the batch then holds. Times are nanoseconds since the anchor. With bit 31 set in
    /// its handle the span is abandoned, because nobody can end it any more.
    pub fn end(&mut self, handle: u32, start: f64, end: f64) -> usize {
        let abandoned = handle >> 31 == 1;
        let start = self.unix_nanos(start);
        // Times may be the caller's: a span never ends before it starts (`Span.end_time_unix_nano` in OTLP's trace.proto).
        let end = self.unix_nanos(end).max(start);
        let Self { counters, contexts, slots, batch, .. } = self;
        if let Some(entry) = contexts.get(handle & (u32::MAX >> 1))
            && entry.live.replace(false)
        {
            let span = slots.span(entry.slot);
            if abandoned {
                counters.abandoned += 1;
            } else {
                batch.push(span.end(start, end));
            }
            counters.truncated_texts += span.take_truncated();
            slots.give(entry.slot);
            counters.live -= 1;
            counters.batched = batch.len();
            counters.batch_full = batch.dropped();
        } else if !abandoned {
            counters.stale_handles += 1;
        }
        batch.size()
    }

    /// Writes a span's `traceparent` to the front of the texts; one whose ids are zeros if the span is forgotten.
    pub fn traceparent(&mut self, handle: u32) {
        let Self { counters, contexts, written, .. } = self;
        let context = context(counters, contexts, handle);
        if let Some(front) = written.texts.first_chunk_mut() {
            match context {
                Some(context) => traceparent::write(context, front),
                None => *front = *b"00-00000000000000000000000000000000-0000000000000000-00",
            }
        }
    }

    /// Makes a request of at most `max` bytes from the oldest ended spans; its length, 0 for none.
    pub fn take(&mut self, max: usize) -> usize {
        let batch = &mut self.batch;
        let (request, spans) = batch.take(max);
        self.counters.request = request.as_ptr().expose_provenance();
        self.counters.request_spans = spans;
        let length = request.len();
        self.counters.batched = batch.len();
        length
    }

    /// The request that the last [`take`](Self::take) made of `length` bytes, for tests on hosts without a JavaScript.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn request(&mut self, max: usize) -> Vec<u8> {
        let batch = &mut self.batch;
        batch.take(max).0.to_vec()
    }

    /// Writes texts and records as JavaScript would.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn written(&mut self) -> (&mut [crate::Record], &mut [u8]) {
        (&mut self.written.records, &mut self.written.texts)
    }

    #[expect(clippy::cast_possible_truncation, reason = "what is no integer saturates, by the definition of `as`")]
    fn unix_nanos(&self, offset: f64) -> u64 {
        self.anchor.cast_signed().wrapping_add(offset as i64).max(0).cast_unsigned()
    }

    #[inline(never)]
    fn parse(&mut self, text: u32) -> Option<SpanContext> {
        let context = parse_traceparent(self.written.text(text));
        self.counters.malformed_parents += u32::from(context.is_none());
        context
    }
}

/// The context of a span, live or ended; a handle without one is counted.
#[inline]
fn context<'a>(counters: &mut Counters, contexts: &'a Contexts, handle: u32) -> Option<&'a SpanContext> {
    let context = contexts.get(handle).and_then(|entry| entry.context.as_ref());
    counters.stale_handles += u32::from(context.is_none());
    context
}

/// The live span of a handle; a handle without one is counted.
#[inline(never)]
fn live<'a>(
    counters: &mut Counters,
    contexts: &Contexts,
    slots: &'a mut Slots,
    handle: u32,
) -> Option<&'a mut DirectSpan<SPAN_BYTES>> {
    match contexts.get(handle) {
        Some(entry) if entry.live.get() => Some(slots.span(entry.slot)),
        _ => {
            counters.stale_handles += 1;
            None
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}
