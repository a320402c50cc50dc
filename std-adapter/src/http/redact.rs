//! What is not recorded of requests: values in query strings, and headers that carry secrets.

use std::borrow::Cow;

/// What stands in place of a value (semantic conventions, "url.query").
pub(super) const REDACTED: &str = "REDACTED";

/// Keys whose values are never recorded (semantic conventions, "url.query").
const SECRET_KEYS: [&str; 8] = [
    "AWSAccessKeyId",
    "Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Goog-Signature",
    "sig",
    "token",
];

/// Headers whose values are never recorded.
const SECRET_HEADERS: [&str; 9] = [
    "authorization",
    "cookie",
    "proxy-authenticate",
    "proxy-authorization",
    "set-cookie",
    "www-authenticate",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
];

/// What is recorded of query strings, in `url.query` and `url.full`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Query {
    /// Keys, with `REDACTED` for every value: `page=REDACTED&token=REDACTED`.
    #[default]
    Redacted,
    /// Keys and values, but for values of keys that are known to hold secrets (semantic conventions, "url.query").
    Recorded,
    /// Nothing.
    Omitted,
}

/// A query string as it may be recorded.
pub(super) fn query(policy: Query, query: &str) -> Option<Cow<'_, str>> {
    let hides = |key: &str| policy == Query::Redacted || SECRET_KEYS.contains(&key);
    if policy == Query::Omitted || query.is_empty() {
        return None;
    }
    let mut shown = String::with_capacity(query.len());
    for (index, part) in query.split('&').enumerate() {
        if index > 0 {
            shown.push('&');
        }
        match part.split_once('=') {
            Some((key, _)) if hides(key) => shown.extend([key, "=", REDACTED]),
            // Without a key the part is all value.
            None if policy == Query::Redacted && !part.is_empty() => shown.push_str(REDACTED),
            _ => shown.push_str(part),
        }
    }
    Some(Cow::Owned(shown))
}

/// Whether a header, named in lower case, carries a secret.
pub(super) fn is_secret(name: &str) -> bool {
    SECRET_HEADERS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_query_strings_are_hidden_as_asked() {
        let table = [
            ("page=2&token=a%20b", "page=REDACTED&token=REDACTED", "page=2&token=REDACTED"),
            ("secret", "REDACTED", "secret"),
            ("a=&b", "a=REDACTED&REDACTED", "a=&b"),
            ("sig=x=y&Sig=1", "sig=REDACTED&Sig=REDACTED", "sig=REDACTED&Sig=1"),
            ("&&", "&&", "&&"),
        ];
        for (given, redacted, recorded) in table {
            assert_eq!(query(Query::Redacted, given).as_deref(), Some(redacted));
            assert_eq!(query(Query::Recorded, given).as_deref(), Some(recorded));
            assert_eq!(query(Query::Omitted, given), None);
        }
        assert_eq!(query(Query::Redacted, ""), None);
    }
}
