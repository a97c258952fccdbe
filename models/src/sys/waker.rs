//! The two descriptors that an accept loop polls: the listening socket with its queue, and the one that is
//! written to in order to wake the loop. Both stay readable for as long as there is something.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::strategy::Ready;

#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<Descriptors>);

#[derive(Default)]
struct Descriptors {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    woken: bool,
    clients: VecDeque<usize>,
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client connects.
    pub(crate) fn connect(&self, client: usize) {
        self.lock().clients.push_back(client);
        self.0.changed.notify_all();
    }

    /// Takes the next client in, if there is one.
    pub(crate) fn accept(&self) -> Option<usize> {
        self.lock().clients.pop_front()
    }

    pub(crate) fn wake(&self) {
        self.lock().woken = true;
        self.0.changed.notify_all();
    }

    pub(crate) fn drain(&self) {
        self.lock().woken = false;
    }

    /// Waits until it is woken, or, if that `listens`, until somebody wants to be taken in.
    pub(crate) fn wait(&self, listens: bool) -> Ready {
        let mut state = self.lock();
        loop {
            if state.woken {
                return Ready::Woken;
            }
            if listens && !state.clients.is_empty() {
                return Ready::Request;
            }
            let waited = self.0.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The crate's name for it.
#[cfg(feature = "core")]
pub(crate) struct Waker(pub(crate) Bell);

#[cfg(feature = "core")]
impl Waker {
    #[allow(clippy::unnecessary_wraps, reason = "as the real one")]
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self(Bell::default()))
    }

    pub(crate) fn keep_private(&self) -> super::fork::KeptPrivate<2> {
        super::fork::KeptPrivate
    }

    pub(crate) fn wake(&self) {
        self.0.wake();
    }

    pub(crate) fn drain(&self) {
        self.0.drain();
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Bell")
    }
}
