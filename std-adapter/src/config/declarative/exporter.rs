//! The processors of a declarative configuration and their exporters (`tracer_provider.processors`).

use super::reader::{Reader, offer};
use super::tree::Node;
use crate::config::endpoint::{self, Endpoint};
use crate::config::exporters::ExporterKind;
use crate::config::header::{self, Header};
use crate::config::otlp::{Compression, OtlpConfig, Protocol};
use crate::config::{BatchConfig, TracingConfig};

/// Reads the list of processors: every exporter is used, with the batching of the first.
pub(super) fn processors(reader: &mut Reader<'_>, config: &mut TracingConfig, node: &Node, path: &str) {
    let mut exporters = Vec::new();
    let mut batch: Option<BatchConfig> = None;
    for (item, path) in reader.items(node, path) {
        let Some((kind, processor, path)) = reader.kind(item, &path) else { continue };
        let mut read = BatchConfig::default();
        match kind {
            "batch" => reader.table(
                processor,
                &path,
                &["schedule_delay", "export_timeout", "max_queue_size", "max_export_batch_size", "exporter"],
                |reader, name, node, path| match name {
                    "schedule_delay" => reader.milliseconds(node, path, &mut read.schedule_delay),
                    "export_timeout" => reader.timeout(node, path, &mut read.export_timeout),
                    "max_queue_size" => reader.count(node, path, 1, &mut read.max_queue_size),
                    "max_export_batch_size" => reader.count(node, path, 1, &mut read.max_export_batch_size),
                    _ => exporter(reader, config, &mut exporters, node, path),
                },
            ),
            "simple" => {
                // Exports every span as it ends.
                offer(&mut read.schedule_delay, std::time::Duration::ZERO);
                reader.table(processor, &path, &["exporter"], |reader, _, node, path| {
                    exporter(reader, config, &mut exporters, node, path);
                });
            }
            _ => {
                reader.warn(&path, item.at, "neither `batch` nor `simple`; it is left out");
                continue;
            }
        }
        read.fit(reader.warnings);
        match &batch {
            None => batch = Some(read),
            Some(first) if *first != read => {
                reader.warn(&path, item.at, "all processors batch as the first one does");
            }
            Some(_) => {}
        }
    }
    config.batch.overlay(&batch.unwrap_or_default());
    offer(&mut config.exporters, exporters);
}

fn exporter(
    reader: &mut Reader<'_>,
    config: &mut TracingConfig,
    exporters: &mut Vec<ExporterKind>,
    node: &Node,
    path: &str,
) {
    let Some((name, exporter, path)) = reader.kind(node, path) else { return };
    let kind = match name {
        "otlp_http" | "otlp_grpc" => ExporterKind::Otlp,
        "zipkin" => ExporterKind::Zipkin,
        "console" => ExporterKind::Console,
        "otlp_file/development" => ExporterKind::OtlpStdout,
        _ => return reader.warn(&path, node.at, "not an exporter of this version; it is left out"),
    };
    if exporters.contains(&kind) {
        return reader.warn(&path, node.at, "a second exporter of its kind; it is left out");
    }
    match name {
        "otlp_http" => config.otlp.overlay(otlp(reader, exporter, &path, Protocol::HttpProtobuf)),
        "otlp_grpc" => config.otlp.overlay(otlp(reader, exporter, &path, Protocol::Grpc)),
        "zipkin" => {
            let zipkin = &mut config.zipkin;
            reader.table(exporter, &path, &["endpoint", "timeout"], |reader, name, node, path| match name {
                "endpoint" => {
                    let check =
                        |url: &str| endpoint::check(url, false).map(|()| url.to_owned()).map_err(|e| e.to_string());
                    if let Some(url) = reader.read(node, path, check) {
                        offer(&mut zipkin.endpoint, url);
                    }
                }
                _ => reader.timeout(node, path, &mut zipkin.timeout),
            });
        }
        "otlp_file/development" => {
            let mut is_stdout = true;
            reader.table(exporter, &path, &["output_stream"], |reader, _, node, path| {
                is_stdout = reader.text(node, path).is_none_or(|stream| stream == "stdout");
                if !is_stdout {
                    reader.warn(path, node.at, "only `stdout` is written to; the exporter is left out");
                }
            });
            if !is_stdout {
                return;
            }
        }
        _ => reader.table(exporter, &path, &[], |_, _, _, _| ()),
    }
    exporters.push(kind);
}

