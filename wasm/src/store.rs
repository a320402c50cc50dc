//! `Store`: the live spans, the batch of ended ones, and every count about them.

use clewline_core::{
    Attribute, Batch, Envelope, ParentBased, RandomIds, Scope, Span, SpanContext, SpanKind, SpanLimits, SpanRequest,
    SpanStart, Storage, TraceIdRatio, Value,
};
use heapless::Vec;

use crate::contexts::{Contexts, Handle};
use crate::list::{List, integer};
use crate::memory::{Lent, Memory, REQUEST_BYTES, SPANS, lend};
use crate::texts::Texts;

/// The scratch buffer's size. JavaScript writes into it, and one call reads it.
pub(crate) const SCRATCH_BYTES: usize = 64 * 1024;

/// From this number on a `Text` is a length in the scratch buffer instead of an id.
const TEXT: u32 = 0x1_0000;

/// The OpenTelemetry defaults, with values cut at 2048 characters: whatever the script, one fits and leaves room for the rest.
const LIMITS: SpanLimits = SpanLimits { value_length: 2048, ..SpanLimits::DEFAULT };

const VERSION: &str = env!("CARGO_PKG_VERSION");
const RESOURCE_ATTRIBUTES: usize = 64;
const RESOURCE_ELEMENTS: usize = 256;

/// What can be counted; the numbers are those of `COUNTERS` in `js/store.mjs`.
#[derive(Clone, Copy)]
pub(crate) enum Counter {
    Started,
    NotSampled,
    Ended,
    Live,
    Batched,
    Abandoned,
    BatchFull,
    StaleHandles,
    MalformedParents,
}

impl Counter {
    pub(crate) const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Started,
            1 => Self::NotSampled,
            2 => Self::Ended,
            3 => Self::Live,
            4 => Self::Batched,
            5 => Self::Abandoned,
            6 => Self::BatchFull,
            7 => Self::StaleHandles,
            8 => Self::MalformedParents,
            _ => return None,
        })
    }
}

/// What exists from `configure` on.
struct Ready {
    sampler: ParentBased<TraceIdRatio>,
    batch: Batch<Lent>,
    envelope: Envelope<Lent>,
    request: Lent,
    request_spans: u32,
    free: Vec<(u8, Lent), SPANS>,
}

/// A span that records, and the handle by which its context is known.
struct Live {
    span: Span<Lent>,
    handle: Handle,
}

/// All state of the module. Empty it is all zero, so that it costs no byte in the module file.
pub(crate) struct Store {
    pub(crate) scratch: [u8; SCRATCH_BYTES],
    pub(crate) texts: Texts,
    contexts: Contexts,
    /// By slot.
    spans: Vec<Option<Live>, SPANS>,
    ids: Option<RandomIds>,
    anchor: u64,
    ready: Option<Ready>,
    started: u32,
    not_sampled: u32,
    ended: u32,
    abandoned: u32,
    stale_handles: u32,
    malformed_parents: u32,
}

impl Store {
    pub(crate) const fn new() -> Self {
        Self {
            scratch: [0; SCRATCH_BYTES],
            texts: Texts::new(),
            contexts: Contexts::new(),
            spans: Vec::new(),
            ids: None,
            anchor: 0,
            ready: None,
            started: 0,
            not_sampled: 0,
            ended: 0,
            abandoned: 0,
            stale_handles: 0,
            malformed_parents: 0,
        }
    }

    pub(crate) fn seed(&mut self, seed: [u64; 2]) {
        self.ids = Some(RandomIds::from_seed(seed));
    }

    /// The moment that times count from, in Unix nanoseconds.
    pub(crate) fn set_anchor(&mut self, unix_nanos: u64) {
        self.anchor = unix_nanos;
    }

    /// Unix nanoseconds of a time relative to the anchor; 0, "unknown", for NaN.
    pub(crate) fn unix_nanos(&self, offset: f64) -> u64 {
        if offset.is_nan() {
            return 0;
        }
        // Rounded: a clock that counts in tenths of a microsecond has no exact double.
        self.anchor.saturating_add_signed(integer(offset + 0.5_f64.copysign(offset)))
    }

