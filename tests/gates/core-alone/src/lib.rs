//! The canary of the core-alone gate: clean without features, and each feature is the mistake the gate must refuse.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

/// Something to compile.
pub fn length(bytes: &[u8]) -> usize {
    bytes.len()
}
