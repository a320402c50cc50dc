//! The fuzz targets: whatever the bytes are, no parser panics, and what it accepts keeps the promises that are held here.
//!
//! The same functions run under libFuzzer for long (`cargo xtask fuzz`) and on mutated seeds in every test run
//! (`tests/fuzz.rs`). A new target is a function, a row in [`TARGETS`], and a folder of seeds in `fuzz/corpus`.

mod chip;
mod headers;
mod lists;
mod otlp;

/// One parser under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name on the command line, and of its folder of seeds.
    pub name: &'static str,
    /// Holds one input against the promises.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "traceparent", run: headers::traceparent },
    Target { name: "b3", run: headers::b3 },
    Target { name: "jaeger", run: headers::jaeger },
    Target { name: "server-timing", run: headers::server_timing },
    Target { name: "binary", run: headers::binary },
    Target { name: "propagation", run: headers::propagation },
    Target { name: "tracestate", run: lists::tracestate },
    Target { name: "ot", run: lists::ot },
    Target { name: "sampling", run: lists::sampling },
    Target { name: "baggage", run: lists::baggage },
    Target { name: "otlp", run: otlp::protobuf },
    Target { name: "json", run: otlp::json },
    Target { name: "compact", run: chip::compact },
    Target { name: "frame", run: chip::frame },
    Target { name: "image", run: chip::image },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Header lines: what stands between the line ends of the input.
fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    data.split(|byte| *byte == b'\n')
}
