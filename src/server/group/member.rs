//! A server of a group, without the types of its transport, service and strategy.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::error::Error;
use crate::server::drain_report::DrainReport;
use crate::server::group::report::MemberReport;
use crate::server::running::{Parts, ServingThread, join_thread, start_thread};
use crate::server::{Server, ctrl_c};
use crate::service::Service;
use crate::state::server_state::{ServerGroupState, Serving};
use crate::state::{ServerHandle, ServerState};
use crate::strategy::Strategy;
use crate::sys::stop_signal::StopSignal;
use crate::transport::Transport;

pub(super) struct Member {
    pub(super) name: String,
    pub(super) handle: ServerHandle,
    server: Box<dyn AnyMember>,
    /// The thread that serves, or has served. Locked only for a moment.
    thread: Mutex<Option<ServingThread>>,
    error: Mutex<Option<Arc<Error>>>,
}

trait AnyMember: Send + Sync {
    fn check_can_serve(&self) -> Result<(), Error>;
    fn start(&self, serving: Serving, stop: StopGroupOnDrop) -> Result<ServingThread, Error>;
    fn close(self: Box<Self>, thread: Option<ServingThread>) -> (DrainReport, Result<(), Error>);
}

impl<T: Transport, S: Service<T::Request>, M: Strategy> AnyMember for Arc<Server<T, S, M>> {
    fn check_can_serve(&self) -> Result<(), Error> {
        Server::check_can_serve(self)
    }

    fn start(&self, serving: Serving, stop: StopGroupOnDrop) -> Result<ServingThread, Error> {
        let own = Self::clone(self);
        start_thread(move || {
            let run = serving;
            // Dropped before the run: a run that has ended cannot be stopped any more.
            let _stop = stop;
            own.accept_loop().run_until_stop(&run)
        })
    }

    fn close(self: Box<Self>, thread: Option<ServingThread>) -> (DrainReport, Result<(), Error>) {
        let server = *self;
        match thread {
            Some(thread) => Parts { server, thread }.close(),
            None => {
                let server = Arc::into_inner(server);
                let report = server.map(Server::server_close).unwrap_or_default();
                (report, Ok(()))
            }
        }
    }
}

/// Stops the group when the accept loop of a member has ended, for whichever reason.
pub(super) struct StopGroupOnDrop(pub(super) Arc<ServerGroupState>);

impl Drop for StopGroupOnDrop {
    fn drop(&mut self) {
        if let Some(server) = self.0.servers().next() {
            server.request_stop();
        }
    }
}

impl Member {
    pub(super) fn new<T, S, M>(name: String, server: Server<T, S, M>) -> Self
    where
        T: Transport,
        S: Service<T::Request>,
        M: Strategy,
    {
        Self {
            name,
            handle: server.handle(),
            server: Box::new(Arc::new(server)),
            thread: Mutex::new(None),
            error: Mutex::new(None),
        }
    }

    pub(super) fn state(&self) -> &Arc<ServerState> {
        &self.handle.0
    }

    // ---- serving ----

    /// Checks that the server can begin to serve. Takes the thread of the last run, if that has ended since.
    pub(super) fn check_can_serve(&self) -> Result<(), Error> {
        self.server
            .check_can_serve()
            .map_err(|error| self.named(error))?;
        self.take_result();
        Ok(())
    }

    pub(super) fn start(&self, serving: Serving, stop: StopGroupOnDrop) -> Result<(), Error> {
        let thread = self.server.start(serving, stop);
        *self.thread.lock() = Some(thread.map_err(|error| self.named(error))?);
        *self.error.lock() = None;
        Ok(())
    }

    /// Records the result of the thread, if its run has ended.
    pub(super) fn take_result(&self) {
        if !self.state().wait_until_stopped(Some(Instant::now())) {
            return;
        }
        let thread = self.thread.lock().take();
        if let Some(Err(error)) = thread.map(join_thread) {
            *self.error.lock() = Some(Arc::new(error));
        }
    }

    pub(super) fn error(&self) -> Option<Arc<Error>> {
        self.error.lock().clone()
    }

    /// Adds the name of the server to its error.
    fn named(&self, error: Error) -> Error {
        match error {
            // Errors of the whole group.
            Error::AlreadyServing | Error::Signal { .. } => error,
            error => Error::Member {
                name: self.name.clone(),
                source: Arc::new(error),
            },
        }
    }

    // ---- stopping ----

    pub(super) fn shutdown_on(
        &self,
        signals: impl IntoIterator<Item = StopSignal>,
    ) -> Result<(), Error> {
        ctrl_c::shutdown_on(signals, &self.handle)
    }

    /// Begins the stop, without waiting.
    pub(super) fn begin_closing(&self) {
        if self.thread.lock().is_some() {
            self.state().request_stop();
        } else {
            self.state().begin_closing();
        }
    }

    /// Waits until the server has stopped, and closes it.
    pub(super) fn close(self) -> MemberReport {
        let address = self.state().address.clone();
        let thread = self.thread.into_inner();
        let (report, result) = self.server.close(thread);
        let error = result.err().map(Arc::new).or(self.error.into_inner());
        MemberReport {
            name: self.name,
            address,
            report,
            error,
        }
    }
}
