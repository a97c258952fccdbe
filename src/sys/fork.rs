//! Forking: a copy of this process that serves one request.
//!
//! A child has one thread and a copy of everything else: locks as they were, buffers as full as they
//! were, every descriptor. What that breaks is put right here, on both sides of the fork:
//!
//! - ConnectionlessRequest threads may hold locks: the fork is refused unless they are [parked](super::parked).
//! - Standard output is flushed and locked meanwhile, so that nothing is printed twice and the child
//!   can print; so is standard error, where another thread may be printing to it.
//! - Signals that end a process are held back until the child has left off handling them as its
//!   parent does.
//! - Listening sockets and wake-up descriptors ([`close_on_fork`]) are the parent's alone. The child's
//!   are replaced by one that does nothing, so that their numbers cannot come to mean something else
//!   to code that still has them.
//! - The child leaves by `_exit`, whatever happens: nothing of the parent's is unwound or dropped
//!   in it.

use std::fmt;
use std::io::{self, Write};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction};
use nix::unistd::ForkResult;
use rustix::process::Pid;

use crate::sys::child_channel::{self, ChildChannel};
use crate::sys::child_process::Child;
use crate::sys::fork_gate::{Gate, parked};
use crate::sys::poll::wait_writable;

/// How long threads of this library may take to be parked, on a busy machine: milliseconds.
const PATIENCE: u64 = 100;
/// The same after a time when they did not: there is likely to be one that never is.
const LITTLE_PATIENCE: u64 = 10;

/// Whether to fork although other threads may hold locks.
#[derive(Debug)]
pub(crate) struct Permission {
    unchecked: bool,
}

impl Permission {
    pub(crate) const CHECKED: Self = Self { unchecked: false };

    /// Permits forking whatever other threads do.
    ///
    /// # Safety
    ///
    /// As for [`Forking::new_unchecked`](crate::Forking::new_unchecked).
    pub(crate) const unsafe fn unchecked() -> Self {
        Self { unchecked: true }
    }
}

/// Where a fork has led.
pub(crate) enum Side {
    Parent(Child),
    Child(Exit),
}

/// Makes a child process. `owner` is whose server forks (see [`close_on_fork`]), and `channel` what it hears
/// its children by. `hold` gets what has to be held over the fork, after all else that is.
pub(crate) fn fork<T>(
    permission: &Permission,
    owner: u64,
    channel: &Arc<ChildChannel>,
    hold: impl FnOnce() -> T,
) -> io::Result<(Side, T)> {
    static FIRST: Once = Once::new();
    FIRST.call_once(trim);
    let inert = inert()?;
    let (streams, gate) = quiet(permission)?;
    let private = private();
    let held = hold();
    let mut signals = SignalMaskGuard::now();
    // SAFETY: it has no preconditions; for a child in which locks may be held for ever, `quiet` has
    // found that there is no such lock, or the user has promised it.
    let forked = unsafe { nix::unistd::fork() };
    match forked? {
        ForkResult::Parent { child } => {
            drop((signals, private, gate, streams));
            let pid = Pid::from_raw(child.as_raw()).ok_or(io::ErrorKind::InvalidData)?;
            Ok((Side::Parent(Child::new(pid)), held))
        }
        ForkResult::Child => {
            let exit = Exit(());
            child_channel::become_child(channel);
            replace(&private, inert, owner);
            signals.default();
            drop((signals, private, gate, streams));
            Ok((Side::Child(exit), held))
        }
    }
}

