//! Fork of this process: the child serves one request.
//!
//! A child has one thread and a copy of everything else: held locks, filled buffers, all descriptors.
//! This module corrects the consequences, in the parent and in the child:
//!
//! - Other threads may hold locks. The fork is refused unless they are [parked](crate::sys::unix::fork_gate).
//! - Standard output is flushed and locked over the fork, so that no output appears twice and the
//!   child can print. Standard error is locked, too, if another thread may be writing to it.
//! - Termination signals are blocked until the child has replaced the handlers of the parent
//!   ([`SignalMaskGuard`]).
//! - SIGCHLD is not ignored, so that the parent can reap the child.
//! - Listening sockets and wakers stay with the parent ([`close_on_fork`](crate::sys::unix::close_on_fork)).
//! - The child always ends by `_exit` ([`Exit`]), so that it neither unwinds nor drops values of the
//!   parent.
//!
//! The cost of a fork is page faults. Each page that the parent writes to between two forks costs it one;
//! each page that the child writes to, and each page of code that it maps, costs the child one. So memory
//! that was freed before the first fork is given back to the system, large stack frames are kept out of
//! the common path, and no signal handler is replaced where none is installed. The five mappings of libgcc
//! cost a forking C server 4 to 5 percent, too. Having the kernel map the child's code at once
//! (`MADV_POPULATE_READ`) costs more than the page faults that it saves.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::unistd::ForkResult;
use rustix::process::Pid;

use crate::panics::catch_panic;
use crate::sys::fd::AsFd;
use crate::sys::poll::wait_writable;
use crate::sys::unix::child_channel::{self, ChildChannel};
use crate::sys::unix::child_process::{Child, keep_exit_statuses};
use crate::sys::unix::close_on_fork::{Registry, inert_socket};
use crate::sys::unix::fork_gate::{Gate, parked};
use crate::sys::unix::signal_mask::SignalMaskGuard;
use crate::sys::unix::stderr::is_writable;

/// Maximum time until all other threads are parked, in milliseconds. A thread of this library needs far less, unless the
/// machine is overloaded.
const PARK_TIMEOUT: u64 = 500;
/// Maximum time after a refused fork, in milliseconds. It is shorter, because the process probably has
/// a thread that never parks.
const PARK_TIMEOUT_AFTER_REFUSAL: u64 = 10;

/// Time for which the gate stays closed for threads that are about to reach it, such as one that computes a TLS
/// handshake. Other threads can neither print nor go on meanwhile.
const GATE_TIME: Duration = Duration::from_millis(2);
/// Time between two looks at the other threads.
const LOOK_INTERVAL: Duration = Duration::from_micros(100);

/// Maximum time in which a child waits until standard output can be flushed.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Permission to fork while other threads may hold locks.
#[derive(Debug)]
pub(crate) struct Permission {
    unchecked: bool,
}

impl Permission {
    /// Permits a fork only while all other threads are parked.
    pub(crate) const CHECKED: Self = Self { unchecked: false };

    /// Permits a fork in any state of the other threads.
    ///
    /// # Safety
    ///
    /// As for [`Forking::new_unchecked`](crate::Forking::new_unchecked).
    pub(crate) const unsafe fn unchecked() -> Self {
        Self { unchecked: true }
    }
}

/// Process in which a fork returns.
pub(crate) enum Side {
    Parent(Child),
    Child(Exit),
}

/// Opens the descriptors that forks need, while there are some. On failure, [`fork`] tries again.
pub(crate) fn prepare_fork(permission: &Permission) {
    let _ = inert_socket();
    if !permission.unchecked {
        let _ = Gate::close().unparked_threads();
    }
}

/// Forks a child process for the server `owner` (see [`close_on_fork`](crate::sys::unix::close_on_fork)).
/// The child sends stop requests through `channel`.
///
/// `hold` locks further values over the fork. It runs last, after all other locks are held.
pub(crate) fn fork<T>(
    permission: &Permission,
    owner: u64,
    channel: &Arc<ChildChannel>,
    hold: impl FnOnce() -> T,
) -> io::Result<(Side, T)> {
    static TRIM_ONCE: Once = Once::new();
    TRIM_ONCE.call_once(trim_heap);
    keep_exit_statuses()?;
    let inert = inert_socket()?;
    let (streams, gate) = park_other_threads(permission)?;
    let registry = Registry::lock();
    let held = hold();
    let mut signals = SignalMaskGuard::block();
    // SAFETY: the call has no preconditions. In the child, locks of other threads stay held:
    // `park_other_threads` has excluded locks that matter, or the user has promised that there are
    // none.
    let forked = unsafe { nix::unistd::fork() };
    match forked? {
        ForkResult::Parent { child } => {
            drop((signals, registry, gate, streams));
            let pid = Pid::from_raw(child.as_raw()).ok_or(io::ErrorKind::InvalidData)?;
            Ok((Side::Parent(Child::new(pid)), held))
        }
        ForkResult::Child => {
            let exit = Exit(());
            child_channel::become_child(channel);
            registry.replace_with(inert, owner);
            signals.leave_to_server();
            drop((signals, registry, gate, streams));
            Ok((Side::Child(exit), held))
        }
    }
}

