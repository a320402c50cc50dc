//! What both ways leave behind, in one form: spans by the names on the way to them, and values as text.

use std::collections::BTreeMap;

/// A finished span before its place in the tree is known.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    pub(crate) links: Vec<String>,
    pub(crate) span: Span,
}

/// A span, and all that is to be equal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    /// The names from the root to this span.
    pub(crate) path: Vec<String>,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) status: (String, String),
    pub(crate) attributes: Attributes,
    pub(crate) events: Vec<Event>,
    /// The paths of the spans that it links to.
    pub(crate) links: Vec<Vec<String>>,
    /// How many spans share its trace.
    pub(crate) trace: usize,
}

/// Keys with the kind of their value and the value as text.
pub(crate) type Attributes = BTreeMap<String, (&'static str, String)>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) attributes: Attributes,
}

/// All spans of a program, sorted.
#[derive(Debug, PartialEq)]
pub(crate) struct Tree {
    pub(crate) spans: Vec<Span>,
}

impl Tree {
    pub(crate) fn new(finished: &[Finished]) -> Self {
        let path = |id: &str| {
            let mut names = Vec::new();
            let mut next = Some(id.to_owned());
            while let Some(id) = next {
                let Some(found) = finished.iter().find(|other| other.id == id) else {
                    names.push("elsewhere".to_owned());
                    break;
                };
                names.push(found.span.name.clone());
                next = found.parent.clone();
            }
            names.reverse();
            names
        };
        let mut spans: Vec<Span> = finished
            .iter()
            .map(|one| Span {
                path: path(&one.id),
                links: one.links.iter().map(|id| path(id)).collect(),
                trace: finished.iter().filter(|other| other.trace == one.trace).count(),
                ..one.span.clone()
            })
            .collect();
        spans.sort_by(|one, other| format!("{one:?}").cmp(&format!("{other:?}")));
        Self { spans }
    }
}
