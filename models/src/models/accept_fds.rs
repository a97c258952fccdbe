//! The two descriptors that an accept loop polls.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::strategy::Ready;

/// The listening socket with its backlog, and the waker. Each stays readable until it is empty.
#[derive(Clone, Default)]
pub(crate) struct AcceptFds(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    woken: bool,
    /// Numbers of the clients in the backlog.
    backlog: VecDeque<usize>,
}

impl AcceptFds {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a client to the backlog.
    pub(crate) fn connect(&self, client: usize) {
        self.lock().backlog.push_back(client);
        self.0.changed.notify_all();
    }

    /// Removes the first client from the backlog, if there is one.
    pub(crate) fn accept(&self) -> Option<usize> {
        self.lock().backlog.pop_front()
    }

    pub(crate) fn wake(&self) {
        self.lock().woken = true;
        self.0.changed.notify_all();
    }

    pub(crate) fn drain_wake_ups(&self) {
        self.lock().woken = false;
    }

    /// Waits for a wake-up or, if `for_requests`, for a client in the backlog; at most `timeout`.
    pub(crate) fn wait(&self, for_requests: bool, timeout: Option<Duration>) -> Ready {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.lock();
        loop {
            if state.woken {
                return Ready::Woken;
            }
            if for_requests && !state.backlog.is_empty() {
                return Ready::Request;
            }
            let Some(deadline) = deadline else {
                let waited = self.0.changed.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return Ready::TimedOut;
            }
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl fmt::Debug for AcceptFds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("AcceptFds")
    }
}
