//! `Loan`: a box that one thread at a time borrows, at the price of one atomic exchange.
//!
//! The pointer itself is the lock: who borrows takes it out and leaves a mark, and puts it back with a plain store. Filling an
//! empty cell costs a plain store too. Whoever finds the mark waits; so only short work, and no foreign code, may be done with
//! a loan. For foreign code the box is sent away: another mark stands in its place, and nobody waits.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Holds a box, or nothing.
pub(super) struct Loan<T> {
    pointer: AtomicPtr<T>,
    /// May be shared between threads, and sent to others, where a lock of the box may.
    like: PhantomData<Mutex<Box<T>>>,
}

/// A borrowed box; dropped, it goes back.
pub(super) struct Lent<'c, T> {
    cell: &'c Loan<T>,
    value: ManuallyDrop<Box<T>>,
}

/// What came of wanting to borrow what a span records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work<R> {
    Done(R),
    /// Nothing is recorded.
    NotRecorded,
    /// It is recorded, but elsewhere right now: processors are being told of it.
    Away,
}

impl<R> Work<R> {
    pub(super) fn done(self) -> Option<R> {
        if let Self::Done(result) = self { Some(result) } else { None }
    }
}

/// Stands in place of the pointer while it is lent. It points to nothing, as values are aligned.
const LENT: usize = 1;
/// Marks the pointer of a box that is away.
const AWAY: usize = 2;

impl<T> Loan<T> {
    /// Values of less alignment would leave no bits for the marks.
    const MARKS_FIT: () = assert!(align_of::<T>() > AWAY);

    /// Whether there is a box, here or lent or away.
    #[inline]
    pub(super) fn is_some(&self) -> bool {
        !self.pointer.load(Ordering::Relaxed).is_null()
    }

    /// Fills an empty cell that nobody else fills.
    #[inline]
    pub(super) fn put(&self, value: Option<Box<T>>) {
        self.pointer.store(value.map_or(ptr::null_mut(), Box::into_raw), Ordering::Release);
    }

    /// Borrows the box; waits while another thread has it.
    #[inline]
    pub(super) fn lend(&self) -> Work<Lent<'_, T>> {
        let mut seen = self.pointer.load(Ordering::Relaxed);
        let mut waits = 0;
        loop {
            if seen.is_null() {
                return Work::NotRecorded;
            }
            if seen.addr() == LENT {
                wait(&mut waits);
                seen = self.pointer.load(Ordering::Relaxed);
                continue;
            }
            if seen.addr() & AWAY != 0 {
                return Work::Away;
            }
            match self.pointer.compare_exchange_weak(
                seen,
                ptr::without_provenance_mut(LENT),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(pointer) => {
                    // SAFETY: it comes from `Box::into_raw`, and the exchange took it out of the only place where it stood.
                    #[expect(unsafe_code, reason = "the pointer is the lock")]
                    let value = unsafe { Box::from_raw(pointer) };
                    return Work::Done(Lent { cell: self, value: ManuallyDrop::new(value) });
                }
                Err(found) => seen = found,
            }
        }
    }

    /// Takes the box of a cell that nobody else knows; none if it is away.
    pub(super) fn take(&mut self) -> Option<Box<T>> {
        self.lend().done().map(Lent::take)
    }

    /// Notes that a box which is away need not come back. False if it is not away any more.
    #[cold]
    pub(super) fn abandon(&self) -> bool {
        let seen = self.pointer.load(Ordering::Relaxed);
        let is_away = seen.addr() != LENT && seen.addr() & AWAY != 0;
        is_away && self.pointer.compare_exchange(seen, ptr::null_mut(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Brings back a box that was [sent away](Lent::send_away). Answers it if it was [abandoned](Self::abandon) meanwhile.
    pub(super) fn bring_back(&self, value: Box<T>) -> Option<Box<T>> {
        let pointer = Box::into_raw(value);
        match self.pointer.compare_exchange(away(pointer), pointer, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => None,
            // SAFETY: it comes from the box just above, and was not stored.
            #[expect(unsafe_code, reason = "undoes `into_raw`")]
            Err(_) => Some(unsafe { Box::from_raw(pointer) }),
        }
    }
}

impl<T> Default for Loan<T> {
    fn default() -> Self {
        let () = Self::MARKS_FIT;
        Self { pointer: AtomicPtr::new(ptr::null_mut()), like: PhantomData }
    }
}

impl<T> Drop for Loan<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<T> fmt::Debug for Loan<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Loan").field("is_some", &self.is_some()).finish_non_exhaustive()
    }
}

