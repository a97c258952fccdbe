//! The running child processes of a forking server.
//!
//! The parent closes its copy of a connection and never shuts it down, because a shutdown would end the
//! connection for the child too. While requests arrive, children are reaped in passing: pidfds are opened,
//! and wake the accept loop, only after 5 ms without a request.

use std::fmt;
use std::io;
use std::iter;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::handshake_error::HandshakeErrorKind;
use crate::job::Job;
use crate::panics::catch_panic;
use crate::state::counters::{Outcome, RejectionReason};
use crate::state::{InFlight, servers};
use crate::strategy::ChildExit;
use crate::sys::child_channel::ChildChannel;
use crate::sys::child_process::{Child, ChildStatus, TerminationSignal};
use crate::sys::fd::{AsFd, BorrowedFd};
use crate::sys::fork::{Exit, Permission, Side, fork, prepare_fork};
use crate::sys::fork_gate::parked;
use crate::sys::poll::wait_any_readable;

/// Interval of the checks on children without a pidfd, for whose exit no descriptor becomes readable.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

pub(super) type ExitHook = Box<dyn Fn(&ChildExit) + Send + Sync>;
pub(super) type ChildHook = Box<dyn Fn() + Send + Sync>;

/// The running children of one server.
#[derive(Default)]
pub(super) struct Children {
    running: Mutex<Vec<RunningChild>>,
    /// Index, modulo the number of children, of the child that [`reap_exited`](Self::reap_exited)
    /// checks next.
    next_index: AtomicUsize,
    exit_hook: Option<ExitHook>,
    /// Runs in each child before its request.
    child_hook: Option<ChildHook>,
    /// Carries the stop requests of children.
    channel: OnceLock<Arc<ChildChannel>>,
    /// The server has sent signals to the children.
    signalled: AtomicBool,
}

/// A child and the request that it serves.
struct RunningChild {
    process: Arc<Child>,
    /// `None` while the parent drops its copy of the request: the child cannot be reaped yet.
    request: Option<InFlight>,
}

/// The result of [`Children::reap_exited`].
pub(super) struct ReapSummary {
    /// At least one child was reaped.
    pub(super) any_reaped: bool,
    /// At least one child is still running.
    pub(super) any_left: bool,
}

/// The process in which [`Children::fork`] has returned.
pub(super) enum Forked {
    Parent,
    Child(Job, Exit),
}

impl Children {
    pub(super) fn set_exit_hook(&mut self, hook: ExitHook) {
        self.exit_hook = Some(hook);
    }

    pub(super) fn set_child_hook(&mut self, hook: ChildHook) {
        self.child_hook = Some(hook);
    }

    /// In a child: runs the hook for children.
    pub(super) fn run_child_hook(&self) {
        if let Some(hook) = &self.child_hook {
            hook();
        }
    }

    /// Returns the process IDs.
    pub(super) fn pids(&self) -> Vec<u32> {
        let running = self.running.lock();
        running.iter().map(|child| child.process.id()).collect()
    }

