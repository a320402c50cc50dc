//! Environment variables as carriers, for child processes (OpenTelemetry specification, "Environment Variables as Context
//! Propagation Carriers").
//!
//! The variables of the W3C headers are `TRACEPARENT`, `TRACESTATE` and `BAGGAGE`; other headers follow the same rule.
//! Names only are changed here, values never. A variable is one line.

use core::marker::PhantomData;

use super::propagation::{HeaderSink, HeaderSource};
use super::text::HeaderText;

/// The longest header name that has a variable.
pub const MAX_NAME: usize = 64;

/// The variable for a header ("Key Name Normalization"): ASCII letters in upper case, `_` for everything that is no letter
/// or digit, and `_` in front of a digit; `_` for the empty name. `None` if that is longer than [`MAX_NAME`].
///
/// ```
/// use clewline_core::environment::variable;
/// assert_eq!(variable("x-b3-traceid").unwrap().as_str(), "X_B3_TRACEID");
/// ```
#[must_use]
pub fn variable(name: &str) -> Option<HeaderText<MAX_NAME>> {
    let mut variable = HeaderText::EMPTY;
    if name.chars().next().is_none_or(|first| first.is_ascii_digit()) {
        variable.push(b"_")?;
    }
    for character in name.chars() {
        let byte = u8::try_from(character).ok().filter(u8::is_ascii_alphanumeric).unwrap_or(b'_');
        variable.push(&[byte.to_ascii_uppercase()])?;
    }
    Some(variable)
}

/// Reads headers from variables, through a function that looks one up by its name.
///
/// ```
/// use clewline_core::{environment::Environment, propagation::HeaderSource};
/// let variables = [("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
/// let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_bytes());
/// assert_eq!(Environment::new(lookup).lines("traceparent").count(), 1);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Environment<'e, F> {
    lookup: F,
    values: PhantomData<&'e [u8]>,
}

impl<'e, F: Fn(&str) -> Option<&'e [u8]>> Environment<'e, F> {
    /// Variables as `lookup` finds them.
    pub const fn new(lookup: F) -> Self {
        Self { lookup, values: PhantomData }
    }
}

impl<'e, F: Fn(&str) -> Option<&'e [u8]>> HeaderSource for Environment<'e, F> {
    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let value: Option<&'a [u8]> = variable(name).and_then(|variable| (self.lookup)(variable.as_str()));
        value.into_iter()
    }
}

/// Writes headers as variables, through a function that takes name and value of each.
#[derive(Clone, Copy, Debug)]
pub struct EnvironmentSink<F> {
    set: F,
}

impl<F: FnMut(&str, &str)> EnvironmentSink<F> {
    /// Variables go to `set`.
    pub const fn new(set: F) -> Self {
        Self { set }
    }
}

impl<F: FnMut(&str, &str)> HeaderSink for EnvironmentSink<F> {
    fn set(&mut self, name: &str, value: &str) {
        if let Some(variable) = variable(name) {
            (self.set)(variable.as_str(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and their variables ("Key Name Normalization").
    #[test]
    fn specification_table() {
        for (name, expected) in [
            ("traceparent", "TRACEPARENT"),
            ("tracestate", "TRACESTATE"),
            ("baggage", "BAGGAGE"),
            ("x-b3-traceid", "X_B3_TRACEID"),
            ("uber-trace-id", "UBER_TRACE_ID"),
            ("B3", "B3"),
            ("3b", "_3B"),
            ("_a.b c", "_A_B_C"),
            ("é", "_"),
            ("", "_"),
        ] {
            let text = variable(name).unwrap();
            assert_eq!(text.as_str(), expected, "{name:?}");
            assert_eq!(variable(text.as_str()), Some(text), "a variable is its own variable");
        }
        assert!(variable(&"a".repeat(64)).is_some() && variable(&"a".repeat(65)).is_none());
        assert!(variable(&"1".repeat(64)).is_none());
    }

    #[test]
    fn only_normalized_names_are_looked_up_and_written() {
        let lookup = |name: &str| (name == "X_B3_TRACEID").then_some(b"1" as &[u8]);
        assert!(Environment::new(lookup).lines("x-b3-traceid").eq([b"1"]));
        assert_eq!(Environment::new(lookup).lines("b3").count(), 0);
        let mut written = std::vec::Vec::new();
        let mut sink = EnvironmentSink::new(|name: &str, value: &str| written.push(std::format!("{name}={value}")));
        sink.set("x-b3-traceid", "a=b,c");
        assert_eq!(written, ["X_B3_TRACEID=a=b,c"]);
    }
}
