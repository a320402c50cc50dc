//! The filter in front of the subscriber: by level and target, and changed while the program runs.

use std::fmt;

use tracing_core::{Dispatch, LevelFilter};
use tracing_subscriber::filter::Targets;

use crate::ClewlineSubscriber;
use crate::config::{FilterConfig, FilterLevel};

/// The subscriber whose targets are changed.
pub(super) struct ChangeableFilter {
    subscriber: Dispatch,
}

impl ChangeableFilter {
    pub(super) fn new(subscriber: Dispatch) -> Self {
        Self { subscriber }
    }

    /// Lets other spans and events through from now on. Spans that are open stay as they are.
    pub(super) fn set(&self, config: &FilterConfig) {
        if let Some(subscriber) = self.subscriber.downcast_ref::<ClewlineSubscriber>() {
            subscriber.set_targets(targets(config));
        }
    }
}

impl fmt::Debug for ChangeableFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ChangeableFilter").finish_non_exhaustive()
    }
}

pub(super) fn targets(config: &FilterConfig) -> Targets {
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
