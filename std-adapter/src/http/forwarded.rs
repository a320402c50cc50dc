//! What a proxy says of the request that it received: `Forwarded` (RFC 7239) and the older `X-Forwarded-*`.

use http::HeaderMap;

/// The first hop's view: what the client asked for, and who it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Forwarded {
    /// `http` or `https`.
    pub(super) scheme: Option<&'static str>,
    /// Host and port as the client wrote them.
    pub(super) host: Option<String>,
    /// The client's address.
    pub(super) client: Option<String>,
}

impl Forwarded {
    /// Reads the headers; `Forwarded` counts more.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let first = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.split(',').next()?.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let standard = headers.get("forwarded").and_then(|value| value.to_str().ok()).map(read).unwrap_or_default();
        Self {
            scheme: standard.scheme.or_else(|| first("x-forwarded-proto").and_then(|text| scheme(&text))),
            host: standard.host.or_else(|| first("x-forwarded-host")),
            client: standard.client.or_else(|| first("x-forwarded-for").and_then(|text| address(&text))),
        }
    }
}

/// Reads the first element of `Forwarded`: `for=192.0.2.60;proto=http;host="a:80"`.
fn read(value: &str) -> Forwarded {
    let mut forwarded = Forwarded::default();
    let element = cut(value, ',');
    let mut rest = element;
    while !rest.is_empty() {
        let pair = cut(rest, ';');
        rest = rest.get(pair.len() + 1..).unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        match name.trim().to_ascii_lowercase().as_str() {
            "proto" => forwarded.scheme = scheme(value),
            "host" => forwarded.host = Some(value.to_owned()).filter(|host| !host.is_empty()),
            "for" => forwarded.client = address(value),
            _ => {}
        }
    }
    forwarded
}

/// What stands before the first `delimiter` that is not in quotes.
fn cut(text: &str, delimiter: char) -> &str {
    let mut is_quoted = false;
    let end = text.find(|character| {
        is_quoted ^= character == '"';
        !is_quoted && character == delimiter
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|known| known.eq_ignore_ascii_case(text))
}

/// An address without its port. `unknown` and names of the proxy's own, which begin with `_`, are none (RFC 7239, section 6).
fn address(text: &str) -> Option<String> {
    let host = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        // A colon alone separates a port; several are an IPv6 address as older proxies write it.
        None if text.matches(':').count() == 1 => text.split(':').next(),
        None => Some(text),
    }?;
    let is_name = host.is_empty() || host.starts_with('_') || host.eq_ignore_ascii_case("unknown");
    (!is_name).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// Headers, and scheme, host and client; examples of RFC 7239, sections 4 and 6.
    #[test]
    fn headers_of_proxies_table() {
        type Headers = &'static [(&'static str, &'static str)];
        let table: &[(Headers, [&str; 3])] = &[
            (&[], ["", "", ""]),
            (&[("forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43")], ["http", "", "192.0.2.60"]),
            (&[("forwarded", "For=\"[2001:db8:cafe::17]:4711\"; PROTO=HTTPS")], ["https", "", "2001:db8:cafe::17"]),
            (&[("forwarded", "for=192.0.2.43, for=198.51.100.17;proto=https")], ["", "", "192.0.2.43"]),
            (&[("forwarded", "host=\"a,b;c:80\";for=unknown")], ["", "a,b;c:80", ""]),
            (&[("forwarded", "for=_gazonk")], ["", "", ""]),
            (&[("forwarded", ";;=;for")], ["", "", ""]),
            (
                &[
                    ("x-forwarded-proto", "https, http"),
                    ("x-forwarded-host", "shop.example"),
                    ("x-forwarded-for", "203.0.113.7, 10.0.0.1"),
                ],
                ["https", "shop.example", "203.0.113.7"],
            ),
            (&[("x-forwarded-for", "203.0.113.7:4711")], ["", "", "203.0.113.7"]),
            (&[("x-forwarded-for", "2001:db8::1"), ("x-forwarded-proto", "gopher")], ["", "", "2001:db8::1"]),
            (
                &[("forwarded", "proto=https"), ("x-forwarded-proto", "http"), ("x-forwarded-host", "a")],
                ["https", "a", ""],
            ),
        ];
        for (headers, expected) in table {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            let Forwarded { scheme, host, client } = Forwarded::of(&headers);
            let found = [
                scheme.unwrap_or_default(),
                host.as_deref().unwrap_or_default(),
                client.as_deref().unwrap_or_default(),
            ];
            assert_eq!(found, *expected, "{headers:?}");
        }
    }
}
