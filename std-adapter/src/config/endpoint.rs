//! The rules that turn an OTLP endpoint setting into the URL to post to (`protocol/exporter.md`, "Endpoint URLs for OTLP/HTTP").

use std::fmt;

/// The URL in force when nobody set one.
pub(crate) const DEFAULT_TRACES_URL: &str = "http://localhost:4318/v1/traces";

/// Why an endpoint was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointError {
    /// It does not begin with `http://` or `https://`.
    Scheme,
    /// Nothing stands where the host should be.
    Host,
    /// The port is not a number up to 65535.
    Port,
    /// A character that no URL may hold, such as a space.
    Character,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "not a URL with the scheme http:// or https://",
            Self::Host => "a URL without a host",
            Self::Port => "a URL whose port is not a number up to 65535",
            Self::Character => "a URL with a character that must be percent-encoded",
        })
    }
}

impl std::error::Error for EndpointError {}

/// The traces URL for a *base* endpoint: its path is kept and `v1/traces` is appended with exactly one slash between.
pub(crate) fn from_base(base: &str) -> Result<String, EndpointError> {
    let (front, rest) = split_at_query(base)?;
    let front = front.strip_suffix('/').unwrap_or(front);
    Ok(format!("{front}/v1/traces{rest}"))
}

/// The traces URL for a *traces* endpoint: used as it is; a missing path is `/`, never `/v1/traces`.
pub(crate) fn as_is(url: &str) -> Result<String, EndpointError> {
    let (front, rest) = split_at_query(url)?;
    let slash = if has_path(front) { "" } else { "/" };
    Ok(format!("{front}{slash}{rest}"))
}

/// Checks the URL and splits it into everything before its query and the query.
fn split_at_query(url: &str) -> Result<(&str, &str), EndpointError> {
    let rest = after_scheme(url).ok_or(EndpointError::Scheme)?;
    if !url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`')) {
        return Err(EndpointError::Character);
    }
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    check_authority(authority)?;
    Ok(url.split_at(url.find(['?', '#']).unwrap_or(url.len())))
}

/// What follows `http://` or `https://`, in any case.
fn after_scheme(url: &str) -> Option<&str> {
    ["http://", "https://"].into_iter().find_map(|scheme| {
        let front = url.get(..scheme.len())?;
        front.eq_ignore_ascii_case(scheme).then(|| &url[scheme.len()..])
    })
}

fn check_authority(authority: &str) -> Result<(), EndpointError> {
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
    match port {
        Some(port) if !port.bytes().all(|byte| byte.is_ascii_digit()) || port.parse::<u16>().is_err() => {
            Err(EndpointError::Port)
        }
        _ => Ok(()),
    }
}

fn has_path(front: &str) -> bool {
    after_scheme(front).is_some_and(|rest| rest.contains('/'))
}
