//! `tracestate`, its `ot` member and `baggage` against second readings of their specifications.
//!
//! Runs are reproducible: fixed seed, fixed number of cases. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` change both.

#[path = "common/cases.rs"]
mod cases;

use cases::config;
use clewline_core::baggage::{self, Baggage, BaggageError, InlineBaggage};
use clewline_core::ot::{MAX_VALUE, OtState};
use clewline_core::tracestate::{self, InlineTraceState, TraceStateError, TraceStateView};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

type Pairs = Vec<(String, String)>;

fn owned<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Pairs {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn slices(lines: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> + Clone {
    lines.iter().map(Vec::as_slice)
}

/// What several lines are together: RFC 9110, sections 5.3 and 5.6.1.
fn combined(lines: &[Vec<u8>]) -> Vec<String> {
    // Each byte as one character, so that bytes which are no text stay what they are.
    let text: String = lines.join(&b',').iter().map(|byte| char::from(*byte)).collect();
    let members = text.split(',').map(|member| member.trim_matches([' ', '\t']).to_owned());
    members.filter(|member| !member.is_empty()).collect()
}

/// W3C Trace Context level 2, section 3.3.2; `None` if the list is invalid.
fn specified_list(lines: &[Vec<u8>]) -> Option<Pairs> {
    let members = combined(lines);
    let pairs: Option<Pairs> = members.iter().map(|member| specified_pair(member)).collect();
    pairs.filter(|pairs| pairs.len() <= 32)
}

fn specified_pair(member: &str) -> Option<(String, String)> {
    let (key, value) = member.split_once('=')?;
    let is_first = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let is_key =
        key.starts_with(is_first) && key.chars().all(|character| is_first(character) || "_-*/@".contains(character));
    let is_value = value.chars().all(|character| (' '..='~').contains(&character) && character != '=');
    let fits = (1..=256).contains(&key.len()) && (1..=256).contains(&value.len());
    (is_key && is_value && fits && !value.ends_with(' ')).then(|| (key.to_owned(), value.to_owned()))
}

fn joined(pairs: &Pairs) -> String {
    pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// Section 3.3.3.1, said of a whole list of which the first `protected` stay.
fn shorten(pairs: &mut Pairs, limit: usize, protected: usize) {
    while joined(pairs).len() > limit && pairs.len() > protected {
        let is_large = |(key, value): &(String, String)| key.len() + 1 + value.len() > 128;
        let large = pairs.iter().rposition(is_large).filter(|index| *index >= protected);
        pairs.remove(large.unwrap_or(pairs.len() - 1));
    }
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(vec!["a", "b", "c", "rojo", "congo", "ot", "t@v", "0"]).prop_map(str::to_owned),
        2 => "[a-z0-9][a-z0-9_*/@-]{0,20}",
        1 => (250_usize..258).prop_map(|length| "k".repeat(length)),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[!-+--<>-~]{1,12}",
        2 => "[ -+--<>-~]{0,20}[!-+--<>-~]",
        1 => (100_usize..140).prop_map(|length| "v".repeat(length)),
        1 => (250_usize..258).prop_map(|length| "v".repeat(length)),
    ]
}

/// Lines close to valid ones: valid members, members with something wrong, and noise.
fn lines(member: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let white = select(vec!["", "", " ", "\t", " \t "]);
    let member = (white.clone(), member, white).prop_map(|(before, member, after)| format!("{before}{member}{after}"));
    let good = vec(member, 0..12).prop_map(|members| members.join(",").into_bytes());
    let noise = vec(select(b"aA0z=,;% \t\"\\+_-@\x7f\x00\xc3\xa9\xff".to_vec()), 0..24);
    vec(prop_oneof![8 => good, 1 => noise, 1 => vec(any::<u8>(), 0..24)], 0..4)
}

fn list_lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let pair = (key(), value()).prop_map(|(key, value)| format!("{key}={value}"));
    let member = prop_oneof![60 => pair, 3 => Just(String::new()), 1 => "[a-zA-Z=. é]{1,6}"];
    lines(member.boxed())
}

#[derive(Clone, Debug)]
enum Change {
    Set(String, String),
    Remove(String),
    Truncate(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (key(), value()).prop_map(|(key, value)| Change::Set(key, value)),
        2 => key().prop_map(Change::Remove),
        1 => (0_usize..600).prop_map(Change::Truncate),
    ]
}

/// Reads and changes a list of at most `N` bytes beside the model.
fn follow<const N: usize>(lines: &[Vec<u8>], changes: &[Change]) -> Result<(), TestCaseError> {
    let read = InlineTraceState::<N>::read(slices(lines));
    let specified = specified_list(lines);
    prop_assert_eq!(read.is_ok(), specified.is_some(), "{:?}", read);
    let (Ok(mut state), Some(mut model)) = (read, specified) else { return Ok(()) };
    let arrived = model.len();
    shorten(&mut model, N, 0);
    prop_assert_eq!(state.as_str(), joined(&model));
    prop_assert_eq!(state.dropped() as usize, arrived - model.len());
    for change in changes {
        let before = state.dropped() as usize;
        let mut expected_drop = 0;
        match change {
            Change::Set(key, value) => {
                let pair = (key.clone(), value.clone());
                let is_valid = specified_pair(&format!("{key}={value}")) == Some(pair.clone());
                let result = state.set(key, value);
                if is_valid && key.len() + 1 + value.len() <= N {
                    prop_assert_eq!(result, Ok(()));
                    model.retain(|(name, _)| name != key);
                    let kept = model.len();
                    model.truncate(31);
                    model.insert(0, pair);
                    shorten(&mut model, N, 1);
                    expected_drop = kept + 1 - model.len();
                } else {
                    prop_assert!(result.is_err());
                    prop_assert_eq!(result == Err(TraceStateError::Full), is_valid);
                }
            }
            Change::Remove(key) => {
                let kept = model.len();
                model.retain(|(name, _)| name != key);
                prop_assert_eq!(state.remove(key), model.len() < kept);
            }
            Change::Truncate(limit) => {
                let kept = model.len();
                shorten(&mut model, *limit, 0);
                state.truncate(*limit);
                expected_drop = kept - model.len();
            }
        }
        prop_assert_eq!(state.as_str(), joined(&model), "{:?}", change);
        prop_assert_eq!(state.dropped() as usize - before, expected_drop);
        prop_assert!(state.as_str().len() <= N);
    }
    let answer = |key: &str| model.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    prop_assert!(["a", "b", "rojo"].iter().all(|key| state.get(key) == answer(key)));
    prop_assert_eq!(owned(state.iter()), model);
    // What leaves can arrive, and arrives as it left.
    prop_assert_eq!(InlineTraceState::<N>::read([state.as_str().as_bytes()]), Ok(state));
    Ok(())
}

proptest! {
    #![proptest_config(config(3_000))]

    #[test]
    fn a_list_is_read_and_changed_as_specified(lines in list_lines(), changes in vec(change(), 0..12)) {
        follow::<512>(&lines, &changes)?;
        follow::<150>(&lines, &changes)?;
        follow::<4096>(&lines, &changes)?;
    }

    #[test]
    fn members_and_views_agree(lines in list_lines()) {
        let members: Result<Vec<_>, _> = tracestate::members(slices(&lines)).collect();
        prop_assert_eq!(members.clone().ok().map(|pairs| owned(pairs.into_iter())), specified_list(&lines));
        let line = lines.join(&b',');
        let view = TraceStateView::parse(&line);
        prop_assert_eq!(view.map(|view| owned(view.iter())), members.map(|pairs| owned(pairs.into_iter())));
    }

    #[test]
    fn a_valid_list_survives(pairs in vec(("[a-z0-9][a-z0-9_*/@-]{0,20}", "[ -+--<>-~]{0,20}[!-+--<>-~]"), 0..=32)) {
        let text = joined(&pairs);
        let state = InlineTraceState::<4096>::read([text.as_bytes()]).unwrap();
        prop_assert_eq!(state.as_str(), text);
        prop_assert_eq!(owned(state.iter()), pairs);
    }

    #[test]
    fn what_samplers_write_is_read(
        threshold in option::of(0..=MAX_VALUE),
        zeros in 0_u32..56,
        randomness in option::of(0..=MAX_VALUE),
        others in proptest::collection::btree_map("[a-q][a-z0-9]{0,5}", "[A-Za-z0-9._-]{0,8}", 0..5),
    ) {
        let others: Vec<_> = others.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        let value = others.join(";");
        let threshold = threshold.map(|threshold| threshold >> zeros << zeros);
        let state = OtState::parse(&value).unwrap().with_threshold(threshold).with_randomness(randomness);
        let text = state.to_text().unwrap();
        let read = OtState::parse(text.as_str()).unwrap();
        prop_assert_eq!((read.threshold(), read.randomness(), read.error()), (threshold, randomness, None));
        let kept: Vec<_> = read.others().map(|(key, value)| format!("{key}:{value}")).collect();
        prop_assert_eq!(kept, others);
        prop_assert_eq!(read.to_text(), Ok(text), "canonical");
        if let (Some(threshold), true) = (threshold, text.as_str().starts_with("th:")) {
            let digits = format!("{threshold:014x}");
            let trimmed = digits.trim_end_matches('0');
            let expected = format!("th:{}", if trimmed.is_empty() { "0" } else { trimmed });
            prop_assert_eq!(text.as_str().split(';').next(), Some(expected.as_str()));
        }
    }

    #[test]
    fn any_ot_value_is_read_without_panic(value in "[a-z0-9:;.tTrhv]{0,40}|\\PC{0,40}") {
        if let Ok(state) = OtState::parse(&value) {
            let text = state.to_text();
            prop_assert!(text.is_ok_and(|text| OtState::parse(text.as_str()).is_ok()));
        }
    }
}

/// One baggage member by W3C Baggage, section 3.3.1: key, decoded value, properties.
fn specified_member(member: &str) -> Option<(String, String, Vec<String>)> {
    let white: &[char] = &[' ', '\t'];
    let is_token = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
    };
    let is_octets = |text: &str| text.chars().all(|c| c.is_ascii_graphic() && !"\",;\\".contains(c));
    let mut parts = member.split(';');
    let (key, value) = parts.next()?.split_once('=')?;
    let (key, value) = (key.trim_matches(white), value.trim_matches(white));
    let properties: Vec<_> = parts.map(|property| property.trim_matches(white).to_owned()).collect();
    let is_property = |property: &String| match property.split_once('=') {
        Some((key, value)) => is_token(key.trim_matches(white)) && is_octets(value.trim_matches(white)),
        None => is_token(property),
    };
    if !is_token(key) || !is_octets(value) || !properties.iter().all(is_property) {
        return None;
    }
    Some((key.to_owned(), specified_value(value)?, properties))
}

