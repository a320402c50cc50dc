//! The exports: numbers in, numbers out. What each means is in `wasm/js/wasm-exports.d.ts`.
#![expect(unsafe_code, reason = "exports have names of their own, and share a state that exists once")]
#![expect(unreachable_pub, reason = "JavaScript reaches them")]

use core::cell::UnsafeCell;
use core::mem::offset_of;

use crate::records::Written;
use crate::store::Store;

/// The state of the module instance.
#[repr(transparent)]
pub struct State(UnsafeCell<Store>);

// SAFETY: a module instance without shared memory runs on one thread.
unsafe impl Sync for State {}

/// Its address is known to JavaScript: counters first, then the seed, records and texts at the distances that `module.mjs` knows.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub static state: State = State(UnsafeCell::new(Store::new()));

const _: () = {
    assert!(offset_of!(Store, counters) == 0 && offset_of!(Store, ids) == 48, "SEED in wasm/js/module.mjs");
    assert!(offset_of!(Store, written) == 80, "RECORDS in wasm/js/module.mjs");
    assert!(offset_of!(Written, texts) == 0x1_0000, "TEXTS in wasm/js/module.mjs");
};

/// The state, for the length of a call from JavaScript.
fn store() -> &'static mut Store {
    // SAFETY: each export asks once, and none calls out or another, so this is the only reference until it returns.
    unsafe { &mut *state.0.get() }
}

macro_rules! exports {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(
            #[doc = concat!("[`Store::", stringify!($name), "`].")]
            // SAFETY: no other symbol has this name.
            #[unsafe(no_mangle)]
            pub extern "C" fn $name($($argument: $type),*) $(-> $result)? {
                store().$name($($argument),*)
            }
        )*
    };
}

exports! {
    configure(resource: u32, ratio: f64, anchor: f64) -> bool;
    start(name: u32, kind: u32, parent: u32, remote: u32) -> u32;
    set(span: u32, attributes: u32);
    rename(span: u32, name: u32);
    status(span: u32, code: u32, message: u32);
    event(span: u32, name: u32, time: f64, attributes: u32);
    link(span: u32, context: u32, attributes: u32);
    end(span: u32, start: f64, end: f64) -> usize;
    traceparent(span: u32);
    take(max: usize) -> usize;
}
