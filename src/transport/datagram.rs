//! What UDP and Unix datagram sockets have in common: receiving whole packets.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use crate::request::{DatagramRequest, DatagramSocket};
use crate::state::ServerHandle;

thread_local! {
    /// Where this thread receives: large, so it is kept; a packet is copied out at its own size.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Takes one waiting datagram, cut at `max_packet_size` bytes.
pub(super) fn receive<S: DatagramSocket>(
    socket: &Arc<S>,
    max_packet_size: usize,
    server: &ServerHandle,
) -> io::Result<DatagramRequest<S>> {
    BUFFER.with_borrow_mut(|buffer| {
        // One byte more than is wanted, so that a packet that is cut can be told from one that
        // just fits.
        if buffer.len() <= max_packet_size {
            // Made anew, not resized: fresh zeroed memory costs nothing until it is used.
            *buffer = vec![0; max_packet_size + 1];
        }
        let (size, client_address) = socket.recv_from(&mut buffer[..=max_packet_size])?;
        let data = &buffer[..size.min(max_packet_size)];
        let truncated = size > max_packet_size;
        let socket = Arc::clone(socket);
        Ok(DatagramRequest::new(
            data,
            truncated,
            client_address,
            socket,
            server,
        ))
    })
}
