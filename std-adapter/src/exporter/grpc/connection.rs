//! The HTTP/2 connection to a collector, and one call over it.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use http::{HeaderMap, Method, Uri, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::answer::Answer;
use super::message::PREFIX;
use crate::config::Compression;
use crate::exporter::response::{self, RESPONSE_LIMIT};
use crate::exporter::target::{Target, has_place, split_user};
use crate::exporter::tls::{Credentials, Identity, TlsFile, TlsFileProblem, provider};
use crate::exporter::{ExportOutcome, ExporterError};
use crate::grpc_status::GrpcStatus;

/// `opentelemetry/proto/collector/trace/v1/trace_service.proto`
const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no connection, or it broke.
    Connection(String),
    /// The collector ended the call and not the connection.
    Reset(GrpcStatus, String),
    /// The answer is longer than any may be.
    AnswerTooLong,
    /// The request cannot be sent to anybody.
    Unsendable(String),
}

impl Failure {
    pub(super) fn outcome(self) -> ExportOutcome {
        match self {
            Self::Connection(reason) => ExportOutcome::Retryable { after: None, reason },
            Self::Reset(code, reason) if code == GrpcStatus::UNAVAILABLE || code == GrpcStatus::CANCELLED => {
                ExportOutcome::Retryable { after: None, reason: format!("gRPC {}: {reason}", code.name()) }
            }
            Self::Reset(code, reason) => ExportOutcome::Rejected { reason: format!("gRPC {}: {reason}", code.name()) },
            Self::AnswerTooLong => ExportOutcome::Rejected { reason: "the answer is over 4 MiB".to_owned() },
            Self::Unsendable(reason) => ExportOutcome::Rejected { reason },
        }
    }
}

/// Connects when it must, and keeps the connection.
pub(super) struct Connector {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connector {
    pub(super) fn new(target: &Target) -> Result<Self, ExporterError> {
        let (url, _) = split_user(&target.url);
        let uri: Uri = match url.contains("://") {
            true => url.parse(),
            false => format!("{}://{url}", if target.insecure { "http" } else { "https" }).parse(),
        }
        .map_err(|_| ExporterError::Url)?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(ExporterError::Url);
        };
        if !has_place(authority.as_str()) {
            return Err(ExporterError::Url);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match scheme {
            "https" => {
                let name = ServerName::try_from(host.clone()).map_err(|_| ExporterError::Url)?;
                Some((TlsConnector::from(Arc::new(tls(Credentials::load(&target.tls)?)?)), name))
            }
            _ => None,
        };
        let port = authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let uri = Uri::builder().scheme(scheme).authority(authority.clone()).path_and_query(PATH).build();
        Ok(Self { uri: uri.map_err(|_| ExporterError::Url)?, host, port, tls, sender: None })
    }

    /// Gives up the connection.
    pub(super) fn disconnect(&mut self) {
        self.sender = None;
    }

    /// Sends one framed request and reads the answer. Connects first where there is no connection, or no more.
    pub(super) async fn call(
        &mut self,
        metadata: &HeaderMap,
        compression: Compression,
        frame: Bytes,
        deadline: Option<Instant>,
    ) -> Result<Answer, Failure> {
        let mut request = http::Request::new(Full::new(frame));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers(metadata, compression, deadline);
        let mut sender = self.sender(deadline).await?;
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let (parts, body) = response.into_parts();
        let (body, trailers) = read(body).await?;
        self.sender = Some(sender);
        Ok(Answer::new(parts.status, &parts.headers, trailers.as_ref(), body))
    }

    /// The connection, taken out of its place: only a call that ends well puts it back.
    async fn sender(&mut self, deadline: Option<Instant>) -> Result<SendRequest<Full<Bytes>>, Failure> {
        if let Some(mut sender) = self.sender.take() {
            // Nothing has run since the last call. Now the connection can notice that the collector closed it.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let stream = self.connect(deadline).await.map_err(|error| Failure::Connection(error.to_string()))?;
        match &self.tls {
            None => handshake(stream).await,
            Some((tls, name)) => {
                let stream = tls.connect(name.clone(), stream).await;
                let stream = stream.map_err(|error| Failure::Connection(format!("TLS: {error}")))?;
                if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                    return Err(Failure::Connection("the server does not speak HTTP/2 over TLS".to_owned()));
                }
                handshake(stream).await
            }
        }
    }