    /// Allocates the list for so many children, unless it has memory already.
    pub(super) fn preallocate(&self, children: usize) {
        let mut running = self.running.lock();
        if running.capacity() == 0 {
            running.reserve(children);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.running.lock().len()
    }

    /// Opens the descriptors that forks need, because the connection of the first fork may take the last one. On
    /// failure, the fork tries again and reports the error.
    pub(super) fn open_descriptors(&self, permission: &Permission) {
        if self.channel.get().is_none() && self.channel().is_ok() {
            prepare_fork(permission);
        }
    }

    // ---- forking ----

    /// Forks a child that is to run the job. Returns the job if that fails.
    ///
    /// The list is locked during the fork, so that the child can empty its copy.
    pub(super) fn fork(
        &self,
        job: Job,
        permission: &Permission,
    ) -> Result<Forked, (Job, io::Error)> {
        let channel = match self.channel() {
            Ok(channel) => channel,
            Err(error) => return Err((job, error)),
        };
        let hold = || (self.running.lock(), servers::lock());
        match fork(permission, job.state().id(), channel, hold) {
            Ok((Side::Parent(process), (running, servers))) => {
                drop(servers);
                self.add(running, process, job);
                Ok(Forked::Parent)
            }
            Ok((Side::Child(exit), (mut running, servers))) => {
                // The other children belong to the parent, which reaps and counts them.
                exit.leave_to_parent(mem::take(&mut *running), |child| &child.process);
                drop((running, servers));
                Ok(Forked::Child(job, exit))
            }
            Err(error) => Err((job, error)),
        }
    }

    fn add(&self, mut running: MutexGuard<'_, Vec<RunningChild>>, process: Child, job: Job) {
        let process = Arc::new(process);
        running.push(RunningChild {
            process: Arc::clone(&process),
            request: None,
        });
        drop(running);
        // Without the lock, because this drops values of the user's types.
        let request = job.leave_to_child();
        request.set_process(process.id());
        let mut running = self.running.lock();
        if let Some(index) = index_of(&running, &process) {
            running[index].request = Some(request);
        }
    }

    // ---- stop requests of children ----

    fn channel(&self) -> io::Result<&Arc<ChildChannel>> {
        if let Some(channel) = self.channel.get() {
            return Ok(channel);
        }
        let channel = Arc::new(ChildChannel::new()?);
        Ok(self.channel.get_or_init(|| channel))
    }

    /// Returns a descriptor that is readable while stop requests are pending. `None` if it could not be opened.
    pub(super) fn channel_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.channel.get().map(|channel| (**channel).as_fd())
    }

    /// Carries out the pending stop requests. Never waits.
    pub(super) fn receive_stop_requests(&self) {
        if let Some(channel) = self.channel.get() {
            iter::from_fn(|| channel.receive()).for_each(servers::deliver_stop_request);
        }
    }

    /// Tells the children that the server is closed.
    pub(super) fn announce_close(&self) {
        if let Some(channel) = self.channel.get() {
            channel.announce_close();
        }
    }

    // ---- reaping ----

    /// Returns the children that are running now.
    pub(super) fn snapshot(&self) -> Snapshot {
        let running = self.running.lock();
        Snapshot(running.iter().map(|r| Arc::clone(&r.process)).collect())
    }

    /// Reaps the children of the snapshot that have exited. `readable` belongs to
    /// [`Snapshot::pidfds`].
    pub(super) fn reap(&self, snapshot: &Snapshot, readable: &[bool]) {
        let mut readable = readable.iter();
        for process in &snapshot.0 {
            let may_have_exited = match process.pidfd() {
                Some(_) => readable.next() == Some(&true),
                None => true,
            };
            if may_have_exited {
                self.try_reap(process);
            }
        }
    }

    /// Reaps children that have exited, in turn, up to the first that is still running. Never waits.
    pub(super) fn reap_exited(&self) -> ReapSummary {
        let mut any_reaped = false;
        while let Some(process) = self.next_in_turn() {
            if !self.try_reap(&process) {
                return ReapSummary {
                    any_reaped,
                    any_left: true,
                };
            }
            any_reaped = true;
        }
        ReapSummary {
            any_reaped,
            any_left: false,
        }
    }

    fn next_in_turn(&self) -> Option<Arc<Child>> {
        let running = self.running.lock();
        let next_index = self.next_index.fetch_add(1, Ordering::Relaxed);
        let index = next_index.checked_rem(running.len())?;
        Some(Arc::clone(&running[index].process))
    }

