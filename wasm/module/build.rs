//! Gives the module a small stack, so that its state has short addresses: a call goes a few hundred bytes deep.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32") {
        // Below the state, so that one that were too deep would trap, not overwrite.
        println!("cargo::rustc-link-arg-cdylib=-zstack-size=4096");
    }
}
