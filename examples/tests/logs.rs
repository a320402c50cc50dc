//! The example `logs`: its lines carry the ids of one trace.

#[path = "../logs/lines.rs"]
mod lines;
#[path = "../logs/shop.rs"]
mod shop;

use std::io;
use std::sync::{Arc, Mutex};

use clewline::TracingConfig;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The text behind `mark`, up to what ends an id.
fn id<'l>(line: &'l str, mark: &str) -> &'l str {
    let (_, rest) = line.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {line}"));
    rest.split([' ', '"']).next().unwrap_or_default()
}

#[test]
fn every_line_names_the_trace_and_its_own_span() {
    let guard = clewline::start(&TracingConfig::default().with_exporters([])).unwrap();
    let kept = Kept::default();
    let writer = {
        let kept = kept.clone();
        move || kept.clone()
    };
    log::set_boxed_logger(Box::new(lines::logger(writer.clone()))).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for is_json in [false, true] {
        let subscriber = lines::subscriber(writer.clone(), is_json);
        tracing::dispatcher::with_default(&subscriber, || runtime.block_on(shop::checkout(7)));
        let text = String::from_utf8(std::mem::take(&mut *kept.0.lock().unwrap())).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let ids = |part: &str| {
            let line =
                lines.iter().find(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part} in {lines:?}"));
            // What the `log` crate logs is text in both.
            let marks =
                if line.starts_with('{') { ["trace_id\":\"", "span_id\":\""] } else { ["trace_id=", "span_id="] };
            let [trace, span] = marks.map(|mark| id(line, mark).to_owned());
            (trace, span, line.starts_with('{'))
        };
        let [begun, reserved, bank, sold] = ["checking out", "reserved", "the bank took", "cart 7 is sold"].map(ids);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!([&begun, &reserved, &bank, &sold].map(|line| line.2), [is_json, is_json, false, false]);
        assert!([&reserved, &bank, &sold].iter().all(|line| line.0 == begun.0), "one trace: {lines:?}");
        assert_eq!(begun.1, sold.1, "the same span");
        assert!(reserved.1 != begun.1 && bank.1 != begun.1 && bank.1 != reserved.1, "{lines:?}");
        assert_eq!((begun.0.len(), begun.1.len()), (32, 16));
    }
    assert_eq!(guard.ledger().started, 6);
}
