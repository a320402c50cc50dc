//! Which traces are exported, decided when they have ended.

use std::time::Duration;

use clewline_core::TailRule;

use super::setting::Setting;
use crate::pipeline::TailSampling;

/// The tail rule: "keep the trace if something failed or was slow". Without `errors` and `slower_than`, every trace that was
/// sampled is exported. [`TailSampling`] says more.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TailConfig {
    /// Whether traces are kept in which a span failed.
    pub errors: Setting<bool>,
    /// Traces are kept in which a span took longer.
    pub slower_than: Setting<Option<Duration>>,
    /// How long a trace waits for its local root.
    pub longest_wait: Setting<Duration>,
    /// Bytes of spans that may be held.
    pub max_bytes: Setting<usize>,
}

impl Default for TailConfig {
    fn default() -> Self {
        Self {
            errors: Setting::default(false),
            slower_than: Setting::default(None),
            longest_wait: Setting::default(TailSampling::DEFAULT_LONGEST_WAIT),
            max_bytes: Setting::default(TailSampling::DEFAULT_MAX_BYTES),
        }
    }
}

impl TailConfig {
    /// The rule; `None` if there is none.
    pub(crate) fn sampling(&self) -> Option<TailSampling> {
        let (failed, slower_than) = (*self.errors.get(), *self.slower_than.get());
        let nanos = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        let rule = TailRule { failed, longer_than_nanos: slower_than.map_or(u64::MAX, nanos) };
        (failed || slower_than.is_some()).then(|| TailSampling {
            max_bytes: *self.max_bytes.get(),
            longest_wait: *self.longest_wait.get(),
            ..TailSampling::new(rule)
        })
    }
}
