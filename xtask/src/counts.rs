//! Reads how many tests passed and failed from the test runners' own summaries.

use std::ops::AddAssign;

use crate::report::without_colours;

/// How many tests ran, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl Counts {
    /// Sums every summary in the output of cargo test, wasm-bindgen-test-runner or node.
    pub(crate) fn in_output(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines() {
            let line = without_colours(line);
            if let Some(counts) = libtest(&line).or_else(|| node(&line)) {
                sum += counts;
            }
        }
        sum
    }
}

/// `test result: ok. 5 passed; 0 failed; …`, by cargo's test harness and wasm-bindgen's.
fn libtest(line: &str) -> Option<Counts> {
    let (_, numbers) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = Counts::default();
    for part in numbers.split(';') {
        match part.trim().split_once(' ') {
            Some((number, "passed")) => counts.passed = number.parse().ok()?,
            Some((number, "failed")) => counts.failed = number.parse().ok()?,
            _ => {}
        }
    }
    Some(counts)
}

/// `# pass 5` or `ℹ pass 5`, and the same for `fail` and `cancelled`, one per line, by node's test runner.
fn node(line: &str) -> Option<Counts> {
    let line = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ "))?;
    let (outcome, number) = line.split_once(' ')?;
    let number = number.parse().ok()?;
    match outcome {
        "pass" => Some(Counts { passed: number, failed: 0 }),
        // A cancelled test is one that its parent or a time limit ended.
        "fail" | "cancelled" => Some(Counts { passed: 0, failed: number }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn all_runners_are_summed() {
        let output = "\
running 3 tests
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: \x1b[31mFAILED\x1b[m. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
    test result: ok. 4 passed; 0 failed; 0 ignored; 0 filtered out; finished in 0.02s
# tests 5
# pass 4
# fail 1
# cancelled 0
ℹ pass 10
\x1b[34mℹ fail 2\x1b[39m
ℹ cancelled 3
";
        assert_eq!(Counts::in_output(output), Counts { passed: 23, failed: 7 });
    }

    #[test]
    fn other_lines_count_nothing() {
        let output = "no tests to run!\ntest result: unknown\n# pass many\nit said: # pass 3\npassed 3\n";
        assert_eq!(Counts::in_output(output), Counts::default());
    }
}
