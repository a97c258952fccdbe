//! The servers of this process, for stop requests of child processes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::state::ServerState;
#[cfg(unix)]
use crate::sys::child_channel::StopRequest;

/// Locks the list. Held during a fork, so that the list is unlocked in the child process.
pub(crate) fn lock() -> MutexGuard<'static, Vec<Weak<ServerState>>> {
    static SERVERS: Mutex<Vec<Weak<ServerState>>> = Mutex::new(Vec::new());
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Allows child processes to stop this server.
pub(crate) fn register(server: &Arc<ServerState>) {
    let mut servers = lock();
    servers.retain(|server| server.strong_count() > 0);
    servers.push(Arc::downgrade(server));
}

/// Stops the server that a child process names, unless that run has ended. Called in the parent process.
#[cfg(unix)]
pub(crate) fn deliver_stop_request(stop_request: StopRequest) {
    let servers: Vec<_> = lock().iter().filter_map(Weak::upgrade).collect();
    if let Some(server) = servers
        .iter()
        .find(|server| server.stop_request() == stop_request)
    {
        server.request_stop();
    }
}
