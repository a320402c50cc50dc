//! Browser and edge exports.
