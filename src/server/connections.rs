//! The registry of live connections: what a stop cuts off.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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

/// Numbered places, so that entering and leaving take no time to speak of: every connection locks
/// this twice. There are as many as there ever were connections at the same time.
#[derive(Default)]
struct Registry {
    /// Weak, so that a connection is closed when its request is over.
    places: Vec<Option<Weak<dyn Live>>>,
    /// Last in, first out: what was used last is in the caches.
    free: Vec<usize>,
}

impl Connections {
    /// Enters a connection, which may still be in the making. It has to leave the place that it is
    /// given.
    pub(crate) fn register(&self, connection: Weak<dyn Live>) -> usize {
        let mut registry = self.registry.lock();
        if let Some(place) = registry.free.pop() {
            registry.places[place] = Some(connection);
            return place;
        }
        registry.places.push(Some(connection));
        registry.places.len() - 1
    }

    /// To be called once for each place, by the connection that has it, when it is dropped.
    pub(crate) fn unregister(&self, place: usize) {
        let mut registry = self.registry.lock();
        registry.free.push(place);
        let left = registry.places[place].take();
        drop(registry);
        drop(left);
    }

    /// Cuts every connection, so that handlers that wait on one get an error.
    pub(crate) fn interrupt(&self) {
        self.interrupted.store(true, Ordering::SeqCst);
        // Collected first: whoever drops a connection last removes it from the registry, which is
        // locked until the end of this statement.
        let live: Vec<_> = self
            .registry
            .lock()
            .places
            .iter()
            .flatten()
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Notes that it was cut. Its owner lets go of it just then, if it has one.
    struct Client {
        server: Arc<Connections>,
        place: usize,
        cut: AtomicBool,
        owner: Mutex<Option<Arc<Client>>>,
    }

    impl Client {
        fn of(server: &Arc<Connections>) -> Arc<Self> {
            Arc::new_cyclic(|client: &Weak<Self>| Self {
                server: Arc::clone(server),
                place: server.register(client.clone()),
                cut: AtomicBool::new(false),
                owner: Mutex::default(),
            })
        }
    }

    impl Live for Client {
        fn send_all(&self, _data: &[u8]) -> io::Result<()> {
            Ok(())
        }

        fn interrupt(&self) {
            self.cut.store(true, Ordering::SeqCst);
            self.owner.lock().take();
        }
    }

    impl Drop for Client {
        fn drop(&mut self) {
            self.server.unregister(self.place);
        }
    }

    #[test]
    fn only_those_that_are_there_are_cut() {
        let server = Arc::new(Connections::default());
        let [first, second, third] = [(); 3].map(|()| Client::of(&server));
        drop(second);
        server.interrupt();
        assert_eq!(server.cut(), 2);
        let cut = |client: &Client| client.cut.load(Ordering::SeqCst);
        assert!(cut(&first) && cut(&third));
        drop((first, third));
        server.interrupt();
        assert_eq!(server.cut(), 2);
    }

    #[test]
    fn there_are_no_more_places_than_connections_at_the_same_time() {
        let server = Arc::new(Connections::default());
        for _ in 0..10 {
            let clients = [(); 3].map(|()| Client::of(&server));
            let mut places = clients.each_ref().map(|client| client.place);
            places.sort_unstable();
            assert_eq!(places, [0, 1, 2]);
        }
    }

    /// Whoever drops it last makes it leave the registry, which must not be locked then.
    #[test]
    fn a_connection_may_end_while_it_is_cut() {
        let server = Arc::new(Connections::default());
        let client = Client::of(&server);
        let weak = Arc::downgrade(&client);
        *client.owner.lock() = Some(Arc::clone(&client));
        drop(client);
        let (done, ended) = mpsc::channel();
        thread::spawn(move || {
            server.interrupt();
            done.send(server.cut())
        });
        assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Ok(1));
        assert!(weak.upgrade().is_none());
    }
}
