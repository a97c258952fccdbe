//! Socket that becomes readable when another thread wakes its waiters.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};

use crate::sys::close_on_fork::CloseOnFork;
use crate::sys::fd::impl_as_fd;

/// Datagram socket that is connected to itself: a wake-up sends; the accept loops poll. The system drops
/// datagrams of other sockets. Level-triggered: every waiting loop sees a wake-up until [`Waker::drain`] is
/// called.
#[derive(Debug)]
pub(crate) struct Waker {
    socket: UdpSocket,
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(socket.local_addr()?)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    pub(crate) fn close_on_fork(&self) -> CloseOnFork<2> {
        CloseOnFork
    }

    /// Wakes every loop that polls this. Never blocks. The error of a full buffer is ignored, because
    /// a wake-up is already pending then.
    pub(crate) fn wake(&self) {
        let _ = self.socket.send(&[1]);
    }

    /// Consumes all pending wake-ups.
    pub(crate) fn drain(&self) {
        while self.socket.recv(&mut [0; 1]).is_ok() {}
    }
}

impl_as_fd!(Waker, socket);
