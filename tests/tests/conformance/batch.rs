//! Batches: full ones count and keep, prefixes split between spans, and requests one behind the other are one request.

use clewline_core::{Batch, CapacityError, Envelope, Scope, Value};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::heap::Heap;
use crate::model;
use crate::oracle::Oracle;
use crate::recording::{read, read_spans, request};
use crate::script::Script;
use crate::{config, play, strategy};

/// Pushes each script's span; answers the batch and which spans it took.
fn fill(scripts: &[Script], capacity: usize) -> (Batch<Heap>, Vec<bool>) {
    let mut batch = Batch::new(Heap::up_to(capacity));
    let mut taken = Vec::new();
    for script in scripts {
        let span = play::whole(script, Heap::ample());
        let (bytes, room) = (batch.as_bytes().to_vec(), batch.room());
        let result = batch.push(&span, script.end);
        if result == Err(CapacityError) {
            assert_eq!((batch.as_bytes(), batch.room()), (bytes.as_slice(), room), "refused, and nothing changed");
        } else {
            assert!(batch.as_bytes().starts_with(&bytes), "what was there stays");
        }
        taken.push(result.is_ok());
    }
    (batch, taken)
}

fn expected<'a>(scripts: impl IntoIterator<Item = &'a Script>) -> Vec<model::Span> {
    scripts.into_iter().map(|script| Oracle::after(script).span.in_key_order()).collect()
}

fn in_key_order(spans: Vec<model::Span>) -> Vec<model::Span> {
    spans.into_iter().map(model::Span::in_key_order).collect()
}

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn a_full_batch_counts_and_keeps(scripts in vec(strategy::script(), 1..6), capacity in 0_usize..3_000) {
        let (batch, taken) = fill(&scripts, capacity);
        let kept = scripts.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(script, _)| script);
        let kept = expected(kept);
        prop_assert_eq!(batch.len() as usize, kept.len());
        prop_assert_eq!(batch.is_empty(), kept.is_empty());
        prop_assert_eq!(batch.dropped() as usize, scripts.len() - kept.len());
        prop_assert_eq!(batch.iter().count(), kept.len());
        prop_assert_eq!(in_key_order(read_spans(batch.as_bytes())), kept);
    }

    /// A batch of exactly the bytes needed takes all; of a byte less, all but the last.
    #[test]
    fn a_batch_is_used_to_the_last_byte(scripts in vec(strategy::script(), 1..4)) {
        let (ample, _) = fill(&scripts, 1 << 24);
        let needed = ample.as_bytes().len();
        prop_assert_eq!(fill(&scripts, needed).1, vec![true; scripts.len()]);
        let (short, taken) = fill(&scripts, needed - 1);
        prop_assert!(!taken[scripts.len() - 1]);
        prop_assert_eq!((short.len() as usize, short.dropped()), (scripts.len() - 1, 1));
    }

    /// Splitting by bytes, as a host does under a limit of its transport: every span leaves once, whole and in order.
    #[test]
    fn prefixes_take_every_span_once(scripts in vec(strategy::script(), 1..6), max_bytes in 50_usize..2_000) {
        let (mut batch, _) = fill(&scripts, 1 << 24);
        let mut left = Vec::new();
        let (mut spans, mut rounds) = (batch.len(), 0);
        while !batch.is_empty() {
            let whole = batch.as_bytes().len();
            let first = batch.prefix(max_bytes);
            prop_assert!(first.1 <= max_bytes);
            // A span that is longer than the limit goes alone.
            let prefix = if first.0 == 0 { (whole.min(max_bytes)..).map(|end| batch.prefix(end)).find(|p| p.0 == 1).unwrap() } else { first };
            prop_assert_eq!(batch.prefix(prefix.1), prefix);
            prop_assert_eq!(batch.prefix(prefix.1 - 1).0, prefix.0 - 1, "not one byte more than needed");
            left.extend(read_spans(&batch.as_bytes()[..prefix.1]));
            let rest = batch.as_bytes()[prefix.1..].to_vec();
            batch.remove_oldest(prefix.0);
            prop_assert_eq!(batch.as_bytes(), rest.as_slice());
            spans -= prefix.0;
            prop_assert_eq!(batch.len(), spans);
            rounds += 1;
            prop_assert!(rounds <= scripts.len());
        }
        prop_assert_eq!(in_key_order(left), expected(&scripts));
        prop_assert_eq!(batch.prefix(usize::MAX), (0, 0));
        prop_assert_eq!(batch.dropped(), 0);
    }

    /// Protobuf: messages one behind the other are one message, so hosts can join bodies without decoding them.
    #[test]
    fn requests_in_a_row_decode_as_one(
        first in vec(strategy::script(), 0..3),
        second in vec(strategy::script(), 0..3),
        resource in strategy::distinct_attributes(),
    ) {
        let scope = Vec::new();
        let one = request(fill(&first, 1 << 24).0.as_bytes(), &resource, &scope);
        let other = request(fill(&second, 1 << 24).0.as_bytes(), &scope, &resource);
        let joined = read(&[one.as_slice(), &other].concat());
        let mut apart = read(&one).resource_spans;
        apart.extend(read(&other).resource_spans);
        prop_assert_eq!(joined, model::Request { resource_spans: apart });
    }

    #[test]
    fn an_emptied_batch_is_new_but_for_its_drop_count(scripts in vec(strategy::script(), 1..4)) {
        let (mut batch, _) = fill(&scripts, 0);
        prop_assert_eq!(batch.dropped() as usize, scripts.len());
        batch.clear();
        prop_assert_eq!((batch.len(), batch.as_bytes(), batch.dropped() as usize), (0, &[][..], scripts.len()));
        let (mut batch, _) = fill(&scripts, 1 << 24);
        let before = batch.as_bytes().to_vec();
        batch.clear();
        prop_assert!(batch.is_empty() && batch.iter().next().is_none());
        for script in &scripts {
            prop_assert_eq!(batch.push(&play::whole(script, Heap::ample()), script.end), Ok(()));
        }
        prop_assert_eq!(batch.as_bytes(), before.as_slice());
    }
}

