//! A header that is added to export requests: a name and a value that HTTP allows.

use std::fmt;

use super::pairs;

/// A header name and value whose `Debug` output keeps the value to itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    name: String,
    value: String,
}

/// Why a header cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is not a token (RFC 9110, section 5.6.2).
    Name,
    /// The value has a character outside visible ASCII, space and tab.
    Value,
    /// The exporter sets this header itself.
    Reserved,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a header name is not an HTTP token",
            Self::Value => "a header value has a character that HTTP does not allow",
            Self::Reserved => "a header is one that the exporter sets itself",
        })
    }
}

impl std::error::Error for HeaderError {}

impl Header {
    /// A header that is safe to write into a request.
    ///
    /// # Errors
    /// Names and values that HTTP does not allow, and names that the exporter sets itself
    /// (content-type, content-encoding, content-length, transfer-encoding, host, connection).
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Result<Self, HeaderError> {
        const RESERVED: [&str; 6] =
            ["content-type", "content-encoding", "content-length", "transfer-encoding", "host", "connection"];
        let (name, value) = (name.into().to_ascii_lowercase(), value.into());
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(HeaderError::Name);
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(HeaderError::Reserved);
        }
        if !value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
            return Err(HeaderError::Value);
        }
        Ok(Self { name, value })
    }

    /// Whether gRPC keeps this name to itself: `grpc-…` and `te` (gRPC over HTTP/2, "Requests").
    pub(crate) fn is_reserved_by_grpc(&self) -> bool {
        self.name.starts_with("grpc-") || self.name == "te"
    }

    /// The name in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, which may be a credential.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: (hidden)", self.name)
    }
}

/// Reads a header list in the form of W3C baggage without properties (`protocol/exporter.md`, "Specifying headers via
/// environment variables"). A member that cannot be sent is left out with a remark, and the others stay.
pub(super) fn list(list: &str, remarks: &mut Vec<String>) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for (index, member) in pairs::members(list).enumerate() {
        let header = pairs::split(member)
            .and_then(|(name, value)| Ok((pairs::percent_decode(name)?, pairs::percent_decode(value)?)))
            .map_err(|error| error.to_string())
            .and_then(|(name, value)| Header::new(name, value).map_err(|error| error.to_string()));
        match header {
            Ok(header) => set(&mut headers, header),
            Err(problem) => remarks.push(format!("{problem}; member {} is left out", index + 1)),
        }
    }
    headers
}

/// As [`list`], but a value of which nothing can be used is none, so that the next variable is asked.
pub(super) fn usable(text: &str, remarks: &mut Vec<String>) -> Result<Vec<Header>, String> {
    let headers = list(text, remarks);
    if headers.is_empty() && !remarks.is_empty() { Err("no member can be used".to_owned()) } else { Ok(headers) }
}

/// Adds a header, or replaces the one of the same name.
pub(super) fn set(headers: &mut Vec<Header>, header: Header) {
    match headers.iter_mut().find(|known| known.name == header.name) {
        Some(known) => *known = header,
        None => headers.push(header),
    }
}