/// Gives memory back that was used and freed, by the parsing of a command channel or a configuration file
/// say: every fork would copy what belongs to each page of it.
fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it has no preconditions.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Locks and flushes the standard streams, and makes sure that no thread can be in the way of a
/// child.
fn quiet(permission: &Permission) -> io::Result<(Streams, Gate)> {
    /// In milliseconds.
    static PATIENCE_LEFT: AtomicU64 = AtomicU64::new(PATIENCE);

    let patience = Duration::from_millis(PATIENCE_LEFT.load(Ordering::Relaxed));
    let deadline = Instant::now() + patience;
    loop {
        // Who waits here is in nobody's way: another loop may want to fork too.
        let streams = parked(|| Streams::lock(permission));
        let mut gate = Gate::close();
        if permission.unchecked {
            return Ok((streams, gate));
        }
        let unparked_threads = gate.unparked_threads().map_err(Refused::CannotTell)?;
        if unparked_threads == 0 {
            PATIENCE_LEFT.store(PATIENCE, Ordering::Relaxed);
            return Ok((streams, gate));
        }
        // It may be one that is about to be parked, or to end.
        drop((gate, streams));
        if Instant::now() >= deadline {
            PATIENCE_LEFT.store(LITTLE_PATIENCE, Ordering::Relaxed);
            return Err(Refused::UnparkedThreads(unparked_threads).into());
        }
        parked(|| thread::sleep(Duration::from_micros(100)));
    }
}

/// The standard streams, empty, and held so that no other thread prints.
struct Streams {
    _out: io::StdoutLock<'static>,
    /// Not needed where all other threads have to be parked, and its lock is in a page that a child
    /// may never come to write to otherwise.
    _err: Option<io::StderrLock<'static>>,
}

impl Streams {
    fn lock(permission: &Permission) -> Self {
        let mut out = io::stdout().lock();
        // If nobody reads what was printed so far, what is left of it may be printed twice; better
        // than waiting for that.
        if wait_writable([out.as_fd()], Some(Duration::ZERO)).is_ok_and(|[ready]| ready) {
            let _ = out.flush();
        }
        Self {
            _out: out,
            _err: permission.unchecked.then(|| io::stderr().lock()),
        }
    }
}

/// Why there was no fork.
#[derive(Debug)]
enum Refused {
    UnparkedThreads(usize),
    CannotTell(io::Error),
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::other(refused)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnparkedThreads(1) => {
                f.write_str("refused to fork: there is another thread, which")?
            }
            Self::UnparkedThreads(n) => {
                write!(f, "refused to fork: there are {n} other threads, which")?
            }
            Self::CannotTell(_) => {
                f.write_str(
                    "refused to fork: there is no telling whether there are other threads, which",
                )?;
            }
        }
        f.write_str(
            " may hold locks that would never be released in the child. Serve on the only thread \
             of the process (`serve_forever`, not `spawn`), or use another strategy; if you know \
             that no such lock matters, `unsafe { Forking::new_unchecked() }` forks all the same",
        )
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::UnparkedThreads(_) => None,
            Self::CannotTell(source) => Some(source),
        }
    }
}

// ---- signals ----

/// What can end a process, and what a program may have installed a handler for.
const TERMINATION: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// While this exists, no signal that ends a process is delivered to this thread: a child must not run
/// its parent's handlers, nor lose a signal to one.
///
/// Nothing is to be done where there are none. That is looked for on this side of the fork, where it
/// costs less.
struct SignalMaskGuard {
    before: Option<SigSet>,
}

impl SignalMaskGuard {
    // Apart from what forks: the less of the stack is in use there, the less is copied.
    #[inline(never)]
    fn now() -> Self {
        let blocked = SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty());
        let goes_through = |signal| is_default(signal) && !blocked.contains(signal);
        if TERMINATION.into_iter().all(goes_through) {
            return Self { before: None };
        }
        let termination: SigSet = TERMINATION.into_iter().collect();
        let before = termination.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok();
        Self { before }
    }

    /// In the child: has the signals end this process, as they do by default, even if its parent
    /// blocks them. A SIGHUP that is ignored stays so: that is how `nohup` asks a program to outlive
    /// its terminal.
    #[inline(never)]
    fn default(&mut self) {
        let Some(before) = &mut self.before else {
            return;
        };
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        for signal in TERMINATION {
            before.remove(signal);
        }
        for signal in TERMINATION {
            // SAFETY: the default runs no code in signal context.
            let before = unsafe { sigaction(signal, &default) };
            if let (Signal::SIGHUP, Ok(before)) = (signal, before)
                && matches!(before.handler(), SigHandler::SigIgn)
            {
                // SAFETY: nor does this.
                let _ = unsafe { sigaction(signal, &before) };
            }
        }
    }
}

