//! Actions of signals. Ctrl-C, SIGTERM and SIGHUP, through the `ctrlc` crate.

use std::io;
use std::mem::MaybeUninit;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};

use crate::sys::fork_gate::{park, unparked};
use crate::sys::thread_list::wait_until_asleep;

/// Name of the thread on which `ctrlc` waits for signals.
const CTRLC_THREAD: &str = "ctrl-c";

/// Signals that end a process by default, and for which programs install handlers.
pub(super) const TERMINATION: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// The handler of `ctrlc`, once it is installed.
static INSTALLED: Installed = Installed {
    process: AtomicU32::new(0),
    handler: AtomicUsize::new(0),
};

struct Installed {
    /// Process that has installed the handler, and whose thread waits for signals. 0: none.
    process: AtomicU32,
    /// Address of the handler. 0: none, because all signals are ignored.
    handler: AtomicUsize,
}

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

/// Returns the handler of a signal, or `SIG_DFL` or `SIG_IGN`.
pub(super) fn handler(signal: Signal) -> libc::sighandler_t {
    action(signal).map_or(libc::SIG_DFL, |action| action.sa_sigaction)
}

/// Calls `on_signal` on a separate thread for every SIGINT, SIGTERM and SIGHUP of this process. Succeeds
/// only once in a program, because `ctrlc` does.
///
/// Signals that are ignored stay ignored: `nohup` starts programs with SIGHUP ignored, and a shell without
/// job control starts background programs with SIGINT ignored.
pub(crate) fn on_termination(
    mut on_signal: impl FnMut() + Send + 'static,
) -> Result<(), ctrlc::Error> {
    let is_ignored = TERMINATION.map(|signal| handler(signal) == libc::SIG_IGN);
    ctrlc::set_handler(move || unparked(&mut on_signal))?;
    // Counts the thread of `ctrlc` as parked, because it holds no lock while it waits for signals.
    wait_until_asleep(CTRLC_THREAD);
    park();
    for (number, is_ignored) in TERMINATION.into_iter().zip(is_ignored) {
        if is_ignored {
            // SAFETY: `SigIgn` runs no code in signal context.
            let _ = unsafe { signal(number, SigHandler::SigIgn) };
        } else {
            INSTALLED.handler.store(handler(number), Ordering::SeqCst);
        }
    }
    INSTALLED.process.store(process::id(), Ordering::SeqCst);
    Ok(())
}

/// Returns whether [`on_termination`] has succeeded in an ancestor of this process, but not in this process,
/// which then has no thread that waits for signals.
pub(crate) fn is_installed_in_ancestor() -> bool {
    let process = INSTALLED.process.load(Ordering::SeqCst);
    process != 0 && process != process::id()
}

/// Returns whether signals have no effect on this process, because it has inherited the handler of
/// [`on_termination`] without the thread.
pub(crate) fn discards_signals() -> bool {
    let installed = INSTALLED.handler.load(Ordering::SeqCst);
    let is_inherited = |signal| installed != 0 && handler(signal) == installed;
    is_installed_in_ancestor() && TERMINATION.into_iter().any(is_inherited)
}
