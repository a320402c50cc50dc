//! The `clewline` binary: `clewline serve` and `clewline tail`.
fn main() {}
