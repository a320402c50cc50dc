//! Reads samplers from text: the names of `OTEL_TRACES_SAMPLER`, and the form in which samplers are displayed.
//!
//! ```text
//! sampler = name [ "(" arguments ")" ]
//! ParentBased( root [, remote_parent_sampled=sampler]… )      Rules( [SERVER] "GET /static/*"=sampler, …, otherwise=sampler )
//! ParentThreshold( root )
//! ```
//!
//! Names have no case, and `_` in them does not count.

use std::fmt;
use std::str::FromStr;

use clewline_core::SpanKind;

use super::{
    PROBABILITY, ParentBasedConfig, RuleConfig, RulesConfig, SamplerConfig, is_probability, is_rate, is_ratio,
};
use crate::config::names;

/// How deep samplers may stand in one another.
const DEEPEST: u8 = 8;

/// The names of samplers as the specification and this crate write them.
const NAMES: [&str; 14] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
    "probability",
    "parentbased_probability",
    "ratelimited",
    "parentbased_ratelimited",
    "ParentBased",
    "ParentThreshold",
    "Rules",
    "TraceIdRatio",
];

/// Why a text is not a sampler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamplerTextError {
    problem: String,
    /// Where, in characters from the beginning; 0 for the beginning.
    position: usize,
}

impl SamplerTextError {
    /// Where in the text, in characters from its beginning.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }
}

impl fmt::Display for SamplerTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            0 => f.write_str(&self.problem),
            position => write!(f, "at character {}: {}", position + 1, self.problem),
        }
    }
}

impl std::error::Error for SamplerTextError {}

impl FromStr for SamplerConfig {
    type Err = SamplerTextError;

    fn from_str(text: &str) -> Result<Self, SamplerTextError> {
        let mut reader = Reader { text, rest: text, depth: 0 };
        let sampler = reader.sampler()?;
        reader.skip_space();
        if reader.rest.is_empty() { Ok(sampler) } else { Err(reader.error("nothing more is expected here")) }
    }
}

/// A text in quotation marks, which in it are written `\"`, as is `\\`.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
    depth: u8,
}

impl<'t> Reader<'t> {
    fn error(&self, problem: impl Into<String>) -> SamplerTextError {
        let read = self.text.len() - self.rest.len();
        let position = self.text.get(..read).map_or(0, |read| read.chars().count());
        SamplerTextError { problem: problem.into(), position }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes a sign if it is next.
    fn takes(&mut self, sign: char) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, sign: char) -> Result<(), SamplerTextError> {
        if self.takes(sign) { Ok(()) } else { Err(self.error(format!("`{sign}` is expected here"))) }
    }

