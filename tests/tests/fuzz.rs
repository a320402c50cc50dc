//! The fuzz targets on their seeds and on what mutation makes of them: a fixed, short run on any toolchain.
//!
//! Reproducible by default: a fixed number of inputs from a fixed start. `CLEWLINE_FUZZ_SECONDS` has each target go on for that
//! long, as `cargo xtask test` does; `cargo xtask fuzz` searches for long, guided by coverage.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clewline_tests::fuzz::{TARGETS, target};

/// Inputs per target, at least: a machine that is busy elsewhere would get to none in the time given.
const INPUTS: u32 = 5_000;

/// No parser here has a rule about inputs longer than this.
const LONGEST: usize = 4096;

/// What the grammars of the parsers are made of; long runs and numbers at their limits are rare otherwise.
const WORDS: &[&[u8]] = &[
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"0af7651916cd43dd8448eb211c80319c",
    b"00000000000000000000000000000000",
    b"traceparent;desc=\"",
    b"ot=th:c;rv:0123456789abcd",
    b"tracestate: ",
    b"uber-trace-id: ",
    b"x-b3-traceid: ",
    b"\n",
    b",",
    b";",
    b"=",
    b"%25",
    b"%C3%BC",
    b"%",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00",
    b"\0",
    b"\"resourceSpans\":[",
    b"{\"",
    b"\\ud800",
    b"null",
    b"-0",
    b"1e400",
    b"9223372036854775808",
];

/// Shows the input if the target panics.
struct Shown<'a> {
    target: &'a str,
    input: &'a [u8],
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} failed on b\"{}\"", self.target, self.input.escape_ascii());
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and good enough to choose with.
struct Choices(u64);

impl Choices {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`; 0 if that is 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// One small change.
fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], choices: &mut Choices) {
    let at = choices.below(input.len() + 1);
    let length = 1 + choices.below(8);
    match choices.below(9) {
        0 if at < input.len() => input[at] ^= 1 << choices.below(8),
        1 if at < input.len() => input[at] = choices.byte(),
        2 if at < input.len() => drop(input.drain(at..(at + length).min(input.len()))),
        3 => input.insert(at, choices.byte()),
        4 => input.truncate(at),
        5 => {
            let word = WORDS[choices.below(WORDS.len())];
            input.splice(at..at, word.iter().copied());
        }
        6 => {
            let copied = input[at..(at + 4 * length).min(input.len())].to_vec();
            let to = choices.below(input.len() + 1);
            input.splice(to..to, copied);
        }
        7 => {
            let other = &seeds[choices.below(seeds.len())];
            let from = choices.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ if at < input.len() => input[at] = input[at].wrapping_add(if choices.byte() < 128 { 1 } else { 0xff }),
        _ => {}
    }
    input.truncate(LONGEST);
}

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name)
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = corpus(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a folder that can be read").path()).collect();
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).expect("a seed that can be read")).collect();
    assert!(!seeds.is_empty(), "{} holds no seed", folder.display());
    seeds
}

fn run(name: &str) {
    let target = target(name).expect("a target of this name");
    let try_one = |input: &[u8]| {
        let _shown = Shown { target: name, input };
        (target.run)(input);
    };
    let seeds = seeds(name);
    seeds.iter().for_each(|seed| try_one(seed));

    let seconds = std::env::var_os("CLEWLINE_FUZZ_SECONDS").map(|text| {
        let seconds = text.to_str().and_then(|text| text.parse().ok());
        Duration::from_secs(seconds.expect("CLEWLINE_FUZZ_SECONDS is a number"))
    });
    let started = Instant::now();
    let mut choices = Choices(0x0af7_6519_16cd_43dd);
    let mut inputs = 0_u32;
    while inputs < INPUTS || seconds.is_some_and(|limit| started.elapsed() < limit) {
        let mut input = seeds[choices.below(seeds.len())].clone();
        for _ in 0..=choices.below(6) {
            mutate(&mut input, &seeds, &mut choices);
        }
        try_one(&input);
        inputs += 1;
    }
    println!("{name}: {inputs} inputs in {:.1} s", started.elapsed().as_secs_f64());
}

macro_rules! targets {
    ($($test:ident = $name:literal),* $(,)?) => {
        $(
            #[test]
            fn $test() {
                run($name);
            }
        )*

        #[test]
        fn every_target_and_every_folder_of_seeds_has_a_test() {
            let tested = [$($name),*];
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), tested);
            let folders = fs::read_dir(corpus("")).expect("the corpus");
            for folder in folders {
                let name = folder.expect("a folder that can be read").file_name();
                assert!(tested.iter().any(|tested| name == *tested), "no target is named {name:?}");
            }
        }
    };
}

targets! {
    traceparent = "traceparent",
    b3 = "b3",
    jaeger = "jaeger",
    server_timing = "server-timing",
    binary = "binary",
    propagation = "propagation",
    tracestate = "tracestate",
    ot = "ot",
    sampling = "sampling",
    baggage = "baggage",
    otlp = "otlp",
    json = "json",
    compact = "compact",
    frame = "frame",
    image = "image",
}
