//! A server that serves in the background.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::error::Error;
use crate::reentrancy;
use crate::server::Server;
use crate::server::drain_report::DrainReport;
use crate::service::Service;
use crate::state::life_cycle::RunKind;
use crate::strategy::Strategy;
use crate::sys::fork_gate::parked;
use crate::transport::Transport;

/// A server that serves on a thread of its own, from [`Server::spawn`].
///
/// It derefs to the [`Server`], so `server_address()`, `service()`, `handle()` and `stats()` are
/// there. Dropping it stops the accept loop, closes the server and waits for running requests, as
/// [`stop`](Self::stop) does. (If a handler is abandoned that runs in the accept loop, the listening
/// socket stays open, and the port in use, until that handler returns.)
///
/// [`Running`] shortens its type, for example in the fixture of a test. Servers of different types in one
/// collection are [`AnyServer`](crate::AnyServer)s.
///
/// ```
/// use socketserver::prelude::*;
///
/// struct Hello;
///
/// impl RequestHandler<TcpRequest> for Hello {
///     fn handle(&mut self, request: &mut TcpRequest) -> Result {
///         Ok(request.send_all(b"hello\n")?)
///     }
/// }
///
/// struct Fixture {
///     server: Running<ThreadingTcpServer<fn() -> Hello>>,
/// }
///
/// let service: fn() -> Hello = || Hello;
/// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()?;
/// let fixture = Fixture { server };
/// # let _ = fixture.server.server_address();
/// # Ok::<(), BoxError>(())
/// ```
#[must_use = "dropping it stops the server at once: keep it for as long as the server should run"]
pub struct RunningServer<T: Transport, S: Service<T::Request>, M: Strategy> {
    /// `None` once the server was stopped.
    parts: Option<Parts<T, S, M>>,
}

/// The type of a server that runs in the background: `Running<ThreadingTcpServer<MyService>>` is what
/// [`spawn`](Server::spawn) makes of a `ThreadingTcpServer<MyService>`. If the service is shared, the type is
/// `Running<ThreadingTcpServer<Arc<MyService>>>`.
///
/// See the [example](RunningServer).
pub type Running<V> = <V as Spawn>::Running;

