//! What JavaScript does around the exports, done from Rust: writing the scratch buffer, reading requests.

use clewline_wasm::exports;
use js_sys::{Uint8Array, WebAssembly::Memory};
use wasm_bindgen::JsCast;

fn memory_at(start: u32, length: u32) -> Uint8Array {
    let memory: Memory = wasm_bindgen::memory().unchecked_into();
    Uint8Array::new_with_byte_offset_and_length(&memory.buffer(), start, length)
}

/// Writes the parts one behind the other; answers their length.
pub(crate) fn write(parts: &[&[u8]]) -> u32 {
    let bytes = parts.concat();
    let length = u32::try_from(bytes.len()).unwrap();
    memory_at(exports::scratch(), length).copy_from(&bytes);
    length
}

/// Interns a text.
pub(crate) fn intern(text: &str) -> u32 {
    u32::try_from(exports::intern(write(&[text.as_bytes()]))).unwrap()
}

/// One entry of a list.
pub(crate) fn entry(tag: u8, key: &str, value: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_le_bytes();
    [&[tag][..], &length(key.as_bytes()), &length(value), key.as_bytes(), value].concat()
}

/// Seeds, anchors at 1_700_000_000 s and configures with `service.name` = `test`.
pub(crate) fn configure(ratio: f64) -> bool {
    exports::seed(1, 2, 3, 4);
    exports::anchor(1_700_000_000, 5);
    exports::configure(write(&[&entry(1, "service.name", b"test")]), ratio)
}

/// The text that `traceparent` leaves in the scratch buffer.
pub(crate) fn traceparent(span: u32) -> Option<String> {
    let length = exports::traceparent(span);
    (length > 0).then(|| String::from_utf8(memory_at(exports::scratch(), length).to_vec()).unwrap())
}

/// Takes a request of at most `max` bytes.
pub(crate) fn take(max: u32) -> Option<Vec<u8>> {
    let length = exports::take(max);
    (length > 0).then(|| memory_at(exports::request(), length).to_vec())
}
