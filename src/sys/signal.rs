//! Actions of signals. Ctrl-C, SIGTERM and SIGHUP, through the `ctrlc` crate.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};

use crate::sys::fork_gate::{park, unparked};
use crate::sys::thread_list::wait_until_asleep;

/// Name of the thread on which `ctrlc` waits for signals.
const CTRLC_THREAD: &str = "ctrl-c";

/// Returns the present action of a signal.
pub(super) fn action(signal: Signal) -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action, the call writes the present one and changes nothing.
    let result = unsafe { libc::sigaction(signal as i32, ptr::null(), action.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a successful call has written the action.
    Ok(unsafe { action.assume_init() })
}

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
