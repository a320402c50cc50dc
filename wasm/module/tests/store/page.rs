//! What JavaScript does around the exports, done from Rust: writing texts and records, reading requests.

use clewline_core::{RequestView, SpanView};
use clewline_wasm_module::{Kind, Record, Store};

/// A module instance and where the next text and record go.
pub(crate) struct Page {
    pub(crate) store: Box<Store>,
    text_at: usize,
    record_at: usize,
}

/// A value as JavaScript has it.
#[derive(Clone)]
pub(crate) enum Js<'a> {
    Null,
    Text(&'a str),
    Integer(f64),
    Double(f64),
    Boolean(bool),
    Array(Vec<Js<'a>>),
    /// A function, say.
    Other,
}

impl Page {
    /// A configured instance, which counts time from 1,700,000,000 s on. Some megabytes large, so `run` gives it a large stack.
    pub(crate) fn run(ratio: f64, test: impl FnOnce(&mut Page) + Send + 'static) {
        let body = move || {
            let mut page = Page { store: Box::new(Store::new()), text_at: 64, record_at: 0 };
            let resource = page.attributes(&[("service.name", Js::Text("test"))]);
            assert!(page.store.configure(resource, ratio, 1_700_000_000_000.0));
            test(&mut page);
        };
        std::thread::Builder::new().stack_size(64 << 20).spawn(body).unwrap().join().unwrap();
    }

    /// Writes a text; its number.
    pub(crate) fn text(&mut self, text: &str) -> u32 {
        let at = if self.text_at > 0x8000 { 64 } else { self.text_at };
        self.store.written().1[at..at + text.len()].copy_from_slice(text.as_bytes());
        self.text_at = at + text.len();
        u32::try_from(at << 14 | text.len()).unwrap()
    }

    fn records(&mut self, records: &[Record]) -> u32 {
        let at = if self.record_at > 1000 { 0 } else { self.record_at };
        self.store.written().0[at..at + records.len()].copy_from_slice(records);
        self.record_at = at + records.len();
        u32::try_from(at << 14 | records.len()).unwrap()
    }

    fn record(&mut self, key: &str, value: &Js<'_>) -> Record {
        let (kind, value) = match value {
            Js::Null => (Kind::Empty as u32, 0.0),
            Js::Text(text) => (Kind::Text as u32, whole(self.text(text))),
            Js::Integer(number) => (Kind::Integer as u32, *number),
            Js::Double(number) => (Kind::Double as u32, *number),
            Js::Boolean(truth) => (Kind::Boolean as u32, whole(u32::from(*truth))),
            Js::Array(elements) => {
                let elements: Vec<_> = elements.iter().map(|element| self.record("", element)).collect();
                (Kind::Array as u32, whole(self.records(&elements)))
            }
            Js::Other => (255, 0.0),
        };
        Record { key: self.text(key), kind, value }
    }

    /// Writes a run of attributes; its number.
    pub(crate) fn attributes(&mut self, attributes: &[(&str, Js<'_>)]) -> u32 {
        let records: Vec<_> = attributes.iter().map(|(key, value)| self.record(key, value)).collect();
        self.records(&records)
    }

    /// Starts an internal span without attributes.
    pub(crate) fn start(&mut self, name: &str, parent: u32) -> u32 {
        let name = self.text(name);
        self.store.start(name, 1, parent, 0)
    }

    pub(crate) fn set(&mut self, span: u32, attributes: &[(&str, Js<'_>)]) {
        let attributes = self.attributes(attributes);
        self.store.set(span, attributes);
    }

    /// The text that `traceparent` leaves.
    pub(crate) fn traceparent(&mut self, span: u32) -> String {
        self.store.traceparent(span);
        String::from_utf8(self.store.written().1[..55].to_vec()).unwrap()
    }

    /// The spans of the next request, oldest first.
    pub(crate) fn with_spans(&mut self, check: impl FnOnce(&[SpanView<'_>])) {
        let request = self.store.request(1 << 20);
        let request = RequestView::parse(&request).unwrap();
        let groups = request.resource_spans().flat_map(|group| group.scope_spans());
        let spans: Vec<_> = groups.flat_map(|group| group.spans()).map(|span| span.unwrap().1).collect();
        check(&spans);
    }
}

/// A number that is no double, in the first half of where one is.
fn whole(number: u32) -> f64 {
    f64::from_bits(number.into())
}
