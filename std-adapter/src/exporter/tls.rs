//! The PEM files of a TLS connection, read and checked before anything is sent.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::ExporterError;

/// PEM files for TLS. Without any of them the server is checked against Mozilla's list of authorities, which is compiled in,
/// and we stay anonymous.
///
/// The files are read once, when the exporter is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// Certificates that are trusted instead of the compiled-in ones: one, or a bundle such as the system's.
    pub roots: Option<PathBuf>,
    /// Our own certificate, followed by those between it and the root, if any.
    pub client_certificate: Option<PathBuf>,
    /// The key of our own certificate: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub client_key: Option<PathBuf>,
}

/// Which of the [`TlsFiles`] was at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFile {
    /// [`TlsFiles::roots`].
    Roots,
    /// [`TlsFiles::client_certificate`].
    ClientCertificate,
    /// [`TlsFiles::client_key`].
    ClientKey,
}

/// What was wrong with one of the [`TlsFiles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFileProblem {
    /// It could not be read.
    Unreadable(io::ErrorKind),
    /// It holds no certificate, or no key, in PEM form.
    NotPem,
    /// What it holds cannot be used.
    Unusable,
    /// The key is not that of the certificate.
    Mismatch,
    /// It is not given, although its counterpart is: certificate and key belong together.
    Missing,
}

impl fmt::Display for TlsFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Roots => "the file of trusted certificates",
            Self::ClientCertificate => "the file of the client certificate",
            Self::ClientKey => "the file of the client key",
        })
    }
}

impl fmt::Display for TlsFileProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(kind) => write!(formatter, "cannot be read: {kind}"),
            Self::NotPem => formatter.write_str("does not hold what it should in PEM form"),
            Self::Unusable => formatter.write_str("holds something that TLS cannot use"),
            Self::Mismatch => formatter.write_str("is not that of the certificate"),
            Self::Missing => formatter.write_str("is not given, although its counterpart is"),
        }
    }
}

/// What the files held, known to be usable.
#[derive(Debug)]
pub(super) struct Credentials {
    /// `None`: the compiled-in ones.
    pub(super) roots: Option<Vec<CertificateDer<'static>>>,
    pub(super) identity: Option<Identity>,
}

/// A certificate of our own and its key, known to belong together.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    #[cfg(feature = "otlp-grpc")]
    pub(super) key: PrivateKeyDer<'static>,
    /// The key as it stood in its file: the HTTP client takes it no other way.
    #[cfg(feature = "otlp-http")]
    pub(super) key_pem: Vec<u8>,
}

impl Credentials {
    pub(super) fn load(files: &TlsFiles) -> Result<Self, ExporterError> {
        let roots = files.roots.as_deref().map(load_roots).transpose()?;
        let identity = match (&files.client_certificate, &files.client_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(load_identity(certificate, key)?),
            (Some(_), None) => return Err(error(TlsFile::ClientKey, TlsFileProblem::Missing)),
            (None, Some(_)) => return Err(error(TlsFile::ClientCertificate, TlsFileProblem::Missing)),
        };
        Ok(Self { roots, identity })
    }
}

impl TlsFiles {
    /// What is wrong with them, if anything: once for the certificates that are trusted, and once for our own.
    #[cfg(feature = "serde")]
    pub(crate) fn problems(&self) -> impl Iterator<Item = (TlsFile, TlsFileProblem)> {
        let trusted = Self { roots: self.roots.clone(), ..Self::default() };
        let own = Self { roots: None, ..self.clone() };
        [trusted, own].into_iter().filter_map(|files| match Credentials::load(&files) {
            Err(ExporterError::Tls(file, problem)) => Some((file, problem)),
            _ => None,
        })
    }
}

/// The program's own choice of cryptography if it made one, as the HTTP client has it too.
pub(super) fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()))
}

fn load_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, ExporterError> {
    let roots = certificates(path, TlsFile::Roots)?;
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(roots.iter().cloned());
    if usable == 0 { Err(error(TlsFile::Roots, TlsFileProblem::Unusable)) } else { Ok(roots) }
}

fn load_identity(certificate: &Path, key: &Path) -> Result<Identity, ExporterError> {
    let chain = certificates(certificate, TlsFile::ClientCertificate)?;
    let key_pem = read(key, TlsFile::ClientKey)?;
    let key = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|_| error(TlsFile::ClientKey, TlsFileProblem::NotPem))?;
    // The HTTP client panics over a pair that does not match, and only at the first request.
    CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider()).map_err(|problem| match problem {
        rustls::Error::InconsistentKeys(_) => error(TlsFile::ClientKey, TlsFileProblem::Mismatch),
        rustls::Error::InvalidCertificate(_) => error(TlsFile::ClientCertificate, TlsFileProblem::Unusable),
        _ => error(TlsFile::ClientKey, TlsFileProblem::Unusable),
    })?;
    Ok(Identity {
        chain,
        #[cfg(feature = "otlp-grpc")]
        key,
        #[cfg(feature = "otlp-http")]
        key_pem,
    })
}

fn certificates(path: &Path, file: TlsFile) -> Result<Vec<CertificateDer<'static>>, ExporterError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&read(path, file)?)
        .collect::<Result<_, _>>()
        .map_err(|_| error(file, TlsFileProblem::NotPem))?;
    if certificates.is_empty() { Err(error(file, TlsFileProblem::NotPem)) } else { Ok(certificates) }
}

fn read(path: &Path, file: TlsFile) -> Result<Vec<u8>, ExporterError> {
    fs::read(path).map_err(|problem| error(file, TlsFileProblem::Unreadable(problem.kind())))
}

const fn error(file: TlsFile, problem: TlsFileProblem) -> ExporterError {
    ExporterError::Tls(file, problem)
}
