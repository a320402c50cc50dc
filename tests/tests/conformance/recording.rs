//! What is recorded through core's public functions is what the official messages and the views read, field by field.

use std::collections::BTreeSet;

use bumpalo::Bump;
use clewline_core::{Batch, Envelope, InlineSpan, MAX_VALUE_DEPTH, RequestView, Scope, Span};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use crate::heap::Heap;
use crate::model;
use crate::oracle::{self, Oracle};
use crate::script::{Attributes, Limits, Script, Step};
use crate::{config, official, play, strategy, views};

const SCHEMA: &str = "https://opentelemetry.io/schemas/1.30.0";

/// Puts the spans into a request as a host does.
pub(crate) fn request(spans: &[u8], resource: &Attributes, scope_attributes: &Attributes) -> Vec<u8> {
    let arena = Bump::new();
    let scope = Scope {
        name: "shop",
        version: "1.2.0",
        attributes: play::attributes(&arena, scope_attributes),
        schema_url: SCHEMA,
    };
    let envelope = Envelope::new(Heap::ample(), play::attributes(&arena, resource), &scope).expect("ample room");
    let mut whole = Heap::ample();
    envelope.write_request(spans, &mut whole).expect("ample room");
    assert_eq!(whole.as_bytes().len(), envelope.request_len(spans.len()));
    let mut prefix = Heap::ample();
    envelope.write_prefix(spans.len(), &mut prefix).expect("ample room");
    assert_eq!([prefix.as_bytes(), spans].concat(), whole.as_bytes(), "prefix and spans are the request");
    whole.as_bytes().to_vec()
}

/// Reads a request with the official messages, and checks that the views read the same.
pub(crate) fn read(request: &[u8]) -> model::Request {
    let official = official::Request::decode(request).expect("the official messages decode it");
    let official = official::read(&official).expect("all ids are valid");
    let view = RequestView::parse(request).expect("the views parse it");
    assert_eq!(views::request(&view).as_ref(), Some(&official));
    official
}

/// Reads the only scope's spans.
pub(crate) fn read_spans(spans: &[u8]) -> Vec<model::Span> {
    let mut request = read(&request(spans, &Vec::new(), &Vec::new()));
    let mut resource = request.resource_spans.pop().expect("one resource");
    resource.scope_spans.pop().expect("one scope").spans
}

fn expected_attributes(attributes: &Attributes) -> model::Attributes {
    attributes.iter().map(|(key, value)| (key.clone(), oracle::expected(value, u32::MAX).0)).collect()
}

/// What the live span says of itself, before it ends.
fn check_live(span: &Span<Heap>, oracle: &Oracle) {
    let (counts, expected) = (span.counts(), &oracle.span);
    assert_eq!(views::span(&span.view(expected.end)).in_key_order(), expected.clone().in_key_order());
    assert_eq!(usize::from(counts.attributes), expected.attributes.len());
    assert_eq!(usize::from(counts.events), expected.events.len());
    assert_eq!(usize::from(counts.links), expected.links.len());
    assert_eq!(counts.dropped_attributes, expected.dropped_attributes);
    assert_eq!(counts.dropped_events, expected.dropped_events);
    assert_eq!(counts.dropped_links, expected.dropped_links);
    assert_eq!(span.status_code() as u8, expected.status_code);
    assert_eq!(span.start_time(), expected.start);
    assert_eq!(span.context().trace_id().to_bytes(), expected.trace_id);
    assert_eq!(span.parent().map(|parent| parent.span_id().to_bytes()), expected.parent_span_id);
}

#[test]
fn the_depth_of_the_oracle_is_the_depth_that_is_documented() {
    assert_eq!(oracle::GREATEST_DEPTH, MAX_VALUE_DEPTH);
}

/// Spans of one batch, with the attributes of a resource and a scope.
pub(crate) fn batch() -> impl Strategy<Value = (Vec<Script>, Attributes, Attributes)> {
    (vec(strategy::script(), 1..4), strategy::distinct_attributes(), strategy::distinct_attributes())
}