/// A server that can be [spawned](Server::spawn): every [`Server`]. For [`Running`]; a program need not name
/// it.
///
/// See the [example](RunningServer).
pub trait Spawn {
    /// The server in the background.
    type Running;
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> Spawn for Server<T, S, M> {
    type Running = RunningServer<T, S, M>;
}

/// The thread of an accept loop.
pub(super) type ServingThread = JoinHandle<Result<(), Error>>;

pub(super) struct Parts<T: Transport, S: Service<T::Request>, M: Strategy> {
    pub(super) server: Arc<Server<T, S, M>>,
    pub(super) thread: ServingThread,
}

/// Starts the thread of an accept loop.
pub(super) fn start_thread(
    serve: impl FnOnce() -> Result<(), Error> + Send + 'static,
) -> Result<ServingThread, Error> {
    let thread = std::thread::Builder::new().name("socketserver".into());
    thread.spawn(serve).map_err(|source| Error::Resources {
        what: "a thread to serve on",
        source,
    })
}

/// Returns the result of an accept loop that has ended.
pub(super) fn join_thread(thread: ServingThread) -> Result<(), Error> {
    parked(|| thread.join()).unwrap_or_else(|_| {
        Err(Error::Accept {
            source: io::Error::other("the accept loop panicked"),
        })
    })
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> RunningServer<T, S, M> {
    pub(super) fn start(server: Server<T, S, M>) -> Result<Self, Error> {
        // Before the thread starts, so that the server can be stopped, and reports that it serves, as soon
        // as this function has returned.
        let serving = server.handle.0.begin_serving(RunKind::Forever)?;
        let server = Arc::new(server);
        let own = Arc::clone(&server);
        let thread = start_thread(move || own.accept_loop().run_until_stop(&serving))?;
        Ok(Self {
            parts: Some(Parts { server, thread }),
        })
    }

    /// Stops the accept loop, closes the server, waits for running requests as
    /// [`Server::server_close`] does, and returns a report. Python: `shutdown()`, `server_close()` and
    /// `join()` of the thread.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()?;
    /// let report = server.stop()?;
    /// assert_eq!((report.running, report.accepted), (0, 0));
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The error of `serve_forever`, if it ended by itself.
    pub fn stop(mut self) -> Result<DrainReport, Error> {
        self.parts
            .take()
            .map_or(Ok(DrainReport::default()), Parts::stop)
    }

    /// Waits until a stop is requested, by a signal, a handler or a [`handle`](Server::handle), and then does
    /// what [`stop`](Self::stop) does. Also returns if `serve_forever` ends by itself. Python: `join()` of the
    /// thread that serves.
    ///
    /// In `main`, it takes the place of [`serve_forever`](Server::serve_forever) if the stop must end in
    /// bounded time although requests run in the accept loop ([`Sequential`](crate::Sequential)).
    /// `serve_forever` is that loop, and cannot return before its handler does. `join` abandons a handler
    /// that neither reads nor writes, and `main` can return.
    ///
    /// ```
    /// use socketserver::prelude::*;
    /// use std::time::Duration;
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     request.server().shutdown();
    ///     std::thread::sleep(Duration::from_secs(3600)); // no timeout and no stop ends this
    ///     Ok(())
    /// });
    /// let server = TcpServer::bind("127.0.0.1:0", service)?
    ///     .grace_period(Duration::from_millis(100))
    ///     .spawn()?;
    /// server.shutdown_on_ctrl_c()?;
    /// # let _client = std::net::TcpStream::connect(server.server_address())?;
    /// let report = server.join()?; // returns 100 ms + 150 ms after the stop
    /// assert_eq!(report.abandoned.len(), 1);
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`stop`](Self::stop).
    pub fn join(self) -> Result<DrainReport, Error> {
        let state = &self.handle.0;
        if !state.in_forked_child() {
            state.life_cycle.wait_until_stopping_or_ended(None);
        }
        self.stop()
    }
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> Parts<T, S, M> {
    fn stop(self) -> Result<DrainReport, Error> {
        let state = Arc::clone(&self.server.handle.0);
        if state.in_forked_child() {
            // A forked child has no such thread, and the server belongs to the parent process.
            std::mem::forget(self);
            return Ok(DrainReport::default());
        }
        state.request_stop();
        let (report, result) = self.close();
        result.map(|()| report)
    }

    /// Waits for the loop, after a stop was requested, and closes the server. Returns the report, and the result of
    /// the loop.
    pub(super) fn close(self) -> (DrainReport, Result<(), Error>) {
        let Self { server, thread } = self;
        let state = Arc::clone(&server.handle.0);
        // A handler in the loop is force-closed after the grace period. If it does not return then, it
        // is abandoned together with the loop and the server. A handler that stops its own server is
        // abandoned at once, because waiting for it would take for ever.
        let is_own_handler = reentrancy::is_busy_for(state.id());
        if is_own_handler || !state.wait_until_stopped(state.loop_join_deadline()) {
            // If the loop ends later, it has to find the server closed.
            state.begin_closing();
            if !is_own_handler {
                // Connections that wait for a place behind the handler have none that could be abandoned.
                server.handshakes.close();
            }
            state.life_cycle.finish_closing(|| state.waker.wake());
            let report = DrainReport::of(&state);
            report.log(&state);
            return (report, Ok(()));
        }
        let result = join_thread(thread);
        // The thread has dropped its reference, so this is the last one.
        let report = Arc::into_inner(server)
            .map(Server::server_close)
            .unwrap_or_default();
        (report, result)
    }
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> Deref for RunningServer<T, S, M> {
    type Target = Server<T, S, M>;

    fn deref(&self) -> &Server<T, S, M> {
        match &self.parts {
            Some(parts) => &parts.server,
            None => {
                unreachable!("only `stop` and `drop` take the parts, and both consume the value")
            }
        }
    }
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> Drop for RunningServer<T, S, M> {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            let _ = parts.stop();
        }
    }
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> fmt::Debug for RunningServer<T, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunningServer").field(&**self).finish()
    }
}