    /// Reaps a child if it has exited. Returns whether it is not, or no longer, in the list.
    fn try_reap(&self, process: &Arc<Child>) -> bool {
        let (request, status) = {
            // The lock covers `try_wait`, because only one call of it returns the status.
            let mut running = self.running.lock();
            let Some(index) = index_of(&running, process) else {
                return true;
            };
            if running[index].request.is_none() {
                return false;
            }
            let Some(status) = process.try_wait() else {
                return false;
            };
            (running.swap_remove(index).request, status)
        };
        if let Some(request) = request {
            self.count_out(request, status);
        }
        if let Some(hook) = &self.exit_hook {
            let _ = catch_panic(|| hook(&ChildExit::new(process.id(), status)));
        }
        true
    }

    /// Counts the request of a child that has exited, by its outcome.
    fn count_out(&self, mut request: InFlight, status: ChildStatus) {
        let killed_by_server = self.is_signalled() && status.is_kill();
        match status {
            _ if killed_by_server || status.is_termination() => {
                request.record_force_closed(|| None)
            }
            // The child does not know that its connection was force-closed before the fork: to its
            // handler, the client seems to have left.
            _ if request.was_force_closed => request.record_force_closed(|| None),
            ChildStatus::Code(0) => request.outcome = Outcome::Completed,
            ChildStatus::Code(ChildExit::DISCONNECTED) => request.outcome = Outcome::Disconnected,
            ChildStatus::Code(ChildExit::FORBIDDEN_HEADER) => {
                let kind = HandshakeErrorKind::ProxyHeader;
                request.state().counters.count_handshake_error(kind);
                request.outcome = Outcome::Rejected(RejectionReason::Handshake);
            }
            ChildStatus::Code(_) | ChildStatus::Signal(_) => request.outcome = Outcome::Failed,
            ChildStatus::Unknown => request.outcome = Outcome::Dropped,
        }
        // Dropping the request counts it.
    }

    /// Waits, at most `timeout`, until all children have exited and are reaped. Returns whether that
    /// is so.
    pub(super) fn wait_for_all(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let snapshot = self.snapshot();
            if snapshot.0.is_empty() {
                self.receive_stop_requests();
                return true;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let fds = snapshot.pidfds().chain(self.channel_descriptor());
            match parked(|| wait_any_readable(fds, snapshot.poll_timeout(left))) {
                Ok(readable) => self.reap(&snapshot, &readable),
                // Waiting is impossible, for lack of memory, for example.
                Err(_) => return false,
            }
            // After reaping, because a child may send a stop request and exit.
            self.receive_stop_requests();
            if left == Some(Duration::ZERO) {
                return self.len() == 0;
            }
        }
    }

    // ---- closing ----

    /// Sends a signal to all children.
    pub(super) fn signal_all(&self, signal: TerminationSignal) {
        self.signalled.store(true, Ordering::SeqCst);
        for process in &self.snapshot().0 {
            process.signal(signal);
        }
    }

    /// Returns whether [`signal_all`](Self::signal_all) was called.
    pub(super) fn is_signalled(&self) -> bool {
        self.signalled.load(Ordering::SeqCst)
    }
}

fn index_of(running: &[RunningChild], process: &Arc<Child>) -> Option<usize> {
    running
        .iter()
        .position(|child| Arc::ptr_eq(&child.process, process))
}

impl fmt::Debug for Children {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Children").field(&self.pids()).finish()
    }
}

/// The children that were running at one moment.
#[derive(Default)]
pub(super) struct Snapshot(Vec<Arc<Child>>);

impl Snapshot {
    /// Returns the pidfds: each becomes readable when its child exits. A child may have none.
    pub(super) fn pidfds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().filter_map(|process| process.pidfd())
    }

    /// Shortens the timeout of a wait for the pidfds if there are children without one, so that these
    /// are checked at intervals.
    pub(super) fn poll_timeout(&self, timeout: Option<Duration>) -> Option<Duration> {
        if self.0.iter().all(|process| process.pidfd().is_some()) {
            return timeout;
        }
        Some(timeout.map_or(CHECK_INTERVAL, |timeout| timeout.min(CHECK_INTERVAL)))
    }
}
