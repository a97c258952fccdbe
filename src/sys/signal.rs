//! Ctrl-C, SIGTERM and SIGHUP, through the `ctrlc` crate.

use nix::sys::signal::{SigHandler, Signal, signal};

use crate::sys::fork_gate::{park, unparked};
use crate::sys::thread_list::wait_until_asleep;

/// Name of the thread on which `ctrlc` waits for signals.
const CTRLC_THREAD: &str = "ctrl-c";

/// Calls `on_signal` on a separate thread for every SIGINT, SIGTERM and SIGHUP of this process.
///
/// An ignored SIGHUP stays ignored, because `nohup` uses it to let a program outlive its terminal.
pub(crate) fn on_termination(
    mut on_signal: impl FnMut() + Send + 'static,
) -> Result<(), ctrlc::Error> {
    // SAFETY: `SigIgn` runs no code in signal context. The previous disposition is restored below, or
    // `ctrlc` replaces it.
    let previous_hangup = unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) };
    let installed = ctrlc::set_handler(move || unparked(&mut on_signal));
    if installed.is_ok() {
        // Counts the thread of `ctrlc` as parked, because it holds no lock while it waits for signals.
        wait_until_asleep(CTRLC_THREAD);
        park();
    }
    if let Ok(previous) = previous_hangup
        && (installed.is_err() || matches!(previous, SigHandler::SigIgn))
    {
        // SAFETY: this process had installed `previous` before this function ran. A handler in it is
        // therefore suitable for signal context.
        let _ = unsafe { signal(Signal::SIGHUP, previous) };
    }
    installed
}
