//! Receiving one datagram from a UDP or Unix socket.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use crate::request::{DatagramRequest, DatagramSocket, LocalAddress};
use crate::state::ServerHandle;

thread_local! {
    /// The receive buffer of this thread. It is large, so it is kept; a packet is copied out at its own size.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Receives one waiting datagram with `recv`, truncated to `max_packet_size` bytes. `recv` returns its size, the
/// client's address, and the address to which it was sent.
pub(super) fn receive<S: DatagramSocket>(
    socket: &Arc<S>,
    max_packet_size: usize,
    server: &ServerHandle,
    recv: impl FnOnce(&S, &mut [u8]) -> io::Result<(usize, S::Address, Option<LocalAddress<S>>)>,
) -> io::Result<DatagramRequest<S>> {
    BUFFER.with_borrow_mut(|buffer| {
        // One byte more than `max_packet_size`, so that a truncated packet differs from one that
        // just fits.
        if buffer.len() <= max_packet_size {
            // Allocated anew, not resized: fresh zeroed memory costs nothing until it is used.
            *buffer = vec![0; max_packet_size + 1];
        }
        let (size, client_address, local) = recv(socket, &mut buffer[..=max_packet_size])?;
        let data = &buffer[..size.min(max_packet_size)];
        let truncated = size > max_packet_size;
        let socket = Arc::clone(socket);
        let request = DatagramRequest::new(data, truncated, client_address, socket, server);
        Ok(request.with_local_address(local))
    })
}
