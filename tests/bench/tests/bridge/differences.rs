//! What Clewline does otherwise than `tracing-opentelemetry`, on purpose.

use crate::normal::{Attributes, Event, Span, Tree};

/// One difference: applied to a span of theirs, it makes it one of ours.
pub(crate) struct Difference {
    /// What is different, and why.
    pub(crate) what: &'static str,
    apply: fn(&mut Span),
}

pub(crate) const ALL: [Difference; 6] = [
    Difference {
        what: "unsigned and wide integers that fit into 64 bits are integers, not text: so they can be compared",
        apply: integers,
    },
    Difference { what: "bytes are bytes, not their `Debug`: OTLP has a type for them", apply: bytes },
    Difference {
        what: "an `otel.kind` or `otel.status_code` that names none stays an attribute: so the mistake can be seen",
        apply: mistakes,
    },
    Difference {
        what: "an event of level ERROR describes the status that it sets with its message",
        apply: described_status,
    },
    Difference {
        what: "an error that is a field of a span is the event `exception`, not attributes, and makes the span fail",
        apply: errors_of_spans,
    },
    Difference {
        what: "an event with an error is the event `exception`, as the semantic conventions name it, with its message and its \
               sources as text; the span has no copy of it",
        apply: errors_of_events,
    },
];

/// Their tree as ours is to be.
pub(crate) fn applied(mut tree: Tree) -> Tree {
    for span in &mut tree.spans {
        for difference in &ALL {
            (difference.apply)(span);
        }
    }
    tree.spans.sort_by(|one, other| format!("{one:?}").cmp(&format!("{other:?}")));
    tree
}

/// The differences that a tree of theirs shows.
pub(crate) fn met(tree: &Tree) -> Vec<&'static str> {
    let changes = |difference: &&Difference| {
        tree.spans.iter().any(|span| {
            let mut changed = span.clone();
            (difference.apply)(&mut changed);
            changed != *span
        })
    };
    ALL.iter().filter(changes).map(|difference| difference.what).collect()
}

/// The fields of the programs that have such types.
fn integers(span: &mut Span) {
    for key in ["unsigned", "wide", "later"] {
        if let Some((kind @ "text", value)) = span.attributes.get_mut(key)
            && value.parse::<i64>().is_ok()
        {
            *kind = "i64";
        }
    }
}

fn bytes(span: &mut Span) {
    if let Some(value) = span.attributes.get_mut("bytes") {
        assert_eq!(*value, ("text", "[01 ff]".to_owned()));
        *value = ("bytes", "[1, 255]".to_owned());
    }
}

/// What they drop cannot be seen in what is left, so the spans are known by name.
fn mistakes(span: &mut Span) {
    for (name, key, value) in [
        ("failed", "otel.status_code", "\"error\""),
        ("neither", "otel.status_code", "perhaps"),
        ("odd kind", "otel.kind", "other"),
    ] {
        if span.name == name {
            span.attributes.insert(key.to_owned(), ("text", value.to_owned()));
        }
    }
}

fn described_status(span: &mut Span) {
    let is_error = |event: &&Event| text(&event.attributes, "level") == "ERROR" && !has_error(&event.attributes);
    if span.status == ("Error".to_owned(), String::new())
        && let Some(event) = span.events.iter().find(is_error)
    {
        span.status.1.clone_from(&event.name);
    }
}

fn errors_of_spans(span: &mut Span) {
    if has_error(&span.attributes) {
        let mut attributes = Attributes::new();
        move_error(&mut span.attributes, &mut attributes);
        span.status = ("Error".to_owned(), text(&attributes, "exception.message").to_owned());
        span.events.insert(0, Event { name: "exception".to_owned(), attributes });
    }
}

fn errors_of_events(span: &mut Span) {
    for event in span.events.iter_mut().filter(|event| has_error(&event.attributes)) {
        let mut attributes = Attributes::new();
        move_error(&mut event.attributes, &mut attributes);
        event.attributes.append(&mut attributes);
        let message = text(&event.attributes, "exception.message").to_owned();
        // An event without a message is named after its place in the source.
        let is_error_alone = event.name.starts_with("event ");
        if !is_error_alone {
            event.attributes.insert("message".to_owned(), ("text", event.name.clone()));
        }
        event.name = "exception".to_owned();
        if is_error_alone || text(&event.attributes, "level") == "ERROR" {
            span.status = ("Error".to_owned(), message);
        }
        span.attributes.retain(|key, _| !key.starts_with("exception."));
    }
}

/// The programs' errors are the fields called `cause`.
fn has_error(attributes: &Attributes) -> bool {
    attributes.contains_key("cause.chain")
}

/// Takes what they make of an error, and puts ours in its place.
fn move_error(from: &mut Attributes, to: &mut Attributes) {
    from.remove("cause");
    from.remove("cause.chain");
    let message = from.remove("exception.message").expect("they record it");
    let (_, sources) = from.remove("exception.stacktrace").expect("they record it");
    let sources: Vec<String> = sources.lines().map(|source| format!("caused by: {source}")).collect();
    to.insert("exception.message".to_owned(), message);
    to.insert("exception.stacktrace".to_owned(), ("text", sources.join("\n")));
}

fn text<'a>(attributes: &'a Attributes, key: &str) -> &'a str {
    attributes.get(key).map_or("", |(_, value)| value)
}
