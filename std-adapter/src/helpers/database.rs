//! `db_span`: a call of a database.

use clewline_core::{SpanKind, Value};

use super::own_tracer;
use super::statement::{Dialect, redis_text, summary, text};
use crate::Span;

/// The systems whose statements are SQL (semantic conventions, "SQL databases").
const SQL: [&str; 20] = [
    "actian.ingres",
    "aws.redshift",
    "clickhouse",
    "cockroachdb",
    "derby",
    "firebirdsql",
    "gcp.spanner",
    "h2database",
    "hsqldb",
    "ibm.db2",
    "mariadb",
    "microsoft.sql_server",
    "mysql",
    "oracle.db",
    "other_sql",
    "postgresql",
    "sap.hana",
    "sqlite",
    "teradata",
    "trino",
];

/// Starts the span of a database call, of kind CLIENT (semantic conventions, "Database client spans"). `system` is the name of
/// `db.system.name`: `postgresql`, `mysql`, `sqlite`, `redis`, `mongodb` and so on.
///
/// The span is named after a summary of the statement, `SELECT cart`, which is also `db.query.summary`. Literals in
/// `db.query.text` are replaced by `?`, unless the statement has parameters: those who use them keep their values elsewhere.
/// Of systems that speak neither SQL nor Redis's protocol the statement is not recorded, but for its first word, as it is not
/// known where values stand.
///
/// ```
/// let mut span = clewline::helpers::db_span("SELECT * FROM cart WHERE user = 'ann'", "sqlite");
/// span.set("db.response.returned_rows", 3);
/// ```
#[must_use = "a span that is not kept ends at once"]
pub fn db_span(statement: &str, system: &str) -> Span {
    let (summary, text) = if SQL.contains(&system) {
        let dialect = match system {
            "mysql" | "mariadb" => Dialect::MySql,
            "postgresql" | "cockroachdb" | "aws.redshift" => Dialect::PostgreSql,
            _ => Dialect::Standard,
        };
        (summary(statement, dialect), Some(text(statement, dialect)))
    } else {
        let operation = statement.split_whitespace().next().filter(|word| is_plain(word)).unwrap_or_default();
        (operation.to_owned(), (system == "redis").then(|| redis_text(statement).into()))
    };
    let operation = summary.split(' ').next().unwrap_or_default();
    let mut attributes =
        [("db.system.name", Value::from(system)), ("", Value::Empty), ("", Value::Empty), ("", Value::Empty)];
    let mut count = 1;
    let found = [
        ("db.query.summary", summary.as_str()),
        ("db.operation.name", operation),
        ("db.query.text", text.as_deref().unwrap_or_default()),
    ];
    for (key, value) in found.into_iter().filter(|(_, value)| !value.is_empty()) {
        attributes[count] = (key, value.into());
        count += 1;
    }
    let name = if summary.is_empty() { system } else { &summary };
    own_tracer().span(name).kind(SpanKind::Client).attributes(&attributes[..count]).start()
}

/// Whether a word may be an operation's name, and no piece of data.
fn is_plain(word: &str) -> bool {
    word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}
