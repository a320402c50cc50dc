//! What can be changed while the program runs: the sampler and the filter.

use std::time::Duration;

use clewline::config::{FilterConfig, SamplerConfig, SamplerError};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::alone::{alone, alone_without_stderr};

const SOON: Duration = Duration::from_secs(300);

/// Starts a span in each of two threads at each of two levels, and answers the names of those that were recorded.
fn recorded(guard: &clewline::Guard) -> Vec<String> {
    fn spans() {
        drop(tracing::info_span!("info"));
        drop(tracing::debug_span!("debug"));
        drop(tracing::debug_span!(target: "other", "other"));
    }
    spans();
    std::thread::spawn(spans).join().unwrap();
    guard.flush(SOON).unwrap();
    let mut names: Vec<String> = guard.memory().unwrap().take().into_iter().map(|span| span.name).collect();
    names.sort();
    names
}

#[test]
fn the_filter_can_be_changed() {
    let variables = [("OTEL_TRACES_EXPORTER", "memory"), ("RUST_LOG", "warn,other=debug")];
    alone("running::the_filter_can_be_changed", &variables, || {
        let guard = clewline::init().unwrap();
        let twice =
            |names: &[&str]| names.iter().flat_map(|name| [(*name).to_owned(), (*name).to_owned()]).collect::<Vec<_>>();
        assert_eq!(recorded(&guard), twice(&["other"]));
        for (filter, names) in [
            ("info", &["info"][..]),
            ("debug", &["debug", "info", "other"]),
            ("debug,other=off", &["debug", "info"]),
            ("off", &[]),
            ("info", &["info"]),
        ] {
            guard.set_filter(&filter.parse().unwrap()).unwrap();
            assert_eq!(recorded(&guard), twice(names), "{filter}");
        }
    });
}

#[test]
fn the_sampler_can_be_changed() {
    alone("running::the_sampler_can_be_changed", &[("OTEL_TRACES_EXPORTER", "memory")], || {
        let guard = clewline::init().unwrap();
        assert_eq!(recorded(&guard).len(), 2);
        guard.set_sampler(&SamplerConfig::AlwaysOff).unwrap();
        assert_eq!(recorded(&guard).len(), 0);
        assert_eq!(guard.set_sampler(&SamplerConfig::TraceIdRatio(1.5)), Err(SamplerError::Ratio));
        assert_eq!(recorded(&guard).len(), 0, "the one before stays");
        guard.set_sampler(&SamplerConfig::AlwaysOn).unwrap();
        assert_eq!(recorded(&guard).len(), 2);
    });
}

#[test]
fn a_subscriber_of_the_program_s_own_has_no_filter_of_ours() {
    alone(
        "running::a_subscriber_of_the_program_s_own_has_no_filter_of_ours",
        &[("OTEL_TRACES_EXPORTER", "memory")],
        || {
            let guard = clewline::start(&clewline::TracingConfig::from_env()).unwrap();
            let subscriber = tracing_subscriber::registry().with(clewline::layer());
            tracing::subscriber::set_global_default(subscriber).unwrap();
            assert_eq!(recorded(&guard).len(), 6, "everything is recorded");
            assert!(guard.set_filter(&FilterConfig::default()).is_err());
        },
    );
}

/// Drops the guard while spans are open.
fn leave_open() {
    let guard = clewline::init().unwrap();
    let _outer = tracing::info_span!("outer").entered();
    let _inner = (tracing::info_span!("inner"), tracing::info_span!("inner"));
    drop(guard);
}

#[test]
fn spans_that_are_open_at_the_shutdown_are_reported_once() {
    let test = "running::spans_that_are_open_at_the_shutdown_are_reported_once";
    if let Some(printed) = alone(test, &[("OTEL_TRACES_EXPORTER", "none")], leave_open) {
        let lines: Vec<&str> = printed.stderr.lines().filter(|line| line.contains("open at shutdown")).collect();
        let expected = "clewline: 3 spans were still open at shutdown and were not exported: ";
        let names = lines.first().and_then(|line| line.strip_prefix(expected)).unwrap_or_else(|| panic!("{lines:?}"));
        let mut names: Vec<&str> = names.split(", ").collect();
        names.sort_unstable();
        assert_eq!((lines.len(), names), (1, vec!["inner", "outer"]));
    }
}

#[test]
fn nothing_is_said_where_nothing_is_to_be_said() {
    let variables = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOG_LEVEL", "none")];
    let test = "running::nothing_is_said_where_nothing_is_to_be_said";
    if let Some(printed) = alone(test, &variables, leave_open) {
        assert!(!printed.stderr.contains("open at shutdown"), "{}", printed.stderr);
    }
}

#[test]
fn a_program_whose_stderr_is_gone_goes_on() {
    let variables = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_BSP_SCHEDULE_DELAY", "soon")];
    alone_without_stderr("running::a_program_whose_stderr_is_gone_goes_on", &variables, leave_open);
}
