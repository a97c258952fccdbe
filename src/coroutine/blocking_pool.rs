//! Threads for blocking calls of coroutines.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::coroutine::monitor::Monitor;
use crate::coroutine::switch::with_current;
use crate::coroutine::task::Task;
use crate::coroutine::waiter::Waiter;

/// Threads that run the blocking calls of coroutines. A thread starts when a call finds none idle, and
/// ends when it was idle for [`KEEP_ALIVE`](Self::KEEP_ALIVE).
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockingPool {
    state: Arc<Monitor<PoolState>>,
}

#[derive(Default)]
struct PoolState {
    /// At most one call for each coroutine, which waits for the result.
    queue: VecDeque<Work>,
    threads: usize,
    idle: usize,
    /// Number of threads that were ever started, for their names.
    started: u64,
    is_closed: bool,
}

type Work = Box<dyn FnOnce() + Send>;

impl BlockingPool {
    /// Further calls wait until a thread is idle.
    const MAX_THREADS: usize = 512;
    const KEEP_ALIVE: Duration = Duration::from_secs(1);

    /// Queues work for a thread. Returns the work if the pool has no thread and none can be started.
    fn submit(&self, work: Work) -> Result<(), Work> {
        let number = {
            let mut state = self.state.lock();
            state.queue.push_back(work);
            if state.idle >= state.queue.len() || state.threads >= Self::MAX_THREADS {
                self.state.notify_one();
                return Ok(());
            }
            state.threads += 1;
            state.started += 1;
            state.started
        };
        let pool = self.clone();
        let thread = thread::Builder::new().name(format!("socketserver-blocking-{number}"));
        if thread.spawn(move || pool.run_thread()).is_ok() {
            return Ok(());
        }
        let mut state = self.state.lock();
        state.threads -= 1;
        if state.threads > 0 {
            return Ok(()); // A running thread will take the work from the queue.
        }
        state.queue.pop_back().map_or(Ok(()), Err)
    }

    fn run_thread(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(work) = state.queue.pop_front() {
                drop(state);
                work();
                state = self.state.lock();
                continue;
            }
            if state.is_closed {
                break;
            }
            state.idle += 1;
            let deadline = Instant::now().checked_add(Self::KEEP_ALIVE);
            let is_idle = |state: &PoolState| state.queue.is_empty() && !state.is_closed;
            let (locked, in_time) = self.state.wait_while(state, deadline, is_idle);
            state = locked;
            state.idle -= 1;
            if !in_time {
                break;
            }
        }
        state.threads -= 1;
        drop(state);
        self.state.notify_all();
    }

    /// Ends the threads when they have no work left, and waits for this, at most `grace_period`.
    pub(crate) fn close(&self, grace_period: Duration) {
        let mut state = self.state.lock();
        state.is_closed = true;
        self.state.notify_all();
        let deadline = Instant::now().checked_add(grace_period);
        let has_threads = |state: &PoolState| state.threads > 0;
        drop(self.state.wait_while(state, deadline, has_threads));
    }
}

impl fmt::Debug for PoolState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolState")
            .field("threads", &self.threads)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}

/// Runs `work`, which may block or take long, without blocking other requests.
///
/// Handlers that run as [`Coroutines`](crate::Coroutines) share a thread, their worker. There, `work`
/// runs on another thread, and the worker serves other requests until `work` returns. Under every other
/// strategy, and outside of handlers, this is a plain call of `work`. Therefore a handler that uses it
/// runs under every strategy. `work` can borrow from the handler.
///
/// ```
/// use socketserver::prelude::*;
///
/// fn is_password_right(line: &[u8]) -> bool {
///     // Takes 100 ms, because a password hash has to be slow.
/// #   line == b"sesame\n"
/// }
///
/// let login = handler_fn(|request: &mut TcpRequest| {
///     let line = request.readline(100)?;
///     let is_right = socketserver::blocking(|| is_password_right(&line));
///     request.send_all(if is_right { "welcome\n" } else { "wrong password\n" })?;
///     Ok(())
/// });
/// let server = CoroutineTcpServer::bind("127.0.0.1:0", login)?.spawn()?;
/// # let mut client = std::net::TcpStream::connect(server.server_address())?;
/// # client.write_all(b"sesame\n")?;
/// # let mut answer = String::new();
/// # client.read_to_string(&mut answer)?;
/// # assert_eq!(answer, "welcome\n");
/// # Ok::<(), BoxError>(())
/// ```
///
/// Each server has up to 512 threads for these calls. A thread starts when a call finds none idle, and
/// ends when it was idle for one second. Further calls wait for a thread. If the first thread cannot be
/// started, and in a coroutine that panics, `work` runs on the worker.
///
/// A stop of the server does not interrupt `work`. A handler that is still in `work` when the
/// [grace period](crate::Server::grace_period) expires is abandoned, as a handler that computes is.
///
/// Python: `gevent.get_hub().threadpool.apply(work)`; in asyncio `run_in_executor`, `to_thread`.
///
/// # Panics
///
/// If `work` panics, the panic continues in the handler.
#[doc(alias = "run_in_executor")]
#[doc(alias = "to_thread")]
#[doc(alias = "threadpool")]
pub fn blocking<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let pool = with_current(|task| Task::can_wait().then(|| task.blocking_pool()));
    match pool.flatten().zip(Waiter::current()) {
        Some((pool, waiter)) => run_in_pool(&pool, waiter, work),
        None => work(),
    }
}

fn run_in_pool<T: Send>(pool: &BlockingPool, waiter: Waiter, work: impl FnOnce() -> T + Send) -> T {
    let outcome = Arc::new(Mutex::new(None));
    let outcome_there = Arc::clone(&outcome);
    let work: Box<dyn FnOnce() + Send + '_> = Box::new(move || {
        // `work` and its borrows are consumed before the outcome is stored.
        let result = catch_unwind(AssertUnwindSafe(work));
        let mut outcome = outcome_there.lock().unwrap_or_else(PoisonError::into_inner);
        *outcome = Some(result);
        drop(outcome);
        waiter.wake();
    });
    // SAFETY: only the lifetime changes. This function neither returns nor unwinds before the outcome
    // is stored, and then `work` has been consumed. What is left of the closure at that moment borrows
    // nothing: the waiter is owned, and the outcome has been taken out, or is dropped here. (A
    // suspended coroutine is never dropped.)
    let work: Work = unsafe { mem::transmute::<Box<dyn FnOnce() + Send + '_>, Work>(work) };
    if let Err(work) = pool.submit(work) {
        work();
    }
    loop {
        let result = outcome
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match result {
            Some(Ok(value)) => return value,
            Some(Err(panic)) => resume_unwind(panic),
            None => Waiter::wait(None),
        }
    }
}
