//! The children of a forking server: known by number, reaped as they end.

use std::fmt;
use std::io;
use std::iter;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::job::Job;
use crate::panics::catch_panic;
use crate::state::counters::Outcome;
use crate::state::server_state::servers;
use crate::state::{InFlight, ServerState};
use crate::sys::child_channel::ChildChannel;
use crate::sys::child_process::{Child, ChildStatus, TerminationSignal};
use crate::sys::fork::{Exit, Permission, Side, fork};
use crate::sys::fork_gate::parked;
use crate::sys::poll::wait_any_readable;

/// How often to ask for the end of a child that cannot be waited for.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// How a child process of a [`Forking`](crate::Forking) server ended: its exit code, or the signal that
/// killed it. Neither is known if somebody else in this process has waited for it (`waitpid(-1)`), or
/// if SIGCHLD is ignored.
///
/// ```
/// # fn log(exit: &socketserver::ChildExit) {
/// match (exit.code(), exit.signal()) {
///     (Some(0), _) => {} // the handler succeeded
///     (Some(_), _) => eprintln!("a handler failed, and has said so"),
///     _ => eprintln!("{exit}"), // child 4711 was killed by signal 9
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildExit {
    pid: u32,
    ended: ChildStatus,
}

impl ChildExit {
    /// The number that the process had.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its exit code: 0 if the handler succeeded, 1 if it failed, something else only if the handler
    /// called [`std::process::exit`].
    #[doc(alias = "WEXITSTATUS")]
    pub fn code(&self) -> Option<i32> {
        match self.ended {
            ChildStatus::Code(code) => Some(code),
            _ => None,
        }
    }

    /// The number of the signal that killed it.
    #[doc(alias = "WTERMSIG")]
    pub fn signal(&self) -> Option<i32> {
        match self.ended {
            ChildStatus::Signal(signal) => Some(signal),
            _ => None,
        }
    }
}

impl fmt::Display for ChildExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pid = self.pid;
        match self.ended {
            ChildStatus::Code(code) => write!(f, "child {pid} exited with code {code}"),
            ChildStatus::Signal(signal) => write!(f, "child {pid} was killed by signal {signal}"),
            ChildStatus::Unknown => write!(f, "child {pid} ended, it is not known how"),
        }
    }
}

/// The running children of one server.
#[derive(Default)]
pub(super) struct Children {
    running: Mutex<Vec<Running>>,
    /// Whom to ask next.
    next: AtomicUsize,
    on_exit: Option<OnExit>,
    channel: OnceLock<Arc<ChildChannel>>,
    /// They were told to end.
    force_closed: AtomicBool,
}

pub(super) type OnExit = Box<dyn Fn(&ChildExit) + Send + Sync>;

/// A child, and the request that it serves.
struct Running {
    child: Arc<Child>,
    /// `None` while the parent lets go of its copy of it.
    request: Option<InFlight>,
}

/// What became of children without anybody waiting for one.
pub(super) struct ReapSummary {
    /// Whether any has been reaped.
    pub(super) reaped: bool,
    /// Whether any are left.
    pub(super) left: bool,
}

/// Which process this is.
pub(super) enum Forked {
    Parent,
    Child(Job, Exit),
}

impl Children {
    pub(super) fn on_exit(&mut self, on_exit: OnExit) {
        self.on_exit = Some(on_exit);
    }

    /// Their process numbers.
    pub(super) fn ids(&self) -> Vec<u32> {
        let running = self.running.lock();
        running.iter().map(|running| running.child.id()).collect()
    }

    /// Has the list grow now, if it is new, rather than bit by bit.
    pub(super) fn make_room(&self, children: usize) {
        let mut running = self.running.lock();
        if running.capacity() == 0 {
            running.reserve(children);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.running.lock().len()
    }

    /// Forks, to have the job run in the child. If that fails, it comes back.
    ///
    /// The list is locked over the fork, so that the child can empty its copy.
    pub(super) fn fork(
        &self,
        job: Job,
        permission: &Permission,
    ) -> Result<Forked, (Job, io::Error)> {
        let channel = match self.channel() {
            Ok(channel) => channel,
            Err(error) => return Err((job, error)),
        };
        let hold = || (self.running.lock(), servers());
        match fork(permission, job.state().id(), channel, hold) {
            Ok((Side::Parent(child), (running, servers))) => {
                drop(servers);
                self.add(running, child, job);
                Ok(Forked::Parent)
            }
            Ok((Side::Child(exit), (mut running, servers))) => {
                // Neither reaped nor counted out by this process.
                exit.leave_to_parent(mem::take(&mut *running), |running| &running.child);
                drop((running, servers));
                Ok(Forked::Child(job, exit))
            }
            Err(error) => Err((job, error)),
        }
    }

    fn add(&self, mut running: MutexGuard<'_, Vec<Running>>, child: Child, job: Job) {
        let child = Arc::new(child);
        running.push(Running {
            child: Arc::clone(&child),
            request: None,
        });
        drop(running);
        // Not under the lock: it drops what is the user's.
        let request = job.leave_to_child();
        request.set_process(child.id());
        let mut running = self.running.lock();
        if let Some(added) = running.iter_mut().find(|r| Arc::ptr_eq(&r.child, &child)) {
            added.request = Some(request);
        }
    }

    /// What children ask for a stop by.
    fn channel(&self) -> io::Result<&Arc<ChildChannel>> {
        if let Some(channel) = self.channel.get() {
            return Ok(channel);
        }
        let channel = Arc::new(ChildChannel::new()?);
        Ok(self.channel.get_or_init(|| channel))
    }

    /// Readable when a child has asked for something.
    pub(super) fn channel_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.channel.get().map(|channel| (**channel).as_fd())
    }

