//! The registry of live connections: what a stop cuts off.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::request::Live;

#[derive(Default)]
pub(crate) struct Connections {
    registry: Mutex<Registry>,
    /// They were cut: what their handlers run into from now on is that.
    interrupted: AtomicBool,
    /// How many were ever cut.
    cut: AtomicUsize,
}

#[derive(Default)]
struct Registry {
    next_id: u64,
    /// Weak, so that a connection is closed when its request is over.
    live: HashMap<u64, Weak<dyn Live>>,
}

impl Connections {
    /// Makes a connection, numbered and entered here.
    pub(crate) fn register<L: Live + 'static>(&self, make: impl FnOnce(u64) -> Arc<L>) -> Arc<L> {
        let mut registry = self.registry.lock();
        let id = registry.next_id;
        registry.next_id += 1;
        let connection = make(id);
        let weak: Weak<L> = Arc::downgrade(&connection);
        registry.live.insert(id, weak);
        connection
    }

    pub(crate) fn unregister(&self, id: u64) {
        self.registry.lock().live.remove(&id);
    }

    /// Cuts every connection, so that handlers that wait on one get an error.
    pub(crate) fn interrupt(&self) {
        self.interrupted.store(true, Ordering::SeqCst);
        // Collected first: whoever drops a connection last removes it from the registry, which is
        // locked until the end of this statement.
        let live: Vec<_> = self
            .registry
            .lock()
            .live
            .values()
            .filter_map(Weak::upgrade)
            .collect();
        for connection in &live {
            connection.interrupt();
        }
        self.cut.fetch_add(live.len(), Ordering::SeqCst);
    }

    #[inline]
    pub(crate) fn are_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }

    /// Connections from now on are not those that were cut.
    pub(crate) fn begin_anew(&self) {
        self.interrupted.store(false, Ordering::SeqCst);
    }

    /// How many connections were ever cut.
    pub(crate) fn cut(&self) -> usize {
        self.cut.load(Ordering::SeqCst)
    }
}
