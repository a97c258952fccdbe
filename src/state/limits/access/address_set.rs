//! A set of addresses.

use std::net::IpAddr;

use ipnet::IpNet;

/// A set of addresses, as sorted ranges that do not overlap. The two families are apart, as in
/// [`IpNet::contains`].
#[derive(Debug, Default)]
pub(super) struct AddressSet {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl AddressSet {
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => is_in(&self.v4, address.to_bits()),
            IpAddr::V6(address) => is_in(&self.v6, address.to_bits()),
        }
    }
}

impl<'a> FromIterator<&'a IpNet> for AddressSet {
    fn from_iter<I: IntoIterator<Item = &'a IpNet>>(networks: I) -> Self {
        let mut set = Self::default();
        for network in networks {
            match network {
                IpNet::V4(network) => {
                    let ends = (network.network(), network.broadcast());
                    set.v4.push((ends.0.to_bits(), ends.1.to_bits()));
                }
                IpNet::V6(network) => {
                    let ends = (network.network(), network.broadcast());
                    set.v6.push((ends.0.to_bits(), ends.1.to_bits()));
                }
            }
        }
        merge(&mut set.v4);
        merge(&mut set.v6);
        set
    }
}

/// Sorts ranges, and merges those that overlap.
fn merge<T: Ord + Copy>(ranges: &mut Vec<(T, T)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let overlaps = next.0 <= last.1;
        if overlaps {
            last.1 = last.1.max(next.1);
        }
        overlaps
    });
    ranges.shrink_to_fit();
}

fn is_in<T: Ord + Copy>(ranges: &[(T, T)], value: T) -> bool {
    let begun = ranges.partition_point(|range| range.0 <= value);
    begun > 0 && value <= ranges[begun - 1].1
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use ipnet::{Ipv4Net, Ipv6Net};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::state::limits::AccessList;
    use crate::state::limits::access::Sorted;

    /// Few addresses of each family, so that networks overlap and clients are often inside.
    fn address() -> impl Strategy<Value = IpAddr> {
        let edge = prop_oneof![0_u32..8, Just(u32::MAX), 0x0a00_0000_u32..0x0a00_0010];
        (edge, 0..3).prop_map(|(bits, family)| match family {
            0 => Ipv4Addr::from_bits(bits).into(),
            1 => Ipv4Addr::from_bits(bits).to_ipv6_mapped().into(),
            _ => Ipv6Addr::from_bits(u128::from(bits) << 96 | u128::from(bits)).into(),
        })
    }

    fn network() -> impl Strategy<Value = IpNet> {
        (address(), 0_u8..=128).prop_map(|(address, length)| match address {
            IpAddr::V4(address) => Ipv4Net::new_assert(address, length % 33).into(),
            IpAddr::V6(address) => Ipv6Net::new_assert(address, length).into(),
        })
    }

    /// Bits of an address and the length of its family's addresses. Mapped addresses are IPv4.
    fn bits(address: IpAddr) -> (u128, u32) {
        match address {
            IpAddr::V4(address) => (address.to_bits().into(), 32),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => (address.to_bits().into(), 32),
                None => (address.to_bits(), 128),
            },
        }
    }

    /// Compares the first bits of both, one by one.
    fn is_in_network(client: IpAddr, network: &IpNet) -> bool {
        let mut length = u32::from(network.prefix_len());
        let ((client, client_size), (network_bits, size)) = (bits(client), bits(network.addr()));
        if network.max_prefix_len() == 128 && size == 32 {
            // A mapped network that is larger than IPv4 is an IPv6 network.
            let Some(mapped_length) = length.checked_sub(96) else {
                return client_size == 128 && {
                    let IpAddr::V6(network) = network.addr() else {
                        unreachable!()
                    };
                    same_bits(client, network.to_bits(), 128, length)
                };
            };
            length = mapped_length;
        }
        client_size == size && same_bits(client, network_bits, size, length)
    }

    fn same_bits(one: u128, other: u128, size: u32, length: u32) -> bool {
        (0..length).all(|n| (one ^ other) >> (size - 1 - n) & 1 == 0)
    }

    proptest! {
        #[test]
        fn lists_agree_with_a_naive_check(
            allowed in vec(network(), 0..6),
            denied in vec(network(), 0..6),
            clients in vec(address(), 1..20),
        ) {
            let list = AccessList::new().allow_all(&allowed).unwrap().deny_all(&denied).unwrap();
            let sorted = Sorted::new(&list);
            for client in clients {
                let is_in = |networks: &[IpNet]| networks.iter().any(|n| is_in_network(client, n));
                let expected = !is_in(&denied) && (allowed.is_empty() || is_in(&allowed));
                prop_assert_eq!(list.admits(client), expected, "{}", client);
                prop_assert_eq!(sorted.admits(client.to_canonical()), expected, "{}", client);
            }
        }
    }

    #[test]
    fn ranges_are_sorted_and_do_not_overlap() {
        let mut ranges = vec![(9, 9), (0, 3), (2, 5), (1, 1), (5, 7), (9, 9)];
        merge(&mut ranges);
        assert_eq!(ranges, [(0, 7), (9, 9)]);
        for (value, expected) in [(0, true), (7, true), (8, false), (9, true), (10, false)] {
            assert_eq!(is_in(&ranges, value), expected, "{value}");
        }
        assert!(!is_in::<u32>(&[], 0));
    }
}
