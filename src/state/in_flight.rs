//! Requests between accept and their end.

use std::borrow::Borrow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::state::connectionless::{ConnectionlessRequest, ListEntry};
use crate::state::counters::Outcome;
use crate::state::limits::Client;
use crate::state::{RequestInfo, ServerState};

/// A request that was accepted and has not ended. It is counted in when this is made and out, by its
/// outcome, when it is dropped.
///
/// It owns its server's state if the request goes to another thread, and borrows it if not.
pub(crate) struct InFlight<C: Borrow<Arc<ServerState>> = Arc<ServerState>> {
    state: C,
    pub(crate) outcome: Outcome,
    /// Whose it is, if that is counted.
    pub(super) client: Option<Client>,
    /// Where it is list_entry, if it is no live connection of this process.
    list_entry: Option<ListEntry>,
    /// Its connection was cut before it was left to another process.
    pub(crate) was_force_closed: bool,
}

impl<C: Borrow<Arc<ServerState>>> InFlight<C> {
    #[inline]
    pub(crate) fn begin(state: C) -> Self {
        state.borrow().counters.count_accepted();
        Self {
            state,
            outcome: Outcome::Dropped,
            client: None,
            list_entry: None,
            was_force_closed: false,
        }
    }

    pub(crate) fn state(&self) -> &Arc<ServerState> {
        self.state.borrow()
    }

    /// Has it list_entry until it ends.
    pub(crate) fn list(&mut self, other: ConnectionlessRequest) {
        self.list_entry = Some(self.state().connectionless.list(other));
    }

    /// It runs in another process.
    pub(crate) fn set_process(&self, process: u32) {
        if let Some(list_entry) = &self.list_entry {
            list_entry.set_process(process);
        }
    }

    /// It has ended, because it was cut off, or told to.
    pub(crate) fn force_closed(&mut self, request: impl FnOnce() -> Option<RequestInfo>) {
        self.outcome = Outcome::ForceClosed;
        self.state().record_force_closed(|| match &self.list_entry {
            Some(list_entry) => list_entry.info(),
            None => request(),
        });
    }
}

impl InFlight<&Arc<ServerState>> {
    /// The same request, for another thread.
    pub(crate) fn into_owned(mut self) -> InFlight {
        let owned = InFlight {
            state: Arc::clone(self.state),
            outcome: self.outcome,
            client: self.client,
            list_entry: self.list_entry.take(),
            was_force_closed: self.was_force_closed,
        };
        // It goes on, so it is not counted out; there is nothing left in it to be dropped.
        std::mem::forget(self);
        owned
    }
}

impl<C: Borrow<Arc<ServerState>>> Drop for InFlight<C> {
    fn drop(&mut self) {
        drop(self.list_entry.take());
        let state = self.state();
        if let Some(client) = self.client {
            state.limits.remove_client(client);
        }
        state.counters.count_ended(self.outcome);
        state.limits.notify_place_free(state);
        if state.draining.load(Ordering::SeqCst) > 0 {
            state.announce_end();
        }
    }
}

/// A connection that is served inside an accept loop.
pub(crate) struct InLoop<'a> {
    pub(super) state: &'a ServerState,
}

impl Drop for InLoop<'_> {
    fn drop(&mut self) {
        self.state.in_loop.fetch_sub(1, Ordering::SeqCst);
    }
}
