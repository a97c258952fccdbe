//! Termination signals of a child process whose server handles them.
//!
//! Ctrl-C in a terminal, and service managers, signal all processes of the server at once. The server then
//! begins its stop, in which running requests have a grace period. A child must not end before that, so it
//! leaves the first such signal to the server.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// In one static, because every memory page that a child writes to is copied.
static STATE: State = State {
    server: AtomicI32::new(0),
    is_first_taken: AtomicBool::new(false),
};

struct State {
    /// Process ID of the server process. In a child, that of its parent.
    server: AtomicI32,
    /// The first termination signal was taken: in a child, it was left to the server; in the server process,
    /// it has requested the stop. Inherited by the children that are forked later.
    is_first_taken: AtomicBool,
}

/// In the server process: records that children may be forked that leave signals to it.
pub(super) fn prepare() {
    let this = process::id().cast_signed();
    // Compared first, because a write would cost the next child a copy of the memory page.
    if STATE.server.load(Ordering::Relaxed) != this {
        STATE.server.store(this, Ordering::Relaxed);
    }
}

/// In the server process: records whether a signal has requested the stop. A child that is forked
/// afterwards ends at its first signal, because that is the second one of the server.
pub(crate) fn set_first_taken(is_first_taken: bool) {
    STATE.is_first_taken.store(is_first_taken, Ordering::SeqCst);
}

/// In a child: installs a handler that leaves the first signal to the server. Programs that the child
/// executes get the default action back, which an ignored signal would not.
pub(super) fn leave_to_server(signal: Signal) {
    let handler = SigHandler::SigAction(on_signal);
    // Without SA_RESTART, reads and writes of the handler's own files would fail.
    let flags = SaFlags::SA_RESTART;
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY: `on_signal` is async-signal-safe.
    let _ = unsafe { sigaction(signal, &action) };
}

/// Ends the child by the default action of the signal, except where the server is responsible.
extern "C" fn on_signal(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the system passes a valid pointer. The result is 0 for a signal of the system itself.
    let sender = unsafe { (*info).si_pid() };
    // SAFETY: both calls are async-signal-safe and always succeed.
    let (this, parent) = unsafe { (libc::getpid(), libc::getppid()) };
    let server = STATE.server.load(Ordering::Relaxed);
    // The server sends a signal to force-close the request. A child that signals itself wants to end.
    let is_addressed = sender == server || sender == this;
    if !is_addressed && parent == server && !STATE.is_first_taken.swap(true, Ordering::SeqCst) {
        return;
    }
    // SAFETY: both calls are async-signal-safe. The signal is blocked now. It ends the process when this
    // function returns.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}
