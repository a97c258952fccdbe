//! The thread of one worker.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::coroutine::{AcceptFds, Mailbox, Worker};
use crate::job::{Job, Rejected};
use crate::strategy::coroutines::worker_set::WorkerSet;
use crate::strategy::workers::Alive;
use crate::sys::fd::AsRawFd;

/// A worker, as its own thread sees it.
pub(super) struct WorkerThread {
    pub(super) worker: Rc<Worker>,
    worker_set: Arc<WorkerSet>,
    /// Index of the accept worker that is compared with this one next.
    next_peer: Cell<usize>,
    /// Whether it only runs requests that other threads have accepted.
    is_aux: bool,
    /// The last field, because the thread counts as alive until the other fields are dropped.
    _alive: Alive,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<WorkerThread>>> = const { RefCell::new(None) };
}

impl WorkerThread {
    /// Difference in connections, plus an eighth of them, up to which a worker keeps a new connection,
    /// because it costs less to serve a connection where it was accepted.
    const MAX_IMBALANCE: usize = 4;
    /// A worker that has not polled for events for this long is sent no further connections.
    const MAX_BUSY: Duration = Duration::from_millis(5);

    /// Makes the current thread a worker.
    pub(super) fn enter(
        worker_set: &Arc<WorkerSet>,
        stack_size: usize,
        is_aux: bool,
    ) -> io::Result<Rc<Self>> {
        let observer = Arc::downgrade(worker_set);
        let on_stall = move |duration| {
            if let Some(worker_set) = observer.upgrade() {
                worker_set.record_stall(duration);
            }
        };
        let worker_thread = Rc::new(Self {
            worker: Worker::new(stack_size, worker_set.blocking_pool.clone(), on_stall)?,
            worker_set: Arc::clone(worker_set),
            next_peer: Cell::new(0),
            is_aux,
            _alive: worker_set.threads.enlist(),
        });
        CURRENT.set(Some(Rc::clone(&worker_thread)));
        Ok(worker_thread)
    }

    /// Makes the current thread, which runs an accept loop, a worker.
    pub(super) fn enter_accept_loop(
        worker_set: &Arc<WorkerSet>,
        stack_size: usize,
    ) -> io::Result<Rc<Self>> {
        let worker_thread = Self::enter(worker_set, stack_size, false)?;
        let mailbox = worker_thread.worker.mailbox();
        worker_set.accept_workers.write().push(mailbox);
        Ok(worker_thread)
    }

    /// Ends the accept loop of the worker, which then runs until it has no coroutine left.
    pub(super) fn leave_accept_loop(&self, accept_fds: AcceptFds<'_>) {
        self.worker.leave_accept_loop(accept_fds);
        let mailbox = self.worker.mailbox();
        self.worker_set
            .accept_workers
            .write()
            .retain(|other| !Arc::ptr_eq(other, &mailbox));
        mailbox.close();
    }

    /// Ends the worker of the current thread.
    pub(super) fn exit() {
        CURRENT.take();
    }

    /// Returns the worker of the current thread, if it belongs to `worker_set`.
    pub(super) fn current(worker_set: &Arc<WorkerSet>) -> Option<Rc<Self>> {
        CURRENT.with_borrow(|current| {
            current
                .as_ref()
                .filter(|current| Arc::ptr_eq(&current.worker_set, worker_set))
                .cloned()
        })
    }

    /// Starts a job as a coroutine, and runs it until it waits.
    pub(super) fn run(&self, job: Job) -> Result<(), Rejected> {
        self.worker_set.set_server(&job);
        let stack = match self.worker.take_stack() {
            Ok(stack) => stack,
            Err(error) => return Err(job.reject(Some(error.into()))),
        };
        let own_fd = job.descriptor().map(|fd| fd.as_raw_fd());
        let notify_capacity = self.is_aux.then(|| self.capacity_notifier());
        self.worker.start(stack, own_fd, move || {
            job.run();
            if let Some(notify_capacity) = notify_capacity {
                notify_capacity();
            }
        });
        Ok(())
    }

    /// Returns a function for the end of a coroutine. It notifies the accept loop that there is
    /// capacity. It does so by a message to the worker, because the coroutine counts until it has ended.
    fn capacity_notifier(&self) -> impl FnOnce() + 'static {
        let (mailbox, worker_set) = (self.worker.mailbox(), Arc::clone(&self.worker_set));
        move || {
            let _ = mailbox.submit(move || worker_set.threads.notify_capacity());
        }
    }

    /// Returns another accept worker that has so many fewer connections than this one that it should get
    /// the next, with a reservation. Each call compares one other worker, in turn, because to compare all
    /// of them would cost more than it saves.
    pub(super) fn less_loaded_worker(&self) -> Option<Arc<Mailbox>> {
        let live = self.worker.live();
        if live <= Self::MAX_IMBALANCE {
            return None;
        }
        let accept_workers = self.worker_set.accept_workers.read();
        if accept_workers.len() < 2 {
            return None;
        }
        let next_peer = self.next_peer.get().wrapping_add(1);
        self.next_peer.set(next_peer);
        let peer = &accept_workers[next_peer % accept_workers.len()];
        let is_less_loaded = live > peer.load() + Self::MAX_IMBALANCE + live / 8;
        let is_responsive = || peer.busy_for().is_none_or(|busy| busy < Self::MAX_BUSY);
        // The load of this worker is a bound for the peer. This worker is below the limit for each
        // worker, and therefore the peer is, too.
        (is_less_loaded && is_responsive() && peer.reserve(live)).then(|| Arc::clone(peer))
    }
}
