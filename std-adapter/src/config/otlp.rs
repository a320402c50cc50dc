//! The OTLP exporter's part of the configuration: URL, protocol, headers, time limit, compression.

use std::fmt;
use std::time::Duration;

use super::endpoint;
use super::environment::{Environment, Show};
use super::pairs;
use super::setting::Setting;

/// How spans travel to the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// OTLP over HTTP with protobuf bodies, the specification's default.
    HttpProtobuf,
}

/// How request bodies are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// `Content-Encoding: gzip`.
    Gzip,
}

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

/// Everything an OTLP exporter needs to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OtlpConfig {
    /// The URL to post to, complete.
    pub traces_url: Setting<String>,
    /// How spans travel.
    pub protocol: Setting<Protocol>,
    /// Headers added to every request.
    pub headers: Setting<Vec<Header>>,
    /// The longest that exporting one batch may take, retries included; `None` is no limit.
    pub timeout: Setting<Option<Duration>>,
    /// How bodies are compressed.
    pub compression: Setting<Compression>,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            traces_url: Setting::default(endpoint::DEFAULT_TRACES_URL.to_owned()),
            protocol: Setting::default(Protocol::HttpProtobuf),
            headers: Setting::default(Vec::new()),
            timeout: Setting::default(Some(Duration::from_secs(10))),
            compression: Setting::default(Compression::None),
        }
    }
}

impl OtlpConfig {
    /// Reads the `OTEL_EXPORTER_OTLP_*` variables; where the `_TRACES_` one is set and good, it replaces the general one.
    pub(super) fn read(&mut self, environment: &mut Environment<'_>) {
        self.read_url(environment);
        environment.read(
            &["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"],
            Show::Value,
            &mut self.protocol,
            |text, _| match text.to_ascii_lowercase().as_str() {
                "http/protobuf" => Ok(Protocol::HttpProtobuf),
                "grpc" | "http/json" => Err("this version speaks http/protobuf only, and uses it".to_owned()),
                _ => Err("not a protocol of the specification".to_owned()),
            },
        );
        environment.read(
            &["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"],
            Show::NameOnly,
            &mut self.headers,
            |text, remarks| Ok(headers(text, remarks)),
        );
        environment.timeout(&["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"], &mut self.timeout);
        environment.read(
            &["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"],
            Show::Value,
            &mut self.compression,
            |text, _| match text.to_ascii_lowercase().as_str() {
                "none" => Ok(Compression::None),
                "gzip" => Ok(Compression::Gzip),
                _ => Err("neither `none` nor `gzip`".to_owned()),
            },
        );
    }

    /// The traces endpoint is used as it is; only the general one is a base.
    fn read_url(&mut self, environment: &mut Environment<'_>) {
        type Rule = fn(&str) -> Result<String, endpoint::EndpointError>;
        const RULES: [(&str, Rule); 2] = [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint::as_is),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint::from_base),
        ];
        for (name, rule) in RULES {
            let before = self.traces_url.source();
            // An address may carry credentials before an `@`.
            let has_credentials = environment.value(name).is_some_and(|text| text.contains('@'));
            let show = if has_credentials { Show::NameOnly } else { Show::Value };
            environment
                .read(&[name], show, &mut self.traces_url, |text, _| rule(text).map_err(|error| error.to_string()));
            if self.traces_url.source() != before {
                return;
            }
        }
    }
}

/// Reads a header list; a member that cannot be sent is left out with a remark, and the others stay.
fn headers(list: &str, remarks: &mut Vec<String>) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for (index, member) in pairs::members(list).enumerate() {
        let header = pairs::split(member)
            .and_then(|(name, value)| Ok((pairs::percent_decode(name)?, pairs::percent_decode(value)?)))
            .map_err(|error| error.to_string())
            .and_then(|(name, value)| Header::new(name, value).map_err(|error| error.to_string()));
        match header {
            Ok(header) => set_header(&mut headers, header),
            Err(problem) => remarks.push(format!("{problem}; member {} is left out", index + 1)),
        }
    }
    headers
}

/// Adds a header, or replaces the one of the same name.
pub(super) fn set_header(headers: &mut Vec<Header>, header: Header) {
    match headers.iter_mut().find(|known| known.name == header.name) {
        Some(known) => *known = header,
        None => headers.push(header),
    }
}
