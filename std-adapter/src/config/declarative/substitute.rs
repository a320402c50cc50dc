//! References to environment variables in a declarative configuration (`configuration/data-model.md`, "Environment variable
//! substitution").

/// A reference that begins as one, `${…}`, and is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidReference(pub(super) String);

/// Replaces `${NAME}`, `${env:NAME}` and `${NAME:-default}` by the variable, or by the default where that is empty or not set.
/// `$$` becomes `$`, before references are looked for. What a variable holds is not looked at again.
pub(super) fn substitute(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, InvalidReference> {
    let pieces = text.split("$$").map(|piece| references(piece, lookup)).collect::<Result<Vec<_>, _>>()?;
    Ok(pieces.join("$"))
}

fn references(mut text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, InvalidReference> {
    let mut replaced = String::new();
    while let Some((before, rest)) = text.split_once("${") {
        let Some((reference, after)) = rest.split_once('}') else { break };
        replaced.push_str(before);
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, default),
            None => (reference, ""),
        };
        let name = name.strip_prefix("env:").unwrap_or(name);
        if !is_name(name) {
            return Err(InvalidReference(format!("${{{reference}}}")));
        }
        let value = lookup(name).filter(|value| !value.is_empty());
        replaced.push_str(value.as_deref().unwrap_or(default));
        text = after;
    }
    replaced.push_str(text);
    Ok(replaced)
}

fn is_name(name: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let mut bytes = name.bytes();
    bytes.next().is_some_and(is_first) && bytes.all(|byte| is_first(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{InvalidReference, substitute};

    fn lookup(name: &str) -> Option<String> {
        let variables = [
            ("STRING_VALUE", "value"),
            ("BOOL_VALUE", "true"),
            ("FLOAT_VALUE", "1.1"),
            ("INVALID_MAP_VALUE", "value\nkey:value"),
            ("DO_NOT_REPLACE_ME", "Never use this value"),
            ("REPLACE_ME", "${DO_NOT_REPLACE_ME}"),
            ("VALUE_WITH_ESCAPE", "value$$"),
            ("EMPTY", ""),
        ];
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_table_of_the_specification() {
        let table = [
            ("${STRING_VALUE}", "value"),
            ("${env:STRING_VALUE}", "value"),
            ("${BOOL_VALUE}", "true"),
            ("${INVALID_MAP_VALUE}", "value\nkey:value"),
            ("foo ${STRING_VALUE} ${FLOAT_VALUE}", "foo value 1.1"),
            ("${UNDEFINED_KEY}", ""),
            ("${UNDEFINED_KEY:-fallback}", "fallback"),
            ("${EMPTY:-fallback}", "fallback"),
            ("${STRING_VALUE:-fallback}", "value"),
            ("${REPLACE_ME}", "${DO_NOT_REPLACE_ME}"),
            ("${UNDEFINED_KEY:-${STRING_VALUE}}", "${STRING_VALUE}"),
            ("$${STRING_VALUE}", "${STRING_VALUE}"),
            ("$$${STRING_VALUE}", "$value"),
            ("$$$${STRING_VALUE}", "$${STRING_VALUE}"),
            ("$${STRING_VALUE:-fallback}", "${STRING_VALUE:-fallback}"),
            ("$${STRING_VALUE:-${STRING_VALUE}}", "${STRING_VALUE:-value}"),
            ("${UNDEFINED_KEY:-$${UNDEFINED_KEY}}", "${UNDEFINED_KEY:-${UNDEFINED_KEY}}"),
            ("${VALUE_WITH_ESCAPE}", "value$$"),
            ("a $$ b", "a $ b"),
            ("a $ b", "a $ b"),
            ("$", "$"),
            ("${STRING_VALUE", "${STRING_VALUE"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(substitute(text, &lookup).as_deref(), Ok(expected), "{text}");
        }
        for bad in ["${STRING_VALUE:?error}", "${1API_KEY}", "${API_$KEY}", "${}", "${env:}", "${a b}", "a ${b.c} d"] {
            assert!(matches!(substitute(bad, &lookup), Err(InvalidReference(_))), "{bad}");
        }
    }
}