/// Records the scripts, and holds what the official messages and the views read against the oracle.
pub(crate) fn check_batch(scripts: &[Script], resource: &Attributes, scope: &Attributes) -> Result<(), TestCaseError> {
    let mut batch = Batch::new(Heap::ample());
    // One span in one place, reused, as a pool does: nothing of the span before may shine through.
    let mut span = play::start(&scripts[0], Heap::ample());
    let mut expected = Vec::new();
    for script in scripts {
        play::replay(&mut span, script);
        let oracle = Oracle::after(script);
        check_live(&span, &oracle);
        prop_assert_eq!(span.counts().truncated_values, oracle.truncated);
        prop_assert_eq!(batch.push(&span, script.end), Ok(()));
        let last = batch.iter().last().map(|finished| views::span(&finished));
        prop_assert_eq!(last, Some(views::span(&span.view(script.end))), "finished as it was live");
        expected.push(oracle.span.in_key_order());
    }
    let request = request(batch.as_bytes(), resource, scope);
    let mut read = read(&request);
    for span in &mut read.resource_spans[0].scope_spans[0].spans {
        *span = std::mem::take(span).in_key_order();
    }
    prop_assert_eq!(
        read,
        model::Request {
            resource_spans: vec![model::ResourceSpans {
                attributes: expected_attributes(resource),
                dropped_attributes: 0,
                schema_url: String::new(),
                scope_spans: vec![model::ScopeSpans {
                    name: "shop".to_owned(),
                    version: "1.2.0".to_owned(),
                    attributes: expected_attributes(scope),
                    dropped_attributes: 0,
                    schema_url: SCHEMA.to_owned(),
                    spans: expected,
                }],
            }]
        }
    );
    Ok(())
}

proptest! {
    #![proptest_config(config(384))]

    #[test]
    fn recorded_is_what_is_read((scripts, resource, scope) in batch()) {
        check_batch(&scripts, &resource, &scope)?;
    }

    #[test]
    fn storage_makes_no_difference_while_there_is_room(script in strategy::script()) {
        const CAPACITY: usize = 16_384;
        let on_heap = play::whole(&script, Heap::ample());
        let inline: InlineSpan<CAPACITY> = play::whole(&script, heapless::Vec::new());
        let (heap, inline_counts) = (on_heap.counts(), inline.counts());
        let bytes = on_heap.into_storage();
        prop_assume!(bytes.as_bytes().len() < CAPACITY / 4);
        prop_assert_eq!(inline_counts, heap);
        let inline = inline.into_storage();
        prop_assert_eq!(inline.as_slice(), bytes.as_bytes());
    }
}

proptest! {
    #![proptest_config(config(768))]

    /// The oracle does not know what a refused entry would have taken in bytes, so it is told what core refused, and holds
    /// core to everything else: each refusal is counted once, changes nothing, and what is there is exact.
    #[test]
    fn a_full_span_counts_what_it_refuses_and_keeps_the_rest(script in strategy::script(), capacity in 0_usize..900) {
        let mut span = play::start(&script, Heap::up_to(capacity));
        let mut guided = Guided::start(&script, &span, capacity);
        for step in &script.steps {
            guided.step(&mut span, step);
        }
        guided.check(&span);
    }

    /// A body of exactly the bytes that the attributes need takes them all; one of a byte less refuses exactly the last.
    #[test]
    fn capacity_is_used_to_the_last_byte(script in strategy::script(), values in vec(strategy::shallow_value(), 1..12)) {
        let steps = values.into_iter().enumerate().map(|(index, value)| Step::Set(format!("key.{index}"), value));
        let mut script = Script { steps: steps.collect(), ..script };
        script.limits.attributes = 128;
        let needed = play::whole(&script, Heap::ample()).into_storage().as_bytes().len();
        let exact = play::whole(&script, Heap::up_to(needed)).counts();
        prop_assert_eq!((usize::from(exact.attributes), exact.dropped_attributes), (script.steps.len(), 0));
        let short = play::whole(&script, Heap::up_to(needed - 1)).counts();
        prop_assert_eq!((usize::from(short.attributes), short.dropped_attributes), (script.steps.len() - 1, 1));
    }

    /// A step is not refused, and nothing cut, if its result fits: a replacement may use the room of what it replaces. Only
    /// entries may ask for some bytes more than they take.
    #[test]
    fn nothing_is_refused_that_fits(
        script in strategy::script(),
        values in vec(strategy::shallow_value(), 1..6),
        last in strategy::modest_step(),
    ) {
        const SLACK: usize = 16;
        let slack = if matches!(last, Step::Set(..) | Step::Rename(_) | Step::Status(..)) { 0 } else { SLACK };
        let steps = values.into_iter().enumerate().map(|(index, value)| Step::Set(format!("key.{index}"), value));
        let before = Script { steps: steps.collect(), limits: strategy::WIDE, ..script };
        let mut after = before.clone();
        after.steps.push(last);
        let needed = |script| play::whole(script, Heap::ample()).into_storage().as_bytes().len();
        let capacity = needed(&before).max(needed(&after)) + slack;
        let span = play::whole(&after, Heap::up_to(capacity));
        check_live(&span, &Oracle::after(&after));
        prop_assert_eq!(span.counts().truncated_values, 0);
    }
}

/// An oracle that is told of every refusal, and keeps apart what cannot be known exactly.
struct Guided {
    oracle: Oracle,
    /// The status message, if only a beginning of it is there.
    cut_message: Option<String>,
    /// What was offered to each recorded event and link.
    event_attributes: Vec<Attributes>,
    link_attributes: Vec<Attributes>,
}

