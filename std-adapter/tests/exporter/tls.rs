//! TLS from PEM files: whom the exporters trust, how they say who they are, and which files they refuse.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use clewline::exporter::{
    ExportOutcome, ExporterError, HttpEncoding, OtlpGrpcExporter, OtlpHttpExporter, Request, SpanExporter, Target,
    TlsFile, TlsFileProblem,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::ENOUGH;
use crate::grpc_collector::{GrpcCollector, success};

/// An authority with the certificates it gave out, as files in a directory of their own.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: PathBuf,
}

impl Authority {
    /// `name` tells the directory from those of other tests.
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let authority = Self { issuer, directory };
        authority.write("authority.pem", &authority.issuer.pem());
        let (certificate, key) = authority.give_out("a client");
        authority.write("client.pem", &certificate.pem());
        authority.write("client.key", &key.serialize_pem());
        authority
    }

    fn give_out(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).expect("valid names");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        fs::write(&path, text).expect("a writable directory");
        path
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.directory.join(name))
    }

    /// A server with a certificate of this authority, which may ask clients for one too.
    fn server(&self, asks_for_client: bool, protocol: &[u8]) -> Arc<ServerConfig> {
        let (certificate, key) = self.give_out("a server");
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let provider = Arc::clone(builder.crypto_provider());
        let builder = if asks_for_client {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).expect("a certificate");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).expect("a certificate");
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // A directory that stays behind is in the folder for test files.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Answers every request with a success, one at a time; returns the URL.
fn https_server(config: Arc<ServerConfig>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}/v1/traces", listener.local_addr().expect("a bound socket"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream.expect("an incoming connection"));
            // The body of the request is five bytes long.
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\nspans") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
                request.extend_from_slice(&byte);
            }
            // A handshake that fails is part of some tests.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    url
}

/// The URL of a server that refuses its first request without reading it all.
fn refusing_server(config: Arc<ServerConfig>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}/v1/traces", listener.local_addr().expect("a bound socket"));
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        // Otherwise the answer may wait for the client to confirm the handshake's last message, and closing throws it away.
        stream.set_nodelay(true).expect("a socket");
        let mut stream = StreamOwned::new(ServerConnection::new(config).expect("a connection"), stream);
        stream.read_exact(&mut [0; 100]).expect("a request");
        stream.write_all(b"HTTP/1.1 413 Scripted\r\ncontent-length: 0\r\n\r\n").expect("a client that listens");
        stream.flush().expect("a client that listens");
    });
    url
}

fn grpc_server(config: Arc<ServerConfig>) -> (GrpcCollector, String) {
    let collector = GrpcCollector::start_with(Some(config.into()), |_| success(b""));
    let url = format!("https://localhost:{}", collector.port());
    (collector, url)
}

fn export(exporter: &mut dyn SpanExporter) -> ExportOutcome {
    exporter.export(&Request::new(&[b"spans"], 1), Some(Instant::now() + ENOUGH))
}

fn over_http(target: &Target) -> ExportOutcome {
    export(&mut OtlpHttpExporter::with_target(target, HttpEncoding::Protobuf).expect("a valid target"))
}

fn over_grpc(target: &Target) -> ExportOutcome {
    export(&mut OtlpGrpcExporter::with_target(target).expect("a valid target"))
}

#[test]
fn only_a_server_of_a_trusted_authority_gets_spans() {
    let (ours, other) = (Authority::new("trusted"), Authority::new("other"));
    let http = https_server(ours.server(false, b"http/1.1"));
    let (collector, grpc) = grpc_server(ours.server(false, b"h2"));
    type Attempt = fn(&Target) -> ExportOutcome;
    for (url, export) in [(http, over_http as Attempt), (grpc, over_grpc)] {
        let mut target = Target::new(url);
        let outcome = export(&target);
        assert!(matches!(outcome, ExportOutcome::Retryable { .. }), "not in the list that is compiled in: {outcome:?}");
        target.tls.roots = other.path("authority.pem");
        assert!(matches!(export(&target), ExportOutcome::Retryable { .. }));
        target.tls.roots = ours.path("authority.pem");
        assert_eq!(export(&target), ExportOutcome::Delivered);
        let both = fs::read_to_string(other.directory.join("authority.pem")).expect("a file") + &ours.issuer.pem();
        target.tls.roots = Some(ours.write("both.pem", &both));
        assert_eq!(export(&target), ExportOutcome::Delivered, "a file may hold several certificates");
    }
    assert_eq!(collector.received().len(), 2);
}

