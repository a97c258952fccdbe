//! Ctrl-C, SIGTERM and SIGHUP, through the `ctrlc` crate.

use nix::sys::signal::{SigHandler, Signal, signal};

use crate::sys::fork_gate::{park, unparked, wait_until_asleep};

/// How `ctrlc` names the thread that it waits on.
const CTRLC_THREAD: &str = "ctrl-c";

/// Runs `on_signal` on a thread of its own at every SIGINT, SIGTERM and SIGHUP of this process.
///
/// A SIGHUP that is ignored stays ignored: that is how `nohup` asks a program to outlive its
/// terminal.
pub(crate) fn on_termination(
    mut on_signal: impl FnMut() + Send + 'static,
) -> Result<(), ctrlc::Error> {
    // SAFETY: `SigIgn` runs no code in signal context; the previous disposition is put back
    // below, or replaced by that of `ctrlc`.
    let hangup = unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) };
    let installed = ctrlc::set_handler(move || unparked(&mut on_signal));
    if installed.is_ok() {
        // From now on its thread waits for signals, and holds nothing meanwhile.
        wait_until_asleep(CTRLC_THREAD);
        park();
    }
    if let Ok(previous) = hangup
        && (installed.is_err() || matches!(previous, SigHandler::SigIgn))
    {
        // SAFETY: `previous` is what this process had installed before this function ran, so
        // its handler, if it is one, was and is fit to run in signal context.
        let _ = unsafe { signal(Signal::SIGHUP, previous) };
    }
    installed
}