    /// Takes letters, digits and `_`, as many as there are.
    fn word(&mut self) -> &'t str {
        self.skip_space();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn sampler(&mut self) -> Result<SamplerConfig, SamplerTextError> {
        self.skip_space();
        let start = self.rest;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("samplers stand too deep in one another"));
        }
        let name = self.word().replace('_', "").to_ascii_lowercase();
        let (name, is_wrapped) = match name.strip_prefix("parentbased") {
            Some(rest) if !rest.is_empty() => (rest, true),
            _ => (name.as_str(), false),
        };
        let sampler = match name {
            "alwayson" => SamplerConfig::AlwaysOn,
            "alwaysoff" => SamplerConfig::AlwaysOff,
            "traceidratio" | "traceidratiobased" => {
                SamplerConfig::TraceIdRatio(self.number(Some(1.0), is_ratio, "a number from 0 to 1")?)
            }
            "probability" => SamplerConfig::Probability(self.number(Some(1.0), is_probability, PROBABILITY)?),
            "ratelimited" => {
                SamplerConfig::RateLimited(self.number(Some(100.0), is_rate, "a number of spans a second above 0")?)
            }
            "parentbased" if !is_wrapped => self.parent_based()?,
            "parentthreshold" if !is_wrapped => self.parent_threshold()?,
            "rules" if !is_wrapped => self.rules()?,
            "jaegerremote" | "xray" => {
                self.rest = start;
                return Err(self.error("a sampler of the specification that is not built in"));
            }
            _ => {
                self.rest = start;
                let known = NAMES.into_iter();
                return Err(self.error(format!("the sampler {}", names::unknown(self.word_ahead(), known))));
            }
        };
        self.depth -= 1;
        Ok(if is_wrapped { SamplerConfig::parent_based(sampler) } else { sampler })
    }

    /// What [`word`](Self::word) would take, or the next few characters where that is nothing.
    fn word_ahead(&self) -> &'t str {
        let end = self.rest.find([',', '(', ')', '=']).unwrap_or(self.rest.len());
        self.rest.get(..end).unwrap_or_default().trim()
    }

    /// A number in parentheses, or `default` without them.
    fn number(
        &mut self,
        default: Option<f64>,
        is_good: fn(f64) -> bool,
        wanted: &str,
    ) -> Result<f64, SamplerTextError> {
        if let Some(default) = default
            && !self.takes('(')
        {
            return Ok(default);
        }
        self.skip_space();
        let end = self.rest.find([')', ',']).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        let Some(number) = text.trim().parse().ok().filter(|number| is_good(*number)) else {
            return Err(self.error(format!("{wanted} is expected here")));
        };
        self.rest = rest;
        self.expect(')')?;
        Ok(number)
    }

    fn parent_based(&mut self) -> Result<SamplerConfig, SamplerTextError> {
        self.expect('(')?;
        let mut config = ParentBasedConfig::new(self.sampler()?);
        while self.takes(',') {
            self.skip_space();
            let start = self.rest;
            let name = self.word().to_ascii_lowercase();
            if config.parent_mut(&name).is_none() {
                self.rest = start;
                let known = config.parents().map(|(name, ..)| name);
                return Err(self.error(format!("the kind of parent {}", names::unknown(&name, known.into_iter()))));
            }
            self.expect('=')?;
            let sampler = self.sampler()?;
            if let Some(place) = config.parent_mut(&name) {
                *place = sampler;
            }
        }
        self.expect(')')?;
        Ok(SamplerConfig::ParentBased(Box::new(config)))
    }

    fn parent_threshold(&mut self) -> Result<SamplerConfig, SamplerTextError> {
        self.expect('(')?;
        self.skip_space();
        let start = self.rest;
        let root = self.sampler()?;
        if !root.is_composable() {
            self.rest = start;
            return Err(self.error("AlwaysOn, AlwaysOff, Probability or Rules of these is expected here"));
        }
        self.expect(')')?;
        Ok(SamplerConfig::ParentThreshold(Box::new(root)))
    }

    fn rules(&mut self) -> Result<SamplerConfig, SamplerTextError> {
        self.expect('(')?;
        let mut rules = Vec::new();
        loop {
            self.skip_space();
            let start = self.rest;
            let word = self.word();
            if word.eq_ignore_ascii_case("otherwise") {
                self.expect('=')?;
                let otherwise = self.sampler()?;
                self.expect(')')?;
                return Ok(SamplerConfig::Rules(Box::new(RulesConfig { rules, otherwise })));
            }
            let kind = match word {
                "" => None,
                word => Some(kind(word).ok_or_else(|| {
                    self.rest = start;
                    self.error("a span kind, a quoted span name or `otherwise` is expected here")
                })?),
            };
            let name = self.quoted()?;
            self.expect('=')?;
            rules.push(RuleConfig { name, kind, sampler: self.sampler()? });
            self.expect(',')?;
        }
    }

    fn quoted(&mut self) -> Result<String, SamplerTextError> {
        self.expect('"')?;
        let mut text = String::new();
        let mut signs = self.rest.char_indices();
        while let Some((index, sign)) = signs.next() {
            match sign {
                '"' => {
                    self.rest = self.rest.get(index + 1..).unwrap_or_default();
                    return Ok(text);
                }
                '\\' => text.extend(signs.next().map(|(_, sign)| sign)),
                sign => text.push(sign),
            }
        }
        Err(self.error("this quotation mark is not closed"))
    }
}

