//! `Place`: what a thread can be in.

use std::sync::Arc;

use super::{Context, SharedSpan};
#[cfg(feature = "opentelemetry")]
use crate::opentelemetry::current as otel;
use crate::pipeline::Recording;

/// What a thread can be in.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A native span.
    Native(SharedSpan),
    /// A context from another thread or process.
    Attached(Arc<Context>),
    /// A span of a `tracing` layer. Layers number their spans independently, so a place names its layer.
    #[cfg(feature = "tracing")]
    Tracing { layer: u32, number: u64 },
    /// OpenTelemetry's own context, with a span that no other door knows.
    #[cfg(feature = "opentelemetry")]
    OpenTelemetry(Arc<::opentelemetry::Context>),
}

impl Place {
    /// What it hands on; `None` if its span is no longer known.
    pub(crate) fn context(&self) -> Option<Context> {
        match self {
            Self::Native(span) => Some(span.context().clone()),
            Self::Attached(context) => Some(Context::clone(context)),
            #[cfg(feature = "tracing")]
            Self::Tracing { layer, number } => crate::layer::context_of(*layer, *number),
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(cx) => Some(otel::hand_on(cx)),
        }
    }

    /// What it hands to a child. A `tracing` span takes note, as it cannot move to another trace any more.
    pub(super) fn hand_to_child(&self) -> Option<Context> {
        match self {
            #[cfg(feature = "tracing")]
            Self::Tracing { layer, number } => crate::layer::hand_to_child(*layer, *number),
            other => other.context(),
        }
    }

    /// Works on what is being recorded, or does nothing. No foreign code may run inside `work`: it could come back here.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Recording) -> R) -> Option<R> {
        match self {
            Self::Native(span) => span.with(work),
            Self::Attached(_) => None,
            #[cfg(feature = "tracing")]
            Self::Tracing { layer, number } => crate::layer::with_recording_of(*layer, *number, work),
            #[cfg(feature = "opentelemetry")]
            Self::OpenTelemetry(cx) => crate::opentelemetry::with_recording(cx, work),
        }
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.with(|_| ()).is_some()
    }
}
