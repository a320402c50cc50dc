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
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    forked::reseed_in_children();
    RandomIds::from_seed(entropy())
}

/// A fork has the generator of its parent's thread too, and would make the same ids.
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod forked {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::{IDS, entropy};

    /// Seeds the generator of the thread that forks anew, in the fork: what was not seeded before will be. Threads pay nothing
    /// for it. Not for processes that are copied past the C library, by `clone` itself.
    pub(super) fn reseed_in_children() {
        static DONE: AtomicBool = AtomicBool::new(false);
        // Said only when it is true, and without a lock that a fork might find taken: two threads at once have it done twice.
        if DONE.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: `reseed` may be called at any time, and does what is allowed in a fork of a process with threads: it takes no
        // lock and allocates nothing. Without memory for this entry there are forks with their parent's ids, and no other harm.
        #[expect(unsafe_code, reason = "the standard library has no word for forks")]
        unsafe {
            libc::pthread_atfork(None, None, Some(reseed));
        }
        DONE.store(true, Ordering::Release);
    }

    extern "C" fn reseed() {
        let _ = IDS.try_with(|ids| ids.get().map(|ids| ids.reseed(entropy())));
    }
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
    // A fork has its parent's keys.
    let process = std::process::id();
    [keys.hash_one((process, 1_u8)), keys.hash_one((process, 2_u8))]
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

    #[cfg(any(target_os = "linux", target_os = "macos"))]
    #[test]
    fn a_fork_makes_ids_of_its_own() {
        use std::io::{Read as _, Write as _};

        let words = || with_ids(|ids| [ids.trace_id().to_bytes(), ids.trace_id().to_bytes()]);
        with_ids(IdSource::span_id);
        let (mut read, mut write) = std::io::pipe().unwrap();
        // SAFETY: the fork makes ids, writes and ends, none of which takes a lock or allocates.
        #[expect(unsafe_code, reason = "the standard library cannot fork")]
        let process = unsafe { libc::fork() };
        if process == 0 {
            let has_written = write.write_all(words().as_flattened()).is_ok();
            // SAFETY: ends the process, and runs nothing that belongs to its parent.
            #[expect(unsafe_code, reason = "the standard library cannot end a process at once")]
            unsafe {
                libc::_exit(i32::from(!has_written))
            }
        }
        assert!(process > 0, "{}", std::io::Error::last_os_error());
        drop(write);
        let mut theirs = Vec::new();
        read.read_to_end(&mut theirs).unwrap();
        let mut status = 0;
        // SAFETY: waits for the process that was started above.
        #[expect(unsafe_code, reason = "the standard library knows only of its own processes")]
        let ended = unsafe { libc::waitpid(process, &raw mut status, 0) };
        assert_eq!((ended, status, theirs.len()), (process, 0, 32));
        let ours = words();
        assert!(theirs.chunks(16).all(|id| !ours.iter().any(|own| own == id)), "{theirs:?} {ours:?}");
    }
}
