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
  traceparent:  00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03
  tracestate:  congo=t61rcWkgMzE,rojo=1
  baggage:    tenant=M%C3%BCller;public
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
