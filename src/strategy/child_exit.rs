//! The end of a child process.

use std::fmt;

use crate::sys::child_process::ChildStatus;

/// How a child process of a [`Forking`](crate::Forking) server ended: with an exit code, or by a
/// signal; passed to [`Forking::on_child_exit`](crate::Forking::on_child_exit).
///
/// Neither is known if other code of the program has waited for the process (`waitpid(-1)`), or has
/// ignored SIGCHLD since the fork.
///
/// ```
/// # fn log(exit: &socketserver::ChildExit) {
/// match (exit.code(), exit.signal()) {
///     (Some(0 | 141), _) => {} // the handler succeeded, or its client was gone
///     (Some(_), _) => eprintln!("a handler failed and has reported its error"),
///     _ => eprintln!("{exit}"), // child 4711 was killed by signal 9
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildExit {
    pid: u32,
    status: ChildStatus,
}

impl ChildExit {
    /// Exit code of a child whose client was gone.
    pub(super) const DISCONNECTED: i32 = 141;
    /// Exit code of a child whose connection began with a header of a proxy that is not trusted.
    pub(super) const FORBIDDEN_HEADER: i32 = 142;

    pub(super) fn new(pid: u32, status: ChildStatus) -> Self {
        Self { pid, status }
    }

    /// Returns the process ID that the child had.
    ///
    /// See the [example](crate::Forking::on_child_exit).
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the exit code, or `None` if a signal killed the child or its status is unknown.
    ///
    /// It is 0 if the handler succeeded, 1 if it failed, and 141 if its client was gone
    /// ([`Stats::disconnected`](crate::Stats::disconnected)): the code that shells show for a program that
    /// ended by SIGPIPE; 142 if the connection began with the header of a proxy that is not trusted. Other codes come from a handler that called [`std::process::exit`].
    ///
    /// See the [example](Self).
    #[doc(alias = "WEXITSTATUS")]
    pub fn code(&self) -> Option<i32> {
        match self.status {
            ChildStatus::Code(code) => Some(code),
            _ => None,
        }
    }

    /// Returns the number of the signal that killed the child, or `None` if it exited or its status is
    /// unknown.
    ///
    /// See the [example](Self).
    #[doc(alias = "WTERMSIG")]
    pub fn signal(&self) -> Option<i32> {
        match self.status {
            ChildStatus::Signal(signal) => Some(signal),
            _ => None,
        }
    }
}

impl fmt::Display for ChildExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pid = self.pid;
        match self.status {
            ChildStatus::Code(code) => write!(f, "child {pid} exited with code {code}"),
            ChildStatus::Signal(signal) => write!(f, "child {pid} was killed by signal {signal}"),
            ChildStatus::Unknown => write!(f, "child {pid} ended with an unknown status"),
        }
    }
}
