//! Registration of the sockets that coroutines wait for.

use std::io;

use crate::coroutine::park::Token;
use crate::coroutine::worker::{Worker, key};
use crate::sys::fd::{AsRawFd, BorrowedFd, RawFd};
use crate::sys::poll::Direction;
use crate::sys::poller::{Poller, Watch};

/// How a coroutine has to wait for a socket.
pub(in crate::coroutine) enum SocketWait {
    /// The socket is its own, and the poller watches it.
    Own,
    /// The socket is not its own.
    Foreign,
    /// It has to try again when other coroutines have run.
    Retry,
}

impl Worker {
    /// Registers the own socket of a coroutine that is about to wait.
    pub(in crate::coroutine) fn prepare_socket_wait(
        &self,
        token: Token,
        fd: BorrowedFd<'_>,
        direction: Direction,
    ) -> io::Result<SocketWait> {
        let scheduler = &mut *self.scheduler();
        if scheduler.slots.running(token).socket.fd != Some(fd.as_raw_fd()) {
            return Ok(SocketWait::Foreign);
        }
        // The client has just connected, and its first bytes may arrive while other coroutines run.
        if direction == Direction::Receive && scheduler.retry_first_receive(token) {
            return Ok(SocketWait::Retry);
        }
        let socket = &mut scheduler.slots.running(token).socket;
        if !Poller::HAS_EDGES {
            let watch = Watch::OneShot {
                readable: direction == Direction::Receive,
                writable: direction == Direction::Send,
            };
            self.poller.set(fd, token.key(), watch)?;
            return Ok(SocketWait::Own);
        }
        let writable = direction == Direction::Send || socket.is_registered_to_send;
        let watch = Watch::Edge { writable };
        if !socket.is_registered {
            self.poller.add(fd, token.key(), watch)?;
        } else if writable != socket.is_registered_to_send {
            self.poller.change(fd, token.key(), watch)?;
        }
        socket.is_registered = true;
        socket.is_registered_to_send = writable;
        Ok(SocketWait::Own)
    }

    /// Ends a wait of a coroutine for its own socket.
    #[inline]
    pub(in crate::coroutine) fn end_socket_wait(&self, token: Token) {
        if !Poller::HAS_EDGES {
            self.poller.forget(token.key());
            self.scheduler().slots.running(token).socket.forget_state();
        }
    }

    /// Registers a wait for a socket that the coroutine does not own. The next readiness of the socket
    /// wakes the coroutine.
    pub(in crate::coroutine) fn watch_foreign_fd(
        &self,
        fd: BorrowedFd<'_>,
        token: Token,
        direction: Direction,
    ) -> io::Result<()> {
        let mut foreign_fds = self.foreign_fds.borrow_mut();
        foreign_fds.watch(fd, token, direction, |foreign_poller| {
            self.poller.add_poller(foreign_poller, key::FOREIGN_FDS)
        })
    }

    pub(in crate::coroutine) fn forget_foreign_fd(&self, fd: RawFd, token: Token) {
        self.foreign_fds.borrow_mut().forget(fd, token);
    }
}
