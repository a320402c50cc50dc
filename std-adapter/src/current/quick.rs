//! Which `tracing` spans a thread is in: in memory that needs no tearing down, and so is quick to reach, as every span goes
//! through here twice. To ask a registry takes two atomic operations each time.
//!
//! A span that is entered again while it is entered does not become the current one a second time, as in the registry.

use std::cell::{Cell, RefCell};

/// Spans that a thread can be in without allocating.
const SHALLOW: usize = 24;

thread_local! {
    static ENTERED: Shallow =
        const { Shallow { length: Cell::new(0), entries: [const { Cell::new(Entry::NONE) }; SHALLOW] } };
    /// What lies above, only used while the other is full.
    static DEEPER: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

struct Shallow {
    length: Cell<usize>,
    entries: [Cell<Entry>; SHALLOW],
}

/// One entering that has not been left. Layers number their spans independently, so an entry names its layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) layer: u32,
    pub(super) number: u64,
    /// Which entries of the other stack came before: those of a smaller number.
    pub(super) order: u32,
    is_again: bool,
}

impl Entry {
    const NONE: Self = Self { layer: 0, number: 0, order: 0, is_again: false };

    #[inline]
    fn is(self, layer: u32, number: u64) -> bool {
        self.number == number && self.layer == layer
    }

    /// Of any layer, if none is given.
    #[inline]
    fn is_current(self, layer: Option<u32>) -> bool {
        layer.is_none_or(|layer| self.layer == layer) && !self.is_again
    }
}

impl Shallow {
    #[inline]
    fn entries(&self) -> &[Cell<Entry>] {
        self.entries.get(..self.length.get()).unwrap_or_default()
    }
}

/// Notes that this thread enters a span.
#[inline]
pub(super) fn enter(layer: u32, number: u64, order: u32) {
    ENTERED.with(|entered| {
        let is_again = entered.entries().iter().any(|entry| entry.get().is(layer, number));
        let length = entered.length.get();
        match entered.entries.get(length) {
            Some(free) => {
                free.set(Entry { layer, number, order, is_again });
                entered.length.set(length + 1);
            }
            None => enter_deeper(Entry { layer, number, order, is_again }),
        }
    });
}

/// Notes that this thread leaves a span; spans may be left in any order.
#[inline]
pub(super) fn exit(layer: u32, number: u64) {
    ENTERED.with(|entered| {
        // Nearly always the last.
        let length = entered.length.get();
        if length < SHALLOW
            && let Some(last) = length.checked_sub(1)
            && entered.entries[last].get().is(layer, number)
        {
            entered.length.set(last);
        } else {
            exit_elsewhere(entered, layer, number);
        }
    });
}

#[cold]
#[inline(never)]
fn exit_elsewhere(entered: &Shallow, layer: u32, number: u64) {
    let length = entered.length.get();
    if length == SHALLOW && exit_deeper(layer, number) {
        return;
    }
    let entries = entered.entries();
    let Some(at) = entries.iter().rposition(|entry| entry.get().is(layer, number)) else { return };
    for pair in entries.get(at..).unwrap_or_default().windows(2) {
        pair[0].swap(&pair[1]);
    }
    match if length == SHALLOW { take_lowest() } else { None } {
        Some(lowest) => entered.entries[SHALLOW - 1].set(lowest),
        None => entered.length.set(length - 1),
    }
}

/// Whether this thread is in a span.
#[cfg(any(feature = "opentelemetry", feature = "testing"))]
pub(super) fn contains(layer: u32, number: u64) -> bool {
    let is_deeper = || DEEPER.try_with(|deeper| deeper.borrow().iter().any(|entry| entry.is(layer, number)));
    ENTERED.with(|entered| entered.entries().iter().any(|entry| entry.get().is(layer, number)))
        || is_deeper().unwrap_or(false)
}

/// Whether this thread is in no span.
#[inline]
pub(super) fn is_empty() -> bool {
    ENTERED.with(|entered| entered.length.get() == 0)
}

/// The span that this thread is in; of `layer`, if one is given.
#[inline]
pub(super) fn current(layer: Option<u32>) -> Option<Entry> {
    ENTERED.with(|entered| {
        let deeper = if entered.length.get() == SHALLOW { current_deeper(layer) } else { None };
        deeper.or_else(|| entered.entries().iter().map(Cell::get).rev().find(|entry| entry.is_current(layer)))
    })
}

// While a thread is being torn down its list above `SHALLOW` may be gone: it then forgets what it enters.

#[cold]
fn enter_deeper(mut entry: Entry) {
    let _ = DEEPER.try_with(|deeper| {
        let mut deeper = deeper.borrow_mut();
        entry.is_again |= deeper.iter().any(|other| other.is(entry.layer, entry.number));
        deeper.push(entry);
    });
}

#[cold]
fn exit_deeper(layer: u32, number: u64) -> bool {
    let exit = |deeper: &RefCell<Vec<Entry>>| {
        let mut deeper = deeper.borrow_mut();
        let at = deeper.iter().rposition(|entry| entry.is(layer, number));
        at.map(|at| deeper.remove(at)).is_some()
    };
    DEEPER.try_with(exit).unwrap_or(false)
}

#[cold]
fn take_lowest() -> Option<Entry> {
    let take = |deeper: &RefCell<Vec<Entry>>| {
        let mut deeper = deeper.borrow_mut();
        if deeper.is_empty() { None } else { Some(deeper.remove(0)) }
    };
    DEEPER.try_with(take).ok().flatten()
}

#[cold]
fn current_deeper(layer: Option<u32>) -> Option<Entry> {
    let current = |deeper: &RefCell<Vec<Entry>>| {
        let deeper = deeper.borrow();
        deeper.iter().copied().rev().find(|entry| entry.is_current(layer))
    };
    DEEPER.try_with(current).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::{SHALLOW, exit};

    fn current(layer: u32) -> Option<u64> {
        super::current(Some(layer)).map(|entry| entry.number)
    }

    fn enter(layer: u32, number: u64) {
        super::enter(layer, number, 0);
    }

    #[test]
    fn a_thread_may_be_in_any_number_of_spans() {
        let (layer, depth) = (1, 3 * SHALLOW as u64);
        for number in 1..=depth {
            enter(layer, number);
            assert_eq!(current(layer), Some(number));
        }
        enter(layer, 5);
        enter(layer, depth);
        assert_eq!(current(layer), Some(depth), "both were entered before");
        exit(layer, depth);
        exit(layer, 5);
        // From the middle and from below, so that what lies above moves down.
        for number in [depth / 2, 1, 2, 3] {
            exit(layer, number);
        }
        assert_eq!(current(layer), Some(depth));
        for number in (4..=depth).rev().filter(|&number| number != depth / 2) {
            assert_eq!(current(layer), Some(number));
            exit(layer, number);
        }
        assert_eq!(current(layer), None);
    }
}
