//! Testing traced code (feature `testing`): a recorder for each test, and assertions on what it recorded.
//!
//! ```
//! use clewline::testing::Recorder;
//! use clewline::{SpanKind, Value};
//!
//! // The code under test.
//! fn checkout() {
//!     let _request = clewline::tracer("shop").span("GET /cart").kind(SpanKind::Server).start().enter();
//!     clewline::helpers::db_span("SELECT * FROM cart", "sqlite").event("cache.miss");
//! }
//!
//! let recorder = Recorder::new();
//! checkout();
//!
//! let spans = recorder.spans();
//! let request = spans.named("GET /cart").is_root().has_kind(SpanKind::Server);
//! spans.named("SELECT cart").child_of(request).has("db.system.name", "sqlite").has_event("cache.miss");
//! ```
//!
//! # What is recorded
//! Everything that the thread of the [`Recorder`] does until that is dropped, through any door: tracers of
//! [`tracer`](crate::tracer), `tracing`, and OpenTelemetry's API. Tests that run at the same time see nothing of each other.
//! The pipeline that a program started with `init` gets nothing meanwhile.
//!
//! Threads and tasks that the code under test starts belong to the same recorder wherever they are within one of its spans: a
//! task with `tracing::Instrument`, a [`Context`](crate::Context) that was attached, a span with a parent of this test's. For
//! those that are not there is [`Recorder::handle`].
//!
//! # When it fails
//! An assertion that does not hold panics with what was expected, what was found, and all spans as a tree.

mod recorder;
pub(crate) mod scope;
mod spans;
mod tree;

pub use recorder::{Entered, Handle, Recorder, RecorderBuilder, WithRecorder};
pub use spans::{FindSpan, Spans, TestEvent, TestSpan};