impl Drop for SignalMaskGuard {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = before.thread_set_mask();
        }
    }
}

/// Whether nothing was installed for a signal.
fn is_default(signal: Signal) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: with no new action, it writes the present one and changes nothing.
    let asked = unsafe { libc::sigaction(signal as i32, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: it was written if the call succeeded.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_DFL
}

// ---- descriptors ----

/// The descriptors that children do without.
static PRIVATE: Mutex<Vec<Private>> = Mutex::new(Vec::new());

struct Private {
    fd: RawFd,
    /// Whose children need it all the same.
    needed_by: Option<u64>,
}

fn private() -> MutexGuard<'static, Vec<Private>> {
    PRIVATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps descriptors from forked children, until the result is dropped, which has to be before they
/// are closed. Children of the server `needed_by` get them nevertheless.
pub(crate) fn close_on_fork<const N: usize>(
    fds: [&dyn AsRawFd; N],
    needed_by: Option<u64>,
) -> CloseOnFork<N> {
    let fds = fds.map(AsRawFd::as_raw_fd);
    private().extend(fds.map(|fd| Private { fd, needed_by }));
    CloseOnFork(fds)
}

/// See [`close_on_fork`].
#[derive(Debug)]
pub(crate) struct CloseOnFork<const N: usize>([RawFd; N]);

impl<const N: usize> Drop for CloseOnFork<N> {
    fn drop(&mut self) {
        private().retain(|private| !self.0.contains(&private.fd));
    }
}

/// A socket that is bound to nothing and connected to nothing.
fn inert() -> io::Result<BorrowedFd<'static>> {
    static INERT: OnceLock<UnixDatagram> = OnceLock::new();
    if let Some(socket) = INERT.get() {
        return Ok(socket.as_fd());
    }
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(INERT.get_or_init(|| socket).as_fd())
}

/// Puts the inert socket in the place of each private descriptor.
fn replace(private: &[Private], inert: BorrowedFd<'_>, owner: u64) {
    for private in private {
        if private.needed_by != Some(owner) {
            // SAFETY: `private.fd` is open: whoever closes it takes it from the list before. Whoever
            // owns it owns a descriptor of this number after this too, which belongs to a socket that
            // answers every call with an error.
            let mut fd = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(private.fd) });
            #[cfg(any(target_os = "linux", target_os = "android"))]
            let _ = rustix::io::dup3(inert, &mut fd, rustix::io::DupFlags::CLOEXEC);
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            let _ = rustix::io::dup2(inert, &mut fd);
        }
    }
}

// ---- the end of a child ----

/// Has the child exit when it is dropped, by a panic too: what called it belongs to the parent.
pub(crate) struct Exit(());

impl Exit {
    /// In the child: lets go of the parent's other children, without touching the memory that they
    /// are in, which would have to be copied for that.
    pub(crate) fn leave_to_parent<T>(&self, children: Vec<T>, child: impl Fn(&T) -> &Child) {
        for it in &children {
            // SAFETY: it is not dropped here, and nobody else can use or drop it: whoever may have it
            // too is a thread that does not exist in this process, or code that this thread, which
            // leaves by `_exit`, does not come back to.
            unsafe { child(it).close() };
        }
        std::mem::forget(children);
    }

    /// Ends this process, once all is printed.
    pub(crate) fn with(self, code: i32) -> ! {
        let _ = crate::panics::catch_panic(|| io::stdout().flush());
        // SAFETY: it has no preconditions.
        unsafe { libc::_exit(code) }
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        // SAFETY: it has no preconditions.
        unsafe { libc::_exit(1) }
    }
}
