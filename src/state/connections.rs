//! The registry of live connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use slab::Slab;

use crate::state::Activity;
use crate::state::live_connection::LiveConnection;
use crate::sys::waker::Waker;

/// Time that each client has for its handshake, even if the process lacks descriptors.
const MIN_HANDSHAKE_TIME: Duration = Duration::from_secs(1);
/// Share of the late handshakes that are ended at once.
const EVICTED_SHARE: usize = 4;

#[derive(Default)]
pub(crate) struct Connections {
    registry: Mutex<Registry>,
    /// Wakes the thread of the handshakes, once there is one.
    at_stop: OnceLock<Arc<Waker>>,
    /// Number of times that connections were ended, by a stop or for lack of descriptors.
    ends: AtomicU64,
}

/// Every connection locks the registry twice. Registering and unregistering take constant time, because a
/// slab reuses the entry that was freed last.
#[derive(Default)]
struct Registry {
    /// Weak, so that a connection is closed when its request ends.
    entries: Slab<Weak<dyn LiveConnection>>,
    /// Number of connections that were ever registered.
    total: u64,
    /// Bytes of the connections that were unregistered.
    received: u64,
    sent: u64,
}

impl Registry {
    fn live(&self) -> Vec<Arc<dyn LiveConnection>> {
        let entries = self.entries.iter();
        entries.filter_map(|(_, entry)| entry.upgrade()).collect()
    }
}

impl Connections {
    /// Registers a connection, which may still be under construction. Returns the key for
    /// [`unregister`](Self::unregister), and a number that no other connection of this server has.
    pub(crate) fn register(&self, connection: Weak<dyn LiveConnection>) -> (usize, u64) {
        let mut registry = self.registry.lock();
        registry.total += 1;
        let number = registry.total;
        (registry.entries.insert(connection), number)
    }

    /// Removes a connection that is being dropped. `received` and `sent` are its numbers of bytes.
    ///
    /// # Panics
    ///
    /// If the key was unregistered before.
    pub(crate) fn unregister(&self, key: usize, received: u64, sent: u64) {
        let mut registry = self.registry.lock();
        registry.received += received;
        registry.sent += sent;
        let connection = registry.entries.remove(key);
        // Unlocked before `connection` is dropped, because that may free memory.
        drop(registry);
        drop(connection);
    }

    /// Returns the connections that exist now.
    ///
    /// Dropping the last reference to a connection unregisters it. The registry is unlocked by then.
    pub(crate) fn live(&self) -> Vec<Arc<dyn LiveConnection>> {
        self.registry.lock().live()
    }

    /// Numbers of bytes received and sent by all connections that ever existed.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let registry = self.registry.lock();
        // None of these can be unregistered while the registry is locked.
        let live = registry.live();
        let ended = (registry.received, registry.sent);
        let bytes = live.iter().fold(ended, |(received, sent), connection| {
            let (more_received, more_sent) = connection.connection_state().bytes();
            (received + more_received, sent + more_sent)
        });
        drop(registry);
        drop(live);
        bytes
    }

    /// Ends some of the connections that have been in their handshake for long, because the process lacks descriptors.
    /// Returns whether there were any.
    pub(crate) fn evict_handshakes(&self) -> bool {
        let is_late = |connection: &Arc<dyn LiveConnection>| {
            let state = connection.connection_state();
            state.activity() == Activity::Handshaking
                && state.accepted_at().elapsed() >= MIN_HANDSHAKE_TIME
        };
        let mut late: Vec<_> = self.live().into_iter().filter(is_late).collect();
        late.sort_unstable_by_key(|connection| connection.connection_state().accepted_at());
        late.truncate(late.len().div_ceil(EVICTED_SHARE));
        for connection in &late {
            connection.connection_state().mark_evicted();
            connection.shutdown();
        }
        if !late.is_empty() {
            self.announce_end();
        }
        !late.is_empty()
    }

    /// Ends the connections whose handlers wait for the client's next message.
    pub(crate) fn end_idle(&self) {
        for connection in self.live() {
            connection.end_idle();
        }
        self.announce_end();
    }

    /// Force-closes every connection. Handlers that wait for their clients get an error.
    pub(crate) fn force_close_all(&self) {
        for connection in self.live() {
            connection.force_close();
        }
        self.announce_end();
    }

    /// Wakes a thread when connections are ended, in addition to the events of their sockets.
    pub(crate) fn wake_at_stop(&self, waker: Arc<Waker>) {
        let _ = self.at_stop.set(waker);
    }

    /// Number of times that connections were ended, by a stop or for lack of descriptors.
    pub(crate) fn ends(&self) -> u64 {
        self.ends.load(Ordering::SeqCst)
    }

    fn announce_end(&self) {
        self.ends.fetch_add(1, Ordering::SeqCst);
        if let Some(waker) = self.at_stop.get() {
            waker.wake();
        }
    }
}

#[cfg(all(test, unix))]
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
        let state =
            ServerState::new([UnixAddress::Unnamed.into()].into(), LimitConfig::default()).unwrap();
        ServerHandle(Arc::new(state))
    }

    fn client(server: &ServerHandle) -> (StreamRequest<UnixStream>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let request = StreamRequest::new(ours, UnixAddress::Unnamed, server);
        (request, theirs)
    }

    #[test]
    fn only_live_connections_are_listed_and_force_closed() {
        let server = server();
        let [mut first, second, mut third] = [(); 3].map(|()| client(&server).0);
        drop(second);
        assert_eq!(server.requests().len(), 2);
        server.0.connections.force_close_all();
        for request in [&mut first, &mut third] {
            let error = request.recv(1).unwrap_err();
            assert!(crate::ShuttingDown::is_cause_of(&error));
        }
        drop((first, third));
        assert!(server.requests().is_empty());
    }

    #[test]
    fn no_more_entries_exist_than_connections_at_the_same_time() {
        let server = server();
        for _ in 0..10 {
            let clients = [(); 3].map(|()| client(&server));
            let registry = server.0.connections.registry.lock();
            let keys: Vec<_> = registry.entries.iter().map(|(key, _)| key).collect();
            assert_eq!(keys, [0, 1, 2]);
            drop(registry);
            drop(clients);
        }
    }

    #[test]
    fn bytes_are_counted_while_a_connection_lives_and_afterwards() {
        let server = server();
        let (mut request, theirs) = client(&server);
        std::io::Write::write_all(&mut &theirs, b"12345").unwrap();
        assert_eq!(request.recv(3).unwrap(), b"123");
        request.send_all("12").unwrap();
        // Bytes count when they are received, not when the handler reads them.
        assert_eq!(server.0.connections.bytes(), (5, 2));
        drop(request);
        assert_eq!(server.0.connections.bytes(), (5, 2));
    }

    /// Dropping the last reference to a connection locks the registry, which must be unlocked then.
    #[test]
    fn connections_may_end_while_the_registry_is_read() {
        let server = server();
        let (done, ended) = mpsc::channel();
        let reader = server.clone();
        thread::spawn(move || {
            for _ in 0..1000 {
                reader.requests();
                reader.0.connections.bytes();
                reader.0.connections.force_close_all();
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
