//! What of a database statement may be recorded: a summary of few distinct values, and the text without its literals.

use std::borrow::Cow;
use std::ops::Range;

/// How long a summary may become (semantic conventions, "Generating a summary of the query").
const LONGEST_SUMMARY: usize = 255;

/// One piece of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// A keyword or name, also one with dots or in quotes.
    Word,
    /// A text or number.
    Literal,
    /// A place for a value that travels beside the statement.
    Parameter,
    Comment,
    Comma,
    /// Everything else: operators, brackets, space.
    Other,
}

/// Cuts SQL into pieces. It knows no dialect: what it does not know is `Other`, and never a word.
struct Tokens<'s> {
    text: &'s str,
    at: usize,
    dialect: Dialect,
}

/// What some characters are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Double quotes hold names, as in the standard.
    Standard,
    /// Double quotes hold texts.
    MySql,
    /// `?`, `#`, `@` and `:` are operators; only `$1` is a parameter.
    PostgreSql,
}

impl<'s> Tokens<'s> {
    fn new(text: &'s str, dialect: Dialect) -> Self {
        Self { text, at: 0, dialect }
    }

    /// The end of what begins at `from` and is closed by `close`, which stands for itself where it is doubled. Without an end it
    /// goes on to that of the statement.
    fn closed(&self, from: usize, close: u8) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = from;
        while at < bytes.len() {
            match (bytes[at] == close, bytes.get(at + 1) == Some(&close)) {
                (true, true) => at += 2,
                (true, false) => return at + 1,
                // A backslash in front of it: some dialects go on here and others end, so what follows may be inside or outside.
                (false, true) if bytes[at] == b'\\' => return bytes.len(),
                _ => at += 1,
            }
        }
        bytes.len()
    }

    fn end_of(&self, from: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let rest = &self.text.as_bytes()[from..];
        from + rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len())
    }

    /// The end of a text like `$tag$ … $tag$`, as PostgreSQL has them.
    fn dollar_quoted(&self) -> Option<usize> {
        let tag_end = self.end_of(self.at + 1, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if self.text.as_bytes().get(tag_end) != Some(&b'$') {
            return None;
        }
        let tag = &self.text[self.at..=tag_end];
        let content = &self.text[tag_end + 1..];
        Some(content.find(tag).map_or(self.text.len(), |found| tag_end + 1 + found + tag.len()))
    }

    fn classify(&self) -> (Token, usize) {
        let bytes = self.text.as_bytes();
        let next = bytes.get(self.at + 1).copied();
        match bytes[self.at] {
            b'\'' => (Token::Literal, self.closed(self.at + 1, b'\'')),
            b'"' if self.dialect == Dialect::MySql => (Token::Literal, self.closed(self.at + 1, b'"')),
            b'"' => (Token::Word, self.qualified(self.closed(self.at + 1, b'"'))),
            b'`' => (Token::Word, self.qualified(self.closed(self.at + 1, b'`'))),
            b'[' if next.is_some_and(is_word_start) => (Token::Word, self.qualified(self.closed(self.at + 1, b']'))),
            b'-' if next == Some(b'-') => (Token::Comment, self.end_of(self.at, |byte| byte != b'\n')),
            b'#' | b'?' | b'@' if self.dialect == Dialect::PostgreSql => (Token::Other, self.at + 1),
            b'#' => (Token::Comment, self.end_of(self.at, |byte| byte != b'\n')),
            b'/' if next == Some(b'*') => {
                let end = self.text[self.at + 2..].find("*/").map_or(bytes.len(), |found| self.at + 4 + found);
                (Token::Comment, end)
            }
            b'$' if next.is_some_and(|byte| byte.is_ascii_digit()) => {
                (Token::Parameter, self.end_of(self.at + 1, |byte| byte.is_ascii_digit()))
            }
            b'$' => self.dollar_quoted().map_or((Token::Other, self.at + 1), |end| (Token::Literal, end)),
            b'?' => (Token::Parameter, self.at + 1),
            b':' if next == Some(b':') => (Token::Other, self.at + 2),
            b':' if self.dialect == Dialect::PostgreSql => (Token::Other, self.at + 1),
            b'@' | b':' if next.is_some_and(is_word_start) => (Token::Parameter, self.end_of(self.at + 1, is_word)),
            b',' => (Token::Comma, self.at + 1),
            byte if byte.is_ascii_digit() => {
                (Token::Literal, self.end_of(self.at, |byte| is_word(byte) || byte == b'.'))
            }
            b'.' if next.is_some_and(|byte| byte.is_ascii_digit()) => {
                (Token::Literal, self.end_of(self.at + 1, is_word))
            }
            byte if is_word_start(byte) => {
                let end = self.end_of(self.at, is_word);
                // Texts may have a letter in front, which says how they are written: E'…', N'…', X'…'.
                if bytes.get(end) == Some(&b'\'') && end - self.at <= 2 {
                    return (Token::Literal, self.closed(end + 1, b'\''));
                }
                (Token::Word, self.qualified(end))
            }
            _ => (Token::Other, self.at + 1),
        }
    }

    /// The end of a name that goes on behind a dot.
    fn qualified(&self, end: usize) -> usize {
        let bytes = self.text.as_bytes();
        if bytes.get(end) != Some(&b'.') {
            return end;
        }
        let next = match bytes.get(end + 1) {
            Some(quote @ (b'"' | b'`')) => self.closed(end + 2, *quote),
            Some(b'[') => self.closed(end + 2, b']'),
            Some(byte) if is_word_start(*byte) => self.end_of(end + 1, is_word),
            _ => return end,
        };
        self.qualified(next)
    }
}

