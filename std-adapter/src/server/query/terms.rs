//! The attribute search box: text such as `tenant_id=42 error.type checkout` split into terms.

/// One term of a search; a trace has to satisfy all of them, each with any of its spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// `key=value`: an attribute of a span or its resource with exactly this value in text form.
    Equals {
        /// The attribute's key.
        key: String,
        /// The value's text form.
        value: String,
    },
    /// A single word: an attribute with this key, or a span whose name contains it (without regard to case).
    Word {
        /// The word as given, to be compared with keys.
        word: String,
        /// The word in lower case, to be found in names.
        lower_case: String,
    },
}

/// Splits a search into terms at white space outside double quotes.
///
/// Quotes may surround a key, a value or a whole word; inside them `\"` is a quote and `\\` a backslash. A quote that is
/// never closed reaches to the end, so that a search works while it is being typed.
pub(super) fn parse(text: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut characters = text.chars().peekable();
    loop {
        while characters.next_if(|character| character.is_whitespace()).is_some() {}
        if characters.peek().is_none() {
            return terms;
        }
        let mut key = None;
        let mut current = String::new();
        let mut quoted = false;
        while let Some(character) = characters.next_if(|character| quoted || !character.is_whitespace()) {
            match character {
                '"' => quoted = !quoted,
                '\\' if quoted => current.extend(characters.next()),
                '=' if !quoted && key.is_none() => key = Some(std::mem::take(&mut current)),
                other => current.push(other),
            }
        }
        match key {
            // "=42" names no attribute; taken literally it can only be looked for in names.
            Some(key) if key.is_empty() => terms.push(word(format!("={current}"))),
            Some(key) => terms.push(Term::Equals { key, value: current }),
            None if current.is_empty() => {}
            None => terms.push(word(current)),
        }
    }
}

fn word(word: String) -> Term {
    Term::Word { lower_case: word.to_lowercase(), word }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equals(key: &str, value: &str) -> Term {
        Term::Equals { key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn terms_are_split_and_unquoted() {
        let cases = [
            ("", vec![]),
            ("  \t ", vec![]),
            ("tenant_id=42", vec![equals("tenant_id", "42")]),
            (" a=1   b=2 ", vec![equals("a", "1"), equals("b", "2")]),
            (r#"msg="card declined" b=2"#, vec![equals("msg", "card declined"), equals("b", "2")]),
            (r#""odd key"=1"#, vec![equals("odd key", "1")]),
            (r#""a=b"=c"#, vec![equals("a=b", "c")]),
            ("sql=a=b", vec![equals("sql", "a=b")]),
            ("key=", vec![equals("key", "")]),
            (r#"q="say \"hi\" \\""#, vec![equals("q", r#"say "hi" \"#)]),
            (r#"open="to the end"#, vec![equals("open", "to the end")]),
            (r#"path=C:\tmp"#, vec![equals("path", r"C:\tmp")]),
            ("=42", vec![word("=42".to_owned())]),
            ("GET", vec![word("GET".to_owned())]),
            (r#""GET /cart""#, vec![word("GET /cart".to_owned())]),
            (r#""""#, vec![]),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
