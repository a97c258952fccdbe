//! Threads for what would hold up a worker.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use crate::coroutine::monitor::Monitor;
use crate::coroutine::switch::with_current;
use crate::coroutine::task::Task;
use crate::coroutine::waiter::Waiter;

/// Threads that run what coroutines want run elsewhere. They are started as they are needed, and end
/// when there was nothing to do for a while.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockingPool {
    pool: Arc<Monitor<PoolState>>,
}

#[derive(Default)]
struct PoolState {
    /// One for each coroutine that waits for its result, at most.
    queue: VecDeque<Work>,
    threads: usize,
    idle: usize,
    started: u64,
    closed: bool,
}

type Work = Box<dyn FnOnce() + Send>;

impl BlockingPool {
    /// The most threads; what comes on top of that waits for one.
    const MAX_THREADS: usize = 512;
    const KEEP_ALIVE: Duration = Duration::from_secs(1);

    /// Has a thread run it. Gives it back if none can be had.
    fn submit(&self, work_item: Work) -> Result<(), Work> {
        let number = {
            let mut pool = self.pool.lock();
            pool.queue.push_back(work_item);
            if pool.idle >= pool.queue.len() || pool.threads >= Self::MAX_THREADS {
                self.pool.notify_one();
                return Ok(());
            }
            pool.threads += 1;
            pool.started += 1;
            pool.started
        };
        let blocking_pool = self.clone();
        let thread = thread::Builder::new().name(format!("socketserver-blocking-{number}"));
        if thread.spawn(move || blocking_pool.work()).is_ok() {
            return Ok(());
        }
        let mut pool = self.pool.lock();
        pool.threads -= 1;
        if pool.threads > 0 {
            return Ok(()); // one of them will come to it
        }
        pool.queue.pop_back().map_or(Ok(()), Err)
    }

    fn work(&self) {
        let mut pool = self.pool.lock();
        loop {
            if let Some(work_item) = pool.queue.pop_front() {
                drop(pool);
                work_item();
                pool = self.pool.lock();
                continue;
            }
            if pool.closed {
                break;
            }
            pool.idle += 1;
            let deadline = Instant::now().checked_add(Self::KEEP_ALIVE);
            let nothing = |pool: &PoolState| pool.queue.is_empty() && !pool.closed;
            let (awake, called) = self.pool.wait_while(pool, deadline, nothing);
            pool = awake;
            pool.idle -= 1;
            if !called {
                break;
            }
        }
        pool.threads -= 1;
        drop(pool);
        self.pool.notify_all();
    }

    /// Ends the threads once they have nothing to do, and waits for that, at most `grace_period`.
    pub(crate) fn close(&self, grace_period: Duration) {
        let mut pool = self.pool.lock();
        pool.closed = true;
        self.pool.notify_all();
        let deadline = Instant::now().checked_add(grace_period);
        let working = |pool: &PoolState| pool.threads > 0;
        drop(self.pool.wait_while(pool, deadline, working));
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

/// Runs `work`, which may block or take long, without holding up others: for handlers that run as
/// [`Coroutines`](crate::Coroutines), which share a thread. It is run on another thread, while the
/// handler's own goes on with other requests, and its result returned.
///
/// Under every other strategy, and outside handlers, it is a plain call of `work`: so a handler that uses
/// it runs under all of them. `work` can borrow what the handler has.
///
/// ```
/// use socketserver::prelude::*;
///
/// fn password_is_right(line: &[u8]) -> bool {
///     // Takes 100 ms, on purpose.
/// #   line == b"sesame\n"
/// }
///
/// let accept_fds = handler_fn(|request: &mut TcpRequest| {
///     let line = request.readline(100)?;
///     let right = socketserver::blocking(|| password_is_right(&line));
///     request.send_all(if right { "come in\n" } else { "no\n" })?;
///     Ok(())
/// });
/// let server = CoroutineTcpServer::bind("127.0.0.1:0", accept_fds)?.spawn()?;
/// # let mut client = std::net::TcpStream::connect(server.server_address())?;
/// # client.write_all(b"sesame\n")?;
/// # let mut answer = String::new();
/// # client.read_to_string(&mut answer)?;
/// # assert_eq!(answer, "come in\n");
/// # Ok::<(), BoxError>(())
/// ```
///
/// Each server has up to 512 threads for this, started as they are needed; what comes on top of that
/// waits. If no thread can be had at all, `work` runs where it was called.
///
/// A stop of the server does not interrupt `work`: a handler in it is abandoned after the
/// [grace period](crate::Server::grace_period), as one that computes is.
///
/// Python: `gevent.get_hub().threadpool.apply(work)`; in asyncio `run_in_executor`, `to_thread`.
///
/// # Panics
///
/// As `work` does: a panic in it goes on in the handler.
#[doc(alias = "run_in_executor")]
#[doc(alias = "to_thread")]
#[doc(alias = "threadpool")]
pub fn blocking<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let allowed = with_current(|task| Task::can_wait().then(|| task.blocking_pool()));
    match allowed.flatten().zip(Waiter::here()) {
        Some((blocking_pool, waiter)) => elsewhere(&blocking_pool, waiter, work),
        None => work(),
    }
}

fn elsewhere<T: Send>(
    blocking_pool: &BlockingPool,
    waiter: Waiter,
    work: impl FnOnce() -> T + Send,
) -> T {
    let outcome = Arc::new(Mutex::new(None));
    let there = Arc::clone(&outcome);
    let work_item: Box<dyn FnOnce() + Send + '_> = Box::new(move || {
        // `work` and all that it has borrowed are gone when this is there.
        let done = catch_unwind(AssertUnwindSafe(work));
        *there.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        waiter.call();
    });
    // SAFETY: only the lifetime changes. This function does not return, nor unwind, before the outcome
    // is there, at which point `work` has been consumed; of what is left of the work_item then, nothing
    // borrows: the waiter is owned, and the outcome has been taken out, or is dropped here. (A coroutine
    // that waits is never dropped.)
    let work_item: Work =
        unsafe { mem::transmute::<Box<dyn FnOnce() + Send + '_>, Work>(work_item) };
    if let Err(work_item) = blocking_pool.submit(work_item) {
        work_item();
    }
    loop {
        let done = outcome
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match done {
            Some(Ok(result)) => return result,
            Some(Err(panic)) => resume_unwind(panic),
            None => Waiter::wait(None),
        }
    }
}
