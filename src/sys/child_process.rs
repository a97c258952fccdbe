//! Processes that this one has forked.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

/// A forked process that nobody has waited for yet.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    /// Got when it is first needed: many children end before anybody has to wait for them. `None`
    /// inside where it is not to be had: before Linux 5.3, on other systems, for lack of descriptors.
    pidfd: OnceLock<Option<OwnedFd>>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChildStatus {
    Code(i32),
    Signal(i32),
    /// Somebody else in this process has waited for it.
    Unknown,
}

impl ChildStatus {
    /// Whether it was SIGKILL.
    pub(crate) fn is_kill(self) -> bool {
        self == Self::Signal(Signal::KILL.as_raw())
    }

    /// Whether it was a signal that asks a process to end, as Ctrl-C does.
    pub(crate) fn is_termination(self) -> bool {
        let Self::Signal(signal) = self else {
            return false;
        };
        [Signal::INT, Signal::TERM, Signal::HUP]
            .map(Signal::as_raw)
            .contains(&signal)
    }
}

/// What a process can be told by a signal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TerminationSignal {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
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

    /// Readable once the process has ended; without it, the only way to know is to ask.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd
            .get_or_init(|| pidfd(self.pid))
            .as_ref()
            .map(AsFd::as_fd)
    }

    /// Closes the descriptor.
    ///
    /// # Safety
    ///
    /// The child must not be used after this, nor dropped.
    pub(super) unsafe fn close(&self) {
        if let Some(Some(pidfd)) = self.pidfd.get() {
            // SAFETY: it is open, and as the caller promises, nobody closes it again.
            unsafe { rustix::io::close(pidfd.as_raw_fd()) };
        }
    }

    /// Collects it, if it has ended. Not to be called again then.
    pub(crate) fn try_wait(&self) -> Option<ChildStatus> {
        loop {
            match self.wait_no_hang() {
                Ok(ended) => return ended,
                Err(Errno::INTR) => {}
                // It is no child of this process any more.
                Err(Errno::CHILD) => return Some(ChildStatus::Unknown),
                // Nothing that says so; it can be asked again.
                Err(_) => return None,
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn wait_no_hang(&self) -> Result<Option<ChildStatus>, Errno> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};

        let Some(Some(pidfd)) = self.pidfd.get() else {
            return self.wait_by_number();
        };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        match waitid(WaitId::PidFd(pidfd.as_fd()), options) {
            // Linux 5.3 has the descriptor, and cannot wait by it.
            Err(Errno::INVAL) => self.wait_by_number(),
            Err(error) => Err(error),
            Ok(None) => Ok(None),
            Ok(Some(status)) => Ok(Some(ended(
                status.exit_status(),
                status.terminating_signal(),
            ))),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn wait_no_hang(&self) -> Result<Option<ChildStatus>, Errno> {
        self.wait_by_number()
    }

    fn wait_by_number(&self) -> Result<Option<ChildStatus>, Errno> {
        let waited = rustix::process::waitpid(Some(self.pid), WaitOptions::NOHANG)?;
        Ok(waited.map(|(_, status)| ended(status.exit_status(), status.terminating_signal())))
    }

    /// Sends it a signal. That it has ended meanwhile is no error.
    pub(crate) fn signal(&self, order: TerminationSignal) {
        let signal = match order {
            TerminationSignal::Terminate => Signal::TERM,
            TerminationSignal::Kill => Signal::KILL,
        };
        let _ = self.send(signal);
    }

    fn send(&self, signal: Signal) -> Result<(), Errno> {
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = self.pidfd() {
            match rustix::process::pidfd_send_signal(pidfd, signal) {
                // Not to be had, or not allowed: by its number, then.
                Err(error) if error != Errno::SRCH => {}
                sent => return sent,
            }
        }
        if is_child(self.pid) {
            rustix::process::kill_process(self.pid, signal)?;
        }
        Ok(())
    }
}

/// Whether a number is that of a child that nobody has waited for. If somebody has, it can be that of
/// any process by now.
fn is_child(pid: Pid) -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(pid), look), Err(Errno::CHILD))
}

fn ended(code: Option<i32>, signal: Option<i32>) -> ChildStatus {
    match (code, signal) {
        (Some(code), _) => ChildStatus::Code(code),
        (None, Some(signal)) => ChildStatus::Signal(signal),
        (None, None) => ChildStatus::Unknown,
    }
}

#[cfg(target_os = "linux")]
fn pidfd(pid: Pid) -> Option<OwnedFd> {
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()?;
    // The last one there is belongs to the next client: children can be asked by their numbers.
    drop(rustix::io::fcntl_dupfd_cloexec(&pidfd, 0).ok()?);
    // The number may have been given to somebody else before; from now on it cannot.
    is_child(pid).then_some(pidfd)
}

#[cfg(not(target_os = "linux"))]
fn pidfd(_pid: Pid) -> Option<OwnedFd> {
    None
}
