//! The two addresses of a datagram, and the way back.

use std::io;

use crate::request::datagram_socket::DatagramSocket;

/// The address to which a datagram was sent, of a socket that has several.
pub(crate) struct LocalAddress<S: DatagramSocket> {
    pub(crate) address: S::Address,
    /// Sends a reply that leaves from the address. `None` for the address of a group, from which no
    /// datagram can leave.
    pub(crate) send_from: Option<SendFrom<S>>,
}

/// Sends a datagram to the first address. It leaves from the second one.
pub(crate) type SendFrom<S> = fn(
    &S,
    &[u8],
    &<S as DatagramSocket>::Address,
    &<S as DatagramSocket>::Address,
) -> io::Result<usize>;

/// The other end of a datagram: the client, and the address to which it has sent.
pub(super) struct Route<S: DatagramSocket> {
    pub(super) client: S::Address,
    /// `None` if the socket has one address only, or does not report it.
    pub(super) local: Option<LocalAddress<S>>,
}

impl<S: DatagramSocket> Route<S> {
    /// Sends a datagram to the client, from the address that the client knows.
    #[inline]
    pub(super) fn send(&self, socket: &S, data: &[u8]) -> io::Result<usize> {
        if let Some(local) = &self.local
            && let Some(send_from) = local.send_from
        {
            return send_from(socket, data, &self.client, &local.address);
        }
        socket.send_to(data, &self.client)
    }
}

// Not derived, because a derived `Clone` would require `S: Clone`.
impl<S: DatagramSocket> Clone for Route<S> {
    fn clone(&self) -> Self {
        let local = self.local.as_ref().map(|local| LocalAddress {
            address: local.address.clone(),
            send_from: local.send_from,
        });
        Self {
            client: self.client.clone(),
            local,
        }
    }
}
