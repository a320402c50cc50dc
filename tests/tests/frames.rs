//! Frames over a line that loses, repeats, swaps and garbles: what arrives is right, and what does not is counted exactly.

use clewline_core::frame::{
    FrameDecoder, FrameEncoder, FrameError, FrameReceiver, Joined, Message, MessageError, MessageType, ReceiverCounts,
    VERSION,
};
use clewline_core::{CompactError, SpanContext, SpanId, TraceFlags, TraceId, binary::BinaryError, string_table};
use clewline_core::{StringTable, frame::StringsChunk};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed};

const BUFFER: usize = 600;

fn config(cases: u32) -> Config {
    let seed = RngSeed::Fixed(0x0af7_6519_16cd_43dd);
    Config { cases, rng_seed: seed, failure_persistence: None, ..Config::default() }
}

fn encode(encoder: &mut FrameEncoder, message: &Message<'_>, dropped: u32) -> Vec<u8> {
    encoder.encode(message, dropped, &mut [0; BUFFER]).expect("the buffer is large enough").to_vec()
}

/// Frames of one boot, with contents of all lengths around the block length of the byte stuffing.
fn frames(contents: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut encoder = FrameEncoder::new(0x00c0_ffee, 3);
    contents.iter().map(|content| encode(&mut encoder, &Message::Spans(content), 0)).collect()
}

/// What arrived on a line: the contents with their numbers, and the counts.
fn receive(joined: Joined, line: &[u8]) -> (Vec<(u16, Vec<u8>)>, ReceiverCounts) {
    let mut receiver = FrameReceiver::<BUFFER>::new(joined);
    let mut arrived = Vec::new();
    for &byte in line {
        if let Some(Ok(frame)) = receiver.push(byte) {
            arrived.push((frame.header().sequence, frame.content().to_vec()));
        }
    }
    (arrived, *receiver.counts())
}

fn context() -> SpanContext {
    let ids = (TraceId::from_bytes([7; 16]), SpanId::from_bytes([9; 8]));
    let (Some(trace_id), Some(span_id)) = ids else { panic!("not zero") };
    SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED).into_remote()
}

#[test]
fn every_message_comes_back() {
    string_table! { struct Names { READ = "read sensor", UNIT = "sensor.unit" } }
    let mut chunk = StringsChunk::<64>::new();
    assert_eq!(chunk.fill(&Names::strings(), 0), Some(2));
    let messages = [
        (MessageType::Resource, Message::Resource { ticks_per_second: 1_000_000, attributes: b"attributes" }),
        (MessageType::Spans, Message::Spans(b"spans")),
        (MessageType::OtlpSpans, Message::OtlpSpans(b"\0\0")),
        (MessageType::Strings, Message::Strings(chunk.message())),
        (MessageType::TimeAnswer, Message::TimeAnswer { token: 0x0102_0304, ticks: u64::MAX }),
        (MessageType::TimeRequest, Message::TimeRequest { token: 0 }),
        (MessageType::Context, Message::Context(context())),
        (MessageType::DescriptionRequest, Message::DescriptionRequest),
    ];
    let mut encoder = FrameEncoder::new(u32::MAX, 300);
    for ((kind, message), sequence) in messages.into_iter().zip(0..) {
        let bytes = encode(&mut encoder, &message, 70_000);
        assert_eq!(bytes.iter().position(|&byte| byte == 0), Some(bytes.len() - 1), "one end mark, at the end");
        let mut decoder = FrameDecoder::<BUFFER>::new();
        let mut ended = bytes.iter().filter_map(|&byte| {
            decoder.push(byte).map(|frame| {
                let frame = frame.expect("whole");
                assert_eq!(frame.message(), Ok(message));
                *frame.header()
            })
        });
        let header = ended.next().expect("one frame");
        assert_eq!(header.known_type(), Some(kind));
        assert_eq!((header.sequence, header.build_id), (sequence, u32::MAX));
        assert_eq!((header.boot_epoch, header.dropped_spans), (300, 70_000));
    }
}