/// An envelope or a request that does not fit is refused whole, and one that fits exactly is not.
#[test]
fn an_envelope_fits_exactly_or_not_at_all() {
    let resource = [("service.name", Value::from("shop")), ("process.pid", Value::from(4_711_u32))];
    let scope = Scope { name: "shop", version: "1", attributes: &[("a", Value::Bool(true))], schema_url: "s" };
    let needed = |storage| Envelope::new(storage, &resource, &scope);
    let sizes: Vec<usize> = (0..200).filter(|size| needed(Heap::up_to(*size)).is_ok()).collect();
    let smallest = sizes[0];
    assert_eq!(sizes, (smallest..200).collect::<Vec<_>>());
    let envelope = needed(Heap::up_to(smallest)).unwrap();
    let length = envelope.request_len(3);
    for capacity in 0..length {
        let mut out = Heap::up_to(capacity);
        assert_eq!(envelope.write_request(b"abc", &mut out), Err(CapacityError));
        assert_eq!(out.as_bytes(), b"");
    }
    let mut out = Heap::up_to(length);
    assert_eq!(envelope.write_request(b"abc", &mut out), Ok(()));
    assert_eq!(out.as_bytes().len(), length);
    // A second request goes behind the first, which is how requests are joined.
    let mut both = Heap::up_to(2 * length);
    assert_eq!(envelope.write_request(b"abc", &mut both), Ok(()));
    assert_eq!(envelope.write_prefix(0, &mut both), Ok(()));
    assert!(both.as_bytes().starts_with(out.as_bytes()));
    assert_eq!(both.as_bytes().len(), length + envelope.request_len(0));
    // The envelope's own bytes, and five bytes of tags and lengths around them and the spans.
    assert_eq!(length, smallest + 3 + 4);
}
