//! Runs a program that fetches something, and once more when it fails: networks and registries have bad moments.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::process::{self, Show};
use crate::report::line;
use crate::signal;

/// How long is waited before the second attempt and before the third.
const PAUSES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];
/// How often Ctrl-C is looked for meanwhile.
const POLL: Duration = Duration::from_millis(50);

/// Runs the program that `command` makes until it reports success, three times at most.
///
/// # Errors
/// Those of the last attempt. What was interrupted, could not be started or took too long is not tried again.
pub(crate) fn check(label: &str, limit: Duration, command: impl FnMut() -> Command) -> Result<String, Error> {
    attempts(label, limit, &PAUSES, |_| true, command)
}

/// As [`check`], but tries again only after a failure that `is_worth` it.
pub(crate) fn check_if(
    label: &str,
    limit: Duration,
    is_worth: impl Fn(&str) -> bool,
    command: impl FnMut() -> Command,
) -> Result<String, Error> {
    attempts(label, limit, &PAUSES, is_worth, command)
}

fn attempts(
    label: &str,
    limit: Duration,
    pauses: &[Duration],
    is_worth: impl Fn(&str) -> bool,
    mut command: impl FnMut() -> Command,
) -> Result<String, Error> {
    for (attempt, &pause) in (2..).zip(pauses) {
        match process::check(label, command(), Show::Latest, limit) {
            Err(Error::Failed { what, code, output }) if is_worth(&output) => {
                let failure = Error::Failed { what, code, output };
                let (seconds, all) = (pause.as_secs(), pauses.len() + 1);
                line(&format!(
                    "  {failure}\n  again in {seconds} s, in case it was the network: attempt {attempt} of {all}"
                ));
            }
            other => return other,
        }
        let began = Instant::now();
        while began.elapsed() < pause {
            if signal::interrupted() {
                return Err(Error::Interrupted);
            }
            thread::sleep(POLL);
        }
    }
    process::check(label, command(), Show::Latest, limit)
}

#[cfg(all(test, unix))]
mod tests {
    use super::attempts;
    use crate::error::Error;
    use std::process::Command;
    use std::time::Duration;

    /// Runs a program that succeeds at this attempt; answers with the outcome and how often it ran.
    fn succeeding_at(attempt: u32, is_worth: bool) -> (Result<String, Error>, u32) {
        let mut runs = 0;
        let outcome = attempts(
            "test",
            Duration::from_secs(300),
            &[Duration::ZERO; 2],
            |_| is_worth,
            || {
                runs += 1;
                let mut command = Command::new("/bin/sh");
                command.args(["-c", if runs < attempt { "echo no route; exit 7" } else { "echo here it is" }]);
                command
            },
        );
        (outcome, runs)
    }

    #[test]
    fn a_failure_is_tried_again_twice() {
        for attempt in 1..=3 {
            let (outcome, runs) = succeeding_at(attempt, true);
            assert_eq!((outcome.unwrap().as_str(), runs), ("here it is\n", attempt));
        }
        let (outcome, runs) = succeeding_at(4, true);
        assert!(matches!(outcome, Err(Error::Failed { code: Some(7), .. })));
        assert_eq!(runs, 3);
    }

    #[test]
    fn what_trying_again_cannot_mend_is_not_tried_again() {
        let (outcome, runs) = succeeding_at(2, false);
        assert!(matches!(outcome, Err(Error::Failed { code: Some(7), .. })));
        assert_eq!(runs, 1);
        let mut runs = 0;
        let missing = attempts(
            "test",
            Duration::from_secs(300),
            &[Duration::ZERO; 2],
            |_| true,
            || {
                runs += 1;
                Command::new("clewline-no-such-program")
            },
        );
        assert!(matches!(missing, Err(Error::Start { .. })));
        assert_eq!(runs, 1);
    }
}
