//! `Rules`: another sampler for some spans, by name and kind.

use super::{ComposableSampler, Sampler, SamplingIntent, SamplingParameters, SamplingResult};
use crate::SpanKind;

/// Which spans a sampler is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplingRule<'r, S> {
    /// What the name must look like: `*` stands for any text, also none; every other character for itself.
    pub name: &'r str,
    /// What the kind must be; any if `None`.
    pub kind: Option<SpanKind>,
    /// The sampler for those spans.
    pub sampler: S,
}

impl<S> SamplingRule<'_, S> {
    /// Whether the rule is for spans of this name and kind.
    #[must_use]
    pub fn fits(&self, name: &str, kind: SpanKind) -> bool {
        self.kind.is_none_or(|wanted| wanted == kind) && looks_like(self.name.as_bytes(), name.as_bytes())
    }
}

/// Asks the sampler of the first rule in a table that fits the span, and another one if none does.
///
/// The samplers of a table are of one type: one that shipped, a `&dyn Sampler`, or an enum of the application's. A table of
/// [`ComposableSampler`]s is one itself (OpenTelemetry trace SDK, "ComposableRuleBased").
///
/// ```
/// use clewline_core::{AlwaysOff, AlwaysOn, Rules, Sampler, SamplingRule, SpanKind, TraceIdRatio};
/// let tenth = TraceIdRatio::new(0.1).unwrap();
/// let table = [
///     SamplingRule { name: "GET /health", kind: Some(SpanKind::Server), sampler: &AlwaysOff as &dyn Sampler },
///     SamplingRule { name: "GET /static/*", kind: None, sampler: &tenth },
/// ];
/// let sampler = Rules::new(&table, AlwaysOn);
/// # let _ = sampler;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rules<'r, S, Otherwise> {
    table: &'r [SamplingRule<'r, S>],
    otherwise: Otherwise,
}

impl<'r, S, Otherwise> Rules<'r, S, Otherwise> {
    /// The first rule of `table` that fits decides, else `otherwise`.
    #[must_use]
    pub const fn new(table: &'r [SamplingRule<'r, S>], otherwise: Otherwise) -> Self {
        Self { table, otherwise }
    }
}

impl<S, Otherwise> Rules<'_, S, Otherwise> {
    /// The sampler of the first rule that fits.
    fn find(&self, parameters: &SamplingParameters<'_>) -> Option<&S> {
        let rule = self.table.iter().find(|rule| rule.fits(parameters.name, parameters.kind));
        rule.map(|rule| &rule.sampler)
    }
}

impl<S: Sampler, Otherwise: Sampler> Sampler for Rules<'_, S, Otherwise> {
    fn should_sample(&self, parameters: &SamplingParameters<'_>) -> SamplingResult<'_> {
        match self.find(parameters) {
            Some(sampler) => sampler.should_sample(parameters),
            None => self.otherwise.should_sample(parameters),
        }
    }

    fn sees_attributes(&self) -> bool {
        self.otherwise.sees_attributes() || self.table.iter().any(|rule| rule.sampler.sees_attributes())
    }
}

impl<S: ComposableSampler, Otherwise: ComposableSampler> ComposableSampler for Rules<'_, S, Otherwise> {
    fn sampling_intent(&self, parameters: &SamplingParameters<'_>, parent: Option<u64>) -> SamplingIntent<'_> {
        match self.find(parameters) {
            Some(sampler) => sampler.sampling_intent(parameters, parent),
            None => self.otherwise.sampling_intent(parameters, parent),
        }
    }
}

/// Whether the name looks like the pattern. Tries the nearest place for each piece between stars, which is enough: a later
/// place never leaves more for the pieces that follow.
fn looks_like(pattern: &[u8], mut name: &[u8]) -> bool {
    let mut pieces = pattern.split(|byte| *byte == b'*');
    let first = pieces.next().unwrap_or_default();
    let Some(rest) = name.strip_prefix(first) else { return false };
    name = rest;
    let Some(last) = pieces.next_back() else { return name.is_empty() };
    let Some(rest) = name.strip_suffix(last) else { return false };
    name = rest;
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        let Some(place) = name.windows(piece.len()).position(|window| window == piece) else { return false };
        name = name.get(place + piece.len()..).unwrap_or_default();
    }
    true
}