/// Section 3.3.1.3: percent-decoding, then UTF-8 with U+FFFD for what is none.
fn specified_value(value: &str) -> Option<String> {
    let mut pieces = value.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let digits = piece.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn baggage_lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let octets = "([!#-$&-+--:<-Z_a-z~]|%[0-9a-fA-F]{2}|%[c-f][0-9a-f]%[89ab][0-9a-f]){0,8}";
    let property = prop_oneof![3 => "[a-z]{1,3}", 3 => "[a-z]{1,3}[ \t]?=[ \t]?[!-%]{0,3}", 1 => "[a-z;= ]{0,4}"];
    let member = ("[a-c!%]{1,2}[ \t]?", octets, vec(property, 0..3)).prop_map(|(key, value, properties)| {
        let properties: String = properties.iter().map(|property| format!(" ;{property}")).collect();
        format!("{key}= {value}{properties}")
    });
    lines(prop_oneof![12 => member, 1 => Just(String::new()), 1 => "[a-zé=%;\" ]{1,8}"].boxed())
}

fn members_of<S: clewline_core::Storage>(baggage: &Baggage<S>) -> Vec<(String, String, Vec<String>)> {
    let owned = |member: baggage::Member<'_>| {
        (member.key().to_owned(), member.value().to_string(), member.properties().map(str::to_owned).collect())
    };
    baggage.iter().map(owned).collect()
}

