//! JSON lines of headers: what is answered to each, by the rules of the specifications.

use serde_json::{Value, json};

use crate::support::{inspect, output};

/// A valid header, and its parts.
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID: &str = "b7ad6b7169203331";

/// The answers to these lines, one each.
fn answers(arguments: &[&str], lines: &[Value]) -> Vec<Value> {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let output = String::from_utf8(output(&[&["headers"], arguments].concat(), input.as_bytes())).unwrap();
    let answers: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), lines.len());
    answers
}

fn answer(arguments: &[&str], line: Value) -> Value {
    answers(arguments, &[line]).remove(0)
}

/// The context that every row of a table means, with its flags.
fn context(flags: u8) -> Value {
    json!({"trace_id": TRACE_ID, "span_id": SPAN_ID, "flags": flags, "sampled": flags & 1 == 1, "random": flags & 2 == 2})
}

#[test]
fn the_answer_has_the_documented_shape() {
    let input = json!({
        "traceparent": [PARENT],
        "tracestate": ["congo=t61rcWkgMzE, rojo=00f067aa0ba902b7", "a=1"],
        "baggage": ["userId=Am%C3%A9lie;p=1 ; q , b = 2"],
    });
    let output = output(&["headers", "--format", "tracecontext"], input.to_string().as_bytes());
    let expected = r#"{"context":{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","flags":1,"sampled":true,"random":false},"tracestate":[["congo","t61rcWkgMzE"],["rojo","00f067aa0ba902b7"],["a","1"]],"baggage":[{"key":"userId","value":"Amélie","properties":["p=1","q"]},{"key":"b","value":"2","properties":[]}],"errors":[],"outgoing":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"congo=t61rcWkgMzE,rojo=00f067aa0ba902b7,a=1","baggage":"userId=Am%C3%A9lie;p=1;q,b=2"}}
"#;
    assert_eq!(String::from_utf8(output).unwrap(), expected);
    let nothing = r#"{"context":null,"tracestate":null,"baggage":[],"errors":[],"outgoing":{"traceparent":"","tracestate":"","baggage":""}}
"#;
    assert_eq!(String::from_utf8(crate::support::output(&["headers"], b"{}")).unwrap(), nothing);
}

/// The value (`T` and `S` stand for the ids), the flags that arrive or none, what is passed on, and the section of W3C Trace
/// Context level 2.
#[test]
fn traceparent_table() {
    let table: &[(&str, Option<u8>)] = &[
        ("00-T-S-01", Some(1)),
        ("00-T-S-00", Some(0)),
        // 3.2.2.5: unknown flags are ignored and not passed on; the random flag is.
        ("00-T-S-02", Some(2)),
        ("00-T-S-ff", Some(3)),
        ("00-T-S-f8", Some(0)),
        // White space around the value does not count; other control characters do.
        (" \t00-T-S-01 \t", Some(1)),
        ("\r00-T-S-01", None),
        // 3.2.4: later versions, answered with version 00.
        ("01-T-S-01", Some(1)),
        ("cc-T-S-01-what-the-future-will-be-like", Some(1)),
        ("cc-T-S-01-", Some(1)),
        ("cc-T-S-01.what", None),
        ("cc-T-S-011", None),
        // 3.2.2.1 to 3.2.2.4: lower case, exact widths, nothing all zero, not version ff.
        ("ff-T-S-01", None),
        ("00-T-S-01-", None),
        ("00-T-S-01-00", None),
        ("00-T-S-1", None),
        ("00-T-S-0A", None),
        ("0-T-S-01", None),
        ("0x-T-S-01", None),
        ("00_T_S_01", None),
        ("00-0AF7651916CD43DD8448EB211C80319C-S-01", None),
        ("00-T-B7AD6B7169203331-01", None),
        ("00-00000000000000000000000000000000-S-01", None),
        ("00-T-0000000000000000-01", None),
        ("00-+af7651916cd43dd8448eb211c80319c-S-01", None),
        ("00-T-S-", None),
        ("", None),
    ];
    let value = |text: &str| text.replace('T', TRACE_ID).replace('S', SPAN_ID);
    let lines: Vec<Value> =
        table.iter().map(|(text, _)| json!({"traceparent": [value(text)], "tracestate": ["a=1"]})).collect();
    for ((text, flags), answer) in table.iter().zip(answers(&[], &lines)) {
        let (expected, outgoing, list) = match flags {
            Some(flags) => (context(*flags), format!("00-{TRACE_ID}-{SPAN_ID}-{flags:02x}"), json!([["a", "1"]])),
            None => (Value::Null, String::new(), Value::Null),
        };
        assert_eq!(answer["context"], expected, "{text}");
        assert_eq!(answer["outgoing"]["traceparent"], outgoing, "{text}");
        // 3.3: without a valid traceparent the list does not count.
        assert_eq!(answer["tracestate"], list, "{text}");
        assert_eq!(answer["errors"] == json!([]), flags.is_some(), "{text}: {}", answer["errors"]);
    }
}

