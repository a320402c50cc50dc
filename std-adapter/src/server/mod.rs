//! The trace receiver, store, query API and viewer behind `clewline serve`.
