//! What crosses crates: the tests are in `tests/`, one binary per question.
//!
//! - `conformance`: what core records is what OpenTelemetry's own messages read, and the other way round.
//! - `allocation`: recording, ending, propagating and reading never touch the heap.
