//! The compact form held against the OTLP form: the same recording, expanded, is the same span field by field.

use bumpalo::Bump;
use clewline_core::{
    Compact, CompactError, CompactSpans, Form, InlineSpan, Otlp, Span, SpanKind, SpanStart, StringTable, TimeAnchor,
    string_table,
};
use proptest::prelude::*;

use crate::heap::Heap;
use crate::model;
use crate::script::{Script, Step};
use crate::{config, play, postcard, strategy, views};

string_table! {
    /// Some of the keys that scripts use, so that both kinds of texts meet.
    struct Names { A = "a", ROUTE = "http.route", METHOD = "http.request.method", SIZE = "größe", EXCEPTION = "exception" }
}

/// The table's own text, if the table has an equal one.
fn interned(text: &str) -> &str {
    Names::strings().iter().find(|known| *known == text).unwrap_or(text)
}

fn start(script: &Script) -> SpanStart<'_> {
    let mut start = play::span_start(script);
    start.name = interned(start.name);
    start
}

fn record<F: Form>(script: &Script, room: usize) -> Span<Heap, F> {
    let arena = Bump::new();
    let mut span = Span::new(Heap::up_to(room), &start(script));
    for step in &script.steps {
        match step {
            Step::Set(key, value) => {
                span.set(interned(key), play::value(&arena, value));
            }
            Step::Event { name, time, attributes } => {
                let mut event = span.event(interned(name), *time);
                for (key, value) in attributes {
                    event.set(interned(key), play::value(&arena, value));
                }
            }
            other => {
                play::step(&mut span, other);
            }
        }
    }
    span
}

fn written<F: Form>(span: &Span<Heap, F>, end: u64) -> Vec<u8> {
    let mut line = Heap::ample();
    span.write_to(end, &mut line).expect("ample room");
    line.as_bytes().to_vec()
}