fn otlp(reader: &mut Reader<'_>, node: &Node, path: &str, protocol: Protocol) -> OtlpConfig {
    // The names with `_file` in them are those of the schema before its version 1.0.
    const FIELDS: &[&str] = &[
        "endpoint",
        "tls",
        "headers",
        "headers_list",
        "compression",
        "timeout",
        "encoding",
        "insecure",
        "certificate_file",
        "client_key_file",
        "client_certificate_file",
    ];
    let mut otlp = OtlpConfig::default();
    offer(&mut otlp.protocol, protocol);
    reader.table(node, path, FIELDS, |reader, name, node, path| otlp_field(reader, &mut otlp, name, node, path));
    otlp_headers(reader, &mut otlp, node, path);
    otlp
}

fn otlp_field(reader: &mut Reader<'_>, otlp: &mut OtlpConfig, name: &str, node: &Node, path: &str) {
    match name {
        "endpoint" => {
            let protocol = *otlp.protocol.get();
            let read = |url: &str| {
                let endpoint = Endpoint::Traces(url.to_owned());
                endpoint.check(protocol).map(|()| endpoint).map_err(|error| error.to_string())
            };
            if let Some(endpoint) = reader.read(node, path, read) {
                offer(&mut otlp.endpoint, endpoint);
            }
        }
        "encoding" => {
            let is_http = *otlp.protocol.get() != Protocol::Grpc;
            let read = |name: &str| match name {
                "protobuf" if is_http => Ok(Protocol::HttpProtobuf),
                "json" if is_http => Ok(Protocol::HttpJson),
                _ => Err("neither `protobuf` nor `json` over HTTP".to_owned()),
            };
            if let Some(protocol) = reader.read(node, path, read) {
                offer(&mut otlp.protocol, protocol);
            }
        }
        "tls" => {
            reader.table(node, path, &["ca_file", "key_file", "cert_file", "insecure"], |reader, name, node, path| {
                otlp_field(reader, otlp, name, node, path);
            });
        }
        "compression" => {
            if let Some(compression) = reader.read(node, path, Compression::read) {
                offer(&mut otlp.compression, compression);
            }
        }
        "timeout" => reader.timeout(node, path, &mut otlp.timeout),
        "insecure" => {
            if let Some(is_insecure) = reader.boolean(node, path) {
                offer(&mut otlp.insecure, is_insecure);
            }
        }
        "ca_file" | "certificate_file" => reader.file(node, path, &mut otlp.certificate),
        "key_file" | "client_key_file" => reader.file(node, path, &mut otlp.client_key),
        "cert_file" | "client_certificate_file" => reader.file(node, path, &mut otlp.client_certificate),
        // Read together, by their priority.
        _ => {}
    }
}

/// `headers` win over `headers_list`, whichever stands first.
fn otlp_headers(reader: &mut Reader<'_>, otlp: &mut OtlpConfig, node: &Node, path: &str) {
    let mut headers = Vec::new();
    if let Some(list) = node.field("headers_list") {
        let path = format!("{path}.headers_list");
        if let Some(text) = reader.text(list, &path) {
            let mut remarks = Vec::new();
            headers = header::list(text, &mut remarks);
            for remark in remarks {
                reader.warn(&path, list.at, remark);
            }
        }
    }
    if let Some(list) = node.field("headers") {
        for (item, path) in reader.items(list, &format!("{path}.headers")) {
            let (mut name, mut value) = (None, None);
            reader.table(item, &path, &["name", "value"], |reader, field, node, path| {
                let text = reader.text(node, path);
                *(if field == "name" { &mut name } else { &mut value }) = text;
            });
            // "If an entry's .value is null, the entry is ignored."
            let (Some(name), Some(value)) = (name, value) else { continue };
            match Header::new(name, value) {
                Ok(header) => header::set(&mut headers, header),
                Err(error) => reader.warn(&path, item.at, format_args!("{error}; it is left out")),
            }
        }
    }
    if !headers.is_empty() {
        offer(&mut otlp.headers, headers);
    }
}
