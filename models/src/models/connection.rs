//! Connections to clients that never send anything.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use crate::address::SocketAddress;
use crate::state::live_connection::{Delivery, LiveConnection, Recipient};
use crate::state::{ConnectionState, Registration, RequestInfo, ServerHandle};

pub(crate) struct Connection {
    registration: Registration,
    is_shut_down: Mutex<bool>,
    changed: Condvar,
}

impl Connection {
    /// Makes a connection, which is registered at once.
    pub(crate) fn new(server: &ServerHandle) -> Arc<Self> {
        Arc::new_cyclic(|connection: &Weak<Self>| Self {
            registration: Registration::new(server, connection.clone()),
            is_shut_down: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Waits until the connection is shut down, because the client sends nothing.
    pub(crate) fn read(&self) {
        let mut is_shut_down = self.lock();
        while !*is_shut_down {
            let waited = self.changed.wait(is_shut_down);
            is_shut_down = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for the client's next message until a stop ends the wait, as a request does.
    pub(crate) fn wait_for_message(&self) {
        self.registration.while_idle(|| {
            if self.registration.server.0.life_cycle.is_draining() {
                self.end_idle();
            }
            self.read();
        });
    }

    pub(crate) fn info(&self) -> RequestInfo {
        RequestInfo::of_connection(&self.registration, self.client_address())
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        let is_shut_down = self.is_shut_down.lock();
        is_shut_down.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recipient for Connection {
    fn send_all(&self, _data: &[u8]) -> io::Result<()> {
        unreachable!("a model sends to no client");
    }
}

impl LiveConnection for Connection {
    fn connection_state(&self) -> &ConnectionState {
        &self.registration
    }

    fn client_address(&self) -> SocketAddress {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into()
    }

    fn shutdown(&self) {
        *self.lock() = true;
        self.changed.notify_all();
    }

    fn force_close(&self) {
        if self.registration.mark_force_closed() {
            self.shutdown();
        }
    }

    fn end_idle(&self) {
        if self.registration.end_idle() {
            self.shutdown();
        }
    }

    fn deliver<'a>(&'a self, _data: &'a [u8]) -> Box<dyn Delivery + 'a> {
        unreachable!("a model sends to no client");
    }
}
