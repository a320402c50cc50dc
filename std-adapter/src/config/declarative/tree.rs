//! A YAML document as a tree whose nodes know where they stand.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::substitute::{InvalidReference, substitute};

/// How deep a document may be nested, and how many nodes it may have with its aliases unfolded.
const DEEPEST: usize = 64;
const MOST_NODES: usize = 100_000;

/// Line and column, both counted from 1.
pub(super) type Position = (usize, usize);

/// A node of the document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) content: Content,
    pub(super) at: Position,
}

/// What a node is, by the core schema of YAML 1.2.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// Keys in their order, with the place of each.
    Map(Vec<(String, Position, Node)>),
}

/// Why there is no tree: what is wrong, and where.
pub(super) type TreeError = (Position, String);

/// Reads the first document of `text`, with variables in its scalars replaced by what `lookup` finds.
pub(super) fn parse(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Node, TreeError> {
    let mut builder = Builder { lookup, anchors: HashMap::new(), open: Vec::new(), nodes: 0 };
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| ((error.marker().line(), error.marker().col() + 1), error.info().to_owned()))?;
        if let Some(document) = builder.take(event, position(span))? {
            return Ok(document);
        }
    }
    Ok(Node { content: Content::Null, at: (1, 1) })
}

fn position(span: Span) -> Position {
    (span.start.line(), span.start.col() + 1)
}

/// A list or a map that is not complete yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key whose value comes next.
    key: Option<(String, Position)>,
}

struct Builder<'l> {
    lookup: &'l dyn Fn(&str) -> Option<String>,
    anchors: HashMap<usize, Node>,
    open: Vec<Open>,
    nodes: usize,
}

impl Builder<'_> {
    /// Takes one event; the document when it is complete.
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<Option<Node>, TreeError> {
        match event {
            Event::Scalar(text, _, anchor, _) if self.awaits_key() => {
                // Variables are not looked for in keys.
                if anchor > 0 {
                    self.anchors.insert(anchor, Node { content: Content::Text(text.to_string()), at });
                }
                return self.key(text.into_owned(), at).map(|()| None);
            }
            Event::Scalar(text, style, anchor, _) => {
                let node = Node { content: self.scalar(&text, style, at)?, at };
                return self.complete(node, anchor);
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| (at, "an alias within what it stands for".to_owned()))?;
                self.nodes += count(&node);
                return self.complete(Node { at, ..node }, 0);
            }
            Event::SequenceStart(anchor, _) => self.begin(Content::List(Vec::new()), anchor, at)?,
            Event::MappingStart(anchor, _) => self.begin(Content::Map(Vec::new()), anchor, at)?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { node, anchor, .. }) = self.open.pop() {
                    return self.complete(node, anchor);
                }
            }
            _ => {}
        }
        Ok(None)
    }

    fn awaits_key(&self) -> bool {
        let open = self.open.last();
        open.is_some_and(|open| matches!(open.node.content, Content::Map(_)) && open.key.is_none())
    }

    fn key(&mut self, name: String, at: Position) -> Result<(), TreeError> {
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        if let Content::Map(entries) = &open.node.content
            && entries.iter().any(|(known, ..)| *known == name)
        {
            return Err((at, format!("the key `{name}` stands here twice")));
        }
        open.key = Some((name, at));
        Ok(())
    }

    fn begin(&mut self, content: Content, anchor: usize, at: Position) -> Result<(), TreeError> {
        if self.awaits_key() {
            return Err((at, "a key is expected to be a text".to_owned()));
        }
        if self.open.len() == DEEPEST {
            return Err((at, format!("nested deeper than {DEEPEST}")));
        }
        self.open.push(Open { node: Node { content, at }, anchor, key: None });
        Ok(())
    }

    /// Puts a complete node where it belongs. It is the document if nothing is open.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<Option<Node>, TreeError> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err((node.at, format!("more than {MOST_NODES} nodes")));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else { return Ok(Some(node)) };
        match (&mut open.node.content, open.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(entries), Some((name, at))) => entries.push((name, at, node)),
            // An alias in place of a key.
            (Content::Map(_), None) => match node.content {
                Content::Text(name) => self.key(name, node.at)?,
                _ => return Err((node.at, "a key is expected to be a text".to_owned())),
            },
            _ => {}
        }
        Ok(None)
    }

    fn scalar(&self, text: &str, style: ScalarStyle, at: Position) -> Result<Content, TreeError> {
        let text = substitute(text, self.lookup)
            .map_err(|InvalidReference(reference)| (at, format!("{reference} is not a reference to a variable")))?;
        // The type is that of the text after replacing; quotation marks make it a text.
        Ok(if style == ScalarStyle::Plain { resolve(text) } else { Content::Text(text) })
    }
}

