//! `OTEL_TRACES_SAMPLER` and its argument (`sdk-environment-variables.md`, "General SDK Configuration").

use crate::support::{Row, check, given};

const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

fn named(name: &'static str, argument: &'static str, shown: &'static str) -> Row {
    given(&[(SAMPLER, name), (ARGUMENT, argument)]).has("/sampler", shown)
}

#[test]
fn every_name_of_the_specification() {
    let from = "env OTEL_TRACES_SAMPLER";
    check(vec![
        named("always_on", "", "AlwaysOn").has("/sources/sampler", from),
        named("always_off", "", "AlwaysOff"),
        named("traceidratio", "", "TraceIdRatio(1)"),
        named("traceidratio", "0.25", "TraceIdRatio(0.25)").has("/sources/sampler", from),
        named("traceidratio", "0", "TraceIdRatio(0)"),
        named("traceidratio", "1e-3", "TraceIdRatio(0.001)"),
        named("parentbased_always_on", "", "ParentBased(AlwaysOn)").has("/sources/sampler", from),
        named("ParentBased_Always_Off", "", "ParentBased(AlwaysOff)"),
        named("PARENTBASED_TRACEIDRATIO", "0.25", "ParentBased(TraceIdRatio(0.25))"),
        named("parentbased_traceidratio", "", "ParentBased(TraceIdRatio(1))"),
    ]);
}

#[test]
fn what_cannot_be_used_is_a_warning() {
    let default = "ParentBased(AlwaysOn)";
    let mut rows = vec![
        given(&[(ARGUMENT, "0.5")]).has("/sampler", default).has("/sources/sampler", "default").warns(ARGUMENT),
        named("always_on", "0.5", "AlwaysOn").warns(ARGUMENT),
    ];
    rows.extend(
        ["1.01", "-0.1", "NaN", "inf", "half", "0,5", "50%"]
            .map(|bad| named("parentbased_traceidratio", bad, "ParentBased(TraceIdRatio(1))").warns(ARGUMENT)),
    );
    rows.extend(
        ["jaeger_remote", "parentbased_jaeger_remote", "xray", "sometimes", "parentbased"]
            .map(|name| named(name, "", default).has("/sources/sampler", "default").warns(SAMPLER)),
    );
    check(rows);
}

#[test]
fn our_own_samplers_have_names_too() {
    let rule = r#"Rules("GET /health"=AlwaysOff, otherwise=ParentBased(AlwaysOn))"#;
    check(vec![
        named("parentbased_ratelimited", "50", "ParentBased(RateLimited(50))"),
        named("ratelimited", "0", "RateLimited(100)").warns(ARGUMENT),
        named(
            "ParentBased(TraceIdRatio(0.5), remote_parent_not_sampled=TraceIdRatio(0.1))",
            "",
            "ParentBased(TraceIdRatio(0.5), remote_parent_not_sampled=TraceIdRatio(0.1))",
        ),
        named(rule, "", rule),
    ]);
}
