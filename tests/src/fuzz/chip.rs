//! What comes over a line from a chip.

use clewline_core::compact::read_attributes;
use clewline_core::frame::{FrameReceiver, Joined, Message};
use clewline_core::{CompactSpans, FoundStrings, TimeAnchor};

use super::otlp;

/// Spans in compact form: each is read, and expanded to OTLP that can be read to the last field.
pub(super) fn compact(data: &[u8]) {
    const STRINGS: [&str; 3] = ["sensor.reading", "read sensor", "celsius"];
    let strings = |id: u32| STRINGS.get(usize::try_from(id).ok()?).copied();
    let anchor = TimeAnchor { ticks: 1 << 32, unix_nanos: 1_700_000_000_000_000_000, ticks_per_second: 32_768 };
    for span in CompactSpans::new(data) {
        let Ok(span) = span else { break };
        let _ = (span.context(), span.parent(), span.start_ticks(), span.end_ticks());
        if let Ok(expanded) = span.expand(&strings, &anchor, heapless::Vec::<u8, 4096>::new()) {
            otlp::span(&expanded.view());
        }
    }
    let _ = read_attributes(data).filter(Result::is_ok).count();
}

/// A line of bytes: every frame that comes out is one that went in, and the counts add up.
pub(super) fn frame(data: &[u8]) {
    let mut receiver = FrameReceiver::<600>::new(Joined::Later);
    let (mut frames, mut damaged) = (0, 0);
    for byte in data {
        match receiver.push(*byte) {
            None => {}
            Some(Err(_)) => damaged += 1,
            Some(Ok(frame)) => {
                frames += 1;
                match frame.message() {
                    Ok(Message::Spans(spans)) => compact(spans),
                    Ok(Message::Resource { attributes, .. }) => drop(read_attributes(attributes).count()),
                    Ok(Message::Strings(strings)) => drop(strings.iter().count()),
                    Ok(_) | Err(_) => {}
                }
            }
        }
    }
    let counts = receiver.counts();
    assert_eq!((counts.received, counts.damaged), (frames, damaged));
}

/// A program's image: what is found in it has the form of a string table, and is found again by its fingerprint.
pub(super) fn image(data: &[u8]) {
    let mut strings = 0;
    for table in FoundStrings::find(data) {
        assert!(table.len() > 0 && table.iter().count() as u64 == u64::from(table.len()));
        assert!(table.iter().all(|text| !text.is_empty() && text.bytes().all(|byte| byte >= 0x20)));
        let again = table.with_fingerprint(table.fingerprint()).expect("it has this fingerprint");
        // A shorter table may have the same one, by chance.
        assert!(again == table || again.len() < table.len());
        strings += table.iter().map(|text| text.len() + 3).sum::<usize>();
    }
    assert!(strings <= data.len(), "tables do not overlap");
}
