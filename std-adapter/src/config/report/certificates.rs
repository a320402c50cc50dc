//! What is wrong with the PEM files that a configuration names.

use std::path::PathBuf;

use crate::config::{ExporterKind, OtlpConfig, Setting, Source, TracingConfig, Warning};
use crate::exporter::{Target, TlsFile, TlsFileProblem};

/// Looks into the files of the exporters that are used.
pub(super) fn warnings(config: &TracingConfig) -> Vec<Warning> {
    let exporters = config.exporters.get();
    let mut warnings = Vec::new();
    for (kind, otlp, path) in
        [(ExporterKind::Otlp, &config.otlp, ""), (ExporterKind::Jaeger, &config.jaeger, "jaeger.")]
    {
        if exporters.contains(&kind) {
            let target = Target::from(otlp);
            let consequence = if target.url.starts_with("https:") {
                "tracing cannot start with it"
            } else {
                "it is not used as long as the address is not `https`"
            };
            warnings.extend(target.tls.problems().map(|(file, problem)| {
                let (field, setting) = blamed(otlp, file, problem);
                let subject = match setting.source() {
                    Source::Environment(variable) => variable.to_owned(),
                    _ => format!("{path}{field}"),
                };
                let value = setting.get().as_ref().map(|path| path.to_string_lossy());
                Warning::new(subject, value.as_deref(), format!("{file} {problem}; {consequence}"))
            }));
        }
    }
    warnings
}

/// The setting that a warning is about: of a file that is missing, that which asks for it.
fn blamed(otlp: &OtlpConfig, file: TlsFile, problem: TlsFileProblem) -> (&'static str, &Setting<Option<PathBuf>>) {
    match (file, problem == TlsFileProblem::Missing) {
        (TlsFile::Roots, _) => ("certificate", &otlp.certificate),
        (TlsFile::ClientCertificate, false) | (TlsFile::ClientKey, true) => {
            ("client_certificate", &otlp.client_certificate)
        }
        (TlsFile::ClientKey, false) | (TlsFile::ClientCertificate, true) => ("client_key", &otlp.client_key),
    }
}
