//! Chromium and its driver, for the tests that need a real browser.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::apt;
use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// Names of the browser on the PATH, the most open one first.
const BROWSERS: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
/// Where macOS keeps it.
const MACOS_BROWSERS: [&str; 2] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// What a test in a browser without a screen passes to Chromium: nothing that phones home or asks.
const ARGUMENTS: [&str; 7] = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser and the driver that speaks its version.
pub(crate) struct Browser {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
}

/// `CHROME` and `CHROMEDRIVER` first, then the usual places; or why there is none.
pub(crate) fn find() -> Result<Browser, String> {
    let chromium = from_variable("CHROME")?
        .or_else(|| BROWSERS.iter().find_map(|name| process::find(name)))
        .or_else(|| MACOS_BROWSERS.iter().map(PathBuf::from).find(|path| path.is_file()))
        .ok_or_else(|| format!("none of {} is on the PATH, and CHROME is not set", BROWSERS.join(", ")))?;
    let driver = from_variable("CHROMEDRIVER")?
        .or_else(|| process::find("chromedriver"))
        .ok_or("there is no `chromedriver` on the PATH, and CHROMEDRIVER is not set")?;
    Ok(Browser { chromium, driver })
}

fn from_variable(name: &str) -> Result<Option<PathBuf>, String> {
    match env::var_os(name).map(PathBuf::from) {
        None => Ok(None),
        Some(path) if path.is_file() => Ok(Some(path)),
        Some(path) => Err(format!("{name} names {}, which is no file", path.display())),
    }
}

/// The browser, or the error that tells how to get one.
pub(crate) fn require() -> Result<Browser, Error> {
    find().map_err(missing)
}

/// Installs the distribution's Chromium with its driver.
pub(crate) fn install() -> Result<(), Error> {
    // A variable that names no file is for its owner to put right; a package would not help.
    for name in ["CHROME", "CHROMEDRIVER"] {
        if let Err(reason) = from_variable(name) {
            return Err(Error::Missing {
                what: "Chromium with chromedriver".to_owned(),
                reason,
                command: format!("unset {name}"),
            });
        }
    }
    let found = find().err().unwrap_or_default();
    apt::install(&PACKAGES).map_err(|why| missing(format!("{found}; {why}")))
}

fn missing(reason: String) -> Error {
    Error::Missing {
        what: "Chromium with chromedriver".to_owned(),
        reason,
        command: apt::manual_command(&PACKAGES, "chromium chromedriver", "chromium", "--cask chromium chromedriver"),
    }
}

/// Writes the file from which wasm-bindgen's test runner takes the browser's options.
///
/// The driver gives each session a fresh profile directory of its own.
pub(crate) fn write_webdriver_file(workspace: &Workspace, browser: &Browser) -> Result<PathBuf, Error> {
    let path = workspace.target.join("webdriver.json");
    let as_root = process::answer("id", &["-u"]).is_some_and(|id| id == "0");
    fs::create_dir_all(&workspace.target)
        .and_then(|()| fs::write(&path, webdriver_json(&browser.chromium, as_root)))
        .map_err(Error::io(format!("writing {}", path.display())))?;
    Ok(path)
}

fn webdriver_json(chromium: &Path, as_root: bool) -> String {
    let mut arguments = ARGUMENTS.to_vec();
    if as_root {
        // Chromium refuses to run as root inside its sandbox.
        arguments.push("--no-sandbox");
    }
    let arguments: Vec<String> = arguments.into_iter().map(json_string).collect();
    format!(
        "{{\"goog:chromeOptions\": {{\"binary\": {}, \"args\": [{}]}}}}\n",
        json_string(&chromium.to_string_lossy()),
        arguments.join(", ")
    )
}

/// A JSON string (RFC 8259, section 7).
fn json_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::webdriver_json;
    use std::path::Path;

    #[test]
    fn the_sandbox_is_given_up_for_root_only() {
        let chromium = Path::new("/opt/a \"b\"/chromium");
        let for_user = webdriver_json(chromium, false);
        assert!(
            for_user
                .starts_with(r#"{"goog:chromeOptions": {"binary": "/opt/a \"b\"/chromium", "args": ["--headless", "#)
        );
        assert!(!for_user.contains("--no-sandbox"));
        assert!(webdriver_json(chromium, true).contains(r#", "--no-sandbox"]"#));
    }
}
