//! What a chip's interrupts and main code use together: ring, ids, context and ticks, each in a `static`.
//!
//! All of it is guarded by [`critical-section`](critical_section), so it also works on cores without compare-and-swap
//! (thumbv6m, riscv32imc), and needs nothing but loads and stores. The program names an implementation, such as that of
//! `cortex-m` or `riscv`.

mod context;
mod ids;
mod ring;
mod ticks;

pub use context::SharedContext;
pub use ids::SharedIds;
pub use ring::{Keep, RingCounts, RingPlace, SpanRing};
pub use ticks::LongTicks;
