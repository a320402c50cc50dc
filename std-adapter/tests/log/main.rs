//! Log correlation: lines as programs print them, parsed, and held against the spans that were exported.

mod logger;
mod support;
mod text_and_json;
