//! Sends and receives many datagrams per system call, so that the load generator spends less time on a
//! datagram than a server that makes two calls for each.

use std::io::{IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

use crate::Result;

pub struct Batch {
    buffers: Vec<Vec<u8>>,
    lengths: Vec<usize>,
    // Separate headers, because sending leaves no space for the addresses that receiving stores.
    receiving: MultiHeaders<SockaddrIn>,
    sending: MultiHeaders<SockaddrIn>,
}

impl Batch {
    /// A batch of at most `count` datagrams of `size` bytes.
    pub fn new(count: usize, size: usize) -> Self {
        Self {
            // One byte longer than a datagram, to detect an echo that is too long.
            buffers: vec![vec![0; size + 1]; count],
            lengths: Vec::with_capacity(count),
            receiving: MultiHeaders::preallocate(count, None),
            sending: MultiHeaders::preallocate(count, None),
        }
    }

    /// Receives the datagrams that have arrived, without waiting.
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

    /// Sends to the peer that the socket is connected to. Datagrams that are not sent count as lost,
    /// and the caller replaces them later.
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
