//! How much memory recording may take.

use super::setting::Setting;
use crate::pipeline::PipelineOptions;

/// Bytes in which spans are recorded and wait, in front of the queues that [`BatchConfig`](super::BatchConfig) bounds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MemoryConfig {
    /// Bytes that one span may take; what does not fit is refused and counted.
    pub span_bytes: Setting<usize>,
    /// Bytes of each thread's own in which its finished spans wait.
    pub thread_bytes: Setting<usize>,
    /// Bytes that threads whose own are full share.
    pub burst_bytes: Setting<usize>,
}

impl MemoryConfig {
    /// The least that a span or a thread can work with.
    #[cfg(feature = "serde")]
    pub(super) const LEAST_BYTES: usize = 1024;

    pub(crate) fn set(&self, options: &mut PipelineOptions) {
        options.span_bytes = *self.span_bytes.get();
        options.thread_bytes = *self.thread_bytes.get();
        options.burst_bytes = *self.burst_bytes.get();
    }
}

impl Default for MemoryConfig {
    fn default() -> Self {
        let PipelineOptions { span_bytes, thread_bytes, burst_bytes, .. } = PipelineOptions::default();
        Self {
            span_bytes: Setting::default(span_bytes),
            thread_bytes: Setting::default(thread_bytes),
            burst_bytes: Setting::default(burst_bytes),
        }
    }
}
