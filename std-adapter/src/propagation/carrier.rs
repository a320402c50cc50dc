//! Things that hold headers: maps of texts, lists of names and bytes, the environment of a process.
//!
//! Anything else can be read by implementing [`HeaderSource`], and written by a closure of name and value.

use std::ffi::OsString;
use std::process::Command;

use clewline_core::environment::{Environment, variable};
use clewline_core::propagation::{HeaderSink, HeaderSource};

use super::{Context, Propagators};

/// Reads a map of texts or bytes: `&HashMap<String, String>`, `&BTreeMap<&str, Vec<u8>>` and their kin. Names are found in
/// any case.
pub const fn map<M>(map: &M) -> Map<'_, M> {
    Map { map }
}

/// A map that is read; made by [`map`].
#[derive(Clone, Copy, Debug)]
pub struct Map<'m, M> {
    map: &'m M,
}

impl<'m, M, K, V> HeaderSource for Map<'m, M>
where
    &'m M: IntoIterator<Item = (&'m K, &'m V)>,
    K: AsRef<str> + 'm,
    V: AsRef<[u8]> + 'm,
{
    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let map: &'m M = self.map;
        let found = map.into_iter().filter(move |(key, _)| key.as_ref().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_ref())
    }

    fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let map: &'m M = self.map;
        let found = map.into_iter().filter(move |(key, _)| has_prefix(key.as_ref(), prefix));
        found.map(|(key, value)| (key.as_ref(), value.as_ref()))
    }
}

fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Writes into a map of texts.
///
/// ```
/// use std::collections::BTreeMap;
/// use clewline::propagation::{Context, Propagators, carrier};
/// let mut metadata: BTreeMap<String, String> = BTreeMap::new();
/// let context = Context::default().with_baggage_entry("tenant", "acme").unwrap();
/// Propagators::default().inject(&context, &mut carrier::map_mut(&mut metadata));
/// assert_eq!(metadata["baggage"], "tenant=acme");
/// ```
pub const fn map_mut<M: Extend<(String, String)>>(map: &mut M) -> MapMut<'_, M> {
    MapMut { map }
}

/// A map that is written; made by [`map_mut`].
#[derive(Debug)]
pub struct MapMut<'m, M> {
    map: &'m mut M,
}

impl<M: Extend<(String, String)>> HeaderSink for MapMut<'_, M> {
    fn set(&mut self, name: &str, value: &str) {
        self.map.extend([(name.to_owned(), value.to_owned())]);
    }
}

/// Writes into a list of names and values, such as the byte headers of a message. Entries of the same name go, whatever
/// its case. Such a list is read as it is: `propagators.extract(headers.as_slice())`.
pub const fn pairs_mut<N, V>(pairs: &mut Vec<(N, V)>) -> PairsMut<'_, N, V> {
    PairsMut { pairs }
}

/// A list that is written; made by [`pairs_mut`].
#[derive(Debug)]
pub struct PairsMut<'p, N, V> {
    pairs: &'p mut Vec<(N, V)>,
}

impl<N, V> HeaderSink for PairsMut<'_, N, V>
where
    N: AsRef<str> + for<'n> From<&'n str>,
    V: for<'v> From<&'v str>,
{
    fn set(&mut self, name: &str, value: &str) {
        self.pairs.retain(|(known, _)| !known.as_ref().eq_ignore_ascii_case(name));
        self.pairs.push((N::from(name), V::from(value)));
    }
}

/// What the process that started this one handed on in `TRACEPARENT`, `TRACESTATE` and `BAGGAGE`, or the variables of other
/// formats (OpenTelemetry, "Environment Variables as Context Propagation Carriers").
///
/// ```
/// use clewline::propagation::{self, carrier};
/// let parent = carrier::from_environment(propagation::global());
/// let mut span = clewline::tracer("backup").span("backup").child_of(&parent).start();
/// # span.end();
/// ```
#[must_use]
pub fn from_environment(propagators: &Propagators) -> Context {
    // Taken as a whole: what is looked up must outlive the reading, and a process does this once.
    let variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let lookup = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_encoded_bytes())
    };
    propagators.extract(&Environment::new(lookup))
}

/// Hands `context` to a child process. Variables of the propagators that this process was started with, and the context has
/// no value for, are removed: they name somebody else's span.
///
/// ```
/// use clewline::propagation::{self, Context, carrier};
/// let mut command = std::process::Command::new("pg_dump");
/// carrier::into_environment(propagation::global(), &Context::default(), &mut command);
/// ```
pub fn into_environment(propagators: &Propagators, context: &Context, command: &mut Command) {
    for variable in propagators.fields().filter_map(variable) {
        command.env_remove(variable.as_str());
    }
    propagators.inject(context, &mut |name: &str, value: &str| {
        if let Some(variable) = variable(name) {
            command.env(variable.as_str(), value);
        }
    });
}
