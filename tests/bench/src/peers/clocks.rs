//! What no tracing library can undercut: two clock reads per span, and one copy of the finished payload.

use crate::case::{Case, Mode};
use crate::library::{Installed, Library, Role};
use crate::peers::opentelemetry::payload;
use crate::routine::Routine;
use std::hint::black_box;
use std::time::SystemTime;

/// Two reads of a clock, in column a.
#[derive(Clone, Copy, Debug)]
pub enum Clocks {
    /// [`SystemTime`], which opentelemetry reads.
    System,
    /// The processor's time-stamp counter through `fastant`, which fastrace reads; `fastant` falls back to the
    /// system's clock where the counter is not usable.
    Counter,
}

impl Library for Clocks {
    fn label(&self) -> &'static str {
        match self {
            Self::System => "two clock reads, std",
            Self::Counter => "two clock reads, TSC",
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::System => "clock-std",
            Self::Counter => "clock-tsc",
        }
    }

    fn install(&self, mode: Mode) -> Option<Box<dyn Installed>> {
        (mode == Mode::Recording).then(|| Box::new(*self) as Box<dyn Installed>)
    }
}

impl Installed for Clocks {
    fn routine(&self, case: Case) -> Option<Routine> {
        match (case, self) {
            (Case::Root, Self::System) => Some(Routine::repeat(|| (SystemTime::now(), SystemTime::now()))),
            (Case::Root, Self::Counter) => Some(Routine::repeat(|| (fastant::Instant::now(), fastant::Instant::now()))),
            _ => None,
        }
    }

    fn role(&self) -> Role {
        Role::Baseline
    }
}

/// A copy of the payload of column f into memory that is there already.
#[derive(Clone, Copy, Debug)]
pub struct Copy;

impl Library for Copy {
    fn label(&self) -> &'static str {
        "copy of the finished payload"
    }

    fn name(&self) -> &'static str {
        "copy"
    }

    fn install(&self, mode: Mode) -> Option<Box<dyn Installed>> {
        (mode == Mode::Recording).then(|| Box::new(*self) as Box<dyn Installed>)
    }
}

impl Installed for Copy {
    fn routine(&self, case: Case) -> Option<Routine> {
        if case != Case::Encode {
            return None;
        }
        let payload = payload();
        let mut copy = vec![0; payload.len()];
        Some(Routine::repeat(move || {
            black_box(&mut copy).copy_from_slice(black_box(&payload));
        }))
    }

    fn role(&self) -> Role {
        Role::Baseline
    }
}
