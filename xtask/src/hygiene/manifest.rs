//! The rules on manifests and lock files, read line by line as cargo and npm write them.

use super::rules::finding;
use super::{Finding, Source};

/// The only registry a lock file may name.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Dependencies that take any version, in `Cargo.toml` and `package.json`.
pub(super) fn wildcard_dependencies(source: &Source) -> Vec<Finding> {
    let Some(text) = &source.text else {
        return Vec::new();
    };
    let lines = match source.file_name() {
        "Cargo.toml" => cargo_wildcards(text),
        "package.json" => npm_wildcards(text),
        _ => return Vec::new(),
    };
    lines.into_iter().map(|line| finding(source, line, "takes any version of a dependency")).collect()
}

fn cargo_wildcards(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut in_dependencies = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
        } else if in_dependencies && version(line).is_some_and(|version| version.contains('*')) {
            found.push(index + 1);
        }
    }
    found
}

/// The version in `name = "1"`, `name = { version = "1", … }` or, in a table of its own, `version = "1"`.
fn version(line: &str) -> Option<&str> {
    let (_, value) = line.split_once('=')?;
    let value = value.trim_start();
    let value = match value.strip_prefix('{') {
        Some(table) => {
            let (_, after) = table.split_once("version")?;
            after.trim_start().strip_prefix('=')?.trim_start()
        }
        None => value,
    };
    value.strip_prefix('"')?.split('"').next()
}

/// Looks at the strings and brackets of the JSON only, so any layout will do.
fn npm_wildcards(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut in_dependencies = false;
    // The strings since the last bracket, comma or colon belong together: a key, then its value.
    let mut key = "";
    let mut latest = "";
    let mut latest_line = 0;
    let mut rest = text;
    while let Some(at) = rest.find(['"', '{', '}', ':', ',']) {
        let (mark, after) = rest[at..].split_at(1);
        rest = after;
        match mark {
            "\"" => {
                // Names and versions of packages hold no escapes.
                let Some((string, after)) = rest.split_once('"') else { break };
                latest = string;
                latest_line = text[..text.len() - rest.len()].lines().count();
                rest = after;
            }
            ":" => key = latest,
            // `peerDependencies` belong to the user: a range is the point there.
            "{" => in_dependencies = key.ends_with("ependencies") && !key.starts_with("peer"),
            _ => {
                if in_dependencies && ["", "*", "x", "latest"].contains(&latest) {
                    found.push(latest_line);
                }
                in_dependencies &= mark != "}";
                latest = "none";
            }
        }
    }
    found
}

/// Addresses in lock files that only work where the file was made.
pub(super) fn locked_addresses(source: &Source) -> Vec<Finding> {
    let Some(text) = &source.text else {
        return Vec::new();
    };
    let is_private: fn(&str) -> bool = match source.file_name() {
        "Cargo.lock" => {
            |line| line.strip_prefix("source = \"").is_some_and(|address| address.trim_end_matches('"') != CRATES_IO)
        }
        "package-lock.json" => {
            |line| line.strip_prefix("\"resolved\": \"").is_some_and(|address| address.contains("://"))
        }
        _ => return Vec::new(),
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| is_private(line.trim()))
        .map(|(index, _)| finding(source, index + 1, "names where this machine fetched it from"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{locked_addresses, wildcard_dependencies};
    use crate::hygiene::Source;

    fn lines(check: fn(&Source) -> Vec<super::Finding>, path: &str, text: &str) -> Vec<usize> {
        let source = Source { path: path.to_owned(), text: Some(text.to_owned()) };
        check(&source).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn any_version_of_a_crate_is_refused() {
        let manifest = "\
[dependencies]
a = \"*\"
b = { path = \"../b\", version = \"1.*\" }
c = \"1.2\" # not *
d = { version = \"1\", features = [\"*\"] }
[target.'cfg(unix)'.dev-dependencies.e]
version = \"*\"
[profile.dev.package.\"*\"]
opt-level = \"*\"
";
        assert_eq!(lines(wildcard_dependencies, "core/Cargo.toml", manifest), [2, 3, 7]);
    }

    #[test]
    fn any_version_of_an_npm_package_is_refused() {
        let manifest = "\
{
  \"version\": \"*\",
  \"devDependencies\": {
    \"a\": \"*\",
    \"b\": \"^1.2.3\",
    \"c\": \"latest\"
  },
  \"peerDependencies\": {
    \"d\": \"*\"
  },
  \"dependencies\": { \"e\": \"1\", \"f\": \"\" }, \"description\": \"*\"
}
";
        assert_eq!(lines(wildcard_dependencies, "tests/e2e/package.json", manifest), [4, 6, 11]);
    }

    #[test]
    fn lock_files_name_the_public_registry_or_none() {
        let cargo = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\nsource = \"sparse+https://mirror.example/\"\n";
        assert_eq!(lines(locked_addresses, "Cargo.lock", cargo), [2]);
        let npm = "  \"resolved\": \"https://mirror.example/a.tgz\",\n  \"resolved\": \"packages/b\",\n";
        assert_eq!(lines(locked_addresses, "tests/e2e/package-lock.json", npm), [1]);
    }
}