#[test]
fn names_have_no_case_and_order_and_repetition_count() {
    for name in ["traceparent", "Traceparent", "TRACEPARENT", "TrAcEpArEnT"] {
        assert_eq!(answer(&[], json!({name: [PARENT]}))["context"], context(1));
    }
    for name in ["trace-parent", "trace_parent", "traceparent "] {
        assert_eq!(answer(&[], json!({name: [PARENT]}))["context"], Value::Null);
    }
    // 3.2: two headers are invalid as a whole, whether they are equal or not, in one spelling or two.
    assert_eq!(answer(&[], json!({"traceparent": [PARENT, PARENT]}))["context"], Value::Null);
    assert_eq!(answer(&[], json!({"traceparent": [PARENT], "Traceparent": ["x"]}))["context"], Value::Null);
    // 3.3.1: several lines are one list, in the order in which they arrived.
    let answer = answer(&[], json!({"Tracestate": ["z=1", "b=2,a=3"], "TraceParent": [PARENT], "tracestate": ["c=4"]}));
    assert_eq!(answer["tracestate"], json!([["z", "1"], ["b", "2"], ["a", "3"], ["c", "4"]]));
}

/// The lines, and the list or `None` for an invalid one; sections 3.3.1 and 3.3.2 of W3C Trace Context level 2.
#[test]
fn tracestate_table() {
    let long = |key: usize, value: usize| format!("{}={}", "k".repeat(key), "v".repeat(value));
    let many = |count: usize| (0..count).map(|index| format!("k{index}=v")).collect::<Vec<_>>().join(",");
    let table: Vec<(Vec<String>, Option<String>)> = [
        (vec!["a=1,b=2"], Some("a=1,b=2")),
        (vec!["a=1 \t, \tb=2"], Some("a=1,b=2")),
        (vec!["a=1,,b=2, ,"], Some("a=1,b=2")),
        (vec![""], Some("")),
        (vec!["a= x y "], Some("a= x y")),
        (vec!["0a@b@c/*_-=1"], Some("0a@b@c/*_-=1")),
        (vec!["a=1,a=2"], Some("a=1,a=2")),
        (vec!["A=1"], None),
        (vec!["@a=1"], None),
        (vec!["a"], None),
        (vec!["a="], None),
        (vec!["a=1=2"], None),
        (vec!["a=1,b=é"], None),
        (vec!["a=1", "b"], None),
    ]
    .into_iter()
    .map(|(lines, list)| (lines.into_iter().map(str::to_owned).collect(), list.map(str::to_owned)))
    .chain([
        (vec![long(256, 1)], Some(long(256, 1))),
        (vec![long(257, 1)], None),
        (vec![long(1, 256)], Some(long(1, 256))),
        (vec![long(1, 257)], None),
        (vec![many(32)], Some(many(32))),
        (vec![many(33)], None),
        // 3.3.3.1: 512 bytes at least are passed on; here whatever is valid.
        (vec![long(250, 256), long(3, 200)], Some(format!("{},{}", long(250, 256), long(3, 200)))),
    ])
    .collect();
    let lines: Vec<Value> =
        table.iter().map(|(lines, _)| json!({"traceparent": [PARENT], "tracestate": lines})).collect();
    for ((lines, list), answer) in table.iter().zip(answers(&[], &lines)) {
        assert_eq!(answer["context"], context(1), "the traceparent stays: {lines:?}");
        assert_eq!(answer["outgoing"]["tracestate"], json!(list.clone().unwrap_or_default()), "{lines:?}");
        assert_eq!(answer["tracestate"].is_null(), list.is_none(), "{lines:?}");
        assert_eq!(answer["errors"].as_array().unwrap().len(), usize::from(list.is_none()), "{lines:?}");
    }
}

/// One line, its members as `key=decoded value;properties`, what is passed on, and how many errors; W3C Baggage, section 3.3.
#[test]
fn baggage_table() {
    let table: &[(&str, &[&str], &str, usize)] = &[
        ("a=1,b=2", &["a=1", "b=2"], "a=1,b=2", 0),
        ("a = 1 ; p ; q=2 , b=", &["a=1;p;q=2", "b="], "a=1;p;q=2,b=", 0),
        ("a=%20%2C%22,b=1+1,c=d=e", &["a= ,\"", "b=1+1", "c=d=e"], "a=%20%2C%22,b=1+1,c=d=e", 0),
        ("a%20b=1", &["a%20b=1"], "a%20b=1", 0),
        ("a=%FF", &["a=\u{fffd}"], "a=%FF", 0),
        ("a=1,b,c=%2,d=x y,=e,f=6", &["a=1", "f=6"], "a=1,f=6", 4),
        ("", &[], "", 0),
    ];
    let lines: Vec<Value> = table.iter().map(|(line, ..)| json!({"baggage": [line]})).collect();
    for ((line, members, outgoing, errors), answer) in table.iter().zip(answers(&[], &lines)) {
        let read: Vec<String> = answer["baggage"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| {
                let properties = member["properties"].as_array().unwrap().iter();
                let properties: String =
                    properties.map(|property| format!(";{}", property.as_str().unwrap())).collect();
                format!("{}={}{properties}", member["key"].as_str().unwrap(), member["value"].as_str().unwrap())
            })
            .collect();
        assert_eq!(read, *members, "{line}");
        assert_eq!(answer["outgoing"]["baggage"], *outgoing, "{line}");
        assert_eq!(answer["errors"].as_array().unwrap().len(), *errors, "{line}");
        assert_eq!(answer["context"], Value::Null, "{line}");
    }
    let many: Vec<String> = (0..66).map(|index| format!("k{index}=v")).collect();
    let answer = answer(&[], json!({"baggage": [many.join(","), "x=y"]}));
    assert_eq!(
        (answer["baggage"].as_array().unwrap().len(), &answer["errors"]),
        (64, &json!(["baggage: 3 left out, beyond 64 members or 8192 bytes"]))
    );
}

