//! `http_client_span`: an HTTP request, for clients that no middleware of ours knows.

use std::borrow::Cow;

use clewline_core::{SpanKind, Value};

use super::own_tracer;
use crate::Span;

/// Starts the span of an HTTP request, of kind CLIENT (semantic conventions, "HTTP client spans").
///
/// User name, password, and the values in the query of the address are not recorded. When the answer is there, the caller sets
/// `http.response.status_code`, and from 400 on `error.type` and the status. The request should carry the span's
/// [`hand_on`](Span::hand_on), written by [`propagation`](crate::propagation).
///
/// ```
/// use std::collections::HashMap;
/// use clewline::propagation::{self, carrier};
/// let mut span = clewline::helpers::http_client_span("GET", "https://stock.example/items?token=secret");
/// let mut headers: HashMap<String, String> = HashMap::new();
/// propagation::global().inject(&span.hand_on(), &mut carrier::map_mut(&mut headers));
/// span.set("http.response.status_code", 200);
/// ```
#[must_use = "a span that is not kept ends at once"]
pub fn http_client_span(method: &str, url: &str) -> Span {
    let (known, original) = method_names(method);
    let address = Address::new(url);
    let shown = address.shown(url);
    let mut attributes = vec![("http.request.method", Value::from(known)), ("url.full", Value::from(&*shown))];
    if let Some(original) = original {
        attributes.push(("http.request.method_original", original.into()));
    }
    if let Some(host) = address.host {
        attributes.push(("server.address", host.into()));
    }
    if let Some(port) = address.port {
        attributes.push(("server.port", port.into()));
    }
    let name = if original.is_some() { "HTTP" } else { known };
    own_tracer().span(name).kind(SpanKind::Client).attributes(&attributes).start()
}

/// `http.request.method`, and `http.request.method_original` where that is another. A stranger cannot make up names without
/// end.
fn method_names(method: &str) -> (&str, Option<&str>) {
    const KNOWN: [&str; 10] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];
    if KNOWN.contains(&method) { (method, None) } else { ("_OTHER", Some(method)) }
}

/// The parts of an absolute address that a span needs (RFC 3986, section 3).
struct Address<'u> {
    host: Option<&'u str>,
    port: Option<u16>,
    /// Where user name and password stand, with the `@` behind them.
    user: Option<(usize, usize)>,
    /// Where the query begins, behind its `?`, and where it ends.
    query: Option<(usize, usize)>,
    /// Where the fragment begins, which never leaves the client.
    end: usize,
}

impl<'u> Address<'u> {
    fn new(url: &'u str) -> Self {
        let end = url.find('#').unwrap_or(url.len());
        let query = url[..end].find('?').map(|at| (at + 1, end));
        let mut address = Self { host: None, port: None, user: None, query, end };
        let Some(scheme) = url[..end].find("://") else { return address };
        let start = scheme + 3;
        let authority_end = url[start..end].find(['/', '?', '\\']).map_or(end, |at| start + at);
        let authority = &url[start..authority_end];
        let host_start = authority.rfind('@').map_or(0, |at| at + 1);
        if host_start > 0 {
            address.user = Some((start, start + host_start));
        }
        let host_and_port = &authority[host_start..];
        // An IPv6 address stands in brackets, because a port may follow.
        let (host, rest) = match host_and_port.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some(parts) => parts,
            None => host_and_port.split_at(host_and_port.find(':').unwrap_or(host_and_port.len())),
        };
        address.host = (!host.is_empty()).then_some(host);
        address.port = match rest.strip_prefix(':').map(str::parse) {
            Some(port) => port.ok(),
            None if url[..scheme].eq_ignore_ascii_case("https") => Some(443),
            None if url[..scheme].eq_ignore_ascii_case("http") => Some(80),
            None => None,
        };
        address
    }

    /// The address without what may be secret.
    fn shown(&self, url: &'u str) -> Cow<'u, str> {
        if self.user.is_none() && self.query.is_none() {
            return Cow::Borrowed(&url[..self.end]);
        }
        let path_end = self.query.map_or(self.end, |(start, _)| start);
        let mut shown = match self.user {
            Some((start, end)) => [&url[..start], &url[end..path_end]].concat(),
            None => url[..path_end].to_owned(),
        };
        if let Some((start, end)) = self.query {
            let parts = url[start..end].split('&').map(|part| match part.split_once('=') {
                Some((key, _)) => format!("{key}=REDACTED"),
                // Without a key the part is all value.
                None if part.is_empty() => String::new(),
                None => "REDACTED".to_owned(),
            });
            shown.push_str(&parts.collect::<Vec<_>>().join("&"));
        }
        Cow::Owned(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_secrets_and_keep_the_rest() {
        type Row = (&'static str, &'static str, Option<&'static str>, Option<u16>);
        let table: [Row; 12] = [
            ("https://shop.example/cart/7", "https://shop.example/cart/7", Some("shop.example"), Some(443)),
            ("http://shop.example:8080", "http://shop.example:8080", Some("shop.example"), Some(8080)),
            (
                "http://user:pass@shop.example/a?b=c&d#e",
                "http://shop.example/a?b=REDACTED&REDACTED",
                Some("shop.example"),
                Some(80),
            ),
            ("http://us@er:p@shop.example", "http://shop.example", Some("shop.example"), Some(80)),
            ("http://[::1]:4318/v1", "http://[::1]:4318/v1", Some("::1"), Some(4318)),
            ("https://[::1]", "https://[::1]", Some("::1"), Some(443)),
            ("http://h?x=1", "http://h?x=REDACTED", Some("h"), Some(80)),
            ("http://h/?", "http://h/?", Some("h"), Some(80)),
            ("http://h:port/", "http://h:port/", Some("h"), None),
            ("http://h/path@with?at=a@b", "http://h/path@with?at=REDACTED", Some("h"), Some(80)),
            ("/relative?secret", "/relative?REDACTED", None, None),
            ("", "", None, None),
        ];
        for (url, shown, host, port) in table {
            let address = Address::new(url);
            assert_eq!((&*address.shown(url), address.host, address.port), (shown, host, port), "{url}");
        }
    }

    #[test]
    fn unknown_methods_share_one_name() {
        assert_eq!(method_names("GET"), ("GET", None));
        assert_eq!(method_names("get"), ("_OTHER", Some("get")));
    }
}
