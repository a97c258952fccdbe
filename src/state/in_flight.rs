//! Requests between their acceptance and their end.

use std::borrow::Borrow;
use std::sync::Arc;

use crate::state::connectionless::{ConnectionlessRequest, ListEntry};
use crate::state::counters::Outcome;
use crate::state::limits::Client;
use crate::state::{RequestInfo, ServerState};

/// A request that was accepted and has not ended. Creating it counts the request as accepted. Dropping it
/// counts the request as ended, with its `outcome`.
///
/// Owns the server's state if the request goes to another thread, and borrows it otherwise.
pub(crate) struct InFlight<C: Borrow<Arc<ServerState>> = Arc<ServerState>> {
    state: C,
    pub(crate) outcome: Outcome,
    /// The client for which the connection is counted, if it has an IP address.
    client: Option<Client>,
    /// The entry in the list of connectionless requests, if it is one.
    list_entry: Option<ListEntry>,
    /// The connection was force-closed before a child process took over the request.
    pub(crate) was_force_closed: bool,
    /// Whether another value continues this one.
    is_moved: bool,
}

impl<C: Borrow<Arc<ServerState>>> InFlight<C> {
    #[inline]
    pub(crate) fn begin(state: C) -> Self {
        Self::begin_for(state, None)
    }

    /// Begins a request that counts for `client`.
    #[inline]
    pub(crate) fn begin_for(state: C, client: Option<Client>) -> Self {
        state.borrow().counters.count_accepted();
        Self {
            state,
            outcome: Outcome::Dropped,
            client,
            list_entry: None,
            was_force_closed: false,
            is_moved: false,
        }
    }

    /// Converts the request for use on another thread.
    pub(crate) fn into_owned(mut self) -> InFlight {
        self.is_moved = true;
        InFlight {
            state: Arc::clone(self.state()),
            outcome: self.outcome,
            client: self.client,
            list_entry: self.list_entry.take(),
            was_force_closed: self.was_force_closed,
            is_moved: false,
        }
    }

    /// Records the client for which the request was counted.
    pub(crate) fn set_client(&mut self, client: Option<Client>) {
        self.client = client;
    }

    pub(crate) fn state(&self) -> &Arc<ServerState> {
        self.state.borrow()
    }

    /// Lists the request as `request` until it ends.
    pub(crate) fn list(&mut self, request: ConnectionlessRequest) {
        self.list_entry = Some(self.state().connectionless.list(request));
    }

    /// Records the child process that runs the request.
    #[cfg(unix)]
    pub(crate) fn set_process(&self, process: u32) {
        if let Some(list_entry) = &self.list_entry {
            list_entry.set_process(process);
        }
    }

    /// Sets the outcome of a request that ended because the server force-closed its connection or told
    /// its child process to end. `request` describes a request that is not listed.
    pub(crate) fn record_force_closed(&mut self, request: impl FnOnce() -> Option<RequestInfo>) {
        self.outcome = Outcome::ForceClosed;
        self.state().record_force_closed(|| match &self.list_entry {
            Some(list_entry) => list_entry.info(),
            None => request(),
        });
    }
}

impl<C: Borrow<Arc<ServerState>>> Drop for InFlight<C> {
    fn drop(&mut self) {
        if self.is_moved {
            return;
        }
        drop(self.list_entry.take());
        let state = self.state();
        if let Some(client) = self.client {
            state.limits.remove_client(client);
        }
        state.counters.count_ended(self.outcome);
        state.limits.notify_place_free(&state.waker);
        state.notify_group_place_free();
        state.notify_request_ended();
    }
}