    /// Takes the resource from the first `length` bytes of the scratch buffer; false if it is too large or was given before.
    pub(crate) fn configure(&mut self, length: u32, ratio: f64) -> bool {
        let Ok(root) = TraceIdRatio::new(ratio) else { return false };
        let Some(Memory { bodies, batch, envelope, request }) = Memory::take() else { return false };
        let given = front(&self.scratch, length);
        let mut elements = Vec::<Value<'_>, RESOURCE_ELEMENTS>::new();
        let mut fits = List(given).all(|entry| entry.elements().all(|element| elements.push(element).is_ok()));
        let mut elements = elements.as_slice();
        let mut resource = Vec::<Attribute<'_>, RESOURCE_ATTRIBUTES>::new();
        let sdk = [
            ("telemetry.sdk.name", "clewline"),
            ("telemetry.sdk.language", "webjs"),
            ("telemetry.sdk.version", VERSION),
        ];
        fits &= sdk.into_iter().all(|(key, text)| resource.push((key, Value::Str(text))).is_ok());
        for entry in List(given) {
            let (array, rest) = elements.split_at_checked(entry.elements().count()).unwrap_or_default();
            let attribute = if entry.is_array() { Some((entry.key, Value::List(array))) } else { entry.as_attribute() };
            elements = rest;
            fits &= attribute.is_some_and(|attribute| resource.push(attribute).is_ok());
        }
        let scope = Scope { name: "clewline", version: VERSION, ..Scope::default() };
        let Ok(envelope) = Envelope::new(envelope, resource.as_slice(), &scope) else { return false };
        let mut free = Vec::new();
        for (slot, body) in (0..=u8::MAX).zip(bodies) {
            fits &= free.push((slot, lend(body))).is_ok() && self.spans.push(None).is_ok();
        }
        let sampler = ParentBased::new(root);
        self.ready = Some(Ready { sampler, batch: Batch::new(batch), envelope, request, request_spans: 0, free });
        fits
    }

    /// Starts a span below the one that `parent` names, or a new trace.
    #[inline]
    pub(crate) fn start_below(&mut self, name: u32, kind: SpanKind, parent: Handle, start: f64) -> Handle {
        let context = if parent == Handle::NONE { None } else { self.context(parent) };
        self.start(name, kind, context, start)
    }

    /// Starts a span; without a parent, a new trace.
    pub(crate) fn start(&mut self, name: u32, kind: SpanKind, parent: Option<SpanContext>, start: f64) -> Handle {
        let start_time = self.unix_nanos(start);
        let Self { scratch, texts, contexts, spans, ids, ready, .. } = self;
        let (Some(ids), Some(ready)) = (ids, ready) else { return Handle::NONE };
        let (name, _) = text(texts, scratch, name);
        let request = SpanRequest { name, kind, parent, trace_state: "", attributes: &[], links: &[] };
        let decision = request.decide(ids, &ready.sampler);
        let context = decision.context;
        if !decision.is_recording() {
            self.not_sampled += 1;
            return contexts.insert(context, None).unwrap_or(Handle::NONE);
        }
        self.started += 1;
        if ready.free.is_empty() {
            self.abandoned += abandon_oldest(spans, contexts, &mut ready.free);
        }
        let Some((slot, body)) = ready.free.pop() else { return Handle::NONE };
        let Some(handle) = contexts.insert(context, Some(slot)) else { return Handle::NONE };
        let span =
            Span::new(body, &SpanStart { context, parent, name, kind, start_time, trace_state: "", limits: LIMITS });
        if let Some(place) = spans.get_mut(usize::from(slot)) {
            *place = Some(Live { span, handle });
        }
        handle
    }

    /// Ends a span; answers how many bytes the batch then holds.
    pub(crate) fn end(&mut self, handle: Handle, end: f64) -> usize {
        let end_time = self.unix_nanos(end);
        let slot = self.contexts.get(handle).and_then(|entry| entry.slot.take());
        let live = slot.and_then(|slot| Some((slot, self.spans.get_mut(usize::from(slot))?.take()?)));
        let Some(ready) = &mut self.ready else { return 0 };
        if let Some((slot, live)) = live {
            self.ended += 1;
            // A full batch counts the span itself.
            let _ = ready.batch.push(&live.span, end_time);
            let _ = ready.free.push((slot, live.span.into_storage()));
        } else {
            self.stale_handles += 1;
        }
        ready.batch.as_bytes().len()
    }

    /// The context of a span, live or ended, unless its place was given away; that is counted.
    pub(crate) fn context(&mut self, handle: Handle) -> Option<SpanContext> {
        let context = self.contexts.get(handle).map(|entry| entry.context);
        self.stale_handles += u32::from(context.is_none());
        context
    }

