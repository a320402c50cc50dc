//! Receivers that forward to our recorder: what comes back through them, every way that OTLP has.

use crate::compare;
use crate::exporters::{Ports, Way};
use crate::process::Server;
use crate::program::{self, Values};
use crate::recorder::Recorder;
use crate::verdict::{Outcome, Report, found};

/// A receiver that others wrote.
pub(crate) struct Receiver {
    /// How it is called in the report.
    pub(crate) name: &'static str,
    /// The environment variable that says where its program is.
    pub(crate) variable: &'static str,
    /// Starts the program with these ports, so that it forwards to a recorder at this address.
    pub(crate) start: fn(program: &str, Ports, recorder: &str) -> Result<Server, String>,
    /// What it can be sent one way.
    pub(crate) values: fn(Way) -> Values,
}

impl Receiver {
    /// Tries every way to it.
    pub(crate) fn run(&self, report: &mut Report) {
        let started = found(self.variable).map(|program| self.start(&program));
        for way in Way::all() {
            let name = format!("to {}, {}", self.name, way.name());
            match &started {
                Err(reason) => report.not_run(&name, reason),
                Ok(Err(error)) => report.enter(&name, Err(vec![error.clone()])),
                Ok(Ok((_server, ports, recorder))) => report.enter(&name, self.try_way(way, *ports, recorder)),
            }
        }
    }

    fn start(&self, program: &str) -> Result<(Server, Ports, Recorder), String> {
        let recorder = Recorder::start()?;
        let ports = Ports::free()?;
        let server = (self.start)(program, ports, &recorder.url())?;
        Ok((server, ports, recorder))
    }

    fn try_way(&self, way: Way, ports: Ports, recorder: &Recorder) -> Outcome {
        let exporter = way.exporter(ports).map_err(|error| vec![error.to_string()])?;
        let recorded = program::run(exporter, (self.values)(way)).map_err(|error| vec![error])?;
        compare::spans(&recorded, &recorder.take(recorded.len())?)
    }
}
