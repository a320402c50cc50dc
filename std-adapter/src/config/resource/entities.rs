//! `OTEL_ENTITIES`: what somebody outside knows about the service, its host and so on (`entities/entity-propagation.md`, in
//! development). Their attributes join those of the resource; that they form entities is not passed on.

use crate::config::endpoint;
use crate::config::pairs::{self, PairError};

/// One entity: attributes that identify it, and others that describe it.
#[derive(Debug, PartialEq, Eq)]
struct Entity {
    kind: String,
    identity: Vec<(String, String)>,
    description: Vec<(String, String)>,
}

/// The attributes of all entities in the list, the last of equal keys in force. An entity that is malformed or contradicts a
/// later one is left out with a remark.
pub(super) fn attributes(list: &str, remarks: &mut Vec<String>) -> Vec<(String, String)> {
    let mut entities: Vec<Entity> = Vec::new();
    for (index, text) in list.split(';').map(str::trim).enumerate().filter(|(_, text)| !text.is_empty()) {
        match entity(text, remarks) {
            Ok(entity) => {
                let before = entities.len();
                entities.retain(|known| !is_replaced(known, &entity));
                if entities.len() < before {
                    remarks.push(format!("two entities of the type `{}`; the last one counts", entity.kind));
                }
                entities.push(entity);
            }
            Err(problem) => remarks.push(format!("entity {}: {problem}; it is left out", index + 1)),
        }
    }
    let mut attributes: Vec<(String, String)> = Vec::new();
    for (key, value) in entities.into_iter().flat_map(|entity| entity.identity.into_iter().chain(entity.description)) {
        match attributes.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) if *known != value => {
                remarks.push(format!("two values of `{key}`; the last one counts"));
                *known = value;
            }
            Some(_) => {}
            None => attributes.push((key, value)),
        }
    }
    attributes
}

/// Whether the later entity is the same one, or says something else of what identifies it.
fn is_replaced(known: &Entity, later: &Entity) -> bool {
    let contradicts =
        |(key, value): &(String, String)| later.identity.iter().any(|(other, later)| other == key && later != value);
    known.kind == later.kind && (known.identity == later.identity || known.identity.iter().any(contradicts))
}

/// Reads `type{key=value,…}[key=value,…]@schema`, of which the last two parts may be missing.
fn entity(text: &str, remarks: &mut Vec<String>) -> Result<Entity, String> {
    let (kind, rest) = text.split_once('{').ok_or("`{` is missing behind the type")?;
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    if !is_name(kind) {
        return Err("the type is not a name".to_owned());
    }
    let (identity, rest) = rest.split_once('}').ok_or("`}` is missing")?;
    let (description, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("`]` is missing")?,
        None => ("", rest),
    };
    match rest.strip_prefix('@') {
        Some(url) if endpoint::check(url, false).is_err() => {
            remarks.push(format!("the schema of an entity of the type `{kind}` is not a URL; it is ignored"));
        }
        None if !rest.is_empty() => return Err("something stands behind its attributes".to_owned()),
        _ => {}
    }
    let read = |list: &str| -> Result<Vec<(String, String)>, String> {
        let pair = |member: &str| {
            let (key, value) = pairs::split(member)?;
            if value.contains(['{', '}', '[', ']', '@', '=']) {
                return Err(PairError::UnencodedEquals);
            }
            Ok((key.to_owned(), pairs::percent_decode(value)?))
        };
        let list = pairs::members(list).map(pair).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        if list.iter().all(|(key, _)| is_name(key)) { Ok(list) } else { Err("a key is not a name".to_owned()) }
    };
    let (identity, description) = (read(identity)?, read(description)?);
    if identity.is_empty() {
        return Err("nothing identifies it".to_owned());
    }
    Ok(Entity { kind: kind.to_owned(), identity, description })
}

#[cfg(test)]
mod tests {
    use super::attributes;

    #[test]
    fn the_examples_of_the_specification() {
        /// The list, what comes of it, and how many remarks there are.
        type Row = (&'static str, &'static [(&'static str, &'static str)], usize);
        let table: [Row; 13] = [
            (
                "service{service.name=my-app,service.instance.id=instance-1}[service.version=1.0.0]",
                &[("service.name", "my-app"), ("service.instance.id", "instance-1"), ("service.version", "1.0.0")],
                0,
            ),
            (
                "service{service.name=a}@https://opentelemetry.io/schemas/1.21.0;host{host.id=h}[host.name=web]",
                &[("service.name", "a"), ("host.id", "h"), ("host.name", "web")],
                0,
            ),
            (
                ";service{service.name=app1};;host{host.id=host-123};",
                &[("service.name", "app1"), ("host.id", "host-123")],
                0,
            ),
            (
                "service{service.name=my%2Capp,service.instance.id=inst-1}[config=key%3Dvalue%5Bprod%5D]",
                &[("service.name", "my,app"), ("service.instance.id", "inst-1"), ("config", "key=value[prod]")],
                0,
            ),
            (
                "service{service.name=app1};invalid{syntax;host{host.id=h}",
                &[("service.name", "app1"), ("host.id", "h")],
                1,
            ),
            ("service{};host{host.id=123}", &[("host.id", "123")], 1),
            (
                "service{service.name=app1}[version=1.0];service{service.name=app1}[version=2.0]",
                &[("service.name", "app1"), ("version", "2.0")],
                1,
            ),
            ("service{service.name=app1}@invalid-url", &[("service.name", "app1")], 1),
            ("service{service.name=app1};service{service.name=app2}", &[("service.name", "app2")], 1),
            ("a{x=1}[v=1];b{y=1}[v=2]", &[("x", "1"), ("v", "2"), ("y", "1")], 1),
            ("a{x=1}[v=1", &[], 1),
            ("1a{x=1};a{x=%zz};a{x=1}rest;a{x};{x=1}", &[], 5),
            ("", &[], 0),
        ];
        for (list, expected, count) in table {
            let mut remarks = Vec::new();
            let found = attributes(list, &mut remarks);
            let found: Vec<(&str, &str)> = found.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!((found.as_slice(), remarks.len()), (expected, count), "{list}: {remarks:?}");
        }
    }
}