/// Builds a frame by hand, from the documentation's picture.
fn by_hand(first: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = [&[first, 5, 0][..], &[0xee, 0xff, 0xc0, 0], &[3, 1], content].concat();
    let checksum = crc::Crc::<u16>::new(&crc::CRC_16_IBM_3740).checksum(&bytes);
    bytes.extend(checksum.to_le_bytes());
    let mut frame = cobs::encode_vec(&bytes);
    frame.push(0);
    frame
}

/// Stuffing and checksum are written out in core, as the crates for them take more flash: here they are beside those crates.
#[test]
fn a_frame_is_what_the_crates_make_of_it() {
    let mut encoder = FrameEncoder::new(0x00c0_ffee, 3);
    let mut sequence = 0_u16;
    for length in 0..540_usize {
        for zero in [0, 1, 100, 239, 240, 241, 253, 254, 255, 256, length.saturating_sub(1), usize::MAX] {
            let mut content: Vec<u8> = (1..=u8::MAX).cycle().take(length).collect();
            if let Some(byte) = content.get_mut(zero) {
                *byte = 0;
            }
            let frame = encode(&mut encoder, &Message::Spans(&content), 1);
            let mut bytes = vec![VERSION << 4 | MessageType::Spans as u8];
            bytes.extend(sequence.to_le_bytes());
            sequence += 1;
            bytes.extend([0xee, 0xff, 0xc0, 0, 3, 1]);
            bytes.extend(&content);
            let checksum = crc::Crc::<u16>::new(&crc::CRC_16_IBM_3740).checksum(&bytes);
            bytes.extend(checksum.to_le_bytes());
            assert_eq!(frame, [cobs::encode_vec(&bytes), vec![0]].concat(), "{length} bytes, 0 at {zero}");
        }
    }
}

#[test]
fn what_a_frame_can_have_wrong_is_named() {
    let decode = |bytes: &[u8]| {
        let mut decoder = FrameDecoder::<32>::new();
        let ended: Vec<_> = bytes
            .iter()
            .filter_map(|&byte| decoder.push(byte).map(|frame| frame.map(|frame| frame.message().map(drop))))
            .collect();
        ended
    };
    let version = VERSION << 4;
    let changed = |frame: &[u8]| [&frame[..4], &[frame[4] ^ 1], &frame[5..]].concat();
    type Verdict = Result<Result<(), MessageError>, FrameError>;
    let table: &[(&str, Vec<u8>, Verdict)] = &[
        ("whole", by_hand(version | 8, &[1, 2, 3, 4]), Ok(Ok(()))),
        ("another version", by_hand(0x20 | 8, &[1, 2, 3, 4]), Err(FrameError::Version(2))),
        ("one bit changed", changed(&by_hand(version | 8, &[1, 2, 3, 4])), Err(FrameError::Checksum)),
        ("one byte missing", by_hand(version | 8, &[1, 2, 3, 4])[1..].to_vec(), Err(FrameError::Stuffing)),
        ("nothing but a checksum", [cobs::encode_vec(&[0xff, 0xff]), vec![0]].concat(), Err(FrameError::TooShort)),
        ("a single byte", [cobs::encode_vec(&[1]), vec![0]].concat(), Err(FrameError::TooShort)),
        ("longer than the buffer", by_hand(version | 2, &[9; 40]), Err(FrameError::TooLong)),
        ("a type to come", by_hand(version | 15, &[]), Ok(Err(MessageError::UnknownType(15)))),
        ("a short request", by_hand(version | 8, &[1]), Ok(Err(MessageError::Content(CompactError::Truncated)))),
        ("no context", by_hand(version | 9, &[1]), Ok(Err(MessageError::Context(BinaryError::Version)))),
    ];
    for (what, bytes, expected) in table {
        assert_eq!(decode(bytes), [*expected], "{what}");
        // Whatever it was, the next frame is read.
        let followed = decode(&[&bytes[..], &by_hand(version | 10, &[])].concat());
        assert_eq!(followed.last(), Some(&Ok(Ok(()))), "behind {what}");
    }
    assert_eq!(decode(&[0, 0, 0]), [], "end marks alone are nothing");
}

