//! `with_ids`: each thread's generator of ids, in memory that needs no tearing down and so is quick to reach.

use std::cell::OnceCell;

use clewline_core::RandomIds;

thread_local! {
    /// Seeded when the thread starts its first span. All pipelines of the process share it.
    static IDS: OnceCell<RandomIds> = const { OnceCell::new() };
}

/// Works with this thread's generator.
#[inline(always)]
pub(super) fn with_ids<R>(work: impl FnOnce(&RandomIds) -> R) -> R {
    IDS.with(|ids| work(ids.get_or_init(seeded)))
}

#[cold]
#[inline(never)]
fn seeded() -> RandomIds {
    RandomIds::from_seed(entropy())
}

/// 128 bits from the operating system or the browser.
fn entropy() -> [u64; 2] {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        return second_best();
    }
    [0, 8].map(|at| u64::from_ne_bytes(std::array::from_fn(|index| bytes[at + index])))
}

/// For a host that has none: the hasher's own random keys.
#[cfg(not(all(feature = "web", target_family = "wasm")))]
fn second_best() -> [u64; 2] {
    use std::hash::{BuildHasher, RandomState};
    let keys = RandomState::new();
    [keys.hash_one(1_u8), keys.hash_one(2_u8)]
}

/// For a browser that has none: in a page, the hasher's keys are the same each time.
#[cfg(all(feature = "web", target_family = "wasm"))]
fn second_best() -> [u64; 2] {
    [(); 2].map(|()| js_sys::Math::random().to_bits())
}

#[cfg(test)]
mod tests {
    use clewline_core::IdSource;

    use super::*;

    #[test]
    fn threads_make_ids_of_their_own() {
        let two = || with_ids(|ids| [ids.span_id(), ids.span_id()]);
        let mut all = two().to_vec();
        all.extend(two());
        all.extend(std::thread::spawn(two).join().unwrap());
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 6);
    }
}
