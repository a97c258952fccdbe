//! Termination signals of a server and of its children: which one requests a stop, and which one ends the
//! process.
//!
//! Ctrl-C in a terminal, and service managers, signal all processes of the server at once. The server then
//! begins its stop, in which running requests have a grace period. A child must not end before that, so it
//! leaves the first such signal to the server, and ends at the second, as the server does.

use std::process;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::sys::signal_order::SignalOrder;

/// In one static, because every memory page that a child writes to is copied.
static STATE: State = State {
    server: AtomicI32::new(0),
    first_at: AtomicU64::new(0),
};

struct State {
    /// Process ID of the server process. In a child, that of its parent.
    server: AtomicI32,
    /// Time of the first signal, see [`now`]. 0: none. Children inherit it, because a signal that has
    /// stopped the server before the fork was the first one for them, too.
    first_at: AtomicU64,
}

/// In the server process: records a signal that has arrived now, and returns its place.
pub(crate) fn record_signal() -> SignalOrder {
    SignalOrder::record(&STATE.first_at, now())
}

/// In the server process: makes the next signal the first one.
pub(crate) fn expect_first() {
    STATE.first_at.store(0, Ordering::SeqCst);
}

/// Time in nanoseconds since the start of the system, for all processes. Async-signal-safe.
fn now() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is valid. The clock exists on every system, so the call succeeds.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}

/// In the server process: records that children may be forked that leave signals to it.
pub(super) fn prepare() {
    let this = process::id().cast_signed();
    // Compared first, because a write would cost the next child a copy of the memory page.
    if STATE.server.load(Ordering::Relaxed) != this {
        STATE.server.store(this, Ordering::Relaxed);
    }
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
    let has_server = parent == server;
    if !is_addressed && has_server && record_signal() != SignalOrder::Second {
        return;
    }
    // SAFETY: both calls are async-signal-safe. The signal is blocked now. It ends the process when this
    // function returns.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_runs() {
        let before = now();
        assert!(before > 0);
        assert!(now() >= before);
    }
}
