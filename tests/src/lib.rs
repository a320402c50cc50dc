//! What crosses crates: the tests are in `tests/`, one binary per question.
//!
//! - `conformance`: what core records is what OpenTelemetry's own messages read, and the other way round.
//! - `allocation`: recording, ending, propagating and reading never touch the heap.
//! - `fuzz`: the targets of [`fuzz`](mod@fuzz), on the seeds in `fuzz/corpus` and what mutation makes of them.

pub mod fuzz;
