//! `clewline inspect`, run as the binary that users run.

mod headers;
mod otlp;
mod people;
mod support;