impl Guided {
    fn start(script: &Script, span: &Span<Heap>, capacity: usize) -> Self {
        let mut oracle = Oracle::start(script);
        let view = span.view(0);
        let is_name_cut = view.name() != script.name || capacity < 2;
        if is_name_cut {
            assert!(script.name.starts_with(view.name()), "a cut name is a beginning of the name");
            assert!(view.name().len() + 8 >= capacity, "and as long as the room allows");
            view.name().clone_into(&mut oracle.span.name);
        }
        let is_trace_state_missing = view.trace_state() != script.trace_state;
        if is_trace_state_missing {
            assert_eq!(view.trace_state(), "", "a list is whole or not there");
            oracle.span.trace_state.clear();
        }
        assert_eq!(span.counts().truncated_values, u32::from(is_name_cut) + u32::from(is_trace_state_missing));
        Self { oracle, cut_message: None, event_attributes: Vec::new(), link_attributes: Vec::new() }
    }

    fn step(&mut self, span: &mut Span<Heap>, step: &Step) {
        let before = span.counts();
        let is_recorded = play::step(span, step);
        let after = span.counts();
        let truncated = after.truncated_values - before.truncated_values;
        let expected = &mut self.oracle.span;
        match step {
            Step::Set(..) if after.dropped_attributes == before.dropped_attributes + 1 => {
                expected.dropped_attributes += 1;
                assert_eq!(truncated, 0, "refused is not cut");
                return;
            }
            Step::Set(..) => {
                let truncated_before = self.oracle.truncated;
                self.oracle.step(step);
                assert_eq!(truncated, self.oracle.truncated - truncated_before);
                return;
            }
            Step::Event { .. } | Step::Exception { .. } if !is_recorded => {
                expected.dropped_events += 1;
                return;
            }
            Step::Link { .. } if !is_recorded => {
                expected.dropped_links += 1;
                return;
            }
            // A name that does not fit leaves the old one.
            Step::Rename(_) if truncated > 0 => return,
            Step::Event { attributes, .. } => self.event_attributes.push(attributes.clone()),
            Step::Exception { .. } => self.event_attributes.push(oracle::exception_attributes(step)),
            Step::Link { attributes, .. } => self.link_attributes.push(attributes.clone()),
            Step::Status(code, message) if expected.status_code != 1 && *code != 0 => {
                self.cut_message = (truncated == 1).then(|| message.clone());
            }
            _ => assert_eq!(truncated, 0),
        }
        self.oracle.step(step);
    }

    fn check(mut self, span: &Span<Heap>) {
        let mut batch = Batch::new(Heap::ample());
        batch.push(span, self.oracle.span.end).expect("ample room");
        let live = views::span(&span.view(self.oracle.span.end));
        let finished = read_spans(batch.as_bytes()).pop().expect("one span");
        assert_eq!(live, finished);
        let limits = self.oracle.limits;
        let expected = &mut self.oracle.span;
        if let Some(message) = &self.cut_message {
            assert!(message.starts_with(&finished.status_message));
            assert_ne!(*message, finished.status_message, "counted as cut, but whole");
            expected.status_message.clone_from(&finished.status_message);
        }
        assert_eq!(expected.events.len(), finished.events.len());
        assert_eq!(expected.links.len(), finished.links.len());
        for ((expected, event), offered) in expected.events.iter_mut().zip(&finished.events).zip(&self.event_attributes)
        {
            check_entry(&event.attributes, event.dropped_attributes, offered, limits.event_attributes, limits);
            expected.attributes.clone_from(&event.attributes);
            expected.dropped_attributes = event.dropped_attributes;
        }
        for ((expected, link), offered) in expected.links.iter_mut().zip(&finished.links).zip(&self.link_attributes) {
            check_entry(&link.attributes, link.dropped_attributes, offered, limits.link_attributes, limits);
            expected.attributes.clone_from(&link.attributes);
            expected.dropped_attributes = link.dropped_attributes;
        }
        assert_eq!(finished.in_key_order(), self.oracle.span.clone().in_key_order());
    }
}

/// An entry does not say which attribute it refused, so: what is there was offered, nothing is there twice, and the counts
/// add up. An offer of a key that is there already is either a replacement or one more refusal.
fn check_entry(present: &model::Attributes, dropped: u32, offered: &Attributes, limit: u16, limits: Limits) {
    let expected = |value| oracle::expected(value, limits.value_length).0;
    for (key, value) in present {
        assert!(offered.iter().any(|(other, offer)| key == other && *value == expected(offer)), "never offered: {key}");
    }
    assert!(present.len() <= usize::from(limit));
    let keys: BTreeSet<&str> = offered.iter().map(|(key, _)| key.as_str()).collect();
    let accounted = present.len() + dropped as usize;
    assert!((keys.len()..=offered.len()).contains(&accounted), "{accounted} of {} offered", offered.len());
}
