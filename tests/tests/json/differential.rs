//! JSON of any origin: held against `serde_json` and the official messages' own serde, and never a panic.
//!
//! Where the official messages (opentelemetry-proto 0.33) are wrong, they are not asked: they write `null` for doubles that
//! are not finite, and refuse the names that the mapping has for them.

use clewline_core::RequestView;
use clewline_core::json::{JsonErrorKind, RequestSeed};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use prost::Message as _;
use serde::de::DeserializeSeed as _;

use crate::{Buffer, config, map_doubles, official, read, seen, strategy, write};

/// Both deserialisers take it, with the same outcome, or both refuse it.
fn compare(json: &[u8]) -> Result<(), TestCaseError> {
    let mut out = Box::<Buffer>::default();
    // `serde_json` checks a text that it passes over neither for UTF-8; core does.
    let is_utf8 = std::str::from_utf8(json).is_ok();
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let theirs = RequestSeed::new(out.as_mut_view()).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (read(json), theirs) {
        (Ok(ours), Ok(())) => {
            prop_assert_eq!(&ours, &out.to_vec());
            prop_assert!(RequestView::parse(&ours).is_ok(), "what is written is a request");
        }
        (Ok(_), Err(error)) => prop_assert!(false, "accepted, but serde_json says: {error}"),
        (Err(error), Ok(())) => {
            prop_assert!(!is_utf8 && error.kind == JsonErrorKind::NotUtf8, "serde_json accepts it, but: {error}");
        }
        (Err(error), Err(_)) => prop_assert!(error.offset <= json.len(), "{error}, of {} bytes", json.len()),
    }
    Ok(())
}

/// Pieces of which requests are made, and of which they are not.
fn piece() -> impl Strategy<Value = &'static str> {
    select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u",
        "\\ud83d",
        "\\udc4b",
        "\\u00e9",
        "\\n",
        "null",
        "true",
        "false",
        "0",
        "1",
        "-",
        "-0",
        "1.5",
        "1e3",
        "9223372036854775808",
        "1e999",
        " ",
        "\n",
        "\u{1}",
        "é",
        "\"NaN\"",
        "\"12\"",
        "\"resourceSpans\":",
        "\"scopeSpans\":",
        "\"spans\":",
        "\"traceId\":",
        "\"kind\":",
        "\"attributes\":",
        "\"key\":",
        "\"value\":",
        "\"arrayValue\":",
        "\"values\":",
        "\"doubleValue\":",
        "\"intValue\":",
        "\"bytesValue\":",
        "\"x\":",
    ])
}

proptest! {
    #![proptest_config(config(2048))]

    #[test]
    fn arbitrary_bytes_are_judged_as_by_serde_json(bytes in vec(any::<u8>(), 0..64)) {
        compare(&bytes)?;
    }

    #[test]
    fn pieces_in_any_order_are_judged_as_by_serde_json(pieces in vec(piece(), 0..24)) {
        compare(pieces.concat().as_bytes())?;
    }

    /// A request with a few changes gets further than noise does.
    #[test]
    fn damaged_requests_are_judged_as_by_serde_json(
        request in strategy::model_request(),
        damage in vec((any::<Index>(), 0..4_usize, piece()), 1..4),
    ) {
        let bytes = official::write(&request).encode_to_vec();
        let mut json = write(&RequestView::parse(&bytes).unwrap());
        for (place, removed, piece) in damage {
            let at = place.index(json.len());
            json.splice(at..(at + removed).min(json.len()), piece.bytes());
        }
        compare(&json)?;
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn official_messages_are_understood_and_understand(request in strategy::model_request()) {
        let mut request = request;
        map_doubles(&mut request, &|number| if number.is_finite() { number } else { 0.5 });
        let official = official::write(&request);
        let theirs = serde_json::to_vec(&official).unwrap();
        prop_assert_eq!(seen(&theirs), Some(request.clone()), "{}", String::from_utf8_lossy(&theirs));
        let bytes = official.encode_to_vec();
        let ours = write(&RequestView::parse(&bytes).unwrap());
        let again: official::Request = serde_json::from_slice(&ours).unwrap();
        prop_assert_eq!(official::read(&again), Some(request), "{}", String::from_utf8_lossy(&ours));
    }
}
