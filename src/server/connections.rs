//! The registry of live connections: what can be listed, written to, and cut off.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::request::LiveConnection;

#[derive(Default)]
pub(crate) struct Connections {
    registry: Mutex<Registry>,
}

/// Numbered places, so that entering and leaving take no time to speak of: every connection locks
/// this twice. There are as many as there ever were connections at the same time.
#[derive(Default)]
struct Registry {
    /// Weak, so that a connection is closed when its request is over.
    places: Vec<Option<Weak<dyn LiveConnection>>>,
    /// Last in, first out: what was used last is in the caches.
    free: Vec<usize>,
    /// How many connections there ever were.
    ever: u64,
    /// What went over those that have left.
    received: u64,
    sent: u64,
}

impl Registry {
    fn live(&self) -> Vec<Arc<dyn LiveConnection>> {
        let places = self.places.iter().flatten();
        places.filter_map(Weak::upgrade).collect()
    }
}

impl Connections {
    /// Enters a connection, which may still be in the making: gives it a place, which it has to leave,
    /// and a number that no other has.
    pub(crate) fn register(&self, connection: Weak<dyn LiveConnection>) -> (usize, u64) {
        let mut registry = self.registry.lock();
        registry.ever += 1;
        let number = registry.ever;
        if let Some(place) = registry.free.pop() {
            registry.places[place] = Some(connection);
            return (place, number);
        }
        registry.places.push(Some(connection));
        (registry.places.len() - 1, number)
    }

    /// To be called once for each place, by the connection that has it, when it is dropped. `received`
    /// and `sent` are what went over it.
    pub(crate) fn unregister(&self, place: usize, received: u64, sent: u64) {
        let mut registry = self.registry.lock();
        registry.free.push(place);
        registry.received += received;
        registry.sent += sent;
        let left = registry.places[place].take();
        drop(registry);
        drop(left);
    }

    /// Those that there are now.
    ///
    /// Whoever drops one of them last removes it from the registry, which is not locked any more.
    pub(crate) fn live(&self) -> Vec<Arc<dyn LiveConnection>> {
        self.registry.lock().live()
    }

    /// How many bytes came in, and how many went out, over all connections that there ever were.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let registry = self.registry.lock();
        // Of these, none can leave before the lock is given back.
        let live = registry.live();
        let gone = (registry.received, registry.sent);
        let bytes = live.iter().fold(gone, |(received, sent), connection| {
            let (more_received, more_sent) = connection.vitals().bytes();
            (received + more_received, sent + more_sent)
        });
        drop(registry);
        drop(live);
        bytes
    }

    /// Cuts every connection, so that handlers that wait on one get an error.
    pub(crate) fn cut(&self) {
        for connection in self.live() {
            connection.cut();
        }
    }
}
