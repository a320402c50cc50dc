//! As much of an HTTP client as following a server on this machine takes: plain HTTP/1.1, one connection per request.

use std::fmt;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

/// How long a server may take to accept a connection and to begin an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Host and port as they stand in the URL.
    authority: String,
    /// What to connect to: the host without brackets.
    host: String,
    port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "http://{}", self.authority)
    }
}

/// Why a request got no good answer.
#[derive(Debug)]
pub(super) enum RequestError {
    /// No answer came.
    Unreachable(String),
    /// An answer came that is not 200; the text is the server's explanation.
    Refused(StatusCode, String),
}

/// Reads the URL of a server.
pub(super) fn parse_endpoint(text: &str) -> Result<Endpoint, String> {
    const EXPECTED: &str = "expected a URL such as http://127.0.0.1:4318";
    let uri: Uri = text.parse().map_err(|error| format!("{error}; {EXPECTED}"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err("clewline serve speaks plain http; for https go through a tunnel".to_owned()),
        _ => return Err(EXPECTED.to_owned()),
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(format!("the URL must end after the port; {EXPECTED}"));
    }
    let authority = uri.authority().ok_or(EXPECTED)?;
    if authority.as_str().contains('@') {
        return Err(format!("a user name is of no use here; {EXPECTED}"));
    }
    Ok(Endpoint {
        authority: authority.to_string(),
        host: authority.host().trim_matches(['[', ']']).to_owned(),
        port: authority.port_u16().unwrap_or(80),
    })
}

impl Endpoint {
    /// The whole answer to a GET.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, RequestError> {
        let answer = async {
            let response = self.open(path, &[]).await?;
            Ok(response.into_body().collect().await.map_err(unreachable)?.to_bytes())
        };
        in_time(answer).await
    }

    /// The head of the answer to a GET, with the body still to be read.
    pub(super) async fn open(&self, path: &str, headers: &[(&str, &str)]) -> Result<Response<Incoming>, RequestError> {
        let answer = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(unreachable)?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
            // Ends with the connection; its errors reach whoever reads the answer.
            tokio::spawn(connection);
            let mut request = Request::get(path).header(header::HOST, &self.authority);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(Empty::<Bytes>::new()).map_err(unreachable)?;
            sender.send_request(request).await.map_err(unreachable)
        };
        let response = in_time(answer).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = in_time(async { response.into_body().collect().await.map_err(unreachable) }).await?;
        Err(RequestError::Refused(status, explanation(&body.to_bytes())))
    }
}

/// What the server said, or that something else than a Clewline server answers there.
fn explanation(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct ErrorBody {
        error: String,
    }
    serde_json::from_slice::<ErrorBody>(body)
        .map_or_else(|_| "this does not seem to be a clewline serve".to_owned(), |body| body.error)
}

async fn in_time<T>(answer: impl Future<Output = Result<T, RequestError>>) -> Result<T, RequestError> {
    tokio::time::timeout(PATIENCE, answer)
        .await
        .unwrap_or_else(|_| Err(RequestError::Unreachable(format!("no answer within {} s", PATIENCE.as_secs()))))
}

fn unreachable(error: impl fmt::Display) -> RequestError {
    RequestError::Unreachable(error.to_string())
}

/// A text as a query parameter (RFC 3986, section 2.1).
pub(super) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read() {
        let endpoint = parse_endpoint("http://localhost:4318/").unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("localhost", 4318));
        let endpoint = parse_endpoint("http://[::1]:9").unwrap();
        assert_eq!(
            (endpoint.host.as_str(), endpoint.port, endpoint.to_string().as_str()),
            ("::1", 9, "http://[::1]:9")
        );
        for wrong in
            ["", "localhost:4318", "https://localhost", "http://h/v1/traces", "http://u:p@h/", "ftp://h", "http://h/?a"]
        {
            assert!(parse_endpoint(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parameters_are_encoded() {
        assert_eq!(percent_encoded("a=\"ü b\"&~"), "a%3D%22%C3%BC%20b%22%26~");
    }
}
