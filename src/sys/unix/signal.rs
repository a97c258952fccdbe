//! Actions of signals. Ctrl-C, SIGTERM and SIGHUP, through the `ctrlc` crate.

use std::io;
use std::mem::MaybeUninit;
use std::process;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use nix::libc;
use nix::sys::signal::Signal;

use crate::sys::stop_signal::StopSignal;
use crate::sys::unix::fork_gate::{park, unparked};
use crate::sys::unix::thread_list::wait_until_asleep;

/// Name of the thread on which `ctrlc` waits for signals.
const CTRLC_THREAD: &str = "ctrl-c";

/// Signals that end a process by default, and for which programs install handlers.
pub(super) const TERMINATION: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Returns the number of a signal.
fn number(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Interrupt => Signal::SIGINT,
        StopSignal::Terminate => Signal::SIGTERM,
        StopSignal::HangUp => Signal::SIGHUP,
    }
}

/// The action with which `ctrlc` handles a signal, once it is known.
static CTRLC_ACTION: OnceLock<libc::sigaction> = OnceLock::new();

/// The handler of `ctrlc`, once it is installed.
static INSTALLED: Installed = Installed {
    process: AtomicU32::new(0),
    handler: AtomicUsize::new(0),
};

struct Installed {
    /// Process that has installed the handler, and whose thread waits for signals. 0: none.
    process: AtomicU32,
    /// Address of the handler. 0: none.
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

/// Prepares [`handle`]: starts the thread that calls `on_signal`. No signal is handled yet. Succeeds only once
/// in a program, because `ctrlc` does.
pub(crate) fn install(mut on_signal: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    let before = TERMINATION.map(|signal| action(signal).ok());
    ctrlc::set_handler(move || unparked(&mut on_signal))?;
    // Counts the thread of `ctrlc` as parked, because it holds no lock while it waits for signals.
    wait_until_asleep(CTRLC_THREAD);
    park();
    if let Ok(action) = action(Signal::SIGINT) {
        INSTALLED
            .handler
            .store(action.sa_sigaction, Ordering::SeqCst);
        let _ = CTRLC_ACTION.set(action);
    }
    for (signal, before) in TERMINATION.into_iter().zip(before) {
        if let Some(before) = before {
            set_action(signal, &before);
        }
    }
    INSTALLED.process.store(process::id(), Ordering::SeqCst);
    Ok(())
}

/// From now on, these signals call the function that was given to [`install`], on its thread.
///
/// Signals that are ignored stay ignored: `nohup` starts programs with SIGHUP ignored, and a shell without
/// job control starts background programs with SIGINT ignored.
pub(crate) fn handle(signals: impl IntoIterator<Item = StopSignal>) {
    let Some(action) = CTRLC_ACTION.get() else {
        return;
    };
    for signal in signals.into_iter().map(number) {
        if handler(signal) != libc::SIG_IGN {
            set_action(signal, action);
        }
    }
}

fn set_action(signal: Signal, action: &libc::sigaction) {
    // SAFETY: the action was in force in this process before, so that it is suitable for signal context.
    let _ = unsafe { libc::sigaction(signal as i32, action, ptr::null_mut()) };
}

/// Returns whether [`install`] has succeeded in an ancestor of this process, but not in this process,
/// which then has no thread that waits for signals.
pub(crate) fn is_installed_in_ancestor() -> bool {
    let process = INSTALLED.process.load(Ordering::SeqCst);
    process != 0 && process != process::id()
}

/// Returns whether signals have no effect on this process, because it has inherited the handler of
/// [`install`] without the thread.
pub(crate) fn discards_signals() -> bool {
    let installed = INSTALLED.handler.load(Ordering::SeqCst);
    let is_inherited = |signal| installed != 0 && handler(signal) == installed;
    is_installed_in_ancestor() && TERMINATION.into_iter().any(is_inherited)
}
