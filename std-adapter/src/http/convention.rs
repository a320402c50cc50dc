//! What OpenTelemetry's HTTP semantic conventions say about methods, versions and hosts.

use http::Version;
use http::uri::Authority;

/// What stands for a method that is not known, so that a stranger cannot make up names without end
/// (semantic conventions, "http.request.method").
const OTHER_METHOD: &str = "_OTHER";

/// A request method as attributes and span names want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Method<'a> {
    /// `http.request.method`.
    pub(super) name: &'static str,
    /// `http.request.method_original`: the method itself, if it is not a known one.
    pub(super) original: Option<&'a str>,
}

impl<'a> Method<'a> {
    /// Known are the methods of RFC 9110 with `PATCH` (RFC 5789) and `QUERY`, in capitals.
    pub(super) fn new(method: &'a str) -> Self {
        const KNOWN: [&str; 10] =
            ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];
        match KNOWN.into_iter().find(|known| *known == method) {
            Some(name) => Self { name, original: None },
            None => Self { name: OTHER_METHOD, original: Some(method) },
        }
    }

    /// The method as the first word of a span's name (semantic conventions, "HTTP spans: name").
    pub(super) const fn in_span_name(&self) -> &'static str {
        if self.original.is_some() { "HTTP" } else { self.name }
    }
}

/// `network.protocol.version`.
pub(super) fn protocol_version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

/// `server.address` and `server.port` from a `Host` header or an `:authority`; `None` if it is malformed.
pub(super) fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let authority: Authority = text.parse().ok()?;
    let host = authority.host();
    // An IPv6 address stands in brackets only because a port may follow (RFC 3986, section 3.2.2).
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (!host.is_empty()).then(|| (host.to_owned(), authority.port_u16()))
}

#[cfg(test)]
mod tests {
    use super::{Method, host_and_port};

    #[test]
    fn unknown_methods_share_one_name() {
        assert_eq!(Method::new("GET"), Method { name: "GET", original: None });
        assert_eq!(Method::new("PATCH").in_span_name(), "PATCH");
        // Methods are case-sensitive (RFC 9110, section 9.1).
        for odd in ["get", "BREW", ""] {
            let method = Method::new(odd);
            assert_eq!((method.name, method.original, method.in_span_name()), ("_OTHER", Some(odd), "HTTP"));
        }
    }

    #[test]
    fn hosts_lose_their_port_brackets_and_user() {
        let parts = |text| host_and_port(text);
        assert_eq!(parts("shop.example"), Some(("shop.example".to_owned(), None)));
        assert_eq!(parts("shop.example:8080"), Some(("shop.example".to_owned(), Some(8080))));
        assert_eq!(parts("[::1]:80"), Some(("::1".to_owned(), Some(80))));
        assert_eq!(parts("user:secret@shop.example"), Some(("shop.example".to_owned(), None)));
        assert_eq!(parts("shop example"), None);
        assert_eq!(parts(""), None);
    }
}
