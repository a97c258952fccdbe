//! The copy of a server in a forked child process.

use std::sync::atomic::Ordering;

use crate::state::ServerState;
use crate::sys::child_channel::{OriginProcess, StopRequest, send_stop_request};

impl ServerState {
    /// Returns whether this is the copy, in a forked child, of a server of its parent.
    ///
    /// A lock in the copy may be held forever, because the child does not have the thread that held it.
    /// Therefore no method locks anything in a copy: a stop is requested from the parent, a wait for the end
    /// of the accept loop returns at once, and closing the server does nothing. Requests in a child are
    /// never counted as ended.
    pub(crate) fn in_forked_child(&self) -> bool {
        !self.origin.is_current()
    }

    /// In a child process: requests, at most once per run, that the parent stop this server.
    pub(super) fn send_stop_request(&self) {
        self.life_cycle.mark_stopped();
        let stop_request = self.stop_request();
        let mark = (OriginProcess::here().generation() << 32) + stop_request.run + 1;
        if self.last_stop_request.swap(mark, Ordering::SeqCst) != mark {
            send_stop_request(stop_request);
        }
    }

    /// A request of a child process to end the present run of this server, or the next one between runs.
    pub(in crate::state) fn stop_request(&self) -> StopRequest {
        StopRequest {
            server: self.id,
            run: self.life_cycle.ended_runs(),
        }
    }
}
