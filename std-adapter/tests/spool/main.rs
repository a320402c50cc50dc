//! The disk spool: what is acknowledged is delivered, in order, whatever becomes of collector, process and file.

mod bounds;
mod damage;
mod outage;
mod restart;
mod support;
