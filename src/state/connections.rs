//! The registry of live connections: what can be list_entry, written to, and cut off.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::state::sender::LiveConnection;

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
            let (more_received, more_sent) = connection.connection_state().bytes();
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

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use crate::address::UnixAddress;
    use crate::request::{Request, StreamRequest};
    use crate::state::ServerHandle;
    use crate::state::limits::LimitConfig;
    use crate::state::server_state::ServerState;

    fn server() -> ServerHandle {
        let state = ServerState::new(UnixAddress::Unnamed.into(), LimitConfig::default()).unwrap();
        ServerHandle(Arc::new(state))
    }

    fn client(server: &ServerHandle) -> (StreamRequest<UnixStream>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let request = StreamRequest::new(ours, UnixAddress::Unnamed, server);
        (request, theirs)
    }

    #[test]
    fn only_those_that_are_there_are_listed_and_cut() {
        let server = server();
        let [mut first, second, mut third] = [(); 3].map(|()| client(&server).0);
        drop(second);
        assert_eq!(server.requests().len(), 2);
        server.0.connections.cut();
        for request in [&mut first, &mut third] {
            let error = request.recv(1).unwrap_err();
            assert!(crate::ShuttingDown::is_cause_of(&error));
        }
        drop((first, third));
        assert!(server.requests().is_empty());
    }

    #[test]
    fn there_are_no_more_places_than_connections_at_the_same_time() {
        let server = server();
        for _ in 0..10 {
            let clients = [(); 3].map(|()| client(&server));
            assert_eq!(server.0.connections.live().len(), 3);
            drop(clients);
        }
        assert_eq!(server.0.connections.registry.lock().places.len(), 3);
    }

    #[test]
    fn what_has_gone_over_a_connection_is_counted_while_it_lives_and_afterwards() {
        let server = server();
        let (mut request, theirs) = client(&server);
        std::io::Write::write_all(&mut &theirs, b"12345").unwrap();
        assert_eq!(request.recv(3).unwrap(), b"123");
        request.send_all("12").unwrap();
        // As it was received, not as it was read.
        assert_eq!(server.0.connections.bytes(), (5, 2));
        drop(request);
        assert_eq!(server.0.connections.bytes(), (5, 2));
    }

    /// Whoever drops it last makes it leave the registry, which must not be locked then.
    #[test]
    fn connections_may_end_while_they_are_looked_at() {
        let server = server();
        let (done, ended) = mpsc::channel();
        let looking = server.clone();
        thread::spawn(move || {
            for _ in 0..1000 {
                looking.requests();
                looking.0.connections.bytes();
                looking.0.connections.cut();
            }
            done.send(())
        });
        while ended.try_recv().is_err() {
            drop(client(&server));
        }
        assert_eq!(
            ended.recv_timeout(Duration::from_secs(20)),
            Err(mpsc::RecvTimeoutError::Disconnected)
        );
        assert!(server.requests().is_empty());
    }
}
