//! The module's store on this machine: recording, sampling and counting, as JavaScript would drive them.

mod page;
mod recording;
mod sampling;
