//! Everything CI runs, one command each.
fn main() {}
