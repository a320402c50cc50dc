//! Which spans a thread is in, remembered by the layer: to ask the registry takes two atomic operations each time.
//!
//! A span that is entered again while it is entered does not become the current one a second time, as in the registry.

use std::cell::RefCell;

thread_local! {
    static ENTERED: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// One entering that has not been left. Layers number their spans independently, so an entry names its layer.
struct Entry {
    layer: u64,
    number: u64,
    is_again: bool,
}

/// Notes that this thread enters a span.
#[inline]
pub(super) fn enter(layer: u64, number: u64) {
    // A thread that is being torn down, or that lends its list right now, has the registry left to ask.
    let _ = ENTERED.try_with(|entered| {
        if let Ok(mut entered) = entered.try_borrow_mut() {
            let is_again = entered.iter().any(|entry| entry.number == number && entry.layer == layer);
            entered.push(Entry { layer, number, is_again });
        }
    });
}

/// Notes that this thread leaves a span; spans may be left in any order.
#[inline]
pub(super) fn exit(layer: u64, number: u64) {
    let _ = ENTERED.try_with(|entered| {
        if let Ok(mut entered) = entered.try_borrow_mut()
            && let Some(at) = entered.iter().rposition(|entry| entry.number == number && entry.layer == layer)
        {
            entered.remove(at);
        }
    });
}

/// The span of `layer` that this thread is in.
#[inline]
pub(super) fn current(layer: u64) -> Option<u64> {
    let current = |entered: &RefCell<Vec<Entry>>| {
        let entered = entered.try_borrow().ok()?;
        entered.iter().rev().find(|entry| entry.layer == layer && !entry.is_again).map(|entry| entry.number)
    };
    ENTERED.try_with(current).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_span_is_the_last_that_was_entered_first() {
        let layer = 1;
        assert_eq!(current(layer), None);
        enter(layer, 10);
        enter(layer, 11);
        enter(2, 99);
        assert_eq!((current(layer), current(2)), (Some(11), Some(99)));
        enter(layer, 10);
        assert_eq!(current(layer), Some(11), "10 was entered before 11");
        exit(layer, 10);
        assert_eq!(current(layer), Some(11));
        exit(layer, 10);
        exit(layer, 10);
        assert_eq!(current(layer), Some(11), "left out of order");
        exit(layer, 11);
        assert_eq!((current(layer), current(2)), (None, Some(99)));
        exit(2, 99);
    }
}
