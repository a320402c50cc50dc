//! The filter in front of all layers: by level and target, and changed while the program runs.

use std::sync::{Arc, PoisonError, RwLock};

use tracing_core::callsite;
use tracing_core::subscriber::{Interest, Subscriber};
use tracing_core::{LevelFilter, Metadata};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer};

use crate::config::{FilterConfig, FilterLevel};

/// Lets through what a [`FilterConfig`] says. Clones share what they say.
///
/// It decides for each place in the program once, and anew when it is changed: `tracing` remembers that, so that the lock is
/// not taken for spans. `tracing_subscriber`'s own reloading layer takes one at every entry and exit of a span.
#[derive(Clone, Debug)]
pub(super) struct ChangeableFilter {
    targets: Arc<RwLock<Targets>>,
}

impl ChangeableFilter {
    pub(super) fn new(config: &FilterConfig) -> Self {
        Self { targets: Arc::new(RwLock::new(targets(config))) }
    }

    /// Lets other spans and events through from now on. Spans that are open stay as they are.
    pub(super) fn set(&self, config: &FilterConfig) {
        *self.targets.write().unwrap_or_else(PoisonError::into_inner) = targets(config);
        callsite::rebuild_interest_cache();
    }

    fn lets(&self, metadata: &Metadata<'_>) -> bool {
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        targets.would_enable(metadata.target(), metadata.level())
    }
}

fn targets(config: &FilterConfig) -> Targets {
    let targets = config.targets.iter().map(|(target, level)| (target.clone(), filter(*level)));
    Targets::new().with_default(filter(config.level)).with_targets(targets)
}

fn filter(level: FilterLevel) -> LevelFilter {
    match level {
        FilterLevel::Off => LevelFilter::OFF,
        FilterLevel::Error => LevelFilter::ERROR,
        FilterLevel::Warn => LevelFilter::WARN,
        FilterLevel::Info => LevelFilter::INFO,
        FilterLevel::Debug => LevelFilter::DEBUG,
        FilterLevel::Trace => LevelFilter::TRACE,
    }
}

impl<S: Subscriber> Layer<S> for ChangeableFilter {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.lets(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.lets(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        Layer::<S>::max_level_hint(&*targets)
    }
}
