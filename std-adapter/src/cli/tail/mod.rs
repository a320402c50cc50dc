//! `clewline tail`: follows a running server and prints finished traces as trees.

mod client;
pub(crate) mod document;
mod events;
mod finished;
pub(crate) mod tree;

use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use tokio::time::Instant;

use crate::streams::note;
use client::{Endpoint, RequestError};
use document::TraceDocument;
use events::{Event, Follower};
use finished::Pending;
use tree::Style;

/// How long to wait before a lost server is looked for again.
const RECONNECT: Duration = Duration::from_secs(1);

/// How often quiet traces are looked for.
const TICK: Duration = Duration::from_millis(100);

/// Print finished traces of a running `clewline serve` as trees.
#[derive(Debug, Args)]
pub(crate) struct TailArguments {
    /// Address of the server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4318", value_parser = client::parse_endpoint)]
    from: Endpoint,

    /// Only traces in which this service takes part.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Only traces with a span of exactly this name.
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,

    /// Only traces that took at least this long, in milliseconds. [default: 0]
    #[arg(long, value_name = "MILLISECONDS", value_parser = milliseconds)]
    min_duration: Option<f64>,

    /// Only traces in which a span failed.
    #[arg(long)]
    errors: bool,

    /// Only traces with these attributes, as in the viewer: key=value, key, or part of a span name.
    #[arg(value_name = "QUERY")]
    query: Vec<String>,

    /// When to use colours; `auto` means in a terminal, unless NO_COLOR is set.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: clap::ColorChoice,
}

/// Runs until the process is asked to end, or its output is closed.
pub(crate) async fn tail(arguments: TailArguments) -> Result<(), String> {
    let style = style(arguments.color);
    tokio::select! {
        outcome = follow(&arguments, style) => outcome,
        () = crate::asked_to_end() => Ok(()),
    }
}

/// Follows the server, again and again. Only the first connection may fail: later the server may come back.
async fn follow(arguments: &TailArguments, style: Style) -> Result<(), String> {
    let endpoint = &arguments.from;
    let filters = filters(arguments);
    // Also tells of a filter that the server does not understand, before anything is waited for.
    endpoint.get(&format!("/api/traces?{filters}limit=0")).await.map_err(|error| explained(endpoint, &error))?;
    let mut follower = Follower::connect(endpoint, None).await.map_err(|error| explained(endpoint, &error))?;
    note(format_args!("Following {endpoint} …"));
    let mut pending = Pending::default();
    loop {
        tokio::select! {
            event = follower.next() => match event {
                Some(Event::Trace(change)) => pending.changed(change.trace_id, change.root_received, Instant::now()),
                Some(Event::Skipped(traces)) => note(format_args!("({traces} traces went by too fast to be printed)")),
                None => {
                    note(format_args!("{endpoint} is gone; waiting for it …"));
                    follower = reconnected(endpoint, follower.last_event_id()).await;
                    note(format_args!("Following {endpoint} again …"));
                }
            },
            () = tokio::time::sleep(TICK), if !pending.is_empty() => {
                let mut finished = pending.finished(Instant::now()).into_iter();
                while let Some(trace_id) = finished.next() {
                    let trace = match matching(endpoint, &trace_id, &filters).await {
                        Ok(Some(trace)) => trace,
                        Ok(None) | Err(RequestError::Refused(..)) => continue,
                        // A server that did not answer in time, or is away, is asked again; first for what it tells meanwhile.
                        Err(RequestError::Unreachable(_)) => {
                            let now = Instant::now();
                            if !pending.unanswered(&trace_id, now) {
                                note(format_args!("(trace {trace_id} is not printed: {endpoint} does not answer for it)"));
                            }
                            finished.by_ref().for_each(|trace_id| pending.changed(trace_id, true, now));
                            break;
                        }
                    };
                    let before = pending.printed(&trace_id, trace.spans.len());
                    match print(&tree::render(&trace, before, style)) {
                        Ok(()) => {}
                        // Whoever read the output has seen enough.
                        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                        Err(error) => return Err(format!("the output cannot be written: {error}")),
                    }
                }
            }
        }
    }
}

async fn reconnected(endpoint: &Endpoint, last_event_id: Option<String>) -> Follower {
    loop {
        tokio::time::sleep(RECONNECT).await;
        if let Ok(follower) = Follower::connect(endpoint, last_event_id.as_deref()).await {
            return follower;
        }
    }
}

/// The trace, if it is still there and satisfies the filters.
async fn matching(endpoint: &Endpoint, trace_id: &str, filters: &str) -> Result<Option<TraceDocument>, RequestError> {
    #[derive(Deserialize)]
    struct Matched {
        matched: usize,
    }
    let body = endpoint.get(&format!("/api/traces?{filters}trace_id={trace_id}&limit=0")).await?;
    if serde_json::from_slice::<Matched>(&body).map_or(0, |answer| answer.matched) == 0 {
        return Ok(None);
    }
    let body = endpoint.get(&format!("/api/traces/{trace_id}")).await?;
    Ok(serde_json::from_slice(&body).ok())
}

fn print(tree: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{tree}")?;
    output.flush()
}

fn style(choice: clap::ColorChoice) -> Style {
    match choice {
        clap::ColorChoice::Always => Style::Colour,
        clap::ColorChoice::Never => Style::Plain,
        clap::ColorChoice::Auto => Style::of(&io::stdout()),
    }
}

/// The filters as parameters, each followed by `&`.
fn filters(arguments: &TailArguments) -> String {
    let mut parameters = String::new();
    let mut add = |name: &str, value: &str| {
        parameters.push_str(name);
        parameters.push('=');
        parameters.push_str(&client::percent_encoded(value));
        parameters.push('&');
    };
    if let Some(service) = &arguments.service {
        add("service", service);
    }
    if let Some(operation) = &arguments.operation {
        add("operation", operation);
    }
    if let Some(milliseconds) = arguments.min_duration {
        add("min_duration_ms", &milliseconds.to_string());
    }
    if arguments.errors {
        add("errors", "true");
    }
    if !arguments.query.is_empty() {
        add("q", &arguments.query.join(" "));
    }
    parameters
}

fn milliseconds(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "a number of milliseconds, not negative".to_owned())
}

fn explained(endpoint: &Endpoint, error: &RequestError) -> String {
    match error {
        RequestError::Unreachable(reason) => format!(
            "nothing answers at {endpoint} ({reason}); start `clewline serve` first, or say where it is with --from"
        ),
        RequestError::Refused(status, message) => format!("{endpoint} answered {status}: {message}"),
    }
}
