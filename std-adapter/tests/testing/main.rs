//! The recorder for tests, tested: what belongs to it, that tests do not see each other, and what a failure says.

mod failures;
mod isolation;
mod recording;
