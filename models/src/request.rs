//! In the place of the crate's `request`: connections to clients that never send anything. Whoever reads
//! from one waits until it is cut.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};

use crate::server::core::Core;

pub(crate) trait LiveConnection: Send + Sync {
    fn vitals(&self) -> &Vitals;
    fn info(&self) -> RequestInfo;
    fn cut(&self);
}

pub(crate) struct Sender;

impl Sender {
    pub(crate) fn stream(_connection: Weak<dyn LiveConnection>) -> Self {
        Self
    }
}

pub(crate) struct RequestInfo {
    pub(crate) id: u64,
    pub(crate) sender: Option<Sender>,
}

impl RequestInfo {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Clone for RequestInfo {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            sender: None,
        }
    }
}

impl fmt::Debug for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {}", self.id)
    }
}

impl fmt::Display for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)
    }
}

/// How a connection is.
#[derive(Default)]
pub(crate) struct Vitals {
    /// The handler has ended.
    ended: AtomicBool,
    cut: Mutex<bool>,
    changed: Condvar,
}

impl Vitals {
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    pub(crate) fn bytes(&self) -> (u64, u64) {
        (0, 0)
    }
}

pub(crate) struct Connection {
    core: Arc<Core>,
    place: usize,
    number: u64,
    vitals: Vitals,
}

impl Connection {
    /// It is on the server's list from the moment in which it is made.
    pub(crate) fn new(core: &Arc<Core>) -> Arc<Self> {
        Arc::new_cyclic(|connection: &Weak<Self>| {
            let (place, number) = core.connections.register(connection.clone());
            Self {
                core: Arc::clone(core),
                place,
                number,
                vitals: Vitals::default(),
            }
        })
    }

    /// Waits for a client that has nothing to say, until the connection is cut.
    pub(crate) fn read(&self) {
        let cut = self.vitals.cut.lock();
        let mut cut = cut.unwrap_or_else(PoisonError::into_inner);
        while !*cut {
            let waited = self.vitals.changed.wait(cut);
            cut = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The handler has ended. Returns whether the connection was cut before that.
    pub(crate) fn end(&self) -> bool {
        let cut = self.vitals.cut.lock();
        let cut = *cut.unwrap_or_else(PoisonError::into_inner);
        self.vitals.ended.store(true, Ordering::SeqCst);
        cut
    }
}

impl LiveConnection for Connection {
    fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    fn info(&self) -> RequestInfo {
        RequestInfo {
            id: self.number,
            sender: None,
        }
    }

    fn cut(&self) {
        let cut = self.vitals.cut.lock();
        *cut.unwrap_or_else(PoisonError::into_inner) = true;
        self.vitals.changed.notify_all();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.core.connections.unregister(self.place, 0, 0);
        }
    }
}
