//! Tells the crate which compiler builds it, for the resource attribute `process.runtime.version`, and whether it is for a page.

use std::env;
use std::process::Command;

fn main() {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let answer =
        Command::new(compiler).arg("--version").output().ok().and_then(|output| String::from_utf8(output.stdout).ok());
    // `rustc 1.95.0 (…)`
    let version = answer.as_deref().and_then(|answer| answer.split_whitespace().nth(1)).unwrap_or("unknown");
    println!("cargo::rustc-env=CLEWLINE_RUSTC_VERSION={version}");
    // What a page or worker runs: no threads, no clock and no randomness but JavaScript's.
    println!("cargo::rustc-check-cfg=cfg(web)");
    let target = |name| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("ARCH").starts_with("wasm") && target("OS") == "unknown" {
        println!("cargo::rustc-cfg=web");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
