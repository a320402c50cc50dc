//! The monotonic clock: the operating system's, and in a page or worker `performance.now()`, for which std has none.

#[cfg(not(web))]
pub(crate) use std::time::Instant;
#[cfg(web)]
pub(crate) use web_time::Instant;
