//! `Status`: whether the work of a span went well.

/// The outcome's code; the numbers are OTLP's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StatusCode {
    /// Nobody judged.
    #[default]
    Unset = 0,
    /// The application says it went well. Final: a later status is ignored.
    Ok = 1,
    /// It failed.
    Error = 2,
}

impl StatusCode {
    /// The code's name in capitals, as OpenTelemetry writes it: `ERROR`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unset => "UNSET",
            Self::Ok => "OK",
            Self::Error => "ERROR",
        }
    }
}

/// The outcome of a span (OpenTelemetry trace API, "Set Status").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status<'a> {
    /// The code.
    pub code: StatusCode,
    /// What went wrong; empty unless the code is `Error`.
    pub message: &'a str,
}

impl<'a> Status<'a> {
    /// It went well.
    pub const OK: Status<'static> = Status { code: StatusCode::Ok, message: "" };

    /// It failed, because of `message`.
    #[must_use]
    pub const fn error(message: &'a str) -> Self {
        Self { code: StatusCode::Error, message }
    }
}
