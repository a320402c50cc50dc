//! `traceparent` against a second reading of W3C Trace Context level 2, section 3.2.

use clewline_core::traceparent::{Traceparent, TraceparentError, extract, parse};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{config, play, strategy};

/// What the header means: trace id, parent id and known flags as text and bits; `None` if the trace has to start anew.
///
/// Written from the specification's own order of steps (section 3.2.4, "Versioning of traceparent"), on text.
fn specified(header: &[u8]) -> Option<(String, String, u8)> {
    // RFC 9110, section 5.5: leading and trailing optional white space is no part of a field value.
    // Bytes that are no text can only stand in what a later version adds, of which nothing is assumed.
    let header = String::from_utf8_lossy(header);
    let header = header.trim_matches([' ', '\t']);
    let is_lower_hex = |text: &str| text.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
    let mut parts = header.splitn(5, '-');
    let (version, trace_id, parent_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let has_more = parts.next().is_some();
    let widths = [version.len(), trace_id.len(), parent_id.len(), flags.len()];
    if widths != [2, 32, 16, 2] || ![version, trace_id, parent_id, flags].into_iter().all(is_lower_hex) {
        return None;
    }
    // 3.2.2.1: ff is invalid. 3.2.2.2: version 00 ends after the flags.
    if version == "ff" || (version == "00" && has_more) {
        return None;
    }
    // 3.2.2.3 and 3.2.2.4: all zeros are invalid.
    if trace_id.bytes().all(|byte| byte == b'0') || parent_id.bytes().all(|byte| byte == b'0') {
        return None;
    }
    // 3.2.2.5: bits other than sampled and random are ignored.
    let flags = u8::from_str_radix(flags, 16).ok()? & 0b11;
    Some((trace_id.to_owned(), parent_id.to_owned(), flags))
}

fn read(header: &[u8]) -> Option<(String, String, u8)> {
    let context = parse(header).ok()?;
    assert!(context.is_remote(), "what came in a header came from elsewhere");
    Some((context.trace_id().to_string(), context.span_id().to_string(), context.flags().bits()))
}

/// Valid headers of all versions, with and without what a later version may add.
fn valid() -> impl Strategy<Value = Vec<u8>> {
    let version = prop_oneof![3 => Just(0_u8), 1 => 0..255_u8];
    let rest = prop_oneof![Just(String::new()), "-[ -~]{0,12}".prop_map(|rest| rest.trim_end().to_owned())];
    (version, strategy::context(), rest).prop_map(|(version, context, rest)| {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let flags = context.flags;
        let rest = if version == 0 { "" } else { rest.as_str() };
        format!("{version:02x}-{}-{}-{flags:02x}{rest}", hex(&context.trace_id), hex(&context.span_id)).into_bytes()
    })
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn what_is_written_is_read(context in strategy::context()) {
        let context = play::context(&context).into_remote();
        let written = Traceparent::new(context);
        prop_assert_eq!(parse(written.as_bytes()), Ok(context));
        prop_assert_eq!(extract([written.as_bytes().as_slice()]), Ok(context));
        prop_assert_eq!(written.to_string(), written.as_str());
        let expected = format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.flags().bits());
        prop_assert_eq!(written.as_str(), expected);
    }

    #[test]
    fn what_is_read_is_written_in_version_00(header in valid()) {
        let (trace_id, parent_id, flags) = specified(&header).expect("the generator makes valid headers");
        let context = parse(&header).unwrap();
        let written = Traceparent::new(context);
        prop_assert_eq!(written.as_str(), format!("00-{trace_id}-{parent_id}-{flags:02x}"));
    }

    #[test]
    fn arbitrary_bytes_never_panic(header in vec(any::<u8>(), 0..80)) {
        prop_assert_eq!(read(&header), specified(&header));
    }

    #[test]
    fn header_like_text_gets_the_verdict_of_the_specification(
        header in "[0-9a-fA-F]{2}-(0{32}|[0-9a-f]{30,34})-(0{16}|[0-9a-f]{16})-[0-9a-f]{1,3}(-|-x|\\.)?[ \t]?",
    ) {
        prop_assert_eq!(read(header.as_bytes()), specified(header.as_bytes()));
    }
}

proptest! {
    #![proptest_config(config(64))]

    /// Every byte at every place, one at a time; one byte less and one more at every place.
    #[test]
    fn one_changed_byte_gets_the_verdict_of_the_specification(header in valid()) {
        for place in 0..header.len() {
            let mut changed = header.clone();
            for byte in 0..=255 {
                changed[place] = byte;
                prop_assert_eq!(read(&changed), specified(&changed), "{:?}", String::from_utf8_lossy(&changed));
            }
            changed.remove(place);
            prop_assert_eq!(read(&changed), specified(&changed));
            for byte in *b"0 -g\t\n\r\xc3" {
                let mut longer = header.clone();
                longer.insert(place, byte);
                prop_assert_eq!(read(&longer), specified(&longer));
            }
        }
    }

    #[test]
    fn two_headers_are_none(header in valid()) {
        prop_assert_eq!(extract([header.as_slice(), header.as_slice()]), Err(TraceparentError::Repeated));
        prop_assert_eq!(extract([]), Err(TraceparentError::Missing));
    }
}
