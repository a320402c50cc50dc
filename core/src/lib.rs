//! Distributed tracing types that need neither `std` nor an allocator.
#![no_std]
