//! A global allocator that counts, for the caller's thread and for all threads.
//!
//! Counting is off while anything is timed: then an allocation costs one relaxed load more than the system's own, so
//! that libraries that allocate are not charged for being watched.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALL_THREADS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static THIS_THREAD: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator with a counter in front; `alloc`, `alloc_zeroed` and `realloc` count one each.
#[derive(Debug)]
pub struct CountingAllocator;

#[inline]
fn count() {
    if COUNTING.load(Ordering::Relaxed) {
        ALL_THREADS.fetch_add(1, Ordering::Relaxed);
        // A thread that is ending has no counter any more; the sum above still sees it.
        let _ = THIS_THREAD.try_with(|counter| counter.set(counter.get() + 1));
    }
}

#[expect(unsafe_code, reason = "a global allocator is an unsafe trait; every call is forwarded unchanged")]
// SAFETY: every method forwards its arguments unchanged to `System`, which upholds the contract; counting touches only
// an atomic and a const-initialised thread-local cell, so it neither allocates nor unwinds.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises about `pointer`, `layout` and `new_size` are passed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises about `pointer` and `layout` are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Allocations counted during [`counted`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Allocations {
    /// On the calling thread, while `work` ran.
    pub caller: u64,
    /// On every thread, while `work` and `settle` ran.
    pub all_threads: u64,
}

/// Counts the allocations of `work` on this thread, and those of all threads until `settle` has returned.
pub fn counted(work: impl FnOnce(), settle: impl FnOnce()) -> Allocations {
    let all_before = ALL_THREADS.load(Ordering::Relaxed);
    let caller_before = THIS_THREAD.get();
    COUNTING.store(true, Ordering::SeqCst);
    work();
    let caller = THIS_THREAD.get() - caller_before;
    settle();
    COUNTING.store(false, Ordering::SeqCst);
    Allocations { caller, all_threads: ALL_THREADS.load(Ordering::Relaxed) - all_before }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[global_allocator]
    static ALLOCATOR: CountingAllocator = CountingAllocator;

    #[test]
    fn counts_the_caller_exactly_and_other_threads_in_the_sum() {
        let counts = counted(
            || {
                let mut bytes: Vec<u8> = black_box(Vec::with_capacity(8));
                bytes.reserve_exact(64);
                drop(black_box(bytes));
            },
            || {
                std::thread::spawn(|| drop(black_box(Box::new([0_u64; 9])))).join().expect("the thread only allocates");
            },
        );
        assert_eq!(counts.caller, 2, "one alloc and one realloc");
        assert!(counts.all_threads > counts.caller);
        let before = THIS_THREAD.get();
        drop(black_box(Box::new([0_u64; 9])));
        assert_eq!(THIS_THREAD.get(), before, "counted while nobody asked for it");
    }
}
