//! `clewline inspect`: says what headers mean and why a trace is broken, and converts OTLP requests.

mod environment;
mod explain;
mod headers;
mod lines;
pub(crate) mod otlp;
mod tree;

use clap::{Args, Subcommand, ValueEnum};
use clewline::propagation::Propagators;
use clewline_core::{b3, baggage, jaeger, traceparent, tracestate};

use crate::streams::print;

/// Say what trace headers mean and which rule they break, or convert OTLP requests.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_precedence_over_arg = true, arg_required_else_help = true)]
pub(crate) struct InspectArguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    headers: HeadersArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    Headers(HeadersArguments),
    Env(environment::EnvironmentArguments),
    Otlp(otlp::OtlpArguments),
}

/// Read headers given as arguments, for people; without any, JSON lines from stdin: in each an object of names and arrays of
/// values, answered by one JSON line.
#[derive(Debug, Args)]
struct HeadersArguments {
    /// A header as it arrived, such as 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'.
    #[arg(value_name = "HEADER")]
    headers: Vec<String>,

    /// The format in which the context arrives. Baggage is read with each.
    #[arg(long, value_enum, default_value_t = Format::Tracecontext)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// traceparent and tracestate (W3C Trace Context level 2)
    Tracecontext,
    /// b3, else X-B3-*
    B3,
    /// uber-trace-id
    Jaeger,
}

impl Format {
    const ALL: [Self; 3] = [Self::Tracecontext, Self::B3, Self::Jaeger];

    const fn name(self) -> &'static str {
        match self {
            Self::Tracecontext => "tracecontext",
            Self::B3 => "b3",
            Self::Jaeger => "jaeger",
        }
    }

    /// The headers that are read.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Tracecontext => &[traceparent::NAME, tracestate::NAME, baggage::NAME],
            Self::B3 => {
                &[b3::NAME, b3::TRACE_ID, b3::SPAN_ID, b3::PARENT_SPAN_ID, b3::SAMPLED, b3::FLAGS, baggage::NAME]
            }
            Self::Jaeger => &[jaeger::NAME, baggage::NAME],
        }
    }

    /// The format and baggage.
    fn propagators(self) -> Propagators {
        Propagators::from_names([self.name(), "baggage"]).unwrap_or_default()
    }
}

/// Does what was asked for.
pub(crate) fn inspect(arguments: InspectArguments) -> Result<(), String> {
    match arguments.command {
        Some(Command::Otlp(arguments)) => otlp::convert(&arguments),
        Some(Command::Headers(arguments)) => inspect_headers(&arguments),
        Some(Command::Env(arguments)) => environment::inspect(&arguments),
        None => inspect_headers(&arguments.headers),
    }
}

fn inspect_headers(arguments: &HeadersArguments) -> Result<(), String> {
    if arguments.headers.is_empty() {
        return lines::answer(arguments.format, std::io::stdin().lock(), &mut std::io::stdout().lock());
    }
    let headers = arguments.headers.iter().map(|header| parse_header(header)).collect::<Result<Vec<_>, _>>()?;
    print(explain::explain(arguments.format, &headers))
}

/// A header in one piece. The value keeps its white space: what of it counts is one of the rules.
fn parse_header(header: &str) -> Result<(&str, &str), String> {
    match header.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim(), value)),
        _ => Err(format!("{header:?} is not a header; write NAME: VALUE, such as 'traceparent: 00-…-01'")),
    }
}
