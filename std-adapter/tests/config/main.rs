//! Configuration from outside: every variable and every field, through the library and through `clewline config` as a process.

mod declarative;
mod endpoints;
mod files;
mod hostile;
mod process;
mod samplers;
mod support;
mod variables;
