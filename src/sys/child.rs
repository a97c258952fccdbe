//! Processes that this one has forked.

use std::io;
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
pub(crate) enum Ended {
    Code(i32),
    Signal(i32),
    /// Somebody else in this process has waited for it.
    Unknown,
}

impl Ended {
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
pub(crate) enum Order {
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
        // The number is that of the child for as long as nobody has waited for it.
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
    pub(crate) fn try_wait(&self) -> Option<Ended> {
        loop {
            match self.wait_no_hang() {
                Ok(ended) => return ended,
                Err(Errno::INTR) => {}
                // ECHILD: it is no child of this process any more.
                Err(_) => return Some(Ended::Unknown),
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn wait_no_hang(&self) -> Result<Option<Ended>, Errno> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};

        let Some(Some(pidfd)) = self.pidfd.get() else {
            return self.wait_by_number();
        };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::PidFd(pidfd.as_fd()), options)?;
        Ok(status.map(|status| ended(status.exit_status(), status.terminating_signal())))
    }

    #[cfg(not(target_os = "linux"))]
    fn wait_no_hang(&self) -> Result<Option<Ended>, Errno> {
        self.wait_by_number()
    }

    fn wait_by_number(&self) -> Result<Option<Ended>, Errno> {
        let waited = rustix::process::waitpid(Some(self.pid), WaitOptions::NOHANG)?;
        Ok(waited.map(|(_, status)| ended(status.exit_status(), status.terminating_signal())))
    }

    /// Sends it a signal. That it has ended meanwhile is no error.
    pub(crate) fn tell(&self, order: Order) {
        let signal = match order {
            Order::Terminate => Signal::TERM,
            Order::Kill => Signal::KILL,
        };
        let _ = self.send(signal);
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = self.pidfd() {
            return Ok(rustix::process::pidfd_send_signal(pidfd, signal)?);
        }
        Ok(rustix::process::kill_process(self.pid, signal)?)
    }
}

fn ended(code: Option<i32>, signal: Option<i32>) -> Ended {
    match (code, signal) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Signal(signal),
        (None, None) => Ended::Unknown,
    }
}

#[cfg(target_os = "linux")]
fn pidfd(pid: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn pidfd(_pid: Pid) -> Option<OwnedFd> {
    None
}