#[test]
fn an_answer_that_comes_before_the_request_was_read_is_heard() {
    let authority = Authority::new("refusing");
    let mut target = Target::new(refusing_server(authority.server(false, b"http/1.1")));
    target.tls.roots = authority.path("authority.pem");
    let mut exporter = OtlpHttpExporter::with_target(&target, HttpEncoding::Protobuf).expect("a valid target");
    // More than the buffers of both ends hold.
    let outcome = exporter.export(&Request::new(&[&vec![7; 32 << 20]], 1), Some(Instant::now() + ENOUGH));
    let ExportOutcome::Rejected { reason } = &outcome else { panic!("413 is final, not {outcome:?}") };
    assert!(reason.ends_with("HTTP 413"), "{reason}");
}

#[test]
fn a_server_that_asks_is_told_who_we_are() {
    let authority = Authority::new("client");
    let http = https_server(authority.server(true, b"http/1.1"));
    let (collector, grpc) = grpc_server(authority.server(true, b"h2"));
    type Attempt = fn(&Target) -> ExportOutcome;
    for (url, export) in [(http, over_http as Attempt), (grpc, over_grpc)] {
        let mut target = Target::new(url);
        target.tls.roots = authority.path("authority.pem");
        let outcome = export(&target);
        assert!(matches!(outcome, ExportOutcome::Retryable { .. }), "nobody is not let in: {outcome:?}");
        target.tls.client_certificate = authority.path("client.pem");
        target.tls.client_key = authority.path("client.key");
        assert_eq!(export(&target), ExportOutcome::Delivered);
    }
    assert_eq!(collector.received().len(), 1);
}

#[test]
fn grpc_needs_a_server_that_speaks_http_2() {
    let authority = Authority::new("protocol");
    let (collector, url) = grpc_server(authority.server(false, b"http/1.1"));
    let mut target = Target::new(url);
    target.tls.roots = authority.path("authority.pem");
    let outcome = over_grpc(&target);
    assert!(matches!(outcome, ExportOutcome::Retryable { .. }), "{outcome:?}");
    assert!(collector.received().is_empty());
}

#[test]
fn files_that_cannot_be_used_are_named_before_anything_is_sent() {
    let authority = Authority::new("files");
    let (_, other_key) = authority.give_out("somebody else");
    authority.write("other.key", &other_key.serialize_pem());
    authority.write("text.pem", "no PEM at all");
    authority.write("empty.pem", "");
    authority.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    authority.write("broken.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");

    use TlsFile::{ClientCertificate, ClientKey, Roots};
    use TlsFileProblem::{Mismatch, Missing, NotPem, Unreadable, Unusable};
    // (roots, certificate, key, the one at fault, why)
    type Case = (&'static str, &'static str, &'static str, TlsFile, TlsFileProblem);
    let cases: [Case; 13] = [
        ("absent.pem", "", "", Roots, Unreadable(ErrorKind::NotFound)),
        ("text.pem", "", "", Roots, NotPem),
        ("empty.pem", "", "", Roots, NotPem),
        ("client.key", "", "", Roots, NotPem),
        ("broken.pem", "", "", Roots, Unusable),
        ("", "client.pem", "", ClientKey, Missing),
        ("", "", "client.key", ClientCertificate, Missing),
        ("", "absent.pem", "client.key", ClientCertificate, Unreadable(ErrorKind::NotFound)),
        ("", "client.pem", "absent.key", ClientKey, Unreadable(ErrorKind::NotFound)),
        ("", "client.pem", "client.pem", ClientKey, NotPem),
        ("", "client.pem", "broken.key", ClientKey, Unusable),
        ("", "broken.pem", "client.key", ClientCertificate, Unusable),
        ("", "client.pem", "other.key", ClientKey, Mismatch),
    ];
    for (roots, certificate, key, file, problem) in cases {
        let path = |name: &str| authority.path(name).filter(|_| !name.is_empty());
        let mut target = Target::new("https://localhost");
        target.tls.roots = path(roots);
        target.tls.client_certificate = path(certificate);
        target.tls.client_key = path(key);
        let expected = Some(ExporterError::Tls(file, problem));
        let case = format!("{roots} {certificate} {key}");
        assert_eq!(OtlpHttpExporter::with_target(&target, HttpEncoding::Protobuf).err(), expected, "{case}");
        assert_eq!(OtlpGrpcExporter::with_target(&target).err(), expected, "{case}");
        // Without TLS nobody needs the files.
        target.url = "http://localhost".to_owned();
        assert!(OtlpHttpExporter::with_target(&target, HttpEncoding::Protobuf).is_ok(), "{case}");
        assert!(OtlpGrpcExporter::with_target(&target).is_ok(), "{case}");
    }
}