/// Returns freed heap memory to the system, for example memory that the program used to parse its
/// command line, because every fork copies the page tables of this memory.
fn trim_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call has no preconditions.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Locks and flushes the standard streams, and waits until all other threads are parked.
fn park_other_threads(permission: &Permission) -> io::Result<(Streams, Gate)> {
    static TIMEOUT: AtomicU64 = AtomicU64::new(PARK_TIMEOUT);

    let timeout = Duration::from_millis(TIMEOUT.load(Ordering::Relaxed));
    let deadline = Instant::now() + timeout;
    let mut gate_time = GATE_TIME;
    loop {
        // Parked, because another accept loop may be forking, too.
        let streams = parked(|| Streams::lock(permission));
        let mut gate = Gate::close();
        if permission.unchecked {
            return Ok((streams, gate));
        }
        let opening = Instant::now() + gate_time;
        let unparked_threads = loop {
            let unparked = gate.unparked_threads().map_err(Refused::UnknownThreads)?;
            if unparked == 0 || Instant::now() >= opening {
                break unparked;
            }
            thread::sleep(LOOK_INTERVAL);
        };
        if unparked_threads == 0 {
            TIMEOUT.store(PARK_TIMEOUT, Ordering::Relaxed);
            return Ok((streams, gate));
        }
        if timeout < Duration::from_millis(PARK_TIMEOUT) {
            // Probably a thread that never parks. The others are not to be held up for it again and again.
            gate_time = Duration::ZERO;
        }
        // An unparked thread may wait for one of these.
        drop((gate, streams));
        if Instant::now() >= deadline {
            TIMEOUT.store(PARK_TIMEOUT_AFTER_REFUSAL, Ordering::Relaxed);
            return Err(Refused::UnparkedThreads(unparked_threads).into());
        }
        parked(|| thread::sleep(LOOK_INTERVAL));
    }
}

/// Locked standard streams. Standard output is flushed.
///
/// A stream that cannot be written to at present is neither flushed nor locked, because another thread may
/// wait for its reader and hold its lock. A blocked server is worse than output that appears twice, or than
/// a child that waits when it prints to a stream whose reader is stuck.
struct Streams {
    _out: Option<io::StdoutLock<'static>>,
    /// Locked only for unchecked forks. For checked forks all other threads are parked, and the lock
    /// would write to a memory page that the child may otherwise never copy.
    _err: Option<io::StderrLock<'static>>,
}

impl Streams {
    fn lock(permission: &Permission) -> Self {
        let out = is_writable(io::stdout().as_fd()).then(|| {
            let mut out = io::stdout().lock();
            let _ = out.flush();
            out
        });
        let with_err = permission.unchecked && is_writable(io::stderr().as_fd());
        Self {
            _out: out,
            _err: with_err.then(|| io::stderr().lock()),
        }
    }
}

/// Reason why a fork was refused.
#[derive(Debug)]
enum Refused {
    /// Number of threads that were not parked.
    UnparkedThreads(usize),
    /// The number of threads is unknown.
    UnknownThreads(io::Error),
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::other(refused)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused to fork: this process ")?;
        match self {
            Self::UnparkedThreads(1) => f.write_str("has another thread, which")?,
            Self::UnparkedThreads(n) => write!(f, "has {n} other threads, which")?,
            Self::UnknownThreads(_) => f.write_str(
                "may have other threads (the system does not report their number), which",
            )?,
        }
        f.write_str(
            " may hold locks that would never be released in the child process. Serve on the only \
             thread of the process (`serve_forever`, not `spawn`), or use another strategy. If you \
             know that no such lock matters, use `unsafe { Forking::new_unchecked() }`, which forks \
             without this check",
        )
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::UnparkedThreads(_) => None,
            Self::UnknownThreads(source) => Some(source),
        }
    }
}

/// Ends the child process when it is dropped, also by a panic, because the child must not return to
/// code of the parent.
pub(crate) struct Exit(());

impl Exit {
    /// In the child: gives up the parent's other child processes. Their memory is not written to,
    /// because the system would have to copy it.
    pub(crate) fn leave_to_parent<T>(&self, children: Vec<T>, child: impl Fn(&T) -> &Child) {
        for item in &children {
            // SAFETY: the child process is neither used nor dropped after this. This function does not
            // drop it. Any other owner is a thread that does not exist in this process, or code of
            // this thread that never runs, because this process ends by `_exit`.
            unsafe { child(item).close() };
        }
        std::mem::forget(children);
    }

    /// Flushes standard output and ends this process. Gives output up that cannot be written in time,
    /// because a child that waits for a stuck reader occupies a place of its server.
    pub(crate) fn with(self, code: i32) -> ! {
        let stdout = io::stdout();
        if wait_writable([stdout.as_fd()], Some(FLUSH_TIMEOUT)).is_ok_and(|[ready]| ready) {
            let _ = catch_panic(|| io::stdout().flush());
        }
        // SAFETY: the call has no preconditions.
        unsafe { libc::_exit(code) }
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        // SAFETY: the call has no preconditions.
        unsafe { libc::_exit(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_states_cause_and_next_step() {
        let text = Refused::UnparkedThreads(2).to_string();
        assert!(text.starts_with("refused to fork: this process has 2 other threads, which"));
        for part in [
            "may hold locks",
            "`serve_forever`",
            "another strategy",
            "`unsafe {",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
