//! The children of a forking server: known by number, collected as they end.

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::job::Job;
use crate::panics::contain;
use crate::server::core::InFlight;
use crate::server::stats::Outcome;
use crate::sys::child::{Child, Ended, Order};
use crate::sys::fork::{Exit, Permission, Side, fork};
use crate::sys::parked::parked;
use crate::sys::plea::Line;
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
    ended: Ended,
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
            Ended::Code(code) => Some(code),
            _ => None,
        }
    }

    /// The number of the signal that killed it.
    #[doc(alias = "WTERMSIG")]
    pub fn signal(&self) -> Option<i32> {
        match self.ended {
            Ended::Signal(signal) => Some(signal),
            _ => None,
        }
    }
}

impl fmt::Display for ChildExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pid = self.pid;
        match self.ended {
            Ended::Code(code) => write!(f, "child {pid} exited with code {code}"),
            Ended::Signal(signal) => write!(f, "child {pid} was killed by signal {signal}"),
            Ended::Unknown => write!(f, "child {pid} ended, it is not known how"),
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
    /// They were told to end.
    interrupted: AtomicBool,
}

pub(super) type OnExit = Box<dyn Fn(&ChildExit) + Send + Sync>;

/// A child, and the request that it serves.
struct Running {
    child: Arc<Child>,
    request: InFlight,
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
        line: &Arc<Line>,
    ) -> Result<Forked, (Job, io::Error)> {
        match fork(permission, job.core().id(), line, || self.running.lock()) {
            Ok((Side::Parent(child), mut running)) => {
                let (child, request) = (Arc::new(child), job.leave_to_child());
                running.push(Running { child, request });
                Ok(Forked::Parent)
            }
            Ok((Side::Child(exit), mut running)) => {
                // Neither collected nor counted out by this process.
                exit.leave_to_parent(mem::take(&mut *running), |running| &running.child);
                Ok(Forked::Child(job, exit))
            }
            Err(error) => Err((job, error)),
        }
    }

    /// What can be waited for right now: each child, with the descriptor that tells its end.
    pub(super) fn snapshot(&self) -> Snapshot {
        let running = self.running.lock();
        Snapshot(running.iter().map(|r| Arc::clone(&r.child)).collect())
    }

    /// Collects those of the children that have ended. `readable` is about
    /// [`Snapshot::descriptors`].
    pub(super) fn collect(&self, snapshot: &Snapshot, readable: &[bool]) {
        let mut readable = readable.iter();
        for child in &snapshot.0 {
            let may_have_ended = match child.pidfd() {
                Some(_) => readable.next() == Some(&true),
                None => true,
            };
            if may_have_ended && let Some(ended) = child.try_wait() {
                self.end(child, ended);
            }
        }
    }

    /// Collects those who have ended, one after the other, up to the first that has not, without
    /// waiting for anything. Returns whether any are left.
    pub(super) fn collect_some(&self) -> bool {
        while let Some(child) = self.next_in_turn() {
            match child.try_wait() {
                Some(ended) => self.end(&child, ended),
                None => return true,
            }
        }
        false
    }

    fn next_in_turn(&self) -> Option<Arc<Child>> {
        let running = self.running.lock();
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let number = next.checked_rem(running.len())?;
        Some(Arc::clone(&running[number].child))
    }

    fn end(&self, child: &Arc<Child>, ended: Ended) {
        let found = {
            let mut running = self.running.lock();
            let place = running.iter().position(|r| Arc::ptr_eq(&r.child, child));
            place.map(|place| running.swap_remove(place))
        };
        let Some(Running { mut request, .. }) = found else {
            return;
        };
        let killed = self.are_interrupted() && ended.is_kill();
        let told = killed || ended.is_termination();
        request.outcome = match ended {
            Ended::Code(0) => Outcome::Completed,
            Ended::Signal(_) if told => Outcome::Interrupted,
            Ended::Code(_) | Ended::Signal(_) => Outcome::Failed,
            Ended::Unknown => Outcome::Dropped,
        };
        drop(request); // counts it out
        if let Some(on_exit) = &self.on_exit {
            let pid = child.id();
            let _ = contain(|| on_exit(&ChildExit { pid, ended }));
        }
    }

    /// Waits until all have ended and are collected, at most `timeout`. Returns whether they have.
    pub(super) fn wait_for_all(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let snapshot = self.snapshot();
            if snapshot.0.is_empty() {
                return true;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let wait = || wait_any_readable(snapshot.descriptors(), snapshot.patience(left));
            match parked(wait) {
                Ok(readable) => self.collect(&snapshot, &readable),
                // There is no waiting for them at all, for lack of memory say.
                Err(_) => return false,
            }
            if left == Some(Duration::ZERO) {
                return self.len() == 0;
            }
        }
    }

    /// Tells all to end. Returns how many there were.
    pub(super) fn interrupt(&self, order: Order) -> usize {
        self.interrupted.store(true, Ordering::SeqCst);
        let snapshot = self.snapshot();
        for child in &snapshot.0 {
            child.tell(order);
        }
        snapshot.0.len()
    }

    pub(super) fn are_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
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
    pub(super) fn patience(&self, timeout: Option<Duration>) -> Option<Duration> {
        if self.0.iter().all(|child| child.pidfd().is_some()) {
            return timeout;
        }
        Some(timeout.map_or(ASK_AGAIN, |timeout| timeout.min(ASK_AGAIN)))
    }
}