    /// Tries the addresses of the host one after another, each for its share of the time that is left.
    async fn connect(&self, deadline: Option<Instant>) -> io::Result<TcpStream> {
        let addresses: Vec<_> = tokio::net::lookup_host((self.host.as_str(), self.port)).await?.collect();
        let mut error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        for address in addresses {
            let time = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()) / left.max(1));
            left = left.saturating_sub(1);
            match within(time, TcpStream::connect(address)).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(reason) => error = reason,
            }
        }
        Err(error)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connector")
            .field("uri", &self.uri)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

async fn within<T>(time: Option<Duration>, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match time {
        None => work.await,
        Some(time) => tokio::time::timeout(time, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
    }
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let builder = http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    // It ends with the last handle to it. How it ended, the call says.
    tokio::spawn(async { drop(connection.await) });
    Ok(sender)
}

fn headers(metadata: &HeaderMap, compression: Compression, deadline: Option<Instant>) -> HeaderMap {
    let mut headers = metadata.clone();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(response::USER_AGENT));
    if compression == Compression::Gzip {
        headers.insert("grpc-encoding", HeaderValue::from_static("gzip"));
    }
    if let Some(deadline) = deadline {
        // Eight digits at most.
        let left = deadline.saturating_duration_since(Instant::now()).as_millis().clamp(1, 99_999_999);
        if let Ok(timeout) = HeaderValue::from_str(&format!("{left}m")) {
            headers.insert("grpc-timeout", timeout);
        }
    }
    headers
}

/// Reads body and trailers, the body up to its limit.
async fn read(mut body: Incoming) -> Result<(Vec<u8>, Option<HeaderMap>), Failure> {
    let (mut data, mut trailers) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        match frame.map_err(|error| broken(&error))?.into_data() {
            Ok(bytes) if data.len() + bytes.len() > PREFIX + RESPONSE_LIMIT => return Err(Failure::AnswerTooLong),
            Ok(bytes) => data.extend_from_slice(&bytes),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((data, trailers))
}

/// What an error of the connection means (gRPC over HTTP/2, "Errors"). One that ends the connection, and not just the call,
/// may pass.
fn broken(error: &hyper::Error) -> Failure {
    let cause = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    let reason = cause.map_or_else(|| error.to_string(), ToString::to_string);
    if error.is_user() {
        return Failure::Unsendable(reason);
    }
    match cause {
        Some(cause) if cause.is_reset() && cause.is_remote() => {
            let code = match cause.reason() {
                Some(h2::Reason::REFUSED_STREAM) => GrpcStatus::UNAVAILABLE,
                Some(h2::Reason::CANCEL) => GrpcStatus::CANCELLED,
                Some(h2::Reason::ENHANCE_YOUR_CALM) => GrpcStatus::RESOURCE_EXHAUSTED,
                Some(h2::Reason::INADEQUATE_SECURITY) => GrpcStatus::PERMISSION_DENIED,
                _ => GrpcStatus::INTERNAL,
            };
            Failure::Reset(code, reason)
        }
        _ => Failure::Connection(reason),
    }
}

fn tls(credentials: Credentials) -> Result<ClientConfig, ExporterError> {
    let mut roots = RootCertStore::empty();
    match credentials.roots {
        Some(certificates) => drop(roots.add_parsable_certificates(certificates)),
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let unusable = |_| ExporterError::Tls(TlsFile::ClientKey, TlsFileProblem::Unusable);
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_root_certificates(roots);
    let mut config = match credentials.identity {
        Some(Identity { chain, key, .. }) => builder.with_client_auth_cert(chain, key).map_err(unusable)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}
