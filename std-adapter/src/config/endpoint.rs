//! The rules that turn an OTLP endpoint setting into the URL to post to (`protocol/exporter.md`, "Endpoint URLs for OTLP/HTTP").

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::otlp::Protocol;

/// Parsers of URLs take little more.
const LENGTH_LIMIT: usize = 65_000;

/// Where OTLP goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// A collector on this machine, at the protocol's own port: 4318 for HTTP, 4317 for gRPC.
    Local,
    /// The address of a collector. Over HTTP `v1/traces` is appended to its path.
    Base(String),
    /// The exact URL that spans are posted to; without a path it is `/`.
    Traces(String),
}

/// Why an endpoint was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointError {
    /// It does not begin with `http://` or `https://`. For gRPC it may also be without a scheme.
    Scheme,
    /// Nothing stands where the host should be.
    Host,
    /// The host is neither an address nor a name that can be asked for; over TLS a name as certificates have it.
    HostName,
    /// The port is not a number from 1 to 65535.
    Port,
    /// It is over 65,000 bytes long.
    Length,
    /// A character that no URL may hold, such as a space.
    Character,
    /// It ends in `/v1/traces`, which would be appended once more.
    TracesPath,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "not a URL with the scheme http:// or https://",
            Self::Host => "a URL without a host",
            Self::HostName => "a URL whose host is neither a name nor an address",
            Self::Length => "a URL of over 65,000 bytes",
            Self::Port => "a URL whose port is not a number from 1 to 65535",
            Self::Character => "a URL with a character that must be percent-encoded",
            Self::TracesPath => {
                "not a base address: it ends in /v1/traces already; `with_traces_endpoint` takes it as it is"
            }
        })
    }
}

impl std::error::Error for EndpointError {}

impl Endpoint {
    /// Checks the address for a protocol.
    pub(crate) fn check(&self, protocol: Protocol) -> Result<(), EndpointError> {
        match self {
            Self::Local => Ok(()),
            Self::Base(url) | Self::Traces(url) => check(url, protocol == Protocol::Grpc),
        }
    }

    /// The URL that spans are sent to. A scheme in the address decides about TLS, `is_insecure` only where there is none.
    pub(crate) fn traces_url(&self, protocol: Protocol, is_insecure: bool) -> String {
        let (url, is_base) = match (self, protocol) {
            (Self::Local, Protocol::Grpc) => return "http://localhost:4317".to_owned(),
            (Self::Local, _) => ("http://localhost:4318", true),
            (Self::Base(url), _) => (url.as_str(), true),
            (Self::Traces(url), _) => (url.as_str(), false),
        };
        let url = match after_scheme(url) {
            Some(_) => url.to_owned(),
            None if is_insecure => format!("http://{url}"),
            None => format!("https://{url}"),
        };
        // gRPC names the service in the path itself.
        if protocol == Protocol::Grpc {
            return url;
        }
        let (front, query) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
        if is_base {
            format!("{}/v1/traces{query}", front.strip_suffix('/').unwrap_or(front))
        } else if after_scheme(front).is_some_and(|rest| rest.contains('/')) {
            url
        } else {
            format!("{front}/{query}")
        }
    }
}

/// Whether the path ends in what is appended to a base address.
pub(crate) fn is_for_traces(url: &str) -> bool {
    let url = &url[..url.find(['?', '#']).unwrap_or(url.len())];
    let rest = after_scheme(url).unwrap_or(url);
    rest.find('/').is_some_and(|slash| rest[slash..].trim_end_matches('/').ends_with("/v1/traces"))
}

/// Checks that `url` is one that requests can be sent to.
pub(crate) fn check(url: &str, may_lack_scheme: bool) -> Result<(), EndpointError> {
    let rest = match after_scheme(url) {
        Some(rest) => rest,
        None if may_lack_scheme && !url.contains("://") => url,
        None => return Err(EndpointError::Scheme),
    };
    if !url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`')) {
        return Err(EndpointError::Character);
    }
    if url.len() > LENGTH_LIMIT {
        return Err(EndpointError::Length);
    }
    // Without a scheme, as gRPC has it, TLS is the default.
    let is_secure = url.len() - rest.len() != "http://".len();
    check_authority(&rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())], is_secure)
}

/// The URL without what may be a credential: the user before the host, and the query.
#[cfg(any(feature = "otlp-http", feature = "otlp-grpc", feature = "serde"))]
pub(crate) fn without_credentials(url: &str) -> String {
    let front = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = front.split_once("://").map_or(("", front), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{host}{path}")
}

/// What follows `http://` or `https://`, in any case.
fn after_scheme(url: &str) -> Option<&str> {
    ["http://", "https://"].into_iter().find_map(|scheme| {
        let front = url.get(..scheme.len())?;
        front.eq_ignore_ascii_case(scheme).then(|| &url[scheme.len()..])
    })
}

fn check_authority(authority: &str, is_secure: bool) -> Result<(), EndpointError> {
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = if host_and_port.starts_with('[') {
        let end = host_and_port.find(']').ok_or(EndpointError::Host)?;
        let (host, port) = host_and_port.split_at(end + 1);
        match (port, port.strip_prefix(':')) {
            ("", _) => (host, None),
            (_, Some(port)) => (host, Some(port)),
            _ => return Err(EndpointError::Port),
        }
    } else {
        host_and_port.split_once(':').map_or((host_and_port, None), |(host, port)| (host, Some(port)))
    };
    if host.is_empty() || host == "[]" {
        return Err(EndpointError::Host);
    }
    if !is_host(host, is_secure) {
        return Err(EndpointError::HostName);
    }
    match port {
        Some(port)
            if !port.bytes().all(|byte| byte.is_ascii_digit())
                || port.parse::<u16>().map_or(true, |port| port == 0) =>
        {
            Err(EndpointError::Port)
        }
        _ => Ok(()),
    }
}

/// Whether a connection to such a host can be tried at all. Names are left to the system to judge, except where a certificate is
/// to be asked for them (RFC 1034, section 3.5, and underscores, which are about).
fn is_host(host: &str, is_secure: bool) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    if host.contains('%') {
        return false;
    }
    if !is_secure || host.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        matches!(label.len(), 1..=63)
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // A last label of digits alone is part of an address that is none.
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253 && name.split('.').all(is_label) && !name.rsplit('.').next().is_some_and(is_number)
}
