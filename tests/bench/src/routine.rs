//! A measured piece of work that times itself, so that its preparation stays outside.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// The work of one case, monomorphised for one library: the only indirect call is per sample.
pub struct Routine {
    run: Box<dyn FnMut(u64) -> Duration>,
    granularity: u64,
}

impl Routine {
    /// Work that needs no preparation: `body` is one iteration.
    pub fn repeat<O>(mut body: impl FnMut() -> O + 'static) -> Self {
        Self {
            run: Box::new(move |iterations| {
                let start = Instant::now();
                for _ in 0..iterations {
                    black_box(body());
                }
                start.elapsed()
            }),
            granularity: 1,
        }
    }

    /// Work on something prepared outside the timed part: `body` gets it, does `operations` iterations, and what it
    /// returns is dropped outside the timed part too.
    ///
    /// # Panics
    ///
    /// If `operations` is zero.
    pub fn prepared<T, O>(
        operations: u64,
        mut prepare: impl FnMut() -> T + 'static,
        mut body: impl FnMut(T) -> O + 'static,
    ) -> Self {
        assert!(operations > 0, "a routine without operations measures nothing");
        let clock = clock_cost();
        Self {
            run: Box::new(move |iterations| {
                let mut total = Duration::ZERO;
                for _ in 0..iterations / operations {
                    let prepared = black_box(prepare());
                    let start = Instant::now();
                    let output = black_box(body(prepared));
                    total += start.elapsed().saturating_sub(clock);
                    drop(output);
                }
                total
            }),
            granularity: operations,
        }
    }

    /// Runs at least `iterations` iterations; returns how many and how long they took.
    pub fn run(&mut self, iterations: u64) -> (u64, Duration) {
        let iterations = iterations.div_ceil(self.granularity) * self.granularity;
        (iterations, (self.run)(iterations))
    }
}

/// What an empty timed section reads, the median of many.
fn clock_cost() -> Duration {
    let mut costs: Vec<Duration> = (0..1001).map(|_| Instant::now().elapsed()).collect();
    costs.sort_unstable();
    costs[costs.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    #[test]
    fn prepared_work_is_rounded_up_to_whole_preparations_and_excludes_them() {
        let prepared = Rc::new(Cell::new(0_u64));
        let counter = Rc::clone(&prepared);
        let mut routine = Routine::prepared(
            100,
            move || {
                counter.set(counter.get() + 1);
                std::thread::sleep(Duration::from_millis(20));
            },
            |()| (),
        );
        let (iterations, time) = routine.run(101);
        assert_eq!((iterations, prepared.get()), (200, 2));
        // Where the machine was busy with something else in a timed part, another run was not.
        let mut times = std::iter::once(time).chain((0..20).map(|_| routine.run(100).1));
        assert!(times.any(|time| time < Duration::from_millis(20)), "the preparation was timed: {time:?}");
    }
}
