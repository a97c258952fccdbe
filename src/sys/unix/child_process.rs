//! Child processes of this process.

use std::io;
use std::ptr;
use std::sync::OnceLock;

use nix::libc;
use nix::sys::signal::Signal as SignalNumber;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

use crate::sys::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use crate::sys::unix::signal::action;

/// Child process that has not been reaped.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    /// Opened when it is first needed, because many children exit before a wait for them begins. The
    /// inner `None` means unavailable: before Linux 5.3, on other systems, or without a free
    /// descriptor.
    pidfd: OnceLock<Option<OwnedFd>>,
}

/// Exit status of a child process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChildStatus {
    Code(i32),
    Signal(i32),
    /// Other code in this process has reaped the child, or has ignored SIGCHLD since the fork.
    Unknown,
}

impl ChildStatus {
    /// Returns whether SIGKILL ended the child.
    pub(crate) fn is_kill(self) -> bool {
        self == Self::Signal(Signal::KILL.as_raw())
    }

    /// Returns whether a termination signal ended the child: SIGINT (Ctrl-C), SIGTERM or SIGHUP.
    pub(crate) fn is_termination(self) -> bool {
        let Self::Signal(signal) = self else {
            return false;
        };
        [Signal::INT, Signal::TERM, Signal::HUP]
            .map(Signal::as_raw)
            .contains(&signal)
    }
}

/// Signal that ends a child process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TerminationSignal {
    /// SIGTERM, which the child may handle.
    Terminate,
    /// SIGKILL, which ends the child immediately.
    Kill,
}

impl Child {
    pub(super) fn new(pid: Pid) -> Self {
        let pidfd = OnceLock::new();
        Self { pid, pidfd }
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// Returns a descriptor that is readable once the child has exited. Without it, only
    /// [`try_wait`](Self::try_wait) detects the exit.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd
            .get_or_init(|| open_pidfd(self.pid))
            .as_ref()
            .map(AsFd::as_fd)
    }

    /// Closes the pidfd, if it is open.
    ///
    /// # Safety
    ///
    /// The caller must neither use nor drop the child after this call.
    pub(super) unsafe fn close(&self) {
        if let Some(Some(pidfd)) = self.pidfd.get() {
            // SAFETY: the descriptor is open. No code closes it again, as the caller promises.
            unsafe { rustix::io::close(pidfd.as_raw_fd()) };
        }
    }

    /// Reaps the child if it has exited. Must not be called again after it has returned a status.
    pub(crate) fn try_wait(&self) -> Option<ChildStatus> {
        loop {
            match self.wait_no_hang() {
                Ok(status) => return status,
                Err(Errno::INTR) => {}
                // The process is no longer a child of this process.
                Err(Errno::CHILD) => return Some(ChildStatus::Unknown),
                // The child may still be running; a later call asks again.
                Err(_) => return None,
            }
        }
    }

    #[cfg(all(linux_api, target_os = "linux"))]
    fn wait_no_hang(&self) -> Result<Option<ChildStatus>, Errno> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};

        let Some(Some(pidfd)) = self.pidfd.get() else {
            return self.wait_by_pid();
        };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        match waitid(WaitId::PidFd(pidfd.as_fd()), options) {
            // Linux 5.3 has pidfds, but cannot wait for them.
            Err(Errno::INVAL) => self.wait_by_pid(),
            Err(error) => Err(error),
            Ok(None) => Ok(None),
            Ok(Some(status)) => Ok(Some(child_status(
                status.exit_status(),
                status.terminating_signal(),
            ))),
        }
    }

    #[cfg(not(all(linux_api, target_os = "linux")))]
    fn wait_no_hang(&self) -> Result<Option<ChildStatus>, Errno> {
        self.wait_by_pid()
    }

    fn wait_by_pid(&self) -> Result<Option<ChildStatus>, Errno> {
        let waited = rustix::process::waitpid(Some(self.pid), WaitOptions::NOHANG)?;
        Ok(waited
            .map(|(_, status)| child_status(status.exit_status(), status.terminating_signal())))
    }

    /// Sends a signal to the child. Ignores errors, because the child may have exited.
    pub(crate) fn signal(&self, signal: TerminationSignal) {
        let signal = match signal {
            TerminationSignal::Terminate => Signal::TERM,
            TerminationSignal::Kill => Signal::KILL,
        };
        let _ = self.send(signal);
    }

    fn send(&self, signal: Signal) -> Result<(), Errno> {
        #[cfg(all(linux_api, target_os = "linux"))]
        if let Some(pidfd) = self.pidfd() {
            match rustix::process::pidfd_send_signal(pidfd, signal) {
                // The call is unavailable or forbidden: uses the process id below.
                Err(error) if error != Errno::SRCH => {}
                result => return result,
            }
        }
        if is_child(self.pid) {
            rustix::process::kill_process(self.pid, signal)?;
        }
        Ok(())
    }
}

/// Makes the system keep the exit status of children until they are reaped. It does not while SIGCHLD is
/// ignored, which a program inherits from the program that has started it, or has the flag `SA_NOCLDWAIT`.
pub(super) fn keep_exit_statuses() -> io::Result<()> {
    let mut action = action(SignalNumber::SIGCHLD)?;
    let is_ignored = action.sa_sigaction == libc::SIG_IGN;
    if !is_ignored && action.sa_flags & libc::SA_NOCLDWAIT == 0 {
        return Ok(());
    }
    if is_ignored {
        action.sa_sigaction = libc::SIG_DFL;
    }
    action.sa_flags &= !libc::SA_NOCLDWAIT;
    // SAFETY: the action was read from the system. A handler in it is one that the program has installed.
    match unsafe { libc::sigaction(libc::SIGCHLD, &action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns whether `pid` is a child that has not been reaped. After reaping, the system may reuse the
/// process id for any process.
fn is_child(pid: Pid) -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    let without_reaping = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(pid), without_reaping), Err(Errno::CHILD))
}

fn child_status(code: Option<i32>, signal: Option<i32>) -> ChildStatus {
    match (code, signal) {
        (Some(code), _) => ChildStatus::Code(code),
        (None, Some(signal)) => ChildStatus::Signal(signal),
        (None, None) => ChildStatus::Unknown,
    }
}

#[cfg(all(linux_api, target_os = "linux"))]
fn open_pidfd(pid: Pid) -> Option<OwnedFd> {
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()?;
    // Leaves the last free descriptor for the next client, because a child can be reaped by its process
    // id, too.
    drop(rustix::io::fcntl_dupfd_cloexec(&pidfd, 0).ok()?);
    // Checks that the process id was not reused before the pidfd existed. From now on the pidfd refers
    // to the same process.
    is_child(pid).then_some(pidfd)
}

#[cfg(not(all(linux_api, target_os = "linux")))]
fn open_pidfd(_pid: Pid) -> Option<OwnedFd> {
    None
}
