//! The two descriptors of an accept loop: the listener with its backlog, and the waker. Both stay readable
//! until they are emptied.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::strategy::Ready;

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
    backlog: VecDeque<usize>,
}

impl AcceptFds {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client connects.
    pub(crate) fn connect(&self, client: usize) {
        self.lock().backlog.push_back(client);
        self.0.changed.notify_all();
    }

    /// Accepts the next client, if there is one.
    pub(crate) fn accept(&self) -> Option<usize> {
        self.lock().backlog.pop_front()
    }

    pub(crate) fn wake(&self) {
        self.lock().woken = true;
        self.0.changed.notify_all();
    }

    pub(crate) fn drain(&self) {
        self.lock().woken = false;
    }

    /// Waits for a wake-up or, if it `listens`, for a client in the backlog.
    pub(crate) fn wait(&self, listens: bool) -> Ready {
        let mut state = self.lock();
        loop {
            if state.woken {
                return Ready::Woken;
            }
            if listens && !state.backlog.is_empty() {
                return Ready::Request;
            }
            let waited = self.0.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The waker, under the name that the crate uses.
#[cfg(feature = "server")]
pub(crate) struct Waker(pub(crate) AcceptFds);

#[cfg(feature = "server")]
impl Waker {
    #[allow(clippy::unnecessary_wraps, reason = "as the real one")]
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self(AcceptFds::default()))
    }

    pub(crate) fn close_on_fork(&self) -> super::close_on_fork::CloseOnFork<2> {
        super::close_on_fork::CloseOnFork
    }

    pub(crate) fn wake(&self) {
        self.0.wake();
    }

    pub(crate) fn drain(&self) {
        self.0.drain();
    }
}

impl fmt::Debug for AcceptFds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("AcceptFds")
    }
}