impl<T> Lent<'_, T> {
    /// Leaves the cell empty.
    #[inline]
    pub(super) fn take(self) -> Box<T> {
        self.leave(|_| ptr::null_mut())
    }

    /// Takes the box for a while in which nobody waits for it, until [`Loan::bring_back`].
    pub(super) fn send_away(self) -> Box<T> {
        self.leave(away)
    }

    #[inline]
    fn leave(self, mark: impl FnOnce(*mut T) -> *mut T) -> Box<T> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped and not used again, so the box is taken once.
        #[expect(unsafe_code, reason = "a box is moved out of what would put it back")]
        let mut value = unsafe { ManuallyDrop::take(&mut this.value) };
        this.cell.pointer.store(mark(&raw mut *value), Ordering::Release);
        value
    }
}

impl<T> Drop for Lent<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `self` is being dropped, and `leave`, which takes the box too, forgets `self`.
        #[expect(unsafe_code, reason = "the box goes back to where it came from")]
        let value = unsafe { ManuallyDrop::take(&mut self.value) };
        self.cell.pointer.store(Box::into_raw(value), Ordering::Release);
    }
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Lent<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

fn away<T>(pointer: *mut T) -> *mut T {
    pointer.map_addr(|address| address | AWAY)
}

/// Waits a moment for another thread that is at work.
#[cold]
fn wait(waits: &mut u32) {
    *waits += 1;
    if *waits < 64 { std::hint::spin_loop() } else { std::thread::yield_now() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loan(value: u64) -> Loan<u64> {
        let loan = Loan::default();
        loan.put(Some(Box::new(value)));
        loan
    }

    fn read(loan: &Loan<u64>) -> Option<u64> {
        loan.lend().done().map(|lent| *lent)
    }

    #[test]
    fn what_is_lent_comes_back_and_what_is_taken_does_not() {
        let loan = loan(1);
        if let Work::Done(mut lent) = loan.lend() {
            *lent += 1;
        }
        assert_eq!(read(&loan), Some(2));
        let taken = loan.lend().done().map(|lent| *lent.take());
        assert_eq!((taken, loan.is_some(), read(&loan)), (Some(2), false, None));
        assert!(matches!(Loan::<u64>::default().lend(), Work::NotRecorded));
    }

    #[test]
    fn nobody_waits_for_what_is_away() {
        let loan = loan(1);
        let Work::Done(lent) = loan.lend() else { panic!() };
        let mut away = lent.send_away();
        assert!(matches!(loan.lend(), Work::Away) && loan.is_some());
        *away = 5;
        assert!(loan.bring_back(away).is_none());
        assert_eq!(read(&loan), Some(5));
        assert!(!loan.abandon(), "it is here");
    }

    #[test]
    fn what_was_abandoned_does_not_come_back() {
        let loan = loan(1);
        let Work::Done(lent) = loan.lend() else { panic!() };
        let away = lent.send_away();
        assert!(loan.abandon());
        loan.put(Some(Box::new(7)));
        assert_eq!(loan.bring_back(away).map(|value| *value), Some(1));
        assert_eq!(read(&loan), Some(7), "the next one's");
    }

    #[test]
    fn a_panic_while_it_is_lent_gives_it_back() {
        let loan = loan(1);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _lent = loan.lend();
            panic!("as intended");
        }));
        assert!(result.is_err());
        assert_eq!(read(&loan), Some(1));
    }

    #[test]
    fn threads_take_turns() {
        const ROUNDS: u64 = if cfg!(miri) { 50 } else { 50_000 };
        let loan = loan(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        if let Work::Done(mut lent) = loan.lend() {
                            *lent += 1;
                        }
                    }
                });
            }
        });
        assert_eq!(read(&loan), Some(3 * ROUNDS));
    }
}
