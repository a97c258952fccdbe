//! The entry of a connection in its server's registry.

use std::ops::Deref;
use std::sync::Weak;

use crate::disconnect::ConnectionId;
use crate::state::live_connection::LiveConnection;
use crate::state::{ConnectionState, ServerHandle};

/// The state of a connection, together with its entry in the registry. Dropping it removes the entry and
/// adds the connection's bytes to the totals of the server.
pub(crate) struct Registration {
    pub(crate) server: ServerHandle,
    key: usize,
    state: ConnectionState,
}

impl Registration {
    /// Registers a connection that is being accepted.
    pub(crate) fn new(server: &ServerHandle, connection: Weak<dyn LiveConnection>) -> Self {
        let (key, id) = server.0.connections.register(connection);
        Self {
            server: server.clone(),
            key,
            state: ConnectionState::new(id),
        }
    }

    pub(crate) fn connection_id(&self) -> ConnectionId {
        ConnectionId {
            server: self.server.0.id(),
            connection: self.state.id(),
        }
    }
}

impl Deref for Registration {
    type Target = ConnectionState;

    #[inline]
    fn deref(&self) -> &ConnectionState {
        &self.state
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let (received, sent) = self.state.bytes();
        let server = &self.server.0;
        server.connections.unregister(self.key, received, sent);
        server.notify_descriptor_free();
    }
}
