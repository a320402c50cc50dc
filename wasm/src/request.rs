//! `ClientRequest`: the CLIENT span of a request, and whether its headers may travel along.

use std::cell::RefCell;
use std::fmt::Display;

use clewline::{Context, Parent as _, Span, SpanKind, Status};

use crate::builder::InitError;
use crate::headers::{Carrier, inject_context};
use crate::js::{self, Url};

/// Where headers may go besides the page's own origin, and what is recorded of addresses.
#[derive(Debug, Default)]
pub(crate) struct Propagation {
    /// Addresses that end with a slash.
    targets: Vec<String>,
    records_query: bool,
}

thread_local! {
    static PROPAGATION: RefCell<Propagation> = RefCell::default();
}

impl Propagation {
    pub(crate) fn new(targets: &[String], records_query: bool) -> Result<Self, InitError> {
        let read = |target: &String| {
            let url = js::http_url(target).ok_or_else(|| InitError::PropagateTo(target.clone()))?;
            Ok(format!("{}{}/", url.origin(), url.pathname().trim_end_matches('/')))
        };
        Ok(Self { targets: targets.iter().map(read).collect::<Result<_, _>>()?, records_query })
    }

    /// Whether the headers of a request to `url` may have the context in them.
    fn allows(&self, url: &Url) -> bool {
        let (origin, address) = (url.origin(), format!("{}{}/", url.origin(), url.pathname()));
        js::own_origin().is_some_and(|own| own == origin)
            || self.targets.iter().any(|target| address.starts_with(target))
    }
}

/// From here on requests are traced so.
pub(crate) fn set_propagation(propagation: Propagation) {
    PROPAGATION.set(propagation);
}

/// A request that is sent as a CLIENT span, by whatever client: [`SendTraced`](crate::SendTraced) is made of this.
///
/// ```no_run
/// # async fn send(headers: Vec<(String, String)>) -> Result<u16, std::fmt::Error> { Ok(200) }
/// # async fn example() -> Result<(), std::fmt::Error> {
/// use clewline_wasm::ClientRequest;
///
/// let mut headers = Vec::new();
/// let request = ClientRequest::begin("GET", "/api/cart", &mut headers);
/// match send(headers).await {
///     Ok(status) => request.answered(status),
///     Err(error) => request.failed("network", &error),
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a request that is not kept ends at once"]
#[derive(Debug)]
pub struct ClientRequest {
    span: Span,
}

impl ClientRequest {
    /// Begins the span, a child of the current one, and writes its context into `headers` where it may go: to the page's own
    /// origin, and where [`Builder::propagate_to`](crate::Builder::propagate_to) says.
    ///
    /// The span is named and described by the semantic conventions for HTTP; credentials, fragments and, unless told otherwise, the
    /// query string of the address are not recorded.
    pub fn begin(method: &str, address: &str, headers: &mut (impl Carrier + ?Sized)) -> Self {
        let (name, original) = known_method(method);
        let tracer = clewline::tracer("clewline-wasm");
        let mut span = tracer.span(if original.is_some() { "HTTP" } else { name }).kind(SpanKind::Client).start();
        span.set("http.request.method", name);
        if let Some(original) = original {
            span.set("http.request.method_original", original);
        }
        if let Some(url) = js::http_url(address) {
            PROPAGATION.with_borrow(|propagation| {
                describe(&mut span, &url, propagation.records_query);
                if propagation.allows(&url) {
                    inject_context(&handed_on(&span), headers);
                }
            });
        }
        Self { span }
    }

    /// The head of the answer has come; reading the body is not part of the span. Status codes from 400 make it an error.
    pub fn answered(mut self, status: u16) {
        self.span.set("http.response.status_code", i64::from(status));
        if status >= 400 {
            self.span.set("error.type", status.to_string().as_str());
            self.span.set_status(Status::error(""));
        }
        self.span.end();
    }

    /// There is no answer. `kind` is a word from a small set, for `error.type`.
    pub fn failed(mut self, kind: &str, error: &dyn Display) {
        self.span.set("error.type", kind);
        self.span.set_status(Status::error(&error.to_string()));
        self.span.end();
    }
}

/// What the span hands on: its own context, and the lists of the current one.
fn handed_on(span: &Span) -> Context {
    span.parent()
}

fn describe(span: &mut Span, url: &Url, records_query: bool) {
    let mut full = url.origin() + &url.pathname();
    if records_query {
        full += &url.search();
    }
    let default_port = if url.protocol() == "https:" { 443 } else { 80 };
    span.set("url.full", full.as_str());
    span.set("server.address", url.hostname().trim_start_matches('[').trim_end_matches(']'));
    span.set("server.port", url.port().parse().unwrap_or(default_port));
}

/// A method as `http.request.method` has it, and itself if it is none that is known, so that nobody can make up names without end
/// (semantic conventions, "http.request.method"). Browsers write some in capitals, whatever was given (Fetch standard, "normalize").
fn known_method(method: &str) -> (&'static str, Option<&str>) {
    const CAPITALISED: [&str; 6] = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];
    const WRITTEN: [&str; 2] = ["PATCH", "QUERY"];
    let capitalised = CAPITALISED.into_iter().find(|known| known.eq_ignore_ascii_case(method));
    match capitalised.or_else(|| WRITTEN.into_iter().find(|known| *known == method)) {
        Some(known) => (known, None),
        None => ("_OTHER", Some(method)),
    }
}

#[cfg(test)]
mod tests {
    use super::known_method;

    #[test]
    fn methods_are_those_that_a_browser_sends() {
        for (given, known) in [("get", "GET"), ("Post", "POST"), ("PATCH", "PATCH")] {
            assert_eq!(known_method(given), (known, None));
        }
        for odd in ["patch", "BREW", ""] {
            assert_eq!(known_method(odd), ("_OTHER", Some(odd)));
        }
    }
}
