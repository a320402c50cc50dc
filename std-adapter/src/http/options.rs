//! `Options`: what the layers read, write and record beyond the conventions.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use tracing::Span;

use super::convention::host_and_port;
use super::redact::{self, Query};
use crate::propagation::{self, Propagators};
use crate::{SpanExt as _, Value};

/// What the layers read, write and record beyond the conventions. The default records no headers and hides the values in query
/// strings.
///
/// ```
/// use clewline::http::{Options, Query, ServerLayer};
/// let options = Options::new()
///     .request_headers(["x-request-id"])
///     .query(Query::Omitted)
///     .server_timing(true);
/// let layer = ServerLayer::with_options(options);
/// # let _ = layer;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    propagators: Option<Propagators>,
    request_headers: Vec<Captured>,
    response_headers: Vec<Captured>,
    query: Query,
    server_timing: bool,
    trust_proxy: bool,
    server: Option<(String, Option<u16>)>,
}

/// Options that the parts of a layer share; `None` is the default.
pub(super) type Shared = Option<Arc<Options>>;

/// A header and the attribute for it.
#[derive(Clone, Debug)]
struct Captured {
    name: HeaderName,
    key: String,
}

impl Options {
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The headers that contexts arrive and leave in, if not those of the [process](propagation::global).
    #[must_use]
    pub fn propagators(mut self, propagators: Propagators) -> Self {
        self.propagators = Some(propagators);
        self
    }

    /// Request headers to record, as `http.request.header.<name>`. The values of those that carry secrets, such as
    /// `authorization` and `cookie`, are recorded as `REDACTED`. Names that no header can have are left out.
    #[must_use]
    pub fn request_headers<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.request_headers = captured("http.request.header.", names);
        self
    }

    /// Response headers to record, as `http.response.header.<name>`; see [`request_headers`](Self::request_headers).
    #[must_use]
    pub fn response_headers<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.response_headers = captured("http.response.header.", names);
        self
    }

    /// What is recorded of query strings.
    #[must_use]
    pub const fn query(mut self, query: Query) -> Self {
        self.query = query;
        self
    }

    /// Whether responses tell the page which server span they belong to: `Server-Timing: traceparent;desc="00-…"` (W3C Server
    /// Timing). Pages of other origins see it if the response also has `Timing-Allow-Origin`. Of servers only.
    #[must_use]
    pub const fn server_timing(mut self, server_timing: bool) -> Self {
        self.server_timing = server_timing;
        self
    }

    /// The server that requests go to, `host` or `host:port`, where they do not say so themselves: those of tonic's generated
    /// clients name a path alone. Of clients only; what is no host and port is left out.
    #[must_use]
    pub fn server(mut self, authority: &str) -> Self {
        self.server = host_and_port(authority);
        self
    }

    /// Whether `Forwarded` and `X-Forwarded-Proto`, `-Host` and `-For` are believed, for `url.scheme`, `server.address` and
    /// `client.address`. Only for servers that are reached through a proxy alone, and one that overwrites these headers:
    /// otherwise anyone can write them.
    #[must_use]
    pub const fn trust_proxy(mut self, trust_proxy: bool) -> Self {
        self.trust_proxy = trust_proxy;
        self
    }
}

fn captured<'n>(prefix: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<Captured> {
    let names = names.into_iter().filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    names.map(|name| Captured { key: format!("{prefix}{name}"), name }).collect()
}

/// The propagators to use.
pub(super) fn propagators(options: &Shared) -> &Propagators {
    match options.as_ref().and_then(|options| options.propagators.as_ref()) {
        Some(propagators) => propagators,
        None => propagation::global(),
    }
}

/// Whether forwarded headers are believed.
pub(super) fn trusts_proxy(options: &Shared) -> bool {
    options.as_ref().is_some_and(|options| options.trust_proxy)
}

/// Whether responses name their span.
pub(super) fn has_server_timing(options: &Shared) -> bool {
    options.as_ref().is_some_and(|options| options.server_timing)
}

/// The server that requests go to which do not say it.
pub(super) fn server(options: &Shared) -> Option<(String, Option<u16>)> {
    options.as_ref().and_then(|options| options.server.clone())
}

/// A query string as it may be recorded.
pub(super) fn shown_query<'q>(options: &Shared, query: Option<&'q str>) -> Option<Cow<'q, str>> {
    let policy = options.as_ref().map_or(Query::default(), |options| options.query);
    redact::query(policy, query?)
}

/// Records the chosen headers of a request.
pub(super) fn record_request(options: &Shared, span: &Span, headers: &HeaderMap) {
    if let Some(options) = options {
        record(span, &options.request_headers, headers);
    }
}

/// Records the chosen headers of a response.
pub(super) fn record_response(options: &Shared, span: &Span, headers: &HeaderMap) {
    if let Some(options) = options {
        record(span, &options.response_headers, headers);
    }
}

fn record(span: &Span, captured: &[Captured], headers: &HeaderMap) {
    for Captured { name, key } in captured {
        let lines = headers.get_all(name).iter();
        let values: Vec<Cow<'_, str>> = if redact::is_secret(name.as_str()) {
            lines.map(|_| Cow::Borrowed(redact::REDACTED)).collect()
        } else {
            lines.map(|value| String::from_utf8_lossy(value.as_bytes())).collect()
        };
        if !values.is_empty() {
            let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
            span.set_attribute(key, Value::Strs(&values));
        }
    }
}