    /// Does what children have asked for.
    pub(super) fn receive_stop_requests(&self) {
        if let Some(channel) = self.channel.get() {
            iter::from_fn(|| channel.receive()).for_each(ServerState::receive_stop_request);
        }
    }

    /// What can be waited for right now: each child, with the descriptor that tells its end.
    pub(super) fn snapshot(&self) -> Snapshot {
        let running = self.running.lock();
        Snapshot(running.iter().map(|r| Arc::clone(&r.child)).collect())
    }

    /// Collects those of the children that have ended. `readable` is about
    /// [`Snapshot::descriptors`].
    pub(super) fn reap(&self, snapshot: &Snapshot, readable: &[bool]) {
        let mut readable = readable.iter();
        for child in &snapshot.0 {
            let may_have_ended = match child.pidfd() {
                Some(_) => readable.next() == Some(&true),
                None => true,
            };
            if may_have_ended {
                self.reap_one(child);
            }
        }
    }

    /// Collects those who have ended, one after the other, up to the first that has not, without
    /// waiting for anything.
    pub(super) fn reap_exited(&self) -> ReapSummary {
        let mut reaped = false;
        while let Some(child) = self.next_in_turn() {
            if !self.reap_one(&child) {
                return ReapSummary { reaped, left: true };
            }
            reaped = true;
        }
        ReapSummary {
            reaped,
            left: false,
        }
    }

    fn next_in_turn(&self) -> Option<Arc<Child>> {
        let running = self.running.lock();
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let number = next.checked_rem(running.len())?;
        Some(Arc::clone(&running[number].child))
    }

    /// Collects a child if it has ended. Returns whether it is off the list.
    fn reap_one(&self, child: &Arc<Child>) -> bool {
        let (request, ended) = {
            // Under the lock, so that nobody else asks, and takes the answer.
            let mut running = self.running.lock();
            let Some(place) = running.iter().position(|r| Arc::ptr_eq(&r.child, child)) else {
                return true;
            };
            if running[place].request.is_none() {
                return false;
            }
            let Some(ended) = child.try_wait() else {
                return false;
            };
            (running.swap_remove(place).request, ended)
        };
        self.end(child.id(), request, ended);
        true
    }

    fn end(&self, pid: u32, request: Option<InFlight>, ended: ChildStatus) {
        let killed = self.are_signalled() && ended.is_kill();
        let told = killed || ended.is_termination();
        if let Some(mut request) = request {
            match ended {
                ChildStatus::Signal(_) if told => request.force_closed(|| None),
                // The child cannot know that, and takes it for the client's doing.
                _ if request.was_force_closed => request.force_closed(|| None),
                ChildStatus::Code(0) => request.outcome = Outcome::Completed,
                ChildStatus::Code(_) | ChildStatus::Signal(_) => request.outcome = Outcome::Failed,
                ChildStatus::Unknown => request.outcome = Outcome::Dropped,
            }
            // Dropped here, which counts it out.
        }
        if let Some(on_exit) = &self.on_exit {
            let _ = catch_panic(|| on_exit(&ChildExit { pid, ended }));
        }
    }

    /// Waits until all have ended and are reaped, at most `timeout`. Returns whether they have.
    pub(super) fn wait_for_all(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let snapshot = self.snapshot();
            if snapshot.0.is_empty() {
                self.receive_stop_requests();
                return true;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let fds = snapshot.descriptors().chain(self.channel_descriptor());
            match parked(|| wait_any_readable(fds, snapshot.poll_timeout(left))) {
                Ok(readable) => self.reap(&snapshot, &readable),
                // There is no waiting for them at all, for lack of memory say.
                Err(_) => return false,
            }
            // After that: a child may ask for something and end.
            self.receive_stop_requests();
            if left == Some(Duration::ZERO) {
                return self.len() == 0;
            }
        }
    }

    /// Tells all to end.
    pub(super) fn interrupt(&self, order: TerminationSignal) {
        self.force_closed.store(true, Ordering::SeqCst);
        let snapshot = self.snapshot();
        for child in &snapshot.0 {
            child.signal(order);
        }
    }

    pub(super) fn are_signalled(&self) -> bool {
        self.force_closed.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Children {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Children").field(&self.ids()).finish()
    }
}

/// The children that there were at some moment.
#[derive(Default)]
pub(super) struct Snapshot(Vec<Arc<Child>>);

impl Snapshot {
    /// Each becomes readable when its child has ended.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().filter_map(|child| child.pidfd())
    }

    /// How long to wait for these descriptors before looking after the children that have none.
    pub(super) fn poll_timeout(&self, timeout: Option<Duration>) -> Option<Duration> {
        if self.0.iter().all(|child| child.pidfd().is_some()) {
            return timeout;
        }
        Some(timeout.map_or(ASK_AGAIN, |timeout| timeout.min(ASK_AGAIN)))
    }
}
