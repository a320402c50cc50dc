//! Ctrl-C and termination: ends the programs a task has started, politely first.

use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;

/// Set by the first Ctrl-C, hang-up or termination request.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Process groups under way, by the id of their leader.
static GROUPS: Mutex<Vec<(u32, OnInterrupt)>> = Mutex::new(Vec::new());

/// What the first Ctrl-C does to a process group; the second one kills them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnInterrupt {
    /// It gets the signal.
    Pass,
    /// Nothing: whoever started it ends it in its turn.
    Hold,
}

/// The exit code of a program ended by Ctrl-C (128 + SIGINT), as shells report it.
pub(crate) const INTERRUPTED_EXIT_CODE: u8 = 130;

/// From now on Ctrl-C ends the started programs, and the task reports that; a second one ends everything at once.
pub(crate) fn install_handler() -> Result<(), Error> {
    ctrlc::set_handler(|| {
        let again = INTERRUPTED.swap(true, Ordering::SeqCst);
        for (group, on_interrupt) in groups() {
            if again {
                kill(group);
            } else if on_interrupt == OnInterrupt::Pass {
                interrupt(group);
            }
        }
        if again {
            process::exit(INTERRUPTED_EXIT_CODE.into());
        }
    })
    .map_err(|error| Error::Rejected(format!("Ctrl-C cannot be handled: {error}")))
}

/// Whether the user asked to stop.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Notes a started process group, so that Ctrl-C reaches it.
pub(crate) fn register(group: u32, on_interrupt: OnInterrupt) {
    if let Ok(mut groups) = GROUPS.lock() {
        groups.push((group, on_interrupt));
    }
}

/// Forgets a process group whose leader has been waited for.
pub(crate) fn forget(group: u32) {
    if let Ok(mut groups) = GROUPS.lock() {
        groups.retain(|&(known, _)| known != group);
    }
}

fn groups() -> Vec<(u32, OnInterrupt)> {
    GROUPS.lock().map(|groups| groups.clone()).unwrap_or_default()
}

/// Asks every program of the group to end, as Ctrl-C in a terminal would.
#[cfg(unix)]
pub(crate) fn interrupt(group: u32) {
    send(group, nix::sys::signal::Signal::SIGINT);
}

/// Ends every program of the group at once.
#[cfg(unix)]
pub(crate) fn kill(group: u32) {
    send(group, nix::sys::signal::Signal::SIGKILL);
}

#[cfg(unix)]
fn send(group: u32, signal: nix::sys::signal::Signal) {
    if let Ok(id) = i32::try_from(group) {
        // The only failure is that the group has ended already, which is what was wanted.
        let _ended_already = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), signal);
    }
}

/// Where there are no process groups, whoever waits for the program ends it with `Child::kill`.
#[cfg(not(unix))]
pub(crate) fn interrupt(_group: u32) {}

/// Where there are no process groups, whoever waits for the program ends it with `Child::kill`.
#[cfg(not(unix))]
pub(crate) fn kill(_group: u32) {}
