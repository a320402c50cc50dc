//! Propagators, contexts and carriers: what goes in comes out, and what is broken stays behind.

use std::collections::{BTreeMap, HashMap};
use std::process::Command;

use clewline::propagation::{BaggageError, Context, Format, Propagators, SamplingState, carrier};
use clewline::traceparent;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

fn all() -> Propagators {
    "tracecontext,baggage,b3multi,jaeger".parse().unwrap()
}

/// A context with everything that travels.
fn whole() -> Context {
    let message =
        [("traceparent", PARENT), ("tracestate", "congo=1,rojo=2"), ("baggage", "tenant=M%C3%BCller;p=1,b=2")];
    let extraction = Propagators::default().read(&message);
    assert_eq!(extraction.errors().count(), 0);
    extraction.context
}

#[test]
fn names_are_those_of_the_specification() {
    assert_eq!("tracecontext,baggage".parse(), Ok(Propagators::default()));
    assert_eq!("none".parse(), Ok(Propagators::none()));
    let list: Propagators = " B3Multi , b3multi,,Jaeger,baggage,none".parse().unwrap();
    assert_eq!(list.formats(), [Format::B3Multi, Format::Jaeger]);
    assert!(list.has_baggage());
    assert_eq!("tracecontext,xray".parse::<Propagators>().unwrap_err().name(), "xray");
    let fields: Vec<&str> = list.fields().collect();
    assert_eq!(fields, ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags", "uber-trace-id", "baggage"]);
}

#[test]
fn maps_and_lists_carry_everything() {
    let context = whole();
    let mut map: HashMap<String, String> = HashMap::from([("TraceParent".to_owned(), "x".to_owned())]);
    map.remove("TraceParent");
    all().inject(&context, &mut carrier::map_mut(&mut map));
    assert_eq!(Propagators::default().extract(&carrier::map(&map)), context);
    let ordered: BTreeMap<String, Vec<u8>> =
        map.into_iter().map(|(key, value)| (key.to_uppercase(), value.into())).collect();
    assert_eq!(Propagators::default().extract(&carrier::map(&ordered)), context, "names are found in any case");

    let mut headers = vec![("Traceparent".to_owned(), b"old".to_vec()), ("other".to_owned(), b"stays".to_vec())];
    Propagators::default().inject(&context, &mut carrier::pairs_mut(&mut headers));
    assert_eq!(Propagators::default().extract(headers.as_slice()), context);
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["other", "traceparent", "tracestate", "baggage"], "the old one is gone");
}

#[test]
fn nothing_comes_of_none() {
    let message = [("traceparent", PARENT), ("baggage", "a=1")];
    assert!(Propagators::none().extract(&message).is_empty());
    let mut headers: Vec<(String, String)> = Vec::new();
    Propagators::none().inject(&whole(), &mut carrier::pairs_mut(&mut headers));
    Propagators::default().inject(&Context::default(), &mut carrier::pairs_mut(&mut headers));
    assert!(headers.is_empty());
}

#[test]
fn what_is_broken_is_named_and_costs_nothing_else() {
    let message = [("traceparent", PARENT), ("tracestate", "a=1,B=2"), ("baggage", "a=1,b"), ("b3", "x")];
    let propagators: Propagators = "tracecontext,b3,baggage".parse().unwrap();
    let extraction = propagators.read(&message);
    assert_eq!(extraction.context.span_context(), traceparent::parse(PARENT.as_bytes()).ok());
    assert_eq!((extraction.context.trace_state(), extraction.context.baggage().as_str()), ("", "a=1"));
    assert_eq!((extraction.errors().count(), extraction.baggage_error), (3, Some(BaggageError::NoValue)));
}

#[test]
fn a_list_stays_with_its_trace_and_baggage_with_the_context() {
    let context = whole();
    let parent = context.span_context().unwrap();
    let child = traceparent::parse(PARENT.replace("b7ad", "ffff").as_bytes()).unwrap();
    let stranger = traceparent::parse(PARENT.replace("0af7", "ffff").as_bytes()).unwrap();
    assert_eq!(context.clone().with_span_context(child).trace_state(), "congo=1,rojo=2");
    let elsewhere = context.clone().with_span_context(stranger);
    assert_eq!((elsewhere.trace_state(), elsewhere.baggage()), ("", context.baggage()));
    assert_eq!(
        Context::from(parent),
        context.without_baggage_entry("tenant").without_baggage_entry("b").with_trace_state(Default::default())
    );
}

