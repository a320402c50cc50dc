//! Clewline measured beside its peers: one table, one run of `cargo bench -p clewline-bench`.
//!
//! # What is promised
//!
//! - Every library runs the same [`workload`]: same names, same attribute keys and literal values, same
//!   header. What a library cannot express is left out of its row, never approximated.
//! - Every library has its own process, because each owns process-wide state: one default `tracing` subscriber, one
//!   fastrace reporter. The parent starts the processes round-robin over several rounds, so that a noisy minute of the
//!   machine hits all rows alike, and merges the samples.
//! - Before anything is timed, each row is checked to deliver exactly the spans, attributes and events that its case
//!   claims ([`worker`]). A row that got fast by losing work fails the run.
//! - Samples are small (at most [`worker::SPANS_PER_SAMPLE`] spans, flushed between samples outside the timed part),
//!   so that no peer's queue overflows: nobody is measured while dropping.
//!
//! # How the peers are configured
//!
//! Release profile of the workspace (fat LTO, one codegen unit), and each peer at its best realistic setting: see the
//! module of each under [`peers`]. All string values are `'static`, which spares the peers that keep `Cow<'static, str>`
//! an allocation per value that an application with run-time values would pay.
//!
//! # What it does not do
//!
//! No network: exporters and reporters discard. Costs after the handover to an exporter are only in columns f and CPU.

pub mod allocation;
pub mod arrivals;
pub mod case;
mod chip_rows;
pub mod clewline_core;
pub mod clewline_native;
pub mod clewline_opentelemetry;
pub mod clewline_tracing;
pub mod core_rows;
pub mod library;
pub mod options;
pub mod peers;
pub mod report;
pub mod routine;
pub mod statistics;
pub mod table;
pub mod threads;
pub mod worker;
pub mod workload;
