//! Hands the chosen board's memory layout to the linker.

use std::env;
use std::fs;
use std::path::PathBuf;

fn main() {
    let boards = [("MPS2", "mps2"), ("MICROBIT", "microbit"), ("VIRT", "virt")];
    let chosen: Vec<_> =
        boards.iter().filter(|(feature, _)| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some()).collect();
    let [(_, board)] = chosen[..] else { panic!("choose one board: --features mps2, microbit or virt") };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let layout = format!("memory/{board}.x");
    fs::copy(&layout, out.join("memory.x")).expect("the layout is there and the output directory can be written");
    println!("cargo::rerun-if-changed={layout}");
    println!("cargo::rustc-link-search={}", out.display());
    if *board == "virt" {
        // The Arm boards' start-up code includes the layout by itself.
        println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}