#[test]
fn baggage_is_changed_by_its_rules() {
    let context = whole();
    assert_eq!(context.baggage().get("tenant").unwrap(), "Müller");
    let changed = context.clone().with_baggage_entry("tenant", "a,b").unwrap();
    assert_eq!(changed.baggage().as_str(), "b=2,tenant=a%2Cb");
    assert_eq!(context.baggage().as_str(), "tenant=M%C3%BCller;p=1,b=2", "others keep theirs");
    assert_eq!(context.clone().with_baggage_entry("two words", "x").err(), Some(BaggageError::Key));
    assert_eq!(context.with_baggage_entry("a", &"x".repeat(9000)).err(), Some(BaggageError::Full));
}

#[test]
fn debug_travels_from_format_to_format() {
    let b3: Propagators = "b3".parse().unwrap();
    let context = b3.extract(&[("b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-d")]);
    assert_eq!(context.sampling(), SamplingState::Debug);
    let mut headers: Vec<(String, String)> = Vec::new();
    all().inject(&context, &mut carrier::pairs_mut(&mut headers));
    let value = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((value("x-b3-flags"), value("x-b3-sampled")), (Some("1"), None));
    assert_eq!(value("uber-trace-id"), Some("0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:3"));
    assert_eq!(value("traceparent"), Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
}

/// Jaeger has a header for each entry, with values encoded or not; names lose their case in HTTP, and keep it elsewhere.
#[test]
fn jaeger_has_baggage_of_its_own() {
    let jaeger: Propagators = "jaeger".parse().unwrap();
    let message = [
        ("uber-trace-id", "a:b:0:1"),
        ("Uberctx-Tenant", "M%C3%BCller"),
        ("uberctx-plain", "100% a;b,c"),
        ("uberctx-", "no key"),
        ("baggage", "not=read"),
    ];
    let extraction = jaeger.read(&message);
    let context = &extraction.context;
    assert_eq!(context.baggage().as_str(), "Tenant=M%C3%BCller,plain=100%25%20a%3Bb%2Cc");
    assert_eq!(extraction.baggage_error, Some(BaggageError::Key));
    let map = HashMap::from(message);
    assert_eq!(jaeger.extract(&carrier::map(&map)).baggage().get("plain").unwrap(), "100% a;b,c");
    let mut headers: Vec<(String, String)> = Vec::new();
    jaeger.inject(context, &mut carrier::pairs_mut(&mut headers));
    headers.sort();
    let expected = [
        ("uber-trace-id", "0000000000000000000000000000000a:000000000000000b:0:1"),
        ("uberctx-Tenant", "M%C3%BCller"),
        ("uberctx-plain", "100%25%20a%3Bb%2Cc"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(jaeger.extract(headers.as_slice()), *context);
}

/// A child process gets what the context has, and nothing that somebody else left in the environment.
#[test]
fn child_processes_are_handed_the_context() {
    let mut command = Command::new("any");
    command.env("TRACESTATE", "stale=1").env("BAGGAGE", "stale=1").env("HOME", "/");
    let parent = Context::from(whole().span_context().unwrap());
    carrier::into_environment(&Propagators::default(), &parent, &mut command);
    let variables: BTreeMap<_, _> = command
        .get_envs()
        .map(|(name, value)| (name.to_str().unwrap(), value.map(|value| value.to_str().unwrap())))
        .collect();
    let expected = [("BAGGAGE", None), ("HOME", Some("/")), ("TRACEPARENT", Some(PARENT)), ("TRACESTATE", None)];
    assert_eq!(variables, BTreeMap::from(expected));
}

/// Run by the test below as a process of its own: environments belong to processes.
#[test]
fn print_what_the_environment_says() {
    if std::env::var_os("CLEWLINE_TEST_PRINTS").is_some() {
        println!("context: {:?}", carrier::from_environment(&all()));
    }
}

#[test]
fn a_child_process_reads_what_it_was_handed() {
    let context = whole();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "print_what_the_environment_says", "--nocapture"]).env("CLEWLINE_TEST_PRINTS", "1");
    carrier::into_environment(&Propagators::default(), &context, &mut command);
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(output.contains(&format!("context: {context:?}")), "{output}");
    command.env("X_B3_TRACEID", "463ac35c9f6413ad48485a3953bb6124").env("X_B3_SPANID", "a2fb4a1d1a96d312");
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(output.contains("463ac35c9f6413ad48485a3953bb6124"), "later formats overrule: {output}");
}
