//! The same instrumented programs under `tracing-opentelemetry` and under Clewline: the same trees, names, kinds, statuses,
//! attributes, events and links, except where [`differences`] says otherwise and why.

mod differences;
mod normal;
mod programs;
mod ways;

use normal::Tree;

/// Compares what a program leaves by both ways, after the differences that are meant.
#[track_caller]
fn compare(name: &str, program: fn()) {
    let theirs = differences::applied(Tree::new(&ways::opentelemetry(program)));
    for (door, spans) in [("layer", ways::layer(program)), ("subscriber", ways::subscriber(program))] {
        let ours = Tree::new(&spans);
        assert!(!ours.spans.is_empty());
        assert_eq!(ours, theirs, "{name}, {door}: ours, theirs");
    }
}

#[test]
fn parents_and_kinds() {
    compare("parents and kinds", programs::parents_and_kinds);
}

#[test]
fn fields_of_all_types() {
    compare("fields of all types", programs::fields_of_all_types);
}

#[test]
fn later_fields() {
    compare("later fields", programs::later_fields);
}

#[test]
fn events() {
    compare("events", programs::events);
}

#[test]
fn errors() {
    compare("errors", programs::errors);
}

#[test]
fn instrumented_functions() {
    compare("instrumented functions", programs::instrumented_functions);
}

#[test]
fn futures_on_threads() {
    compare("futures on threads", programs::futures_on_threads);
}

#[test]
fn links() {
    compare("links", programs::links);
}

#[test]
fn every_difference_is_met_by_a_program() {
    let programs: [fn(); 8] = [
        programs::parents_and_kinds,
        programs::fields_of_all_types,
        programs::later_fields,
        programs::events,
        programs::errors,
        programs::instrumented_functions,
        programs::futures_on_threads,
        programs::links,
    ];
    let met: Vec<&str> =
        programs.into_iter().flat_map(|program| differences::met(&Tree::new(&ways::opentelemetry(program)))).collect();
    for difference in differences::ALL {
        assert!(met.contains(&difference.what), "no program meets: {}", difference.what);
    }
}