#[test]
fn a_frame_that_does_not_fit_gets_no_number() {
    let mut encoder = FrameEncoder::new(1, 1);
    let whole = encode(&mut FrameEncoder::new(1, 1), &Message::Spans(&[5; 300]), 0);
    for room in 0..whole.len() {
        assert!(encoder.encode(&Message::Spans(&[5; 300]), 0, &mut vec![0; room]).is_err(), "{room}");
    }
    let fitting = encoder.encode(&Message::Spans(&[5; 300]), 0, &mut vec![0; whole.len()]).map(<[u8]>::to_vec);
    assert_eq!(fitting, Ok(whole));
}

#[test]
fn boots_begin_a_new_count() {
    let boot = |epoch, frames: usize, dropped| {
        let mut encoder = FrameEncoder::new(1, epoch);
        (0..frames).map(|_| encode(&mut encoder, &Message::DescriptionRequest, dropped)).collect::<Vec<_>>()
    };
    let (first, second, third) = (boot(1, 4, 5), boot(2, 3, 2), boot(2, 100, 2));
    // Lost: frame 0 and 2 of the first boot, frame 0 of the second.
    let line = [&first[1][..], &first[3], &second[1], &second[2]].concat();
    let (_, counts) = receive(Joined::BeforeBoot, &line);
    let expected = ReceiverCounts { received: 4, lost: 3, boots: 1, dropped_spans: 7, ..ReceiverCounts::default() };
    assert_eq!(counts, expected);
    let (_, later) = receive(Joined::Later, &line);
    assert_eq!(later, ReceiverCounts { lost: 2, ..expected }, "nobody waited for frame 0");
    // A chip that does not count its boots is known by numbers that go back beyond what lateness explains.
    let (_, unannounced) = receive(Joined::BeforeBoot, &[third.concat(), third[..2].concat()].concat());
    assert_eq!((unannounced.boots, unannounced.received, unannounced.lost), (1, 102, 0));
}

/// As datagrams do: the last frames of a boot arrive behind the first of the next.
#[test]
fn what_a_boot_overtakes_is_late_and_no_boot_of_its_own() {
    let of_boot = |epoch| {
        let mut encoder = FrameEncoder::new(1, epoch);
        (0..100).map(|number| encode(&mut encoder, &Message::DescriptionRequest, number)).collect::<Vec<_>>()
    };
    let (first, second, third) = (of_boot(1), of_boot(2), of_boot(3));
    let line = [
        &first[..2].concat(),
        &first[3],
        &second[0],
        &first[2],
        &first[3],
        &second[1],
        &first[5],
        &second[3..70].concat(),
        &third[0],
    ];
    let (arrived, counts) = receive(Joined::BeforeBoot, &line.map(|part| &part[..]).concat());
    // Frame 4 of the first boot and 2 of the second are lost; 5 and 69 spans were dropped when the last of each was sent.
    let expected =
        ReceiverCounts { received: 75, lost: 2, repeated: 1, late: 2, boots: 2, dropped_spans: 74, damaged: 0 };
    assert_eq!((arrived.len(), counts), (75, expected));
}

#[test]
fn the_sequence_goes_around() {
    let mut encoder = FrameEncoder::new(1, 1);
    let mut receiver = FrameReceiver::<64>::new(Joined::BeforeBoot);
    for number in 0..70_000_u32 {
        let bytes = encode(&mut encoder, &Message::DescriptionRequest, 0);
        if number % 1000 != 999 {
            for byte in bytes {
                receiver.push(byte);
            }
        }
    }
    // The seventieth frame to be lost is the last one, which nobody can know of.
    assert_eq!((receiver.counts().received, receiver.counts().lost), (69_930, 69));
}

