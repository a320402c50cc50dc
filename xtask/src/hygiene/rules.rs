//! The rules every tracked file follows, each a function from a file to what is wrong with it.

use super::manifest::{locked_addresses, wildcard_dependencies};
use super::{Finding, Source};

/// A rule and the sentence it enforces.
pub(super) struct Rule {
    pub(super) sentence: &'static str,
    pub(super) check: fn(&Source) -> Vec<Finding>,
}

/// All rules, the ones a newcomer meets first in front.
pub(super) const ALL: &[Rule] = &[
    Rule { sentence: "only the agreed entries at the top", check: top_level },
    Rule { sentence: "every source file opens with a sentence on its purpose", check: purpose },
    Rule { sentence: "no file over 600 lines", check: length },
    Rule { sentence: "no work left as a mark in the source", check: marks },
    Rule { sentence: "no place of one machine", check: places },
    Rule { sentence: "no wildcard dependency", check: wildcard_dependencies },
    Rule { sentence: "lock files name no private registry", check: locked_addresses },
    Rule { sentence: "core is `no_std` on no condition", check: unconditional_no_std },
];

const TOP_LEVEL: [&str; 11] = [
    "Cargo.toml",
    "Cargo.lock",
    "core",
    "std-adapter",
    "wasm",
    "examples",
    "tests",
    "xtask",
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
];

/// The most lines a file may have.
const MOST_LINES: usize = 600;
/// The fewest words that make a sentence about a purpose.
const FEWEST_WORDS: usize = 4;