/// What is left out is told also when nothing of the baggage came through, and when it came in Jaeger's own headers.
#[test]
fn lost_baggage_is_told_when_none_came_through() {
    let lost = answer(&[], json!({"baggage": [format!("a={}", "x".repeat(8191))]}));
    assert_eq!(
        (&lost["baggage"], &lost["errors"]),
        (&json!([]), &json!(["baggage: 1 left out, beyond 64 members or 8192 bytes"]))
    );
    let jaeger = json!({"uberctx-a": ["x".repeat(8193)], "uberctx-b": ["1"], "uberctx-": ["2"]});
    let lost = answer(&["--format", "jaeger"], jaeger);
    assert_eq!(lost["baggage"], json!([{"key": "b", "value": "1", "properties": []}]));
    assert_eq!(lost["errors"][0], "baggage: 1 left out, beyond 64 members or 8192 bytes");
}

#[test]
fn b3_and_jaeger_are_read_when_asked_for() {
    let single = format!("{TRACE_ID}-{SPAN_ID}-d-05e3ac9a4f6e3b90");
    let multi = json!({"X-B3-TraceId": [&TRACE_ID[16..]], "X-B3-SpanId": [SPAN_ID], "X-B3-Sampled": ["0"]});
    let mut both = multi.clone();
    both["b3"] = json!([single]);
    let mut broken = multi.clone();
    broken["b3"] = json!(["x"]);
    let answers = answers(&["--format", "b3"], &[multi, both, broken, json!({"traceparent": [PARENT]})]);
    let padded = format!("0000000000000000{}", &TRACE_ID[16..]);
    assert_eq!(answers[0]["context"]["trace_id"], padded);
    assert_eq!(answers[0]["context"]["sampled"], false);
    assert_eq!(answers[0]["outgoing"]["b3"], format!("{padded}-{SPAN_ID}-0"));
    assert_eq!(answers[1]["context"], context(1), "single first; debug implies sampled");
    assert_eq!(answers[1]["outgoing"]["b3"], format!("{TRACE_ID}-{SPAN_ID}-d"), "never the parent");
    assert_eq!(
        (&answers[2]["context"]["trace_id"], answers[2]["errors"].as_array().unwrap().len()),
        (&json!(padded), 1)
    );
    assert_eq!((&answers[3]["context"], &answers[3]["tracestate"]), (&Value::Null, &Value::Null));

    let lines = ["8448eb211c80319c:b7ad6b7169203331:0:3", "1%3A2%3A0%3A1", "0:2:0:1"]
        .map(|value| json!({"Uber-Trace-Id": [value]}));
    let answers = self::answers(&["--format", "jaeger"], &lines);
    assert_eq!(answers[0]["outgoing"]["uber-trace-id"], "00000000000000008448eb211c80319c:b7ad6b7169203331:0:3");
    assert_eq!(answers[0]["outgoing"]["traceparent"], "00-00000000000000008448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(answers[1]["context"]["span_id"], "0000000000000002");
    assert_eq!((&answers[2]["context"], answers[2]["errors"].as_array().unwrap().len()), (&Value::Null, 1));
}

/// Lines that cannot be read keep their places, and make the run fail at its end.
#[test]
fn unreadable_lines_are_answered_too() {
    let input = format!("[1]\n\n{{\"traceparent\":[7]}}\n{{\"traceparent\":[\"{PARENT}\"]}}");
    let output = inspect(&["headers"], input.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let errors = |line: &Value| line["errors"].to_string();
    assert_eq!(lines.len(), 3, "an empty line has no answer");
    assert!(errors(&lines[0]).contains("line 1 is not a JSON object"), "{}", lines[0]);
    assert!(errors(&lines[1]).contains("line 3") && errors(&lines[1]).contains("an array of strings"), "{}", lines[1]);
    assert_eq!(lines[2]["context"], context(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("2 of 4 lines could not be read"));
}