/// What a line does with one frame.
#[derive(Clone, Debug)]
enum Fate {
    Arrives,
    Lost,
    Repeated,
    /// Arrives behind the next one.
    Delayed,
    Changed(Index, u8),
    /// Loses some bytes at its end, so that it runs into the next one.
    Cut(Index),
    /// Comes behind bytes that are none of ours.
    AfterNoise(Vec<u8>),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Arrives),
        2 => Just(Fate::Lost),
        1 => Just(Fate::Repeated),
        1 => Just(Fate::Delayed),
        2 => (any::<Index>(), 1..=u8::MAX).prop_map(|(index, bits)| Fate::Changed(index, bits)),
        2 => any::<Index>().prop_map(Fate::Cut),
        1 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(Fate::AfterNoise),
    ]
}

fn line(frames: &[Vec<u8>], fates: &[Fate]) -> Vec<u8> {
    let mut line = Vec::new();
    let mut delayed = Vec::new();
    for (frame, fate) in frames.iter().zip(fates) {
        match fate {
            Fate::Arrives => line.extend(frame),
            Fate::Lost => {}
            Fate::Repeated => line.extend([&frame[..], frame].concat()),
            Fate::Delayed => {
                delayed.extend(frame);
                continue;
            }
            Fate::Changed(index, bits) => {
                let mut frame = frame.clone();
                let index = index.index(frame.len());
                frame[index] ^= bits;
                line.extend(frame);
            }
            Fate::Cut(index) => line.extend(&frame[..index.index(frame.len())]),
            Fate::AfterNoise(noise) => line.extend([noise, &frame[..]].concat()),
        }
        line.append(&mut delayed);
    }
    line
}

/// A content, every other byte of it zero, drawn as one number: byte by byte takes a build without optimisation ten times as long.
fn content() -> impl Strategy<Value = Vec<u8>> {
    (0..270_usize, any::<u64>()).prop_map(|(length, seed)| {
        // The step and the mix of SplitMix64 (Steele, Lea and Flood, 2014).
        let bytes = (1..).map(|step: u64| {
            let mixed = seed.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let [byte, choice, ..] = (mixed ^ (mixed >> 27)).to_be_bytes();
            if choice % 2 == 0 { 0 } else { byte }
        });
        bytes.take(length).collect()
    })
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn exactly_the_frames_that_did_not_arrive_are_counted(
        contents in proptest::collection::vec(content(), 40),
        fates in proptest::collection::vec(fate(), 40),
    ) {
        let frames = frames(&contents);
        let line = line(&frames, &fates);
        // What arrives, told without a decoder: what stands whole between two end marks.
        let whole: Vec<usize> = line
            .split_inclusive(|&byte| byte == 0)
            .filter_map(|run| frames.iter().position(|frame| frame == run))
            .collect();
        let mut once = whole.clone();
        once.sort_unstable();
        once.dedup();

        let (arrived, counts) = receive(Joined::BeforeBoot, &line);
        let mut numbers: Vec<usize> = arrived.iter().map(|(sequence, _)| usize::from(*sequence)).collect();
        numbers.sort_unstable();
        prop_assert_eq!(&numbers, &once);
        for (sequence, content) in &arrived {
            prop_assert_eq!(content, &contents[usize::from(*sequence)]);
        }
        prop_assert_eq!(counts.received, once.len() as u64);
        prop_assert_eq!(counts.repeated, (whole.len() - once.len()) as u64);
        let known = once.last().map_or(0, |last| last + 1);
        prop_assert_eq!(counts.lost, (known - once.len()) as u64);
    }

    #[test]
    fn noise_is_never_a_frame_and_does_not_hide_the_next(noise in proptest::collection::vec(any::<u8>(), 0..700)) {
        let next = frames(&[vec![1, 2, 3]]).concat();
        let (arrived, counts) = receive(Joined::BeforeBoot, &[&noise[..], &[0], &next].concat());
        prop_assert_eq!(arrived, [(0, vec![1, 2, 3])]);
        prop_assert_eq!((counts.received, counts.lost, counts.boots), (1, 0, 0));
    }
}