    /// The live span of a handle, with texts and scratch buffer to read from; a handle without one is counted.
    #[inline]
    pub(crate) fn with_span(&mut self, handle: Handle, change: impl FnOnce(&mut Span<Lent>, &Texts, &[u8])) {
        let slot = self.contexts.get(handle).and_then(|entry| entry.slot);
        match slot.and_then(|slot| self.spans.get_mut(usize::from(slot))?.as_mut()) {
            Some(live) => change(&mut live.span, &self.texts, &self.scratch),
            None => self.stale_handles += 1,
        }
    }

    /// Counts a parent's `traceparent` that broke a rule.
    pub(crate) fn count_malformed_parent(&mut self) {
        self.malformed_parents += 1;
    }

    /// Moves the oldest ended spans into a request of at most `max` bytes; answers its length.
    pub(crate) fn take(&mut self, max: usize) -> usize {
        let Some(ready) = &mut self.ready else { return 0 };
        let max = max.min(REQUEST_BYTES);
        let around = ready.envelope.request_len(max) - max;
        let prefix = ready.batch.prefix(max.saturating_sub(around));
        let request = ready.request.view_mut();
        request.clear();
        let spans = ready.batch.as_bytes().get(..prefix.1).unwrap_or_default();
        if prefix.0 == 0 || ready.envelope.write_request(spans, &mut ready.request).is_err() {
            ready.request_spans = 0;
            return 0;
        }
        ready.batch.remove_oldest(prefix.0);
        ready.request_spans = prefix.0;
        ready.request.view().len()
    }

    /// The request that `take` made, and how many spans it holds.
    pub(crate) fn request(&self) -> (&[u8], u32) {
        self.ready.as_ref().map_or((&[], 0), |ready| (ready.request.view(), ready.request_spans))
    }

    pub(crate) fn count(&self, counter: Counter) -> u32 {
        let ready = |count: fn(&Ready) -> u32| self.ready.as_ref().map_or(0, count);
        match counter {
            Counter::Started => self.started,
            Counter::NotSampled => self.not_sampled,
            Counter::Ended => self.ended,
            Counter::Live => self.started - self.ended - self.abandoned,
            Counter::Batched => ready(|ready| ready.batch.len()),
            Counter::Abandoned => self.abandoned,
            Counter::BatchFull => ready(|ready| ready.batch.dropped()),
            Counter::StaleHandles => self.stale_handles,
            Counter::MalformedParents => self.malformed_parents,
        }
    }
}

/// Takes the body of the span that began first, when all are in use: after so many, it was most likely forgotten.
#[cold]
fn abandon_oldest(spans: &mut [Option<Live>], contexts: &mut Contexts, free: &mut Vec<(u8, Lent), SPANS>) -> u32 {
    let oldest = (0..=u8::MAX).zip(spans).filter(|(_, place)| place.is_some());
    let oldest = oldest.min_by_key(|(_, place)| place.as_ref().map(|live| live.span.start_time()));
    let Some((slot, Some(live))) = oldest.map(|(slot, place)| (slot, place.take())) else { return 0 };
    if let Some(entry) = contexts.get(live.handle) {
        entry.slot = None;
    }
    let _ = free.push((slot, live.span.into_storage()));
    1
}

/// The first `length` bytes of the scratch buffer; all of it for a length beyond its end.
pub(crate) fn front(scratch: &[u8], length: u32) -> &[u8] {
    usize::try_from(length).ok().and_then(|length| scratch.get(..length)).unwrap_or(scratch)
}

/// What a `Text` stands for, and the scratch buffer behind it.
#[inline]
pub(crate) fn text<'a>(texts: &'a Texts, scratch: &'a [u8], text: u32) -> (&'a str, &'a [u8]) {
    match text.checked_sub(TEXT) {
        None => (texts.get(text).unwrap_or_default(), scratch),
        Some(length) => {
            let written = front(scratch, length);
            (utf8(written), scratch.get(written.len()..).unwrap_or_default())
        }
    }
}

/// The text in these bytes; up to the first that is not UTF-8, which the host's encoder does not write.
pub(crate) fn utf8(bytes: &[u8]) -> &str {
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            bytes.get(..error.valid_up_to()).and_then(|valid| core::str::from_utf8(valid).ok()).unwrap_or_default()
        }
    }
}
