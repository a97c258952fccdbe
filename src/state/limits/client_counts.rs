//! Numbers of connections of each client.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use parking_lot::Mutex;

use crate::state::Rejection;

/// The addresses that count as one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    V4(Ipv4Addr),
    /// The first 64 bits, which are the network, because one host can use all addresses of its network.
    V6([u8; 8]),
}

impl Client {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// The limit of connections per client.
///
/// Connections are counted without a limit too, so that a limit that is set later counts those that are open.
/// This costs about 0.1 µs per connection.
#[derive(Debug)]
pub(super) struct ClientLimit(Mutex<Limited>);

#[derive(Debug)]
struct Limited {
    counts: ClientCounts,
    most: Option<usize>,
    at_most: Rejection,
}

impl ClientLimit {
    pub(super) fn new(most: Option<usize>, at_most: Rejection) -> Self {
        Self(Mutex::new(Limited {
            counts: ClientCounts::default(),
            most,
            at_most,
        }))
    }

    /// Counts a connection of a client. If the client has as many connections as it may have, returns how this one
    /// is rejected.
    pub(super) fn add(&self, client: Client) -> Result<(), Rejection> {
        let mut limited = self.0.lock();
        let most = limited.most.unwrap_or(usize::MAX);
        match limited.counts.add(client, most) {
            true => Ok(()),
            false => Err(limited.at_most.clone()),
        }
    }

    /// Removes a connection that was counted.
    pub(super) fn remove(&self, client: Client) {
        self.0.lock().counts.remove(client);
    }

    pub(super) fn set_most(&self, most: Option<usize>) {
        self.0.lock().most = most;
    }

    pub(super) fn set_at_most(&self, rejection: Rejection) {
        self.0.lock().at_most = rejection;
    }

    #[cfg(test)]
    pub(super) fn clients(&self) -> usize {
        self.0.lock().counts.len()
    }
}

/// Number of connections of each client. Contains no clients without connections.
#[derive(Debug, Default)]
struct ClientCounts {
    connections: HashMap<Client, usize>,
}

impl ClientCounts {
    /// Capacity up to which no memory is returned.
    const SMALL: usize = 64;

    #[cfg(test)]
    fn len(&self) -> usize {
        self.connections.len()
    }

    /// Adds a connection. Returns `false` if the client has `most` already.
    fn add(&mut self, client: Client, most: usize) -> bool {
        let connections = self.connections.entry(client).or_insert(0);
        let has_capacity = *connections < most;
        *connections += usize::from(has_capacity);
        has_capacity
    }

    /// Removes a connection that was added.
    fn remove(&mut self, client: Client) {
        if let Some(connections) = self.connections.get_mut(&client) {
            *connections -= 1;
            if *connections > 0 {
                return;
            }
        }
        self.connections.remove(&client);
        // Returns memory after a time with many clients.
        if self.connections.capacity() > Self::SMALL.max(8 * self.connections.len()) {
            self.connections
                .shrink_to(Self::SMALL.max(2 * self.connections.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        Client::of(address.parse().unwrap())
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        let same = [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "::ffff:127.0.0.1"),
            ("::ffff:7f00:1", "127.0.0.1"),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
            ("2001:db8:1:2::", "2001:db8:1:2:8000::"),
            ("::1", "::2"),
        ];
        for (one, other) in same {
            assert_eq!(client(one), client(other), "{one} {other}");
        }
        let different = [
            ("127.0.0.1", "127.0.0.2"),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.2"),
            ("127.0.0.1", "::1"),
            // An IPv4-mapped address, and one that differs from it by one bit and is not mapped.
            ("::ffff:127.0.0.1", "::fffe:127.0.0.1"),
            ("2001:db8:1:2::1", "2001:db8:1:3::1"),
            ("2001:db8:1:2::1", "2001:db8:0:2::1"),
            ("0.0.0.0", "::"),
        ];
        for (one, other) in different {
            assert_ne!(client(one), client(other), "{one} {other}");
        }
    }

    #[test]
    fn a_client_without_connections_is_forgotten() {
        let mut clients = ClientCounts::default();
        let [one, other] = ["192.0.2.1", "2001:db8::1"].map(client);
        assert!(clients.add(one, 2) && clients.add(one, 2) && clients.add(other, 2));
        assert!(!clients.add(one, 2));
        assert_eq!(clients.len(), 2);
        clients.remove(one);
        assert!(clients.add(one, 2) && !clients.add(one, 2));
        clients.remove(one);
        clients.remove(one);
        clients.remove(other);
        assert_eq!(clients.len(), 0);
    }

    #[test]
    fn memory_follows_the_number_of_clients() {
        let mut clients = ClientCounts::default();
        let all: Vec<_> = (0..10_000)
            .map(|n| Client::V4(Ipv4Addr::from_bits(n)))
            .collect();
        for client in &all {
            assert!(clients.add(*client, 1));
        }
        let most = clients.connections.capacity();
        for client in &all[10..] {
            clients.remove(*client);
        }
        assert_eq!(clients.len(), 10);
        let left = clients.connections.capacity();
        assert!(
            left <= 4 * ClientCounts::SMALL && left < most,
            "{left} of {most}"
        );
        assert!(all[..10].iter().all(|client| !clients.add(*client, 1)));
    }
}
