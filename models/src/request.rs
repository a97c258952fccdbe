//! Stand-in for the crate's requests: connections to clients that never send. A read waits until the
//! connection is force-closed.

#[cfg(feature = "server")]
pub(crate) use self::connection::Connection;

#[allow(dead_code, reason = "named by the strategies")]
pub(crate) enum RequestKind {
    Connection,
    Datagram,
}

#[cfg(feature = "server")]
mod connection {
    use std::io;
    use std::sync::{Arc, PoisonError, Weak};

    use crate::address::SocketAddress;
    use crate::state::live_connection::{Delivery, LiveConnection, Recipient};
    use crate::state::{ConnectionState, RequestInfo, ServerState};

    pub(crate) struct Connection {
        server: Arc<ServerState>,
        key: usize,
        id: u64,
        state: ConnectionState,
    }

    impl Connection {
        /// Makes a connection, which is in the registry from now on.
        pub(crate) fn new(server: &Arc<ServerState>) -> Arc<Self> {
            Arc::new_cyclic(|connection: &Weak<Self>| {
                let (key, id) = server.connections.register(connection.clone());
                Self {
                    server: Arc::clone(server),
                    key,
                    id,
                    state: ConnectionState::default(),
                }
            })
        }

        pub(crate) fn info(&self) -> RequestInfo {
            RequestInfo::new(self.id)
        }

        /// Waits for a silent client until the connection is force-closed.
        pub(crate) fn read(&self) {
            let force_closed = self.state.force_closed.lock();
            let mut force_closed = force_closed.unwrap_or_else(PoisonError::into_inner);
            while !*force_closed {
                let waited = self.state.changed.wait(force_closed);
                force_closed = waited.unwrap_or_else(PoisonError::into_inner);
            }
        }

        /// Records the end of the handler. Returns whether the connection was force-closed before.
        pub(crate) fn end(&self) -> bool {
            self.state.end()
        }
    }

    impl Recipient for Connection {
        fn send_all(&self, _data: &[u8]) -> io::Result<()> {
            unreachable!("no model sends")
        }
    }

    impl LiveConnection for Connection {
        fn connection_state(&self) -> &ConnectionState {
            &self.state
        }

        fn client_address(&self) -> SocketAddress {
            SocketAddress::client(self.id)
        }

        fn shutdown(&self) {
            self.force_close();
        }

        fn force_close(&self) {
            let force_closed = self.state.force_closed.lock();
            *force_closed.unwrap_or_else(PoisonError::into_inner) = true;
            self.state.changed.notify_all();
        }

        fn deliver<'a>(&'a self, _data: &'a [u8]) -> Box<dyn Delivery + 'a> {
            unreachable!("no model sends")
        }
    }

    impl Drop for Connection {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                self.server.connections.unregister(self.key, 0, 0);
            }
        }
    }
}
