//! Rows of the second table about what chips send: the compact form, frames, and what their host makes of them.

use std::hint::black_box;

use clewline_core::frame::{FrameDecoder, FrameEncoder, Message};
use clewline_core::{
    Compact, CompactSpans, InlineSpan, InlineTailBuffer, SpanStart, StringTable, TailRule, TimeAnchor, string_table,
};

use crate::core_rows::{Row, Span, filled, row, start};
use crate::workload;

string_table! {
    /// The keys and the name of the workload.
    struct Names {
        METHOD = "http.request.method",
        ROUTE = "http.route",
        PATH = "url.path",
        NAME = "GET /cart/{id}",
    }
}

type CompactSpan = InlineSpan<128, Compact<Names>>;

fn compact_start() -> SpanStart<'static> {
    SpanStart { name: Names::NAME, ..start() }
}

fn record(span: &mut CompactSpan) {
    span.set(Names::METHOD, "GET").set(Names::ROUTE, "/cart/{id}").set(Names::PATH, 4711);
}

/// The rows.
pub(crate) fn rows() -> Vec<Row> {
    const ROOM: usize = 256;
    let end = workload::ENCODED_START + workload::ENCODED_DURATION;
    let mut whole = CompactSpan::new(heapless::Vec::new(), &compact_start());
    record(&mut whole);
    let mut line = heapless::Vec::<u8, ROOM>::new();
    whole.write_to(end, line.as_mut_view()).expect("it fits");
    let spans = line.clone();
    let expand = move || {
        let span = CompactSpans::new(black_box(&spans)).next()?.ok()?;
        let strings = |id| Names::strings().get(id);
        span.expand(&strings, &TimeAnchor::NANOSECONDS, heapless::Vec::<u8, ROOM>::new()).ok()
    };
    let mut encoder = FrameEncoder::new(Names::FINGERPRINT, 1);
    let mut frame = [0; ROOM];
    let length = encoder.encode(&Message::Spans(&line), 0, &mut frame).expect("it fits").len();
    let mut decoder = FrameDecoder::<ROOM>::new();
    let mut decode = move || {
        let mut found = 0;
        for byte in black_box(&frame[..length]) {
            found += usize::from(matches!(decoder.push(*byte), Some(Ok(_))));
        }
        found
    };
    let mut live = CompactSpan::new(heapless::Vec::new(), &compact_start());
    let rule = TailRule { longer_than_nanos: u64::MAX, failed: true };
    let mut tail = Box::new(InlineTailBuffer::<4096>::new(heapless::Vec::new(), rule));
    let mut batch = clewline_core::InlineBatch::<4096>::new(heapless::Vec::new());
    let root: Span = filled();
    vec![
        row("compact: start, set 3 attributes and write", whole.counts().attributes == 3, move || {
            live.restart(black_box(&compact_start()));
            record(&mut live);
            line.clear();
            live.write_to(end, line.as_mut_view()).is_ok()
        }),
        row("compact: expand that span to OTLP", expand().is_some(), expand),
        row("frame: encode that span", true, {
            let message = whole;
            let mut content = heapless::Vec::<u8, ROOM>::new();
            message.write_to(end, content.as_mut_view()).expect("it fits");
            let mut out = [0; ROOM];
            move || encoder.encode(&Message::Spans(black_box(&content)), 0, &mut out).map(<[u8]>::len).ok()
        }),
        row("frame: decode it, byte by byte", decode() == 1, decode),
        row("tail rule: judge a root of 8 attributes", true, move || {
            tail.push(black_box(&root), end, &mut batch);
            tail.counts().discarded
        }),
    ]
}
