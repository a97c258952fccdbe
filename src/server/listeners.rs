//! The transports of one server: one for each address that it is bound to.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::error::Error;
use crate::panics::catch_panic_io;
use crate::request::RequestLifecycle;
use crate::state::ServerHandle;
use crate::sys;
use crate::sys::fd::{AsFd, BorrowedFd, impl_as_fd};
use crate::sys::listener_fds::{ListenerFds, ListenerList};
use crate::transport::Transport;

/// The transports of one server. Requests are taken from them in turn.
pub(super) struct Listeners<T> {
    /// At least one, unless they are closed.
    transports: Box<[T]>,
    /// Number of the transport that is tried first for the next request.
    next: AtomicUsize,
}

impl<T: Transport> Listeners<T> {
    /// # Errors
    ///
    /// There is no transport.
    pub(super) fn new(transports: impl IntoIterator<Item = T>) -> Result<Self, Error> {
        let listeners = Self {
            transports: transports.into_iter().collect(),
            ..Self::closed()
        };
        if listeners.transports.is_empty() {
            let problem = "it names no address: pass at least one, such as \"127.0.0.1:9999\"";
            return Err(Error::Bind {
                address: "an empty list".into(),
                source: io::Error::new(io::ErrorKind::InvalidInput, problem),
            });
        }
        Ok(listeners)
    }

    /// Listeners of a server that accepts nothing any more.
    pub(super) fn closed() -> Self {
        Self {
            transports: [].into(),
            next: AtomicUsize::new(0),
        }
    }

    /// The transport of the first address.
    ///
    /// # Panics
    ///
    /// The listeners are closed.
    pub(super) fn first(&self) -> &T {
        &self.transports[0]
    }

    /// Returns the transport if it is the only one.
    pub(super) fn only(&self) -> Option<&T> {
        match &*self.transports {
            [only] => Some(only),
            _ => None,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.transports.iter()
    }

    /// Returns the sockets, to wait for them.
    pub(super) fn fds(&self) -> ListenerFds<'_> {
        ListenerFds::new(self)
    }

    /// Takes one request. With several transports, each is tried, beginning with the one behind that of
    /// the last request, so that none is left out while another one always has requests.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no request; the first other error of a transport.
    #[inline]
    pub(super) fn get_request(&self, server: &ServerHandle) -> io::Result<T::Request> {
        match self.only() {
            Some(only) => only.get_request(server),
            None => self.get_request_in_turn(server),
        }
    }

    fn get_request_in_turn(&self, server: &ServerHandle) -> io::Result<T::Request> {
        let count = self.transports.len();
        let begin = self.next.load(Ordering::Relaxed);
        for number in (begin..begin + count).map(|number| number % count) {
            let transport = &self.transports[number];
            // Before the call, because it may panic.
            self.next.store((number + 1) % count, Ordering::Relaxed);
            match transport.get_request(server) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                taken => {
                    return taken.map(|mut request| {
                        request.set_listener(number);
                        request
                    });
                }
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Makes all sockets listen. Returns the transport that has failed with its error.
    pub(super) fn activate(&self) -> Result<(), (&T, io::Error)> {
        for transport in self.iter() {
            let listen = || transport.server_activate();
            let listened =
                catch_panic_io("Transport::server_activate", io::ErrorKind::Other, listen);
            listened.map_err(|error| (transport, error))?;
        }
        Ok(())
    }

    /// Stops new connections on all sockets. Those in the backlogs stay.
    pub(super) fn stop_new_connections(&self) {
        for transport in self.iter() {
            // On failure, connections are lost that arrive while the last one is served.
            let _ = transport.stop_new_connections();
        }
    }

    /// Ends listening on all sockets, on Linux also for processes that have copies of them.
    pub(super) fn stop_listening(&self) {
        for transport in self.iter() {
            // On failure, a process with a copy keeps the address until it ends, or runs another program.
            let _ = sys::socket::stop_listening(transport.as_fd());
        }
    }

    /// The shortest receive timeout of the sockets.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.iter().filter_map(Transport::timeout).min()
    }

    /// Returns the error of a socket that other code has shut down.
    pub(super) fn shutdown_error(&self) -> Option<io::Error> {
        let mut sockets = self.iter().map(AsFd::as_fd);
        sockets.find_map(sys::socket::shutdown_error)
    }

    /// Returns whether an error of `get_request` belongs to an earlier reply of one of the sockets.
    pub(super) fn is_queued(&self, error: &io::Error) -> bool {
        let mut sockets = self.iter().map(AsFd::as_fd);
        sockets.any(|socket| sys::error_queue::is_queued(socket, error))
    }

    /// Takes the errors of earlier replies from the sockets.
    pub(super) fn take_errors(&self, mut on_error: impl FnMut(io::Error)) {
        for transport in self.iter() {
            sys::error_queue::take_errors(transport.as_fd(), &mut on_error);
        }
    }
}

impl<T: Transport> ListenerList for Listeners<T> {
    #[inline]
    fn listener(&self, number: usize) -> Option<BorrowedFd<'_>> {
        Some(self.transports.get(number)?.as_fd())
    }
}

impl_as_fd!({T: Transport} Listeners<T>, first());
