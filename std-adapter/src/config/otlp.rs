//! The OTLP exporter's part of the configuration: address, protocol, headers, time limit, compression, certificates.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use super::endpoint::Endpoint;
use super::environment::{Environment, Show};
use super::header::{self, Header};
use super::names::named;
use super::setting::{Setting, Source, Warning};

named! {
    /// How spans travel to the collector (`protocol/exporter.md`, "Specify Protocol").
    pub enum Protocol {
        /// OTLP over gRPC.
        Grpc = "grpc",
        /// OTLP over HTTP with protobuf bodies, the specification's default.
        HttpProtobuf = "http/protobuf",
        /// OTLP over HTTP with JSON bodies.
        HttpJson = "http/json",
    }
}

named! {
    /// How request bodies are compressed.
    pub enum Compression {
        /// Not at all.
        None = "none",
        /// `Content-Encoding: gzip`.
        Gzip = "gzip",
    }
}

/// Everything an OTLP exporter needs to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OtlpConfig {
    /// Where the collector is; [`traces_url`](Self::traces_url) is what follows from it.
    pub endpoint: Setting<Endpoint>,
    /// How spans travel.
    pub protocol: Setting<Protocol>,
    /// Headers added to every request.
    pub headers: Setting<Vec<Header>>,
    /// The longest that exporting one batch may take, retries included; `None` is no limit.
    pub timeout: Setting<Option<Duration>>,
    /// How bodies are compressed.
    pub compression: Setting<Compression>,
    /// A gRPC endpoint without a scheme is reached without TLS.
    pub insecure: Setting<bool>,
    /// A PEM file with the certificates that the collector's is checked against, instead of the system's.
    pub certificate: Setting<Option<PathBuf>>,
    /// A PEM file with the certificate that this program shows to the collector.
    pub client_certificate: Setting<Option<PathBuf>>,
    /// A PEM file with the private key of the client certificate.
    pub client_key: Setting<Option<PathBuf>>,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            endpoint: Setting::default(Endpoint::Local),
            protocol: Setting::default(Protocol::HttpProtobuf),
            headers: Setting::default(Vec::new()),
            timeout: Setting::default(Some(Duration::from_secs(10))),
            compression: Setting::default(Compression::None),
            insecure: Setting::default(false),
            certificate: Setting::default(None),
            client_certificate: Setting::default(None),
            client_key: Setting::default(None),
        }
    }
}

impl OtlpConfig {
    /// The URL that spans are sent to, complete and with a scheme. For gRPC it has no path of its own.
    #[must_use]
    pub fn traces_url(&self) -> String {
        self.endpoint.get().traces_url(*self.protocol.get(), *self.insecure.get())
    }

    /// The headers that go with every request: over gRPC without those that it keeps to itself.
    #[cfg(any(feature = "otlp-http", feature = "otlp-grpc"))]
    pub(crate) fn sent_headers(&self) -> Vec<Header> {
        let is_grpc = *self.protocol.get() == Protocol::Grpc;
        self.headers.get().iter().filter(|header| !(is_grpc && header.is_reserved_by_grpc())).cloned().collect()
    }

    /// A warning for each header that is not sent. Found at the end: the protocol may come from elsewhere than the headers.
    pub(super) fn unsent_headers(&self, section: &str) -> Vec<Warning> {
        let is_grpc = *self.protocol.get() == Protocol::Grpc;
        let unsent = self.headers.get().iter().filter(|header| is_grpc && header.is_reserved_by_grpc());
        let warning = |header: &Header| {
            let subject = match self.headers.source() {
                Source::Environment(variable) => Cow::Borrowed(variable),
                _ => Cow::Owned(format!("{section}headers")),
            };
            Warning::new(subject, None, format!("gRPC keeps `{}` to itself; it is left out", header.name()))
        };
        unsent.map(warning).collect()
    }

    /// Takes every setting that `other` has from somebody.
    #[cfg(feature = "declarative")]
    pub(super) fn overlay(&mut self, other: Self) {
        self.endpoint.overlay(other.endpoint);
        self.protocol.overlay(other.protocol);
        self.headers.overlay(other.headers);
        self.timeout.overlay(other.timeout);
        self.compression.overlay(other.compression);
        self.insecure.overlay(other.insecure);
        self.certificate.overlay(other.certificate);
        self.client_certificate.overlay(other.client_certificate);
        self.client_key.overlay(other.client_key);
    }

    /// Reads the `OTEL_EXPORTER_OTLP_*` variables; where the `_TRACES_` one is set and good, it replaces the general one.
    pub(super) fn read(&mut self, environment: &mut Environment<'_>) {
        environment.read(
            &["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"],
            Show::Value,
            &mut self.protocol,
            |text, _| Protocol::read(text),
        );
        environment.boolean(&["OTEL_EXPORTER_OTLP_TRACES_INSECURE", "OTEL_EXPORTER_OTLP_INSECURE"], &mut self.insecure);
        self.read_endpoint(environment);
        environment.read(
            &["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"],
            Show::NameOnly,
            &mut self.headers,
            header::usable,
        );
        environment.timeout(&["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"], &mut self.timeout);
        environment.read(
            &["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"],
            Show::Value,
            &mut self.compression,
            |text, _| Compression::read(text),
        );
        let files = [
            (["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"], &mut self.certificate),
            (
                ["OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"],
                &mut self.client_certificate,
            ),
            (["OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"], &mut self.client_key),
        ];
        for (names, slot) in files {
            environment.read(&names, Show::Value, slot, |text, _| Ok(Some(PathBuf::from(text))));
        }
    }

    /// Reads the variables of the former Jaeger exporter, of which address and time limit make sense for OTLP to Jaeger.
    pub(super) fn read_jaeger(&mut self, environment: &mut Environment<'_>) {
        environment.read(&["OTEL_EXPORTER_JAEGER_ENDPOINT"], Show::NameOnly, &mut self.endpoint, |text, _| {
            if text.contains("/api/traces") || text.contains(":14250") || text.contains(":14268") {
                return Err("an address for Jaeger's own formats, which takes OTLP at port 4318".to_owned());
            }
            let endpoint = Endpoint::Base(text.to_owned());
            endpoint.check(Protocol::HttpProtobuf).map(|()| endpoint).map_err(|error| error.to_string())
        });
        environment.timeout(&["OTEL_EXPORTER_JAEGER_TIMEOUT"], &mut self.timeout);
    }

    /// The traces endpoint is used as it is; only the general one is a base.
    fn read_endpoint(&mut self, environment: &mut Environment<'_>) {
        type Rule = fn(String) -> Endpoint;
        const RULES: [(&str, Rule); 2] =
            [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", Endpoint::Traces), ("OTEL_EXPORTER_OTLP_ENDPOINT", Endpoint::Base)];
        let protocol = *self.protocol.get();
        for (name, endpoint) in RULES {
            // An address may carry credentials before an `@`.
            let has_credentials = environment.value(name).is_some_and(|text| text.contains('@'));
            let show = if has_credentials { Show::NameOnly } else { Show::Value };
            let is_found = environment.read(&[name], show, &mut self.endpoint, |text, _| {
                let endpoint = endpoint(text.to_owned());
                endpoint.check(protocol).map(|()| endpoint).map_err(|error| error.to_string())
            });
            if is_found {
                return;
            }
        }
    }
}
