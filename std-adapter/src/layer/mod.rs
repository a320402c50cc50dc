//! The `tracing` layer: every `tracing` span becomes a Clewline span, without a second walk.
