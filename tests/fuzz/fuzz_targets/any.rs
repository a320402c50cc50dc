//! Runs the target that `CLEWLINE_FUZZ_TARGET` names under libFuzzer: one program for all, built once.

#![no_main]

use std::sync::OnceLock;

use clewline_tests::fuzz::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("CLEWLINE_FUZZ_TARGET").expect("CLEWLINE_FUZZ_TARGET names a target");
        target(&name).expect("there is such a target")
    });
    (target.run)(data);
});
