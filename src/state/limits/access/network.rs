//! Networks of access lists.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::escape::Escaped;

/// What [`AccessList`](crate::AccessList) accepts as a network: a text, an address, or a network of the crate
/// `ipnet`.
///
/// A text is an address (`192.0.2.7`, `::1`), or an address and the length of the network's prefix in bits
/// (`10.0.0.0/8`, `2001:db8::/32`). Spaces around it are ignored. An address is the network that contains only
/// this address. Bits beyond the prefix are ignored: `10.1.2.3/8` is `10.0.0.0/8` (Python: an error, unless
/// `strict=False`).
///
/// ```
/// use socketserver::ToNetwork;
/// use std::net::{IpAddr, Ipv4Addr};
///
/// assert_eq!("10.1.2.3/8".to_network()?.to_string(), "10.0.0.0/8");
/// assert_eq!(Ipv4Addr::LOCALHOST.to_network()?, "127.0.0.1".to_network()?);
/// let error = "10.0.0.0/33".to_network().unwrap_err();
/// assert!(error.to_string().starts_with("\"10.0.0.0/33\" is no network: "), "{error}");
/// assert_eq!(format!("{error:?}"), error.to_string());
/// # Ok::<(), socketserver::NetworkError>(())
/// ```
#[doc(alias = "ip_network")]
pub trait ToNetwork {
    /// Returns the network. Its host bits are zero, and it is an IPv4 network if it is IPv4-mapped.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// If a text is no network.
    fn to_network(&self) -> Result<IpNet, NetworkError>;
}

/// The error of a text that is no network.
///
/// See the [example](ToNetwork).
#[derive(Clone, PartialEq, Eq)]
pub struct NetworkError {
    text: String,
}

impl NetworkError {
    /// The text.
    ///
    /// ```
    /// let error = socketserver::AccessList::new().allow("localhost").unwrap_err();
    /// assert_eq!(error.text(), "localhost");
    /// ```
    pub fn text(&self) -> &str {
        &self.text
    }

    fn advice(&self) -> &'static str {
        let text = self.text.trim();
        if text.parse::<SocketAddr>().is_ok() {
            "leave out the port"
        } else if text.contains(['[', ']']) {
            "leave out the brackets"
        } else if text.contains('%') {
            "leave out the scope after the %"
        } else if text.contains("/255.") || text.contains("/0.") {
            "write the length of the prefix instead of a mask, as in 10.0.0.0/8"
        } else {
            "write an address, such as 192.0.2.7, or a network, such as 10.0.0.0/8 or 2001:db8::/32"
        }
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, advice) = (Escaped(&self.text), self.advice());
        write!(f, "\"{text}\" is no network: {advice}")
    }
}

/// The text of `Display`, because `main` prints an error that it returns by `Debug`.
impl fmt::Debug for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for NetworkError {}

impl ToNetwork for str {
    fn to_network(&self) -> Result<IpNet, NetworkError> {
        let text = self.trim();
        let network = text.parse().or_else(|_| text.parse().map(host));
        let network = network.map_err(|_| NetworkError { text: self.into() })?;
        Ok(normalize(network))
    }
}

impl ToNetwork for String {
    fn to_network(&self) -> Result<IpNet, NetworkError> {
        self.as_str().to_network()
    }
}

impl<N: ToNetwork + ?Sized> ToNetwork for &N {
    fn to_network(&self) -> Result<IpNet, NetworkError> {
        (**self).to_network()
    }
}

macro_rules! impl_to_network {
    ($($of:ty),*) => {
        $(impl ToNetwork for $of {
            fn to_network(&self) -> Result<IpNet, NetworkError> {
                Ok(normalize(IpNet::from(*self)))
            }
        })*
    };
}

impl_to_network!(IpAddr, IpNet, Ipv4Net, Ipv6Net);

impl ToNetwork for Ipv4Addr {
    fn to_network(&self) -> Result<IpNet, NetworkError> {
        IpAddr::from(*self).to_network()
    }
}

impl ToNetwork for Ipv6Addr {
    fn to_network(&self) -> Result<IpNet, NetworkError> {
        IpAddr::from(*self).to_network()
    }
}

fn host(address: IpAddr) -> IpNet {
    address.into()
}

/// Clears the host bits, and makes an IPv4-mapped network an IPv4 network.
fn normalize(network: IpNet) -> IpNet {
    /// Bits of the prefix of all IPv4-mapped addresses.
    const MAPPED: u8 = 96;

    let network = network.trunc();
    let IpNet::V6(v6) = network else {
        return network;
    };
    let mapped = v6.addr().to_ipv4_mapped();
    let length = v6.prefix_len().checked_sub(MAPPED);
    let v4 = mapped.zip(length);
    v4.and_then(|(address, length)| Ipv4Net::new(address, length).ok())
        .map_or(network, IpNet::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_networks() {
        for (text, expected) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            (" 192.0.2.7\t", "192.0.2.7/32"),
            ("::", "::/128"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("::ffff:192.0.2.1/120", "192.0.2.0/24"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
        ] {
            assert_eq!(text.to_network().unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_errors_with_advice() {
        for (text, advice) in [
            ("", "write an address"),
            ("localhost", "write an address"),
            ("10.0.0.0/", "write an address"),
            ("10.0.0.0/33", "write an address"),
            ("10.0.0.0/-1", "write an address"),
            ("::/129", "write an address"),
            ("10.0.0", "write an address"),
            ("010.0.0.1", "write an address"),
            ("10.0.0.1:80", "leave out the port"),
            ("[::1]:80", "leave out the port"),
            ("[::1]", "leave out the brackets"),
            ("[2001:db8::]/32", "leave out the brackets"),
            ("fe80::1%eth0", "leave out the scope"),
            ("10.0.0.0/255.0.0.0", "write the length of the prefix"),
            ("10.0.0.0/0.255.255.255", "write the length of the prefix"),
        ] {
            let error = text.to_network().unwrap_err().to_string();
            let expected = format!("\"{text}\" is no network: {advice}");
            assert!(error.starts_with(&expected), "{error}");
        }
        let forged = "x\nlog line".to_network().unwrap_err().to_string();
        assert!(!forged.contains('\n'), "{forged}");
    }

    #[test]
    fn addresses_and_networks_are_networks() {
        let v4 = Ipv4Addr::new(192, 0, 2, 7);
        let v6 = v4.to_ipv6_mapped();
        let expected: IpNet = "192.0.2.7/32".parse().unwrap();
        let all = [
            v4.to_network(),
            v6.to_network(),
            IpAddr::from(v6).to_network(),
            Ipv6Net::from(v6).to_network(),
            IpNet::from(IpAddr::from(v4)).to_network(),
            "192.0.2.7".to_string().to_network(),
        ];
        for network in all {
            assert_eq!(network, Ok(expected));
        }
        let unmasked: IpNet = "192.0.2.7/24".parse().unwrap();
        assert_eq!(unmasked.to_network().unwrap().to_string(), "192.0.2.0/24");
    }
}