impl Iterator for Tokens<'_> {
    type Item = (Token, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.text.len() {
            return None;
        }
        let (token, end) = self.classify();
        let start = self.at;
        // Only ASCII ends a piece, so this is between two characters; a piece that is none goes on to the next one.
        self.at = (end..=self.text.len()).find(|at| self.text.is_char_boundary(*at)).unwrap_or(self.text.len());
        Some((token, start..self.at))
    }
}

const fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

const fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// The statement with `?` for every literal, and without comments, which may hold anything. One with parameters stays as it
/// is (semantic conventions, "Sanitization of `db.query.text`").
pub(super) fn text(statement: &str, dialect: Dialect) -> Cow<'_, str> {
    if Tokens::new(statement, dialect).any(|(token, _)| token == Token::Parameter) {
        return Cow::Borrowed(statement);
    }
    let mut text = String::with_capacity(statement.len());
    for (token, range) in Tokens::new(statement, dialect) {
        match token {
            Token::Literal => text.push('?'),
            Token::Comment => {}
            _ => text.push_str(&statement[range]),
        }
    }
    Cow::Owned(text.trim().to_owned())
}

/// Operations and what they work on, in order: `INSERT orders SELECT cart`.
pub(super) fn summary(statement: &str, dialect: Dialect) -> String {
    let mut summary = String::new();
    let mut add = |word: &str| {
        let separator = usize::from(!summary.is_empty());
        let fits = summary.len() + separator + word.len() <= LONGEST_SUMMARY;
        if fits {
            if separator == 1 {
                summary.push(' ');
            }
            summary.push_str(word);
        }
        fits
    };
    let mut reading = Reading::Operation;
    for (token, range) in Tokens::new(statement, dialect) {
        let word = &statement[range];
        let fits = match (token, reading) {
            (Token::Word, _) if is(word, &OPERATIONS) => {
                reading = Reading::after_operation(word);
                add(&word.to_ascii_uppercase())
            }
            (Token::Word, _) if is(word, &["FROM", "INTO", "JOIN", "TABLE", "INDEX", "VIEW", "DATABASE", "SCHEMA"]) => {
                reading = Reading::Target;
                true
            }
            // Words that may stand between an operation and its target.
            (Token::Word, Reading::Target) if is(word, &["IF", "NOT", "EXISTS", "ONLY", "OR", "IGNORE", "LATERAL"]) => {
                true
            }
            (Token::Word, Reading::Target) => {
                reading = Reading::AfterTarget;
                add(word)
            }
            // The list goes on: `FROM cart, users`.
            (Token::Comma, Reading::AfterTarget) => {
                reading = Reading::Target;
                true
            }
            // A name behind the target's is another name for it: `FROM cart AS c`.
            (Token::Word, Reading::AfterTarget) => {
                if is(word, &["WHERE", "SET", "VALUES", "ON", "USING", "GROUP", "ORDER", "LIMIT", "RETURNING"]) {
                    reading = Reading::Operation;
                }
                true
            }
            // A bracket in place of a target begins another statement, behind one the columns.
            (Token::Other, Reading::Target | Reading::AfterTarget) if word == "(" => {
                reading = Reading::Operation;
                true
            }
            _ => true,
        };
        if !fits {
            break;
        }
    }
    summary
}

