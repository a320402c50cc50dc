//! OTLP/JSON, both ways: against protobuf, against `serde_json`, against the official messages, and row by row.
//!
//! Runs are reproducible: fixed seed, fixed number of cases. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` change both.

#[path = "../common/cases.rs"]
mod cases;
#[expect(dead_code, reason = "shared with the conformance tests, which also play scripts")]
#[path = "../conformance/model.rs"]
mod model;
#[path = "../conformance/official.rs"]
mod official;
#[expect(dead_code, reason = "shared with the conformance tests, which also play scripts")]
#[path = "../conformance/oracle.rs"]
mod oracle;
#[path = "../conformance/script.rs"]
mod script;
#[expect(dead_code, reason = "shared with the conformance tests, which also play scripts")]
#[path = "../conformance/strategy.rs"]
mod strategy;
#[path = "../conformance/views.rs"]
mod views;

mod differential;
mod reading;
mod round_trip;
mod writing;

use cases::config;
use clewline_core::json::{self, JsonError};
use clewline_core::{RequestView, Storage};

/// Room for every request that is made here.
const ROOM: usize = 1 << 18;

type Buffer = heapless::Vec<u8, ROOM>;

/// The JSON as protobuf.
fn read(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut out = Box::<Buffer>::default();
    json::read_request(&mut json.to_vec(), &mut *out).map(|()| out.to_vec())
}

/// What core's views see of the JSON.
fn seen(json: &[u8]) -> Option<model::Request> {
    views::request(&RequestView::parse(&read(json).unwrap()).unwrap())
}

fn write<T: json::WriteJson>(value: &T) -> Vec<u8> {
    let mut out = Box::<Buffer>::default();
    json::write(value, &mut *out).unwrap();
    out.view().to_vec()
}

/// The same request with every double passed through `change`.
fn map_doubles(request: &mut model::Request, change: &dyn Fn(f64) -> f64) {
    fn map_value(value: &mut model::Value, change: &dyn Fn(f64) -> f64) {
        match value {
            model::Value::F64(bits) => *bits = change(f64::from_bits(*bits)).to_bits(),
            model::Value::List(items) => items.iter_mut().for_each(|item| map_value(item, change)),
            model::Value::Map(pairs) => attributes(pairs, change),
            _ => {}
        }
    }
    fn attributes(pairs: &mut model::Attributes, change: &dyn Fn(f64) -> f64) {
        pairs.iter_mut().for_each(|(_, item)| map_value(item, change));
    }
    for group in &mut request.resource_spans {
        attributes(&mut group.attributes, change);
        for scope in &mut group.scope_spans {
            attributes(&mut scope.attributes, change);
            for span in &mut scope.spans {
                attributes(&mut span.attributes, change);
                span.events.iter_mut().for_each(|event| attributes(&mut event.attributes, change));
                span.links.iter_mut().for_each(|link| attributes(&mut link.attributes, change));
            }
        }
    }
}
