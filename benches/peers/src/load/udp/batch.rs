//! Many datagrams per system call, so that the load spends less on a datagram than a server
//! that makes two calls for each.

use std::io::{IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

use crate::Result;

pub struct Batch {
    buffers: Vec<Vec<u8>>,
    lengths: Vec<usize>,
    // Apart, because sending leaves no room for the addresses that receiving fills in.
    receiving: MultiHeaders<SockaddrIn>,
    sending: MultiHeaders<SockaddrIn>,
}

impl Batch {
    /// For up to `count` datagrams of `size` bytes at a time.
    pub fn new(count: usize, size: usize) -> Self {
        Self {
            // One byte more: an echo that is too long must not be cut to the right length.
            buffers: vec![vec![0; size + 1]; count],
            lengths: Vec::with_capacity(count),
            receiving: MultiHeaders::preallocate(count, None),
            sending: MultiHeaders::preallocate(count, None),
        }
    }

    /// Take what has arrived, without waiting.
    pub fn receive(&mut self, socket: &UdpSocket) -> Result {
        self.lengths.clear();
        let mut slices: Vec<_> = self
            .buffers
            .iter_mut()
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        match recvmmsg(
            socket.as_raw_fd(),
            &mut self.receiving,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        ) {
            Ok(datagrams) => self
                .lengths
                .extend(datagrams.map(|datagram| datagram.bytes)),
            Err(Errno::EAGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The datagrams of the last `receive`.
    pub fn received(&self) -> impl Iterator<Item = &[u8]> {
        self.buffers
            .iter()
            .zip(&self.lengths)
            .map(|(buffer, &length)| &buffer[..length])
    }

    /// Send to the peer that the socket is connected to. A datagram that does not go out is
    /// as good as lost on the way: the caller sends another one when it is overdue.
    pub fn send<'a>(
        &mut self,
        socket: &UdpSocket,
        messages: impl Iterator<Item = &'a [u8]>,
    ) -> Result {
        let slices: Vec<_> = messages.map(|message| [IoSlice::new(message)]).collect();
        if slices.is_empty() {
            return Ok(());
        }
        let connected = vec![None; slices.len()];
        sendmmsg(
            socket.as_raw_fd(),
            &mut self.sending,
            &slices,
            connected,
            [],
            MsgFlags::empty(),
        )?;
        Ok(())
    }
}
