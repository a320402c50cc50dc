//! Where spans go over a network and how: what every exporter with a connection needs to know.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::tls::TlsFiles;
pub(super) use crate::config::without_credentials;
use crate::config::{Compression, Header, OtlpConfig, percent_decode};

/// A collector's address, and what goes with every request to it.
///
/// ```
/// use clewline::exporter::Target;
///
/// let mut target = Target::new("https://collector.example:4318/v1/traces");
/// target.compression = clewline::config::Compression::Gzip;
/// target.tls.roots = Some("/etc/ssl/our-own-authority.pem".into());
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The complete URL to post to; for gRPC scheme, host and port, of which the scheme may be missing. A user and password
    /// before the host are sent as `authorization`, unless a header says that.
    pub url: String,
    /// Headers of every request; for gRPC its metadata.
    pub headers: Vec<Header>,
    /// How bodies are compressed.
    pub compression: Compression,
    /// Whose certificates are trusted, and who we are. Read when the exporter is made, and only for `https`.
    pub tls: TlsFiles,
    /// For a gRPC address without a scheme: whether it is reached without TLS. A scheme decides by itself
    /// (`protocol/exporter.md`, "Configuration Options").
    pub insecure: bool,
}

impl Target {
    /// A collector at `url`: no headers, no compression, and for `https` the certificates that browsers trust.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            compression: Compression::None,
            tls: TlsFiles::default(),
            insecure: false,
        }
    }
}

impl From<&OtlpConfig> for Target {
    fn from(config: &OtlpConfig) -> Self {
        Self {
            headers: config.sent_headers(),
            compression: *config.compression.get(),
            tls: TlsFiles {
                roots: config.certificate.get().clone(),
                client_certificate: config.client_certificate.get().clone(),
                client_key: config.client_key.get().clone(),
            },
            insecure: *config.insecure.get(),
            ..Self::new(config.traces_url())
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Target")
            .field("url", &without_credentials(&self.url))
            .field("headers", &self.headers)
            .field("compression", &self.compression)
            .field("tls", &self.tls)
            .field("insecure", &self.insecure)
            .finish()
    }
}

/// A URL without the user in front of its host, and that user as the value of `authorization` (RFC 7617), decoded as RFC 3986,
/// section 3.2.1 writes it.
pub(super) fn split_user(url: &str) -> (Cow<'_, str>, Option<String>) {
    let start = match url.find("://") {
        Some(scheme) if !url[..scheme].contains(['/', '?', '#']) => scheme + 3,
        _ => 0,
    };
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |end| start + end);
    let Some(at) = url[start..end].rfind('@') else { return (Cow::Borrowed(url), None) };
    let (user, rest) = (&url[start..start + at], &url[start + at + 1..]);
    let decode = |text: &str| percent_decode(text).unwrap_or_else(|_| text.to_owned());
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let pair = format!("{}:{}", decode(name), decode(password));
    (Cow::Owned(format!("{}{rest}", &url[..start])), Some(format!("Basic {}", BASE64_STANDARD.encode(pair))))
}

/// Whether the authority of a URL names a host, and no port or one that there can be.
pub(super) fn has_place(authority: &str) -> bool {
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let behind_address = place.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match place[behind_address..].rfind(':') {
        Some(colon) => (&place[..behind_address + colon], Some(&place[behind_address + colon + 1..])),
        None => (place, None),
    };
    !host.is_empty() && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

#[cfg(test)]
mod tests {
    use super::{Target, has_place, split_user, without_credentials};
    use crate::config::Header;

    #[test]
    fn nothing_that_may_be_a_credential_is_shown() {
        let table = [
            ("http://host:4318/v1/traces", "http://host:4318/v1/traces"),
            ("https://user:secret@host/a@b?key=secret", "https://host/a@b"),
            ("https://user:secret@host?key=secret", "https://host"),
            ("host:4317", "host:4317"),
            ("user:secret@host:4317", "host:4317"),
            ("http://[::1]:4317#secret", "http://[::1]:4317"),
        ];
        for (url, shown) in table {
            assert_eq!(without_credentials(url), shown);
        }
        let mut target = Target::new("https://user:secret@host/?key=secret");
        target.headers.push(Header::new("authorization", "secret").expect("a valid header"));
        let shown = format!("{target:?}");
        assert!(shown.contains("authorization") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_user_becomes_a_header() {
        let table = [
            ("http://host:4318/a@b", "http://host:4318/a@b", None),
            ("https://user:secret@host/a@b", "https://host/a@b", Some("Basic dXNlcjpzZWNyZXQ=")),
            ("host:4317/?x=http://a@b", "host:4317/?x=http://a@b", None),
            ("user@host:4317", "host:4317", Some("Basic dXNlcjo=")),
            // `p@ss:é`, and a `%` that stands for itself
            ("http://u:p%40ss:%C3%A9@host?@", "http://host?@", Some("Basic dTpwQHNzOsOp")),
            ("http://u:100%@host", "http://host", Some("Basic dToxMDAl")),
        ];
        for (url, without, header) in table {
            assert_eq!(split_user(url), (without.into(), header.map(str::to_owned)), "{url}");
        }
    }

    #[test]
    fn an_authority_has_a_host_and_perhaps_a_port() {
        for good in ["host", "host:80", "user:secret@host:80", "[::1]", "[::1]:4317", "127.0.0.1:65535"] {
            assert!(has_place(good), "{good}");
        }
        for bad in ["", ":80", "user@", "user@:80", "host:", "host:0", "host:65536", "host:http", "[::1]:"] {
            assert!(!has_place(bad), "{bad}");
        }
    }
}
