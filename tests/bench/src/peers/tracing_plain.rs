//! `tracing` with a registry and a layer that records nothing: the price of the facade alone.
//!
//! Configuration: `tracing-subscriber`'s registry as the process-wide default (a scoped default is slower). Sampled out
//! is the level filter `OFF`, which `tracing` caches per call site: the best a layer can ever answer.

use crate::case::{Case, Mode};
use crate::library::{Installed, Library, Role};
use crate::routine::Routine;
use crate::workload;
use tracing::level_filters::LevelFilter;
use tracing::span::EnteredSpan;
use tracing::{Subscriber, info, info_span};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

/// The facade with a layer that records nothing.
#[derive(Clone, Copy, Debug)]
pub struct TracingPlain;

impl Library for TracingPlain {
    fn label(&self) -> &'static str {
        "tracing, a layer that records nothing"
    }

    fn name(&self) -> &'static str {
        "tracing-plain"
    }

    fn install(&self, mode: Mode) -> Option<Box<dyn Installed>> {
        match mode {
            Mode::Recording => set_default(Registry::default().with(Nothing)),
            Mode::SampledOut => {
                set_default(Registry::default().with(Nothing).with(LevelFilter::OFF));
            }
            Mode::NotInstalled => {}
        }
        Some(Box::new(Facade))
    }
}

/// Makes `subscriber` the process's default.
pub(crate) fn set_default(subscriber: impl Subscriber + Send + Sync) {
    tracing::subscriber::set_global_default(subscriber).expect("a worker process sets one default only");
}

struct Nothing;

impl<S: Subscriber> Layer<S> for Nothing {}

struct Facade;

impl Installed for Facade {
    fn routine(&self, case: Case) -> Option<Routine> {
        routine(case)
    }

    fn role(&self) -> Role {
        Role::Facade
    }
}

/// The cases as `tracing` call sites, for every row that is reached through `tracing`.
pub(crate) fn routine(case: Case) -> Option<Routine> {
    match case {
        Case::Root | Case::SampledOut | Case::NotInstalled => Some(Routine::repeat(|| drop(root()))),
        Case::RootAndChild => Some(Routine::repeat(root_and_child)),
        Case::HundredChildren => Some(Routine::repeat(hundred_children)),
        Case::AddEvent => Some(Routine::prepared(workload::EVENTS_PER_SPAN, root, |entered| {
            for _ in 0..workload::EVENTS_PER_SPAN {
                info!("cache.miss");
            }
            entered
        })),
        Case::Encode | Case::ParseTraceparent | Case::FormatTraceparent => None,
    }
}

fn root() -> EnteredSpan {
    // A call site's name must be a literal; the tests compare these with the workload.
    info_span!("GET /cart/{id}").entered()
}

fn root_and_child() {
    let _root = root();
    let [(_, system), (_, operation), (_, collection), (_, address)] = workload::CHILD_ATTRIBUTES;
    let _child = info_span!(
        "SELECT cart",
        db.system.name = system,
        db.operation.name = operation,
        db.collection.name = collection,
        server.address = address,
    )
    .entered();
}

fn hundred_children() {
    let _root = root();
    for _ in 0..workload::CHILDREN {
        let _child = info_span!("SELECT cart").entered();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::span::{Attributes, Id};
    use tracing::{Event, field};
    use tracing_subscriber::layer::Context;

    #[derive(Clone, Default)]
    struct Names(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Names {
        fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
            let mut names = self.0.lock().expect("one thread");
            names.push(attributes.metadata().name().to_owned());
            drop(names);
            attributes.record(&mut self.clone());
        }

        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            event.record(&mut self.clone());
        }
    }

    impl field::Visit for Names {
        fn record_str(&mut self, field: &field::Field, value: &str) {
            let mut names = self.0.lock().expect("one thread");
            names.push(format!("{field}={value}"));
        }

        fn record_debug(&mut self, field: &field::Field, value: &dyn std::fmt::Debug) {
            let mut names = self.0.lock().expect("one thread");
            names.push(format!("{field}={value:?}"));
        }
    }

    #[test]
    fn call_sites_record_the_workload() {
        let names = Names::default();
        tracing::subscriber::with_default(Registry::default().with(names.clone()), || {
            root_and_child();
            for case in [Case::HundredChildren, Case::AddEvent] {
                routine(case).expect("a case of tracing").run(1);
            }
        });
        let mut expected = vec![workload::ROOT.to_owned(), workload::CHILD.to_owned()];
        expected.extend(workload::CHILD_ATTRIBUTES.map(|(key, value)| format!("{key}={value}")));
        expected.push(workload::ROOT.to_owned());
        expected.extend(vec![workload::CHILD.to_owned(); workload::CHILDREN]);
        expected.push(workload::ROOT.to_owned());
        expected.extend((0..workload::EVENTS_PER_SPAN).map(|_| format!("message={}", workload::EVENT)));
        assert_eq!(*names.0.lock().expect("one thread"), expected);
    }
}