fn count(node: &Node) -> usize {
    match &node.content {
        Content::List(items) => items.iter().map(count).sum::<usize>() + 1,
        Content::Map(entries) => entries.iter().map(|(.., node)| count(node)).sum::<usize>() + 1,
        _ => 1,
    }
}

/// The core schema (YAML 1.2.2, section 10.3.2).
fn resolve(text: String) -> Content {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Content::Null,
        "true" | "True" | "TRUE" => return Content::Bool(true),
        "false" | "False" | "FALSE" => return Content::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Content::Float(f64::NAN),
        _ => {}
    }
    if let Some(integer) = integer(&text) {
        return Content::Integer(integer);
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(&text)),
    };
    if [".inf", ".Inf", ".INF"].contains(&unsigned) {
        return Content::Float(sign * f64::INFINITY);
    }
    let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
    match text.parse() {
        Ok(number) if is_number => Content::Float(number),
        _ => Content::Text(text),
    }
}

fn integer(text: &str) -> Option<i64> {
    if let Some(digits) = text.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with(['+', '-']));
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i64::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with(['+', '-']));
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Content, parse};

    fn content(text: &str) -> Result<Content, (super::Position, String)> {
        let lookup = |name: &str| match name {
            "BOOL_VALUE" => Some("true".to_owned()),
            "INT_VALUE" => Some("1".to_owned()),
            "HEX_VALUE" => Some("0xdeadbeef".to_owned()),
            "INVALID_MAP_VALUE" => Some("value\nkey:value".to_owned()),
            _ => None,
        };
        parse(text, &lookup).map(|node| match node.content {
            Content::Map(mut entries) => entries.pop().map_or(Content::Null, |(.., node)| node.content),
            content => content,
        })
    }

    #[test]
    fn types_are_those_of_the_core_schema_after_replacing() {
        let text = |text: &str| Content::Text(text.to_owned());
        let table = [
            ("key: ${BOOL_VALUE}", Content::Bool(true)),
            ("key: \"${BOOL_VALUE}\"", text("true")),
            ("key: '${INT_VALUE}'", text("1")),
            ("key: ${INT_VALUE}", Content::Integer(1)),
            ("key: ${HEX_VALUE}", Content::Integer(3_735_928_559)),
            ("key: ${INVALID_MAP_VALUE}", text("value\nkey:value")),
            ("key: ${UNDEFINED_KEY}", Content::Null),
            ("key:", Content::Null),
            ("key: ~", Content::Null),
            ("key: 0o17", Content::Integer(15)),
            ("key: -5", Content::Integer(-5)),
            ("key: 1.5", Content::Float(1.5)),
            ("key: 1e3", Content::Float(1000.0)),
            ("key: .inf", Content::Float(f64::INFINITY)),
            ("key: inf", text("inf")),
            ("key: nan", text("nan")),
            ("key: 1.2.3", text("1.2.3")),
            ("key: yes", text("yes")),
            ("key: 2026-08-19", text("2026-08-19")),
            ("a: &x 7\nkey: *x", Content::Integer(7)),
            ("{\"key\": [1, \"a\"]}", Content::List(Vec::new())),
        ];
        for (yaml, expected) in table {
            match (content(yaml), expected) {
                (Ok(Content::List(items)), Content::List(_)) => assert_eq!(items.len(), 2),
                (found, expected) => assert_eq!(found, Ok(expected), "{yaml}"),
            }
        }
    }

    #[test]
    fn what_is_no_document_is_an_error_with_its_place() {
        let bomb: String = std::iter::once("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned())
            .chain((1..9).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "))))
            .collect();
        let deep = "[".repeat(1000);
        let table = [
            ("a: [1", 2),
            ("a: 1\nb: ${1BAD}\n", 2),
            ("a: 1\na: 2\n", 2),
            ("? [a]\n: 1", 1),
            ("a: *absent", 1),
            (bomb.as_str(), 5),
            (deep.as_str(), 1),
        ];
        for (text, line) in table {
            let error = content(text).expect_err(text.get(..40).unwrap_or(text));
            assert_eq!(error.0.0, line, "{error:?}");
        }
    }
}