proptest! {
    #![proptest_config(config(3_000))]

    #[test]
    fn baggage_is_read_as_specified(lines in baggage_lines()) {
        let members = combined(&lines);
        let specified: Vec<_> = members.iter().filter_map(|member| specified_member(member)).collect();
        let baggage = InlineBaggage::<8192>::read(slices(&lines));
        prop_assert_eq!(members_of(&baggage), &specified[..]);
        prop_assert_eq!(baggage.malformed() as usize, members.len() - specified.len());
        prop_assert_eq!((baggage.dropped(), baggage.error().is_some()), (0, baggage.malformed() > 0));
        for key in ["a", "b", "a%", "!"] {
            let last = specified.iter().rev().find(|(name, ..)| name == key).map(|(_, value, _)| value.clone());
            prop_assert_eq!(baggage.get(key).map(|value| value.to_string()), last);
        }
        // What leaves can arrive, and arrives as it left.
        let again = InlineBaggage::<8192>::read([baggage.as_str().as_bytes()]);
        prop_assert_eq!((again.as_str(), again.malformed()), (baggage.as_str(), 0));
        prop_assert_eq!(members_of(&again), specified);
        // With less storage whole members are missing, and counted.
        let small = InlineBaggage::<40>::read(slices(&lines));
        prop_assert_eq!(small.iter().count() + small.dropped() as usize, baggage.iter().count());
        let mut all = members_of(&baggage).into_iter();
        prop_assert!(members_of(&small).iter().all(|member| all.any(|other| other == *member)), "in order");
    }

    #[test]
    fn any_text_can_be_a_value(
        entries in vec(("[a-c]{1,2}", any::<String>(), vec("[a-z]{1,3}(=[#-+]{0,3})?", 0..3)), 0..8)
    ) {
        let mut baggage: InlineBaggage = InlineBaggage::default();
        let mut model: Vec<(String, String, Vec<String>)> = Vec::new();
        for (key, value, properties) in &entries {
            let borrowed: Vec<_> = properties.iter().map(String::as_str).collect();
            prop_assert_eq!(baggage.set_with_properties(key, value, &borrowed), Ok(()));
            model.retain(|(name, ..)| name != key);
            model.push((key.clone(), value.clone(), properties.clone()));
            prop_assert_eq!(members_of(&baggage), &model[..]);
        }
        prop_assert!(baggage.as_str().is_ascii());
        let read = InlineBaggage::<8192>::read([baggage.as_str().as_bytes()]);
        prop_assert_eq!(members_of(&read), model);
        for (key, ..) in &entries {
            baggage.remove(key);
        }
        prop_assert!(baggage.is_empty());
    }

}

proptest! {
    #![proptest_config(config(100))]

    /// Section 3.3.2: what fits comes through as a whole, whatever is set.
    #[test]
    fn limits_hold(lengths in vec((0_u8..90, 0_usize..400), 0..100)) {
        let mut baggage: InlineBaggage<16384> = InlineBaggage::default();
        for (key, length) in lengths {
            let (before, count) = (baggage.as_str().to_owned(), baggage.iter().count());
            let key = format!("k{key}");
            let is_new = baggage.get(&key).is_none();
            match baggage.set(&key, &"v".repeat(length)) {
                Ok(()) => prop_assert!(baggage.iter().count() == count + usize::from(is_new)),
                Err(error) => {
                    prop_assert_eq!(error, BaggageError::Full);
                    prop_assert_eq!(baggage.as_str(), &before);
                    let is_full = count == 64 || before.len() + 1 + key.len() + 1 + length > 8192;
                    prop_assert!(is_full, "refused although there was room");
                }
            }
            prop_assert!(baggage.iter().count() <= 64 && baggage.as_str().len() <= 8192);
        }
    }
}
