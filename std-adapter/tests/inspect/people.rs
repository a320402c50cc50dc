//! Headers as arguments: what is printed for people.

use crate::support::{error, output};

fn explained(arguments: &[&str]) -> String {
    String::from_utf8(output(arguments, b"")).unwrap()
}

#[test]
fn a_whole_context_is_explained() {
    let text = explained(&[
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03",
        "TraceState: congo=t61rcWkgMzE,rojo=1",
        "baggage: tenant=M%C3%BCller;public",
    ]);
    let expected = "\
trace id      0af7651916cd43dd8448eb211c80319c
span id       b7ad6b7169203331
flags         03: sampled, random trace id
tracestate    2 members
  congo       t61rcWkgMzE
  rojo        1
baggage       1 member
  tenant      Müller; public
passed on
  traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03
  tracestate: congo=t61rcWkgMzE,rojo=1
  baggage: tenant=M%C3%BCller;public
";
    assert_eq!(text, expected);
}

#[test]
fn broken_rules_and_unread_headers_are_named() {
    let text = explained(&[
        "headers",
        "traceparent: ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "b3: 0",
        "X: y",
    ]);
    let expected = "\
no valid context: a new trace begins
broken rules
  traceparent: version ff is forbidden
b3: not read; that takes --format b3
X: carries no context that is known here
";
    assert_eq!(text, expected);
    let text = explained(&["--format", "b3", "X-B3-TraceId: 463ac35c9f6413ad", "X-B3-SpanId: 463ac35c9f6413ad"]);
    assert!(text.contains("trace id      0000000000000000463ac35c9f6413ad") && !text.contains("not read"), "{text}");
}

/// OpenTelemetry, "TraceState Handling": what samplers do not understand they ignore, which nobody else would notice.
#[test]
fn what_samplers_ignore_in_a_valid_list_is_named() {
    let parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
    for (list, rule) in [
        ("ot=th:8", None),
        ("ot=th:8;rv:0123456789abcd;k1:13", None),
        ("ot=th:8A", Some("th is not 1 to 14 lower-case hexadecimal digits")),
        ("congo=1,ot=rv:0123", Some("rv is not 14 lower-case hexadecimal digits")),
        ("ot=th:8;th:9", Some("a sub-key stands there twice")),
        ("ot=threshold", Some("a sub-key is not a-z followed by a-z and 0-9, and ':'")),
    ] {
        let text = explained(&[parent, &format!("tracestate: {list}")]);
        let expected = rule.map_or(String::new(), |rule| format!("broken rules\n  tracestate ot: {rule}\n"));
        assert!(text.contains(&format!("{expected}passed on\n")), "{list}: {text}");
        assert_eq!(text.contains("broken rules"), rule.is_some(), "{list}: {text}");
        assert!(text.ends_with(&format!("  tracestate: {list}\n")), "{text}");
    }
}

#[test]
fn headers_cannot_steer_the_terminal() {
    let text = explained(&["baggage: a=%1B%5B2J"]);
    assert!(text.contains("a           ·[2J"), "{text}");
}

#[test]
fn what_is_no_header_is_refused() {
    for argument in ["traceparent", ": 00-"] {
        assert!(error(&[argument], b"").contains("is not a header; write NAME: VALUE"), "{argument}");
    }
}

/// The variables are those of OpenTelemetry, "Environment Variables as Context Propagation Carriers".
#[test]
fn the_environment_is_explained_too() {
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_clewline"));
        command.args(["inspect", "env"]).args(arguments).env_clear().envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let whole = run(&["--json"], &[("TRACEPARENT", parent), ("TRACESTATE", "congo=1"), ("BAGGAGE", "a=1")]);
    let as_headers = format!("{{\"traceparent\":[\"{parent}\"],\"tracestate\":[\"congo=1\"],\"baggage\":[\"a=1\"]}}");
    assert_eq!(whole.into_bytes(), output(&["headers"], as_headers.as_bytes()));
    let broken = run(&[], &[("TRACEPARENT", &parent.to_uppercase()), ("traceparent", parent)]);
    assert!(broken.contains("no valid context") && broken.contains("trace id is not 32 lower-case"), "{broken}");
    let nothing = run(&[], &[("traceparent", parent)]);
    assert!(nothing.ends_with("none of these variables is set: TRACEPARENT, TRACESTATE, BAGGAGE\n"), "{nothing}");
    let b3 = run(&["--format", "b3"], &[("X_B3_TRACEID", "463ac35c9f6413ad"), ("X_B3_SPANID", "a2fb4a1d1a96d312")]);
    assert!(b3.contains("trace id      0000000000000000463ac35c9f6413ad"), "{b3}");
}

/// Runs the binary with this stdout; answers its exit code and what it said on stderr.
fn run_into(stdout: impl Into<std::process::Stdio>, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_clewline"));
    let output = command.args(arguments).stdin(std::process::Stdio::null()).stdout(stdout).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

const PRINTING: [&[&str]; 4] =
    [&["inspect", "traceparent: 00"], &["inspect", "env"], &["inspect", "env", "--json"], &["config"]];

#[test]
fn whoever_has_read_enough_may_close_the_pipe() {
    for arguments in PRINTING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(run_into(writer, arguments), (Some(0), String::new()), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_an_error() {
    for arguments in PRINTING {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let (code, said) = run_into(full, arguments);
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(said.starts_with("clewline: stdout cannot be written: "), "{arguments:?}: {said}");
    }
}
