//! What the strategies of this crate arrange with the server beyond the public [`Strategy`] methods.

use std::fmt;
use std::thread;
use std::time::Duration;

use crate::request::RequestKind;
use crate::strategy::AcceptWait;
#[cfg(doc)]
use crate::strategy::Strategy;

/// How a strategy of this crate shares work with the server's accept loops: an opaque value from
/// [`Strategy::scheduling`].
///
/// The default value arranges nothing: one accept loop on the thread that called
/// [`serve_forever`](crate::Server::serve_forever), and every request passed to
/// [`Strategy::process_request`].
///
/// See the [example](Self::wrapped).
#[derive(Clone, Copy, Default)]
pub struct Scheduling<'a> {
    schedule: Option<&'a dyn Schedule>,
    is_wrapped: bool,
}

/// The arrangements of a strategy of this crate. By default, each method arranges nothing.
pub(crate) trait Schedule: Send + Sync {
    /// Returns whether the accept loop runs requests itself instead of passing jobs to
    /// `process_request`, which saves the allocation of a job. `in_worker_loop`: the loop is one of
    /// [`accept_loops`](Self::accept_loops).
    fn runs_inline(&self, in_worker_loop: bool) -> bool {
        let _ = in_worker_loop;
        false
    }

    /// Returns how many accept loops `serve_forever` runs, each on a thread of its own. 0 means one loop
    /// on the calling thread.
    fn accept_loops(&self, kind: RequestKind) -> usize {
        let _ = kind;
        0
    }

    /// Returns the builder for the threads of [`accept_loops`](Self::accept_loops). The server sets
    /// their names.
    fn accept_thread_builder(&self) -> thread::Builder {
        thread::Builder::new()
    }

    /// Returns whether many requests can wait for their clients at the same time. Then connections complete
    /// their handshakes where their requests run, otherwise on a thread for that purpose.
    fn waits_cheaply(&self) -> bool {
        false
    }

    /// Runs on the thread of an accept loop that ends: it will wait for no further request.
    fn on_accept_loop_exit(&self, wait: &AcceptWait<'_>) {
        let _ = wait;
    }

    /// Returns whether threads of [`accept_loops`](Self::accept_loops) still run requests when their
    /// accept loops have ended. `serve_forever` then returns without joining these threads.
    fn keeps_requests_after_loop(&self) -> bool {
        false
    }

    /// Runs on each thread of [`accept_loops`](Self::accept_loops) after its accept loop has ended,
    /// until no request is left on it.
    fn finish_requests(&self) {}

    /// Runs after each accepted request and at least every `poll_interval`.
    fn service_actions(&self) {}

    /// Waits, at most `timeout`, for requests whose end only the strategy can see, such as requests
    /// in child processes. The server itself waits for all others.
    fn drain(&self, timeout: Duration) {
        let _ = timeout;
    }

    /// Ends requests that the server cannot end by shutting down their connections. Called after the
    /// grace period; [`drain`](Self::drain) follows.
    fn force_close(&self) {}
}

struct NoSchedule;

impl Schedule for NoSchedule {}

impl<'a> Scheduling<'a> {
    pub(crate) fn of(schedule: &'a dyn Schedule) -> Self {
        Self {
            schedule: Some(schedule),
            is_wrapped: false,
        }
    }

    /// Returns the arrangements for a strategy that wraps this one. Every request passes through the
    /// wrapper's [`process_request`](Strategy::process_request), even where the wrapped strategy would
    /// run it in the accept loop without creating a [`Job`](crate::Job).
    ///
    /// ```
    /// use socketserver::strategy::Scheduling;
    /// use socketserver::{Job, Rejected, Strategy, ThreadPool, prelude::*};
    /// # use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    ///
    /// struct Counting(ThreadPool, Arc<AtomicU32>);
    /// impl Strategy for Counting {
    ///     fn process_request(&self, job: Job) -> std::result::Result<(), Rejected> {
    ///         self.1.fetch_add(1, Ordering::Relaxed);
    ///         self.0.process_request(job)
    ///     }
    ///     fn scheduling(&self) -> Scheduling<'_> {
    ///         self.0.scheduling().wrapped()
    ///     }
    /// }
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let count = Arc::default();
    /// let strategy = Counting(ThreadPool::new(2), Arc::clone(&count));
    /// let server = TcpServer::bind("127.0.0.1:0", service)?.strategy(strategy).spawn()?;
    /// let client = std::net::TcpStream::connect(server.server_address())?;
    /// assert_eq!(std::io::read_to_string(client)?, "hi");
    /// assert_eq!(count.load(Ordering::Relaxed), 1);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn wrapped(self) -> Self {
        Self {
            is_wrapped: true,
            ..self
        }
    }

    fn schedule(&self) -> &'a dyn Schedule {
        self.schedule.unwrap_or(&NoSchedule)
    }

    pub(crate) fn runs_inline(&self, in_worker_loop: bool) -> bool {
        !self.is_wrapped && self.schedule().runs_inline(in_worker_loop)
    }

    pub(crate) fn accept_loops(&self, kind: RequestKind) -> usize {
        self.schedule().accept_loops(kind)
    }

    pub(crate) fn waits_cheaply(&self) -> bool {
        self.schedule().waits_cheaply()
    }

    pub(crate) fn accept_thread_builder(&self) -> thread::Builder {
        self.schedule().accept_thread_builder()
    }

    pub(crate) fn on_accept_loop_exit(&self, wait: &AcceptWait<'_>) {
        self.schedule().on_accept_loop_exit(wait);
    }

    pub(crate) fn keeps_requests_after_loop(&self) -> bool {
        self.schedule().keeps_requests_after_loop()
    }

    pub(crate) fn finish_requests(&self) {
        self.schedule().finish_requests();
    }

    pub(crate) fn service_actions(&self) {
        self.schedule().service_actions();
    }

    pub(crate) fn drain(&self, timeout: Duration) {
        self.schedule().drain(timeout);
    }

    pub(crate) fn force_close(&self) {
        self.schedule().force_close();
    }
}

impl fmt::Debug for Scheduling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduling")
            .field("is_default", &self.schedule.is_none())
            .field("is_wrapped", &self.is_wrapped)
            .finish()
    }
}