/// What a summary is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Operation,
    Target,
    AfterTarget,
}

impl Reading {
    fn after_operation(operation: &str) -> Self {
        if is(operation, &["UPDATE", "CALL", "EXEC", "EXECUTE", "TRUNCATE", "MERGE"]) {
            Self::Target
        } else {
            Self::Operation
        }
    }
}

const OPERATIONS: [&str; 18] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "CREATE", "ALTER", "DROP", "TRUNCATE", "CALL", "EXEC",
    "EXECUTE", "BEGIN", "COMMIT", "ROLLBACK", "PRAGMA", "EXPLAIN",
];

fn is(word: &str, any: &[&str]) -> bool {
    any.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// A Redis command with `?` for everything behind the key (semantic conventions, "Redis").
pub(super) fn redis_text(command: &str) -> String {
    let mut words = command.split_whitespace();
    let kept: Vec<&str> = words.by_ref().take(2).collect();
    // The second word of AUTH and HELLO is no key but a secret.
    let is_secret = kept.first().is_some_and(|name| is(name, &["AUTH", "HELLO"]));
    let shown = if is_secret { &kept[..1] } else { &kept[..] };
    let hidden = kept.len() - shown.len() + words.count();
    shown.iter().copied().chain(std::iter::repeat_n("?", hidden)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_name_operations_and_targets() {
        let table = [
            ("SELECT * FROM cart WHERE id = 7", "SELECT cart"),
            ("select a, b from cart as c, shop.users u join orders o on o.id = c.id", "SELECT cart shop.users orders"),
            ("INSERT INTO orders (a, b) SELECT a, b FROM cart", "INSERT orders SELECT cart"),
            ("UPDATE cart SET n = 1 WHERE id IN (SELECT id FROM \"old carts\")", "UPDATE cart SELECT \"old carts\""),
            ("DELETE FROM cart", "DELETE cart"),
            ("-- a comment\nSELECT 1", "SELECT"),
            ("CREATE TABLE IF NOT EXISTS [dbo].[cart] (id INT)", "CREATE [dbo].[cart]"),
            ("EXEC shop.charge 'ann', 7", "EXEC shop.charge"),
            ("SELECT * FROM (SELECT id FROM cart) x", "SELECT SELECT cart"),
            ("WITH c AS (SELECT 1) SELECT * FROM c", "SELECT SELECT c"),
            ("BEGIN", "BEGIN"),
            ("'SELECT * FROM secrets'", ""),
            ("", ""),
        ];
        for (statement, expected) in table {
            assert_eq!(summary(statement, Dialect::Standard), expected, "{statement}");
        }
        let long = format!("SELECT * FROM {}", vec!["a_table_with_a_name"; 40].join(", "));
        assert!(
            summary(&long, Dialect::Standard).len() <= LONGEST_SUMMARY
                && summary(&long, Dialect::Standard).ends_with("a_table_with_a_name")
        );
    }

    #[test]
    fn literals_leave_the_text() {
        let table = [
            ("SELECT * FROM cart WHERE user = 'ann' AND n > 3.5", "SELECT * FROM cart WHERE user = ? AND n > ?"),
            ("SELECT 'it''s', 2", "SELECT ?, ?"),
            (r"SELECT 'a\', 'secret', b", "SELECT ?"),
            ("SELECT E'x', N'y', 0xFF, 1e9, .5, $tag$ it's $tag$ -- secret", "SELECT ?, ?, ?, ?, ?, ?"),
            ("SELECT /* token=abc */ t1.c2 FROM t1", "SELECT  t1.c2 FROM t1"),
            ("SELECT 'never closed", "SELECT ?"),
            ("SELECT \"column 1\", `c2`, [c3] FROM t", "SELECT \"column 1\", `c2`, [c3] FROM t"),
            ("SELECT x::text, 'é', ü FROM t", "SELECT x::text, ?, ü FROM t"),
            ("SELECT * FROM t WHERE a = $1 AND b = 'kept'", "SELECT * FROM t WHERE a = $1 AND b = 'kept'"),
            ("SELECT * FROM t WHERE a = ? AND b = 5", "SELECT * FROM t WHERE a = ? AND b = 5"),
            ("SELECT * FROM t WHERE a = :name", "SELECT * FROM t WHERE a = :name"),
        ];
        for (statement, expected) in table {
            assert_eq!(text(statement, Dialect::Standard), expected, "{statement}");
        }
    }

    #[test]
    fn double_quotes_hold_texts_where_they_do() {
        let statement = "SELECT \"ann\" FROM `cart` WHERE b = \"it\"\"s\"";
        assert_eq!(text(statement, Dialect::MySql), "SELECT ? FROM `cart` WHERE b = ?");
        assert_eq!(summary(statement, Dialect::MySql), "SELECT `cart`");
        assert_eq!(text(statement, Dialect::Standard), statement);
    }

    #[test]
    fn operators_are_no_parameters_where_they_are_none() {
        let table = [
            ("SELECT * FROM t WHERE tags ? 'ann'", "SELECT * FROM t WHERE tags ? ?"),
            ("SELECT a #>> '{ann}', b @> 'ann', c[2:n] FROM t", "SELECT a #>> ?, b @> ?, c[?:n] FROM t"),
            ("SELECT @x, n::text FROM t WHERE a = 'ann'", "SELECT @x, n::text FROM t WHERE a = ?"),
            ("/* who */ SELECT 'ann'", "SELECT ?"),
            ("SELECT * FROM t WHERE tags ? 'kept' AND a = $1", "SELECT * FROM t WHERE tags ? 'kept' AND a = $1"),
        ];
        for (statement, expected) in table {
            assert_eq!(text(statement, Dialect::PostgreSql), expected, "{statement}");
        }
    }

    #[test]
    fn any_text_is_cut_into_pieces_without_loss() {
        for statement in [
            "'\\",
            "$",
            "$a",
            "[",
            "[a",
            "/*",
            "--",
            "é'é\"é`é",
            "a.",
            "a.\"",
            "\u{1f600}.\u{1f600}",
            ":",
            "@1",
            "1.2.3.x",
        ] {
            for dialect in [Dialect::Standard, Dialect::MySql] {
                let pieces: String = Tokens::new(statement, dialect).map(|(_, range)| &statement[range]).collect();
                assert_eq!(pieces, statement);
                let _ = (summary(statement, dialect), text(statement, dialect));
            }
        }
    }

    #[test]
    fn of_redis_commands_the_key_is_kept() {
        for (command, expected) in [
            ("GET cart:7", "GET cart:7"),
            ("SET cart:7 secret EX 60", "SET cart:7 ? ? ?"),
            ("AUTH user password", "AUTH ? ?"),
            ("PING", "PING"),
            ("", ""),
        ] {
            assert_eq!(redis_text(command), expected);
        }
    }
}
