//! What only the program itself looks at: files of certificates, and variables that are not UTF-8.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::support::{File, run};

const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const TRACES_CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE";
const CLIENT_CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE";
const CLIENT_KEY: &str = "OTEL_EXPORTER_OTLP_CLIENT_KEY";
const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://h");

fn shown(variables: &[(&str, &str)]) -> Value {
    let output = run(variables, &[]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let pair = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        (File::new(&format!("{name}.pem"), &certificate.pem()), File::new(&format!("{name}.key"), &key.serialize_pem()))
    };
    let ((certificate, key), (_, other_key)) = (pair("own"), pair("other"));
    let text = File::new("text.pem", "no certificate");
    type Row<'r> = (&'r [(&'r str, &'r str)], &'r [&'r str]);
    let table: &[Row<'_>] = &[
        (&[(CERTIFICATE, certificate.path())], &[]),
        (&[(CLIENT_CERTIFICATE, certificate.path()), (CLIENT_KEY, key.path())], &[]),
        (
            &[(CERTIFICATE, "/absent.pem")],
            &["OTEL_EXPORTER_OTLP_CERTIFICATE=\"/absent.pem\": the file of trusted certificates cannot be read: \
               entity not found; tracing cannot start with it"],
        ),
        (
            &[(CERTIFICATE, certificate.path()), (TRACES_CERTIFICATE, "/absent.pem")],
            &["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE=\"/absent.pem\": the file of trusted certificates cannot be read"],
        ),
        (&[(CERTIFICATE, text.path())], &["OTEL_EXPORTER_OTLP_CERTIFICATE="]),
        (&[(CERTIFICATE, key.path())], &["OTEL_EXPORTER_OTLP_CERTIFICATE="]),
        (
            &[(CLIENT_CERTIFICATE, certificate.path()), (CLIENT_KEY, other_key.path())],
            &["OTEL_EXPORTER_OTLP_CLIENT_KEY="],
        ),
        (&[(CLIENT_CERTIFICATE, text.path()), (CLIENT_KEY, key.path())], &["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE="]),
        (&[(CLIENT_CERTIFICATE, certificate.path())], &["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE="]),
        (
            &[(CERTIFICATE, "/absent.pem"), (CLIENT_KEY, key.path())],
            &["OTEL_EXPORTER_OTLP_CERTIFICATE=", "OTEL_EXPORTER_OTLP_CLIENT_KEY="],
        ),
        // What is not used does not count.
        (&[(CERTIFICATE, "/absent.pem"), ("OTEL_TRACES_EXPORTER", "console")], &[]),
    ];
    for (variables, expected) in table {
        let shown = shown(&[&[ENDPOINT], *variables].concat());
        let warnings: Vec<&str> =
            shown["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        let fits = warnings.len() == expected.len()
            && warnings.iter().zip(*expected).all(|(warning, start)| warning.starts_with(start));
        assert!(fits, "{variables:?}: {warnings:#?}");
    }
    let without_tls = shown(&[(CERTIFICATE, "/a.pem"), (TRACES_CERTIFICATE, "/b.pem")]);
    assert_eq!(without_tls["certificate"], "/b.pem");
    assert_eq!(
        without_tls["warnings"],
        json!([
            "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE=\"/b.pem\": the file of trusted certificates cannot be read: entity not \
                found; it is not used as long as the address is not `https`"
        ])
    );
    let file = File::new(
        "jaeger.toml",
        "exporters = ['jaeger']\njaeger = {endpoint = 'https://h', certificate = '/absent.pem'}\n",
    );
    let output = run(&[], &["--config", file.path()]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(shown["warnings"][0].as_str().unwrap().starts_with("jaeger.certificate=\"/absent.pem\": "), "{shown:#}");
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_utf8_are_unset_and_named() {
    use std::os::unix::ffi::OsStringExt as _;

    let file = File::new(
        "refers.yaml",
        "file_format: '1.0'\ntracer_provider: {processors: [{batch: {exporter: {console: }}}], sampler: {always_off: }}\nresource: {attributes_list: '${LIST}'}\n",
    );
    let config = |variables: &[(&str, &[u8])], arguments: &[&str]| -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clewline"));
        let variables = variables.iter().map(|(name, value)| (name, OsString::from_vec(value.to_vec())));
        command.arg("config").args(arguments).env_clear().envs(variables).stdin(Stdio::null());
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    };
    let shown = config(
        &[("OTEL_SERVICE_NAME", b"shop\xff"), ("OTEL_EXPORTER_OTLP_HEADERS", b"a=\xc3\x28"), ("OTHER", b"\xff")],
        &[],
    );
    assert_eq!((&shown["service_name"], &shown["headers"]), (&json!("unknown_service:clewline"), &json!({})));
    let expected =
        ["OTEL_SERVICE_NAME: not UTF-8; taken as unset", "OTEL_EXPORTER_OTLP_HEADERS: not UTF-8; taken as unset"];
    assert_eq!(shown["warnings"], json!(expected));
    let shown = config(&[("LIST", b"a=\xff")], &["--config", file.path()]);
    assert_eq!(
        (&shown["sampler"], &shown["warnings"]),
        (&json!("AlwaysOff"), &json!(["LIST: not UTF-8; taken as unset"]))
    );
}
