//! The helpers, by what they record: semantic conventions, failures of futures, the current span whichever door it came through.

mod conventions;
mod current;
mod events;
mod futures;
mod hostile;
mod spans;
