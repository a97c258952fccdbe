//! Forking in the accept loop, and the close of a forking server.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::Forking;
use crate::job::{Job, Rejected};
use crate::request::ensure_read_buffer;
use crate::state::counters::{Outcome, RejectionReason};
use crate::strategy::children::{Forked, ReapSummary, Snapshot};
use crate::strategy::scheduling::Schedule;
use crate::strategy::{AcceptWait, ChildExit, Ready, Scheduling, Strategy};
use crate::sys::child_process::TerminationSignal;
use crate::sys::fork::Exit;

/// How long no request must arrive before an exit of a child may wake the loop. Until then, exited
/// children are reaped between requests, which saves a pidfd and a wake-up for each.
const QUIET_TIME: Duration = Duration::from_millis(5);
/// Part of the force-close timeout that children have to end after SIGTERM. The rest is for reaping
/// children that are killed after it.
const SIGTERM_SHARE: f64 = 0.7;

impl Forking {
    fn is_full(&self) -> bool {
        self.children.len() >= self.max_children.load(Ordering::Relaxed)
    }

    fn has_capacity(&self, wait: &AcceptWait<'_>) -> bool {
        wait.rejecting || !self.is_full()
    }

    /// Allocates the list of children and the read buffer now, in this order, so that they are next to
    /// each other in memory: each page that is written to between two forks costs page faults. Opens the
    /// descriptors that forks need.
    fn preallocate(&self) {
        let max_children = self.max_children.load(Ordering::Relaxed);
        self.children
            .preallocate(max_children.min(Self::DEFAULT_MAX_CHILDREN));
        ensure_read_buffer();
        self.children.open_descriptors(&self.permission);
    }

    /// Waits until the loop is woken, a stop request of a child arrives, one of `children` exits or, if
    /// there is capacity, a request arrives. Reaps these children and carries out the stop requests.
    fn wait_for_any(
        &self,
        wait: &AcceptWait<'_>,
        children: &Snapshot,
        timeout: Option<Duration>,
    ) -> io::Result<Ready> {
        let channel = self.children.channel_descriptor();
        let fds: Vec<_> = children.pidfds().chain(channel).collect();
        let poll_timeout = children.poll_timeout(timeout);
        let (ready, readable) = wait.for_any(self.has_capacity(wait), &fds, poll_timeout)?;
        self.children.reap(children, &readable);
        if channel.is_some() && readable.last() == Some(&true) {
            self.children.receive_stop_requests();
        }
        Ok(match ready {
            // Only the time for a check on children without a pidfd has come.
            Ready::TimedOut if poll_timeout != timeout => Ready::Woken,
            ready => ready,
        })
    }

    /// Runs the job in the child process and ends that process.
    fn serve(&self, job: Job, exit: Exit) -> ! {
        let prepare = || self.children.run_child_hook();
        exit.with(match job.run_in_child(&prepare) {
            Outcome::Completed => 0,
            Outcome::Disconnected => ChildExit::DISCONNECTED,
            Outcome::Rejected(RejectionReason::Handshake) => ChildExit::FORBIDDEN_HEADER,
            _ => 1,
        })
    }
}

impl Strategy for Forking {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        if self.is_full() {
            // An accept loop has waited for capacity before, except where a strategy wraps this one and
            // does not call its `wait`.
            let reason = "there are `max_children` child processes already";
            return Err(job.reject(Some(reason.into())));
        }
        match self.children.fork(job, &self.permission) {
            Ok(Forked::Parent) => Ok(()),
            Ok(Forked::Child(job, exit)) => self.serve(job, exit),
            Err((job, error)) => Err(job.reject(Some(error.into()))),
        }
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        self.preallocate();
        let mut timeout = wait.timeout;
        let ReapSummary {
            any_reaped,
            any_left,
        } = self.children.reap_exited();
        if wait.likely && self.has_capacity(wait) {
            // Before the next request is accepted, because a child may have requested a stop.
            self.children.receive_stop_requests();
            if any_reaped {
                self.has_unreported_exit.store(true, Ordering::Relaxed);
            }
            return Ok(Ready::Request);
        }
        let any_reaped = self.has_unreported_exit.swap(false, Ordering::Relaxed) || any_reaped;
        if (any_left || any_reaped) && self.has_capacity(wait) {
            let quiet_time = timeout.map_or(QUIET_TIME, |timeout| timeout.min(QUIET_TIME));
            let ready = self.wait_for_any(wait, &Snapshot::default(), Some(quiet_time))?;
            if ready != Ready::TimedOut {
                return Ok(ready);
            }
            timeout = timeout.map(|timeout| timeout - quiet_time);
        }
        if any_reaped {
            // No request follows at once, so the reaped children get an iteration of the loop, in
            // which `service_actions` runs.
            return Ok(Ready::Woken);
        }
        self.wait_for_any(wait, &self.children.snapshot(), timeout)
    }

    fn server_close(&self, _timeout: Duration) {
        if self.children.wait_for_all(Duration::ZERO) {
            return;
        }
        // The remaining children go on, and this thread reaps them. If it cannot be started, they stay
        // zombies until this process ends.
        let children = Arc::clone(&self.children);
        let thread = thread::Builder::new().name("socketserver-children".into());
        let _ = thread.spawn(move || children.wait_for_all(Duration::MAX));
    }

    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::of(self)
    }
}

impl Schedule for Forking {
    fn drain(&self, timeout: Duration) {
        self.children.announce_close();
        if !self.children.is_signalled() {
            self.children.wait_for_all(timeout);
        } else if !self.children.wait_for_all(timeout.mul_f64(SIGTERM_SHARE)) {
            self.children.signal_all(TerminationSignal::Kill);
            self.children
                .wait_for_all(timeout.mul_f64(1.0 - SIGTERM_SHARE));
        }
    }

    fn force_close(&self) {
        self.children.signal_all(TerminationSignal::Terminate);
    }
}