/// Expands the only span in `record`.
fn expanded(record: &[u8], anchor: &TimeAnchor) -> Result<model::Span, CompactError> {
    let mut spans = CompactSpans::new(record);
    let span = spans.next().expect("one span")?;
    assert!(spans.next().is_none(), "nothing behind it");
    let strings = |id| Names::strings().get(id);
    Ok(views::span(&span.expand(&strings, anchor, Heap::ample())?.view()))
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn the_same_recording_is_the_same_span_in_both_forms(script in strategy::script()) {
        let otlp = record::<Otlp>(&script, 1 << 24);
        let compact = record::<Compact<Names>>(&script, 1 << 24);
        prop_assert_eq!(otlp.counts(), compact.counts());
        let expected = views::span(&otlp.view(script.end));
        let record = written(&compact, script.end);
        prop_assert_eq!(&expanded(&record, &TimeAnchor::NANOSECONDS).expect("readable"), &expected);
        // Without a table, texts are written out, and nothing else changes.
        let plain = self::record::<Compact>(&script, 1 << 24);
        let record = written(&plain, script.end);
        prop_assert_eq!(&expanded(&record, &TimeAnchor::NANOSECONDS).expect("readable"), &expected);
    }

    /// Whatever room there is, what was taken is whole, and what was refused is counted.
    #[test]
    fn a_full_span_stays_readable(script in strategy::script(), room in 0..400_usize) {
        let span = record::<Compact<Names>>(&script, room);
        let counts = span.counts();
        let read = expanded(&written(&span, script.end), &TimeAnchor::NANOSECONDS).expect("readable");
        prop_assert_eq!(read.attributes.len(), usize::from(counts.attributes));
        prop_assert_eq!(read.events.len(), usize::from(counts.events));
        prop_assert_eq!(read.links.len(), usize::from(counts.links));
        prop_assert_eq!(
            [read.dropped_attributes, read.dropped_events, read.dropped_links],
            [counts.dropped_attributes, counts.dropped_events, counts.dropped_links]
        );
    }

    #[test]
    fn a_span_is_written_whole_or_not_at_all(script in strategy::script(), short in 1..40_usize) {
        let span = record::<Compact<Names>>(&script, 1 << 24);
        let length = written(&span, script.end).len();
        let mut exact = Heap::up_to(length);
        prop_assert!(span.write_to(script.end, &mut exact).is_ok());
        let mut small = Heap::up_to(length.saturating_sub(short));
        prop_assert!(span.write_to(script.end, &mut small).is_err());
        prop_assert!(small.as_bytes().is_empty());
    }

    /// Cut and changed records are refused or read, but nothing panics, neither when reading nor when expanding.
    #[test]
    fn hostile_bytes_do_no_harm(
        script in strategy::script(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<proptest::sample::Index>(),
        noise in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut record = written(&record::<Compact<Names>>(&script, 1 << 24), script.end);
        for (index, byte) in changes {
            let index = index.index(record.len());
            record[index] = byte;
        }
        record.truncate(cut.index(record.len()) + 1);
        for bytes in [&record, &noise] {
            for span in CompactSpans::new(bytes).flatten() {
                for anchor in [TimeAnchor::NANOSECONDS, TimeAnchor { ticks: 9, unix_nanos: u64::MAX, ticks_per_second: 0 }] {
                    drop(span.expand(&|id| Names::strings().get(id), &anchor, Heap::up_to(300)));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(config(500))]

    /// The claim of the form's documentation: a host may as well read it through serde and postcard.
    #[test]
    fn postcard_reads_the_same_span(script in strategy::script()) {
        let strings: Vec<_> = Names::strings().iter().collect();
        let record = written(&record::<Compact<Names>>(&script, 1 << 24), script.end);
        let expected = expanded(&record, &TimeAnchor::NANOSECONDS).expect("readable");
        let two = [record.as_slice(), &[7]].concat();
        prop_assert_eq!(postcard::span(&two, &strings), (expected, &[7][..]));
    }
}

#[test]
fn a_string_of_another_table_is_named() {
    let script = script_with(vec![]);
    let mut span = InlineSpan::<64, Compact<Names>>::new(heapless::Vec::new(), &start(&script));
    span.set(Names::SIZE, 1);
    let mut line = Heap::ample();
    span.write_to(9, &mut line).unwrap();
    let span = CompactSpans::new(line.as_bytes()).next().unwrap().unwrap();
    let lacking = |id| Names::strings().get(id).filter(|_| id < 3);
    let result = span.expand(&lacking, &TimeAnchor::NANOSECONDS, Heap::ample());
    assert_eq!(result.map(drop), Err(CompactError::UnknownString(3)));
}

/// A text of the table that is too long leaves as a number too, and is cut where it is read.
#[test]
fn interned_texts_are_cut_like_others() {
    fn record<F: Form>(script: &Script) -> InlineSpan<400, F> {
        let mut span = InlineSpan::new(heapless::Vec::new(), &start(script));
        for (key, text) in [(Names::A, Names::SIZE), ("x", Names::METHOD), (Names::ROUTE, Names::A)] {
            span.set(key, text).set("list", &[text][..]).event(Names::EXCEPTION, 107).set(key, text);
            span.event(text, 108).set("y", text);
        }
        // Replaced, by a longer and by a shorter one.
        span.set(Names::A, Names::METHOD).set(Names::ROUTE, Names::SIZE).set("x", Names::A);
        span
    }
    let mut script = script_with(vec![]);
    for value_length in (0..30).chain([u32::MAX]) {
        script.limits.value_length = value_length;
        let (otlp, compact) = (record::<Otlp>(&script), record::<Compact<Names>>(&script));
        assert_eq!(compact.counts(), otlp.counts(), "{value_length}");
        let mut line = Heap::ample();
        compact.write_to(300, &mut line).unwrap();
        let mut read = expanded(line.as_bytes(), &TimeAnchor::NANOSECONDS).unwrap();
        let mut expected = views::span(&otlp.view(300));
        read.attributes.sort_by(|one, other| one.0.cmp(&other.0));
        expected.attributes.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(read, expected, "{value_length}");
        let strings: Vec<_> = Names::strings().iter().collect();
        let (mut read, rest) = postcard::span(line.as_bytes(), &strings);
        read.attributes.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!((read, rest), (expected, &[][..]), "{value_length}");
        let literal = line.as_bytes().windows(4).any(|bytes| bytes == b"http");
        assert!(!literal, "{value_length}: written out");
    }
}

/// A number takes the last byte there is, and no more: also that of a text that is cut.
#[test]
fn a_cut_text_fits_exactly_or_is_dropped() {
    let mut script = script_with(vec![]);
    script.limits.value_length = 2;
    for room in 0..6 {
        let mut span = Span::<Heap, Compact<Names>>::new(Heap::up_to(room), &start(&script));
        span.set(Names::A, Names::METHOD);
        let counts = span.counts();
        let fits = room > 4;
        assert_eq!((counts.attributes, counts.dropped_attributes), if fits { (1, 0) } else { (0, 1) }, "{room}");
        assert_eq!(counts.truncated_values, u32::from(fits) + u32::from(room == 0), "{room}");
    }
}

/// The bytes that the documentation of the form describes, one by one.
#[test]
fn the_layout_is_the_documented_one() {
    let mut script = script_with(vec![]);
    script.parent = Some(crate::script::Context { is_remote: true, ..script.context.clone() });
    let mut span = InlineSpan::<64, Compact<Names>>::new(heapless::Vec::new(), &start(&script));
    span.set_kind(SpanKind::Server).set(Names::A, 21).set(Names::ROUTE, 0.5).set("x", Names::METHOD);
    span.event(Names::EXCEPTION, 107).set(Names::A, true);
    let mut line = Heap::ample();
    span.write_to(300, &mut line).unwrap();
    let ids = [&[1; 16][..], &[2; 8], &[2; 8]].concat();
    // Server, parent, remote, sampled; start 100, duration 200 (zigzag 400); the name "a" by its id + 1.
    let head = [&[0x02 | 0x08 | 0x10 | 0x20][..], &ids, &[100], &[0x90, 0x03], &[1]].concat();
    let attributes = [&[1 << 1, 3, 42][..], &[2 << 1, 5, 0, 0, 0, 0x3f], &[0, 1, b'x', 7, 3]].concat();
    let event = [(5 << 2) | 1, 14, 1 << 1, 2, 3];
    assert_eq!(line.as_bytes(), [&head[..], &attributes, &event, &[3]].concat());
}

fn script_with(steps: Vec<Step>) -> Script {
    Script {
        context: crate::script::Context { trace_id: [1; 16], span_id: [2; 8], flags: 1, is_remote: false },
        parent: None,
        name: "a".to_owned(),
        kind: 1,
        start: 100,
        end: 300,
        trace_state: String::new(),
        limits: strategy::WIDE,
        steps,
    }
}
