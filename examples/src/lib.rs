//! Holds the README so that its snippets run as tests; the examples themselves are programs beside this folder.

/// The README's snippets, compiled and run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
