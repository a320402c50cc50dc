//! What a failed request lets one suspect about its address: the mistakes of a first day, each with its remedy.

use super::ExportOutcome;

/// How a collector was spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    #[cfg(feature = "otlp-http")]
    Http,
    #[cfg(feature = "otlp-grpc")]
    Grpc,
}

/// The path that OTLP over HTTP is posted to, behind the base address (`protocol/exporter.md`, "Endpoint URLs for OTLP/HTTP").
#[cfg(feature = "otlp-http")]
const TRACES_PATH: &str = "/v1/traces";

/// Says behind the reason of a failure what may be wrong with the address `url`, if anything looks wrong.
pub(super) fn with_advice(mut outcome: ExportOutcome, url: &str, spoken: Spoken) -> ExportOutcome {
    if let ExportOutcome::Rejected { reason } | ExportOutcome::Retryable { reason, .. } = &mut outcome
        && let Some(advice) = advice(reason, url, spoken)
    {
        reason.push_str("; ");
        reason.push_str(advice);
    }
    outcome
}

fn advice(reason: &str, url: &str, spoken: Spoken) -> Option<&'static str> {
    // In rustls's words for bytes that are no TLS record.
    if url.starts_with("https:") && reason.contains("InvalidContentType") {
        return Some("no TLS is spoken there: is the scheme http?");
    }
    match spoken {
        #[cfg(feature = "otlp-http")]
        Spoken::Http if reason.starts_with("HTTP 404") || reason.starts_with("HTTP 405") => {
            let is_posted_elsewhere = !path_of(url).trim_end_matches('/').ends_with(TRACES_PATH);
            is_posted_elsewhere.then_some("an address for traces is used as it is: does it lack /v1/traces?")
        }
        // It answered in HTTP, so this is not about the address.
        #[cfg(feature = "otlp-http")]
        Spoken::Http if reason.starts_with("HTTP ") => None,
        #[cfg(feature = "otlp-http")]
        Spoken::Http => {
            (port_of(url) == Some("4317")).then_some("port 4317 is usually OTLP over gRPC: over HTTP it is 4318")
        }
        #[cfg(feature = "otlp-grpc")]
        Spoken::Grpc => {
            let is_call = reason.starts_with("gRPC ") && !reason.contains("without a grpc-status");
            let is_suspect = !is_call && port_of(url) == Some("4318");
            is_suspect.then_some("port 4318 is usually OTLP over HTTP: over gRPC it is 4317")
        }
    }
}

/// Authority and path of a URL.
fn split(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

#[cfg(feature = "otlp-http")]
fn path_of(url: &str) -> &str {
    split(url).1
}

fn port_of(url: &str) -> Option<&str> {
    split(url).0.rsplit_once(':').map(|(_, port)| port)
}

#[cfg(test)]
mod tests {
    use super::{ExportOutcome, Spoken, with_advice};

    fn advised(reason: &str, url: &str, spoken: Spoken) -> String {
        let retryable = ExportOutcome::Retryable { after: None, reason: reason.to_owned() };
        let rejected = ExportOutcome::Rejected { reason: reason.to_owned() };
        match (with_advice(retryable, url, spoken), with_advice(rejected, url, spoken)) {
            (ExportOutcome::Retryable { reason: one, .. }, ExportOutcome::Rejected { reason: other }) => {
                assert_eq!(one, other);
                one
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_looks_wrong_is_told_behind_the_reason_and_nothing_else() {
        #[cfg(feature = "otlp-http")]
        for (url, reason, advice) in [
            (
                "http://h:4318/",
                "HTTP 405: only GET",
                "; an address for traces is used as it is: does it lack /v1/traces?",
            ),
            ("http://h:4318", "HTTP 404", "; an address for traces is used as it is: does it lack /v1/traces?"),
            (
                "http://h/a?b=/v1/traces",
                "HTTP 404",
                "; an address for traces is used as it is: does it lack /v1/traces?",
            ),
            ("http://h:4318/my/v1/traces", "HTTP 404: <html>", ""),
            ("http://h:4318/v1/traces/", "HTTP 404", ""),
            ("http://h:4318/", "HTTP 400", ""),
            ("http://h:4317/v1/traces", "io: refused", "; port 4317 is usually OTLP over gRPC: over HTTP it is 4318"),
            ("http://[::1]:4317/v1/traces", "x", "; port 4317 is usually OTLP over gRPC: over HTTP it is 4318"),
            ("http://h:4317/v1/traces", "HTTP 503", ""),
            ("http://h:4318/v1/traces", "io: refused", ""),
            ("https://h/v1/traces", "io: InvalidContentType", "; no TLS is spoken there: is the scheme http?"),
            ("http://h/v1/traces", "io: InvalidContentType", ""),
        ] {
            assert_eq!(advised(reason, url, Spoken::Http), format!("{reason}{advice}"), "{url}");
        }
        #[cfg(feature = "otlp-grpc")]
        for (url, reason, advice) in [
            ("http://h:4318", "broken pipe", "; port 4318 is usually OTLP over HTTP: over gRPC it is 4317"),
            (
                "h:4318/x",
                "gRPC UNKNOWN: HTTP 400 without a grpc-status",
                "; port 4318 is usually OTLP over HTTP: over gRPC it is 4317",
            ),
            ("http://h:4318", "gRPC UNAVAILABLE: busy", ""),
            ("http://h:4317", "broken pipe", ""),
            ("https://h:4317", "TLS: InvalidContentType", "; no TLS is spoken there: is the scheme http?"),
        ] {
            assert_eq!(advised(reason, url, Spoken::Grpc), format!("{reason}{advice}"), "{url}");
        }
        #[cfg(feature = "otlp-http")]
        assert_eq!(with_advice(ExportOutcome::Delivered, "http://h:4317", Spoken::Http), ExportOutcome::Delivered);
    }
}