/// Written in two parts, so that this file does not contain what it looks for.
const MARKS: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];
const PLACES: [&str; 4] =
    [concat!("../", "shared"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/")];

/// A finding in a file as a whole (`line` 0) or in one line.
pub(super) fn finding(source: &Source, line: usize, message: impl Into<String>) -> Finding {
    Finding { path: source.path.clone(), line, message: message.into() }
}

impl Source {
    pub(super) fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    fn extension(&self) -> &str {
        self.file_name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// Lines with their numbers, for text that people write (not locks, licences and data).
    fn written_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let generated = ["Cargo.lock", "package-lock.json"].contains(&self.file_name())
            || self.file_name().starts_with("LICENSE")
            || ["json", "txt", "csv", "snap", "svg"].contains(&self.extension());
        let text = self.text.as_deref().filter(|_| !generated).unwrap_or_default();
        text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

fn top_level(source: &Source) -> Vec<Finding> {
    let first = source.path.split('/').next().unwrap_or_default();
    let allowed = TOP_LEVEL.contains(&first) || first.starts_with('.') || first.starts_with("LICENSE");
    if allowed {
        return Vec::new();
    }
    vec![finding(source, 0, format!("`{first}` is not an agreed top-level entry"))]
}

fn purpose(source: &Source) -> Vec<Finding> {
    let Some(text) = &source.text else {
        return Vec::new();
    };
    let opening = match source.extension() {
        "rs" => rust_opening(text),
        "mjs" | "js" | "cjs" | "ts" | "mts" => script_opening(text),
        _ => return Vec::new(),
    };
    let wanted = if source.extension() == "rs" { "//! …" } else { "/** … */" };
    match opening {
        None => vec![finding(source, 1, format!("does not open with `{wanted}` on its purpose"))],
        Some(sentence) => {
            let words = sentence.split_whitespace().count();
            let ends = sentence.ends_with(['.', '!', '?']);
            if words >= FEWEST_WORDS && ends {
                return Vec::new();
            }
            vec![finding(source, 1, format!("`{sentence}` is not a sentence on its purpose"))]
        }
    }
}

/// The first paragraph of a file's inner documentation.
fn rust_opening(text: &str) -> Option<String> {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    paragraph(lines.map(str::trim))
}

/// The first paragraph of a file's first `/** … */`, which only `#!` and `// @ts-…` lines may precede.
fn script_opening(text: &str) -> Option<String> {
    let mut rest = text;
    while rest.starts_with("#!") || rest.starts_with("// @ts-") {
        rest = rest.split_once('\n')?.1;
    }
    let (comment, _) = rest.strip_prefix("/**")?.split_once("*/")?;
    let lines = comment.lines().map(|line| line.trim().trim_start_matches('*').trim());
    paragraph(lines.skip_while(|line| line.is_empty()))
}

fn paragraph<'a>(lines: impl Iterator<Item = &'a str>) -> Option<String> {
    let words: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn length(source: &Source) -> Vec<Finding> {
    // A changelog only ever grows.
    if source.file_name() == "CHANGELOG.md" {
        return Vec::new();
    }
    match source.written_lines().count() {
        lines if lines > MOST_LINES => vec![finding(source, 0, format!("{lines} lines, {MOST_LINES} at most"))],
        _ => Vec::new(),
    }
}

fn marks(source: &Source) -> Vec<Finding> {
    let found = source.written_lines().filter_map(|(number, line)| {
        let mark = MARKS.iter().find(|mark| contains_word(line, mark))?;
        Some(finding(source, number, format!("`{mark}`: finish it or write an issue")))
    });
    found.collect()
}

fn places(source: &Source) -> Vec<Finding> {
    let found = source.written_lines().filter_map(|(number, line)| {
        let place = PLACES.iter().find(|place| contains_word(line, place))?;
        Some(finding(source, number, format!("`{place}` is a place of one machine")))
    });
    found.collect()
}

/// Whether `word` stands in the line with no letter, digit or `_` attached where the word itself has one.
fn contains_word(line: &str, word: &str) -> bool {
    let part_of_word = |char: char| char.is_alphanumeric() || char == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joined_before = word.starts_with(part_of_word) && before.is_some_and(part_of_word);
        let joined_after = word.ends_with(part_of_word) && after.is_some_and(part_of_word);
        // A place is absolute: `src/work/` is none.
        let joined_path = word.starts_with('/') && before.is_some_and(|char| part_of_word(char) || char == '.');
        !joined_before && !joined_after && !joined_path
    })
}

fn unconditional_no_std(source: &Source) -> Vec<Finding> {
    let declares = source.text.as_deref().is_some_and(|text| text.lines().any(|line| line == "#![no_std]"));
    if source.path != "core/src/lib.rs" || declares {
        return Vec::new();
    }
    vec![finding(source, 0, "lacks a plain `#![no_std]`")]
}

#[cfg(test)]
mod tests {
    use super::{ALL, length, marks, places, purpose, top_level, unconditional_no_std};
    use crate::hygiene::{Finding, Source};

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: Some(text.to_owned()) }
    }

    fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn agreed_entries_only_at_the_top() {
        for path in ["core/src/lib.rs", ".ci/run", "LICENSE-MIT", "README.md", "tests/docs/a.md"] {
            assert_eq!(top_level(&source(path, "")), [], "{path}");
        }
        for path in ["docs/a.md", "package.json", "core.rs", "NOTES.md"] {
            assert_eq!(top_level(&source(path, "")).len(), 1, "{path}");
        }
    }

    #[test]
    fn a_purpose_is_a_whole_sentence() {
        let good = [
            ("a.rs", "//! Reads a header, and\n//! nothing else.\n//!\n//! More\nfn f() {}\n"),
            ("a.mjs", "/** Builds the npm package. */\n"),
            ("a.mjs", "#!/usr/bin/env node\n/**\n * Builds the npm\n * package.\n */\n"),
            ("a.d.ts", "// @ts-check\n/** The types of this package. */"),
            ("a.css", "body {}"),
        ];
        for (path, text) in good {
            assert_eq!(purpose(&source(path, text)), [], "{text}");
        }
        let bad = [
            ("a.rs", ""),
            ("a.rs", "// Reads a header and no more.\n"),
            ("a.rs", "fn f() {}\n//! Reads a header and no more.\n"),
            ("a.rs", "//! Reads a header\n"),
            ("a.rs", "//! Header.\n"),
            ("a.js", "import x;\n/** Builds the npm package. */\n"),
            ("a.ts", "// Builds the npm package.\n"),
            ("a.ts", "/** Builds the npm package."),
        ];
        for (path, text) in bad {
            assert_eq!(lines(&purpose(&source(path, text))), [1], "{text}");
        }
    }

    #[test]
    fn six_hundred_lines_are_the_limit_of_what_people_write() {
        assert_eq!(length(&source("a.rs", &"x\n".repeat(600))), []);
        assert_eq!(length(&source("a.rs", &"x\n".repeat(601))).len(), 1);
        assert_eq!(length(&source("Cargo.lock", &"x\n".repeat(601))), []);
        assert_eq!(length(&source("tests/data/a.json", &"x\n".repeat(601))), []);
    }

    #[test]
    fn marks_are_found_as_words() {
        let mark = concat!("TO", "DO");
        let text = format!("// {mark}: x\nlet {mark}S = 1;\nfn f() {{ {}) }}\n", concat!("todo", "!("));
        assert_eq!(lines(&marks(&source("a.rs", &text))), [1, 3]);
    }

    #[test]
    fn places_are_found_where_a_path_begins() {
        let text = format!(
            "open(\"{}x\")\nuse src{}mod\n{}/a",
            concat!("/ro", "ot/"),
            concat!("/wo", "rk/"),
            concat!("../", "shared")
        );
        assert_eq!(lines(&places(&source("a.rs", &text))), [1, 3]);
    }

    #[test]
    fn a_condition_on_no_std_is_refused() {
        let lib = "core/src/lib.rs";
        assert_eq!(unconditional_no_std(&source(lib, "//! x\n#![no_std]\n")), []);
        assert_eq!(unconditional_no_std(&source(lib, "#![cfg_attr(not(test), no_std)]\n")).len(), 1);
        assert_eq!(unconditional_no_std(&source("wasm/src/lib.rs", "")), []);
    }

    #[test]
    fn binary_files_pass_the_rules_on_text() {
        let image = Source { path: "tests/data/a.png".to_owned(), text: None };
        assert!(ALL.iter().all(|rule| (rule.check)(&image).is_empty()));
    }
}
