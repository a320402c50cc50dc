//! The blocking HTTP client of the exporters that post: one connection, kept open, to one URL.

use std::io::{self, Read as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;
use ureq::http::Uri;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, RustlsConnector};
use ureq::{Agent, SendBody};

use super::addresses::Addresses;
use super::answer::{Answer, BodyKind};
use super::status_line::StatusLine;
use super::tcp::TcpConnector;
use crate::config::{Compression, Header};
use crate::exporter::response::{RESPONSE_LIMIT, USER_AGENT};
use crate::exporter::target::{Target, has_place, split_user, without_credentials};
use crate::exporter::tls::{Credentials, Identity, TlsFile, TlsFileProblem};
use crate::exporter::{ExportOutcome, ExporterError, Request};

/// How long looking up the host may take, and connecting to it. Neither can be cut short, and a shutdown of the usual five seconds is
/// to see the end of them. The first packet of a connection is sent again after one second and after three.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);

/// Posts to one URL.
///
/// Redirects are not followed: spans and credentials go to the configured host only. The proxy variables of the
/// environment are honoured except for loopback addresses.
#[derive(Debug)]
pub(in crate::exporter) struct Client {
    agent: Agent,
    uri: Uri,
    shown_url: String,
    headers: Vec<Header>,
    authorization: Option<String>,
    compression: Compression,
    compressed: Vec<u8>,
    addresses: Addresses,
    status_line: StatusLine,
}

impl Client {
    /// Connects with the first request, not here.
    pub(in crate::exporter) fn new(target: &Target) -> Result<Self, ExporterError> {
        let (url, user) = split_user(&target.url);
        let uri: Uri = url.parse().map_err(|_| ExporterError::Url)?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(ExporterError::Url);
        };
        if !has_place(authority.as_str()) {
            return Err(ExporterError::Url);
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(USER_AGENT)
            .timeout_resolve(Some(CONNECT_LIMIT))
            .timeout_connect(Some(CONNECT_LIMIT))
            .max_idle_connections(1);
        if scheme == "https" {
            config = config.tls_config(tls(&Credentials::load(&target.tls)?)?);
        }
        if is_loopback(authority.host()) {
            config = config.proxy(None);
        }
        let addresses = Addresses::default();
        let status_line = StatusLine::new(uri.clone());
        // The client's own chain, but for its sockets and who looks on.
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TcpConnector)
                .chain(RustlsConnector::default())
                .chain(status_line.clone());
        Ok(Self {
            agent: Agent::with_parts(config.build(), connector, addresses.clone()),
            uri,
            shown_url: without_credentials(&target.url),
            headers: target.headers.clone(),
            authorization: user.filter(|_| target.headers.iter().all(|header| header.name() != "authorization")),
            compression: target.compression,
            compressed: Vec::new(),
            addresses,
            status_line,
        })
    }

    /// The URL without what may be a credential.
    pub(in crate::exporter) fn shown_url(&self) -> &str {
        &self.shown_url
    }

    /// Posts `body`, of the type `content_type`, and reads the answer, all before `deadline`; of one whose header fields cannot be
    /// read, the status.
    pub(in crate::exporter) fn post(
        &mut self,
        content_type: &'static str,
        body: &Request<'_>,
        deadline: Option<Instant>,
    ) -> Result<Answer, ureq::Error> {
        self.status_line.clear();
        let error = match self.try_post(content_type, body, deadline) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        // The collector may have moved.
        self.addresses.doubt();
        // Or it has decided, and said so in a way that is not understood.
        match self.status_line.of_unreadable(&error) {
            Some(status) => Ok(Answer {
                status,
                retry_after: None,
                kind: BodyKind::Other,
                is_too_long: false,
                is_complete: false,
                body: error.to_string().into_bytes(),
            }),
            None => Err(error),
        }
    }

    fn try_post(
        &mut self,
        content_type: &'static str,
        body: &Request<'_>,
        deadline: Option<Instant>,
    ) -> Result<Answer, ureq::Error> {
        let mut builder = self.agent.post(&self.uri).content_type(content_type);
        for header in &self.headers {
            builder = builder.header(header.name(), header.value());
        }
        if let Some(authorization) = &self.authorization {
            builder = builder.header("authorization", authorization);
        }
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let builder = builder.config().timeout_global(timeout).build();
        let mut response = match self.compression {
            Compression::None => {
                builder.header("content-length", body.size()).send(SendBody::from_reader(&mut body.reader()))?
            }
            Compression::Gzip => {
                self.compressed = compress(std::mem::take(&mut self.compressed), body)?;
                builder.header("content-encoding", "gzip").send(&self.compressed)?
            }
        };
        let mut answer = Vec::new();
        // One byte more than allowed tells a full answer from one that goes on.
        let complete = response.body_mut().as_reader().take(RESPONSE_LIMIT as u64 + 1).read_to_end(&mut answer);
        let (parts, _) = response.into_parts();
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        Ok(Answer {
            status: parts.status.as_u16(),
            retry_after: header("retry-after").map(str::to_owned),
            kind: BodyKind::of(header("content-type").unwrap_or(content_type)),
            is_too_long: answer.len() > RESPONSE_LIMIT,
            is_complete: complete.is_ok(),
            body: answer,
        })
    }

    /// A way to cut short a request from another thread, for good.
    pub(in crate::exporter) fn interrupter(&self) -> Box<dyn Fn() + Send + Sync> {
        // The agent is handed over by value to be shut down, so it is taken out of its place by the first call.
        let agent = Mutex::new(Some(self.agent.clone()));
        Box::new(move || {
            let agent = agent.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(agent) = agent {
                agent.shutdown();
            }
        })
    }
}

/// What a request without an answer comes to.
pub(in crate::exporter) fn failure(error: &ureq::Error) -> ExportOutcome {
    let reason = error.to_string();
    if is_permanent(error) {
        ExportOutcome::Rejected { reason }
    } else {
        ExportOutcome::Retryable { after: None, reason }
    }
}

/// Errors that the same request would meet again: those of the request itself, and answers that are too long.
/// Everything about connecting, sending and receiving may pass.
fn is_permanent(error: &ureq::Error) -> bool {
    use ureq::Error;
    matches!(
        error,
        Error::BadUri(_)
            | Error::Http(_)
            | Error::InvalidProxyUrl
            | Error::RequireHttpsOnly(_)
            | Error::LargeResponseHeader(..)
            | Error::TooManyRedirects
            | Error::RedirectFailed
    )
}

fn tls(credentials: &Credentials) -> Result<TlsConfig, ExporterError> {
    let owned = |der: &rustls::pki_types::CertificateDer<'_>| Certificate::from_der(der).to_owned();
    let mut config = TlsConfig::builder();
    if let Some(roots) = &credentials.roots {
        config = config.root_certs(RootCerts::from(roots.iter().map(owned)));
    }
    if let Some(Identity { chain, key_pem, .. }) = &credentials.identity {
        let chain: Vec<_> = chain.iter().map(owned).collect();
        let key = PrivateKey::from_pem(key_pem)
            .map_err(|_| ExporterError::Tls(TlsFile::ClientKey, TlsFileProblem::NotPem))?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config.build())
}

/// Compresses the request into `buffer`, for speed rather than size: the spans of one batch repeat themselves a lot.
fn compress(mut buffer: Vec<u8>, request: &Request<'_>) -> io::Result<Vec<u8>> {
    buffer.clear();
    let mut encoder = GzEncoder::new(buffer, flate2::Compression::fast());
    for part in request.parts() {
        encoder.write_all(part)?;
    }
    encoder.finish()
}

/// Whether the host of a URL is this machine.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}
