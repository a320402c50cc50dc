//! The gate on the sources themselves: runs every rule of `hygiene/rules.rs` over every tracked file.

mod manifest;
mod rules;

use std::fs;

use crate::error::Error;
use crate::process;
use crate::report::line;
use crate::workspace::Workspace;

/// A file under version control, with its path below the top of the repository, `/` between the parts.
struct Source {
    path: String,
    /// `None` for a file that is no UTF-8 text.
    text: Option<String>,
}

/// One thing a rule found.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from one; zero when the file as a whole is meant.
    line: usize,
    message: String,
}

/// Checks every tracked file.
///
/// # Errors
/// When a rule found something, after printing each finding; or when git cannot list the files.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    let sources = tracked(workspace)?;
    let mut count = 0;
    for rule in rules::ALL {
        let findings: Vec<Finding> = sources.iter().flat_map(|source| (rule.check)(source)).collect();
        for finding in &findings {
            let place =
                if finding.line == 0 { finding.path.clone() } else { format!("{}:{}", finding.path, finding.line) };
            line(&format!("  {place}: {}", finding.message));
        }
        let verdict = if findings.is_empty() { "ok    " } else { "FAILED" };
        line(&format!("  {verdict} {}", rule.sentence));
        count += findings.len();
    }
    line(&format!("  {} tracked files, {} rules", sources.len(), rules::ALL.len()));
    match count {
        0 => Ok(()),
        1 => Err(Error::Rejected("one finding in the sources, named above".to_owned())),
        _ => Err(Error::Rejected(format!("{count} findings in the sources, named above"))),
    }
}

fn tracked(workspace: &Workspace) -> Result<Vec<Source>, Error> {
    // A checkout owned by another user, as in containers, is no reason not to list it.
    let root = workspace.root.to_string_lossy();
    let list = process::answer("git", &["-c", "safe.directory=*", "-C", &root, "ls-files", "-z"])
        .filter(|list| !list.is_empty())
        .ok_or_else(|| {
            Error::Rejected(format!("`git ls-files` has no answer in {root}: this gate needs git and a clone"))
        })?;
    let mut sources = Vec::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        let file = workspace.root.join(path);
        // Deleted but not yet committed, or a link to a directory.
        if !file.is_file() {
            continue;
        }
        let bytes = fs::read(&file).map_err(Error::io(format!("reading {path}")))?;
        sources.push(Source { path: path.to_owned(), text: String::from_utf8(bytes).ok() });
    }
    Ok(sources)
}