/// A span kind by its name, in any case.
pub(crate) fn kind(name: &str) -> Option<SpanKind> {
    let kinds =
        [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer].into_iter();
    kinds.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::SamplerConfig;

    #[test]
    fn names_and_displayed_forms_are_read() {
        let table = [
            ("always_on", "AlwaysOn"),
            ("ALWAYS_OFF", "AlwaysOff"),
            ("traceidratio", "TraceIdRatio(1)"),
            ("TraceIdRatio(0.25)", "TraceIdRatio(0.25)"),
            ("trace_id_ratio_based ( 0.5 )", "TraceIdRatio(0.5)"),
            ("parentbased_always_on", "ParentBased(AlwaysOn)"),
            ("parentbased_traceidratio(0.1)", "ParentBased(TraceIdRatio(0.1))"),
            (" ParentBased( AlwaysOff ) ", "ParentBased(AlwaysOff)"),
            ("probability(0.01)", "Probability(0.01)"),
            ("parentbased_probability(0.1)", "ParentBased(Probability(0.1))"),
            ("parent_threshold(probability(0.25))", "ParentThreshold(Probability(0.25))"),
            (
                r#"ParentThreshold(Rules("GET /health"=AlwaysOff, otherwise=Probability(0.5)))"#,
                r#"ParentThreshold(Rules("GET /health"=AlwaysOff, otherwise=Probability(0.5)))"#,
            ),
            ("RateLimited(0.5)", "RateLimited(0.5)"),
            ("parentbased_ratelimited(10)", "ParentBased(RateLimited(10))"),
            (
                "ParentBased(AlwaysOn,remote_parent_sampled=TraceIdRatio(0.5), local_parent_not_sampled=AlwaysOn)",
                "ParentBased(AlwaysOn, remote_parent_sampled=TraceIdRatio(0.5), local_parent_not_sampled=AlwaysOn)",
            ),
            ("ParentBased(AlwaysOn, remote_parent_not_sampled=AlwaysOff)", "ParentBased(AlwaysOn)"),
            (
                r#"Rules(server "GET /\"x\" *"=AlwaysOff, "a,)="=ParentBased(TraceIdRatio(0)), otherwise=always_on)"#,
                r#"Rules(SERVER "GET /\"x\" *"=AlwaysOff, "a,)="=ParentBased(TraceIdRatio(0)), otherwise=AlwaysOn)"#,
            ),
        ];
        for (text, shown) in table {
            let sampler: SamplerConfig = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(sampler.to_string(), shown, "{text}");
            assert_eq!(shown.parse(), Ok(sampler), "what is displayed reads as the same");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let deep = "ParentBased(".repeat(200_000);
        let table = [
            ("", 0, "\"\" is not one of"),
            ("always_onn", 0, "did you mean `always_on`"),
            ("jaeger_remote", 0, "not built in"),
            ("parentbased_jaeger_remote", 0, "not built in"),
            ("xray", 0, "not built in"),
            ("TraceIdRatio(1.5)", 13, "from 0 to 1"),
            ("TraceIdRatio(NaN)", 13, "from 0 to 1"),
            ("TraceIdRatio(0.5", 16, "`)`"),
            ("Probability(1e-17)", 12, "from 2^-56 to 1"),
            ("ParentThreshold(TraceIdRatio(0.5))", 16, "AlwaysOn, AlwaysOff, Probability"),
            (r#"ParentThreshold( Rules("a"=RateLimited(1), otherwise=AlwaysOn))"#, 17, "or Rules of these"),
            ("ParentThreshold(AlwaysOn", 24, "`)`"),
            ("RateLimited(0)", 12, "above 0"),
            ("RateLimited(inf)", 12, "above 0"),
            ("ParentBased", 11, "`(`"),
            ("ParentBased(AlwaysOn, remote_parent_smapled=AlwaysOn)", 22, "did you mean `remote_parent_sampled`"),
            ("ParentBased(AlwaysOn) AlwaysOff", 22, "nothing more"),
            ("Rules(\"a=AlwaysOn, otherwise=AlwaysOn)", 7, "not closed"),
            ("Rules(sever \"a\"=AlwaysOn, otherwise=AlwaysOn)", 6, "span kind"),
            ("Rules(\"a\"=AlwaysOn)", 18, "`,`"),
            ("parentbased_rules(otherwise=AlwaysOn)", 0, "the sampler"),
            (deep.as_str(), 96, "too deep"),
        ];
        for (text, position, problem) in table {
            let shown = text.get(..60).unwrap_or(text);
            let error = text.parse::<SamplerConfig>().expect_err(shown);
            assert_eq!(error.position(), position, "{shown}: {error}");
            assert!(error.to_string().contains(problem), "{shown}: {error}");
        }
    }
}
