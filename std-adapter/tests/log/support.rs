//! Where lines go, and what they say.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clewline::exporter::{Destination, FinishedSpan, MemoryExporter};
use clewline::{Pipeline, Sampler, SpanContext};
use clewline_core::AlwaysOn;
use tracing_subscriber::fmt::MakeWriter;

/// Keeps what is written.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A pipeline whose spans can be read.
pub(crate) struct Recorder {
    pub(crate) pipeline: &'static Pipeline,
    memory: MemoryExporter,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self::with_sampler(AlwaysOn)
    }

    pub(crate) fn with_sampler(sampler: impl Sampler + Send + Sync + 'static) -> Self {
        let memory = MemoryExporter::new(10_000);
        let destination = Destination::new("memory", Box::new(memory.clone()));
        let pipeline = Pipeline::builder(&[]).sampler(Box::new(sampler)).destination(destination).start().unwrap();
        Self { pipeline, memory }
    }

    pub(crate) fn spans(&self) -> Vec<FinishedSpan> {
        self.pipeline.flush(Duration::from_secs(300)).unwrap();
        self.memory.take()
    }
}

/// The ids of one line.
pub(crate) type Ids = Option<(String, String)>;

pub(crate) fn ids_of(context: Option<SpanContext>) -> Ids {
    context.map(|context| (context.trace_id().to_string(), context.span_id().to_string()))
}

/// The line without its ids, and the ids, of a line of text: they stand at its end.
pub(crate) fn parse_text(line: &str) -> (&str, Ids) {
    let Some((rest, ids)) = line.rsplit_once(" trace_id=") else { return (line, None) };
    let (trace_id, span_id) = ids.split_once(" span_id=").unwrap_or_else(|| panic!("{line}"));
    for (id, length) in [(trace_id, 32), (span_id, 16)] {
        let is_id = id.len() == length && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        assert!(is_id, "{line}");
    }
    (rest, Some((trace_id.to_owned(), span_id.to_owned())))
}
