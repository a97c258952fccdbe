//! Access lists: which clients are admitted, by the networks of their addresses.

mod address_set;
mod network;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ipnet::IpNet;
use parking_lot::Mutex;

pub use self::network::{NetworkError, ToNetwork};

use self::address_set::AddressSet;
use crate::state::Rejection;

/// A list of the networks whose clients a server admits and denies:
/// [`ServerOptions::access_list`](crate::ServerOptions::access_list),
/// [`ServerHandle::set_access_list`](crate::ServerHandle::set_access_list).
///
/// - A client in a denied network is denied, also if a smaller or larger network is allowed. The order of the
///   calls has no meaning.
/// - If any network is allowed, clients outside all allowed networks are denied.
/// - An empty list admits all clients.
/// - An IPv4 client of a server for both families (`::ffff:192.0.2.1`) is compared as its IPv4 address. An
///   IPv4-mapped network (`::ffff:192.0.2.0/120`) is its IPv4 network. So `0.0.0.0/0` contains all IPv4 clients,
///   and `::/0` all others.
/// - Clients without an IP address, which are those of Unix sockets, are always admitted.
///
/// A network is a text, an address or a network: see [`ToNetwork`].
///
/// The server sorts the networks once, when it gets the list. So the check of a client takes less than a
/// microsecond, also with 100,000 networks.
///
/// ```
/// use socketserver::AccessList;
/// use std::net::IpAddr;
///
/// let list = AccessList::new()
///     .allow("10.0.0.0/8")?
///     .allow("2001:db8::/32")?
///     .deny("10.9.0.0/16")?;
/// let admits = |client: &str| client.parse().map(|client: IpAddr| list.admits(client));
/// assert_eq!(admits("10.1.2.3"), Ok(true));
/// assert_eq!(admits("::ffff:10.1.2.3"), Ok(true));
/// assert_eq!(admits("10.9.2.3"), Ok(false)); // denied
/// assert_eq!(admits("192.0.2.1"), Ok(false)); // not allowed
/// # Ok::<(), socketserver::BoxError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a list does nothing until a server has it"]
#[doc(alias = "ip_network")]
#[doc(alias = "whitelist")]
#[doc(alias = "blacklist")]
pub struct AccessList {
    allowed: Vec<IpNet>,
    denied: Vec<IpNet>,
}

impl AccessList {
    /// An empty list, which admits all clients.
    ///
    /// See the [example](Self).
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows the clients of a network. Clients outside all allowed networks are denied from now on.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// If a text is no network. Addresses and networks never fail.
    pub fn allow(mut self, network: impl ToNetwork) -> Result<Self, NetworkError> {
        self.allowed.push(network.to_network()?);
        Ok(self)
    }

    /// Denies the clients of a network, also those that are allowed.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// As for [`allow`](Self::allow).
    pub fn deny(mut self, network: impl ToNetwork) -> Result<Self, NetworkError> {
        self.denied.push(network.to_network()?);
        Ok(self)
    }

    /// Allows the clients of several networks.
    ///
    /// ```
    /// use socketserver::AccessList;
    ///
    /// let file = "# the office\n10.1.0.0/16\n10.2.0.7\n";
    /// let lines = file.lines().filter(|line| !line.starts_with('#'));
    /// let list = AccessList::new().allow_all(lines)?.deny_all(["10.1.9.0/24"])?;
    /// assert_eq!(list.allowed().len(), 2);
    /// assert!(list.admits([10, 2, 0, 7].into()) && !list.admits([10, 1, 9, 1].into()));
    /// # Ok::<(), socketserver::BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`allow`](Self::allow).
    pub fn allow_all<N: ToNetwork>(
        self,
        networks: impl IntoIterator<Item = N>,
    ) -> Result<Self, NetworkError> {
        networks.into_iter().try_fold(self, Self::allow)
    }

    /// Denies the clients of several networks.
    ///
    /// See the [example](Self::allow_all).
    ///
    /// # Errors
    ///
    /// As for [`allow`](Self::allow).
    pub fn deny_all<N: ToNetwork>(
        self,
        networks: impl IntoIterator<Item = N>,
    ) -> Result<Self, NetworkError> {
        networks.into_iter().try_fold(self, Self::deny)
    }

    /// Returns whether a client with this address is admitted. For tests of a list; servers call nothing of
    /// yours.
    ///
    /// See the [example](Self).
    pub fn admits(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        let is_in = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&client));
        !is_in(&self.denied) && (self.allowed.is_empty() || is_in(&self.allowed))
    }

    /// The allowed networks, in the order in which they were added.
    ///
    /// See the [example](Self::allow_all).
    pub fn allowed(&self) -> &[IpNet] {
        &self.allowed
    }

    /// The denied networks, in the order in which they were added.
    ///
    /// See the [example](crate::ServerHandle::update_access_list).
    pub fn denied(&self) -> &[IpNet] {
        &self.denied
    }

    fn is_empty(&self) -> bool {
        self.allowed.is_empty() && self.denied.is_empty()
    }
}

/// The access list of a server, which may be replaced while it serves.
#[derive(Debug)]
pub(super) struct AccessControl {
    /// Whether the list has any network. If not, `rules` is not locked.
    is_restricted: AtomicBool,
    rules: Mutex<Rules>,
}

#[derive(Debug)]
struct Rules {
    list: Arc<AccessList>,
    /// The list, for fast checks.
    sorted: Sorted,
    at_denied: Rejection,
}

#[derive(Debug)]
struct Sorted {
    /// `None` if no network is allowed, so that all are.
    allowed: Option<AddressSet>,
    denied: AddressSet,
}

impl Sorted {
    fn new(list: &AccessList) -> Self {
        let has_allowed = !list.allowed.is_empty();
        Self {
            allowed: has_allowed.then(|| list.allowed.iter().collect()),
            denied: list.denied.iter().collect(),
        }
    }

    fn admits(&self, client: IpAddr) -> bool {
        let is_allowed = |allowed: &AddressSet| allowed.contains(client);
        !self.denied.contains(client) && self.allowed.as_ref().is_none_or(is_allowed)
    }
}

impl AccessControl {
    pub(super) fn new(list: AccessList, at_denied: Rejection) -> Self {
        Self {
            is_restricted: AtomicBool::new(!list.is_empty()),
            rules: Mutex::new(Rules {
                sorted: Sorted::new(&list),
                list: Arc::new(list),
                at_denied,
            }),
        }
    }

    /// Returns whether any client may be denied.
    #[inline]
    pub(super) fn is_restricted(&self) -> bool {
        self.is_restricted.load(Ordering::SeqCst)
    }

    /// Checks the address of a client. The error says how a denied client is rejected.
    #[inline]
    pub(super) fn check(&self, address: IpAddr) -> Result<(), Rejection> {
        if !self.is_restricted() {
            return Ok(());
        }
        let rules = self.rules.lock();
        match rules.sorted.admits(address.to_canonical()) {
            true => Ok(()),
            false => Err(rules.at_denied.clone()),
        }
    }

    pub(super) fn list(&self) -> Arc<AccessList> {
        Arc::clone(&self.rules.lock().list)
    }

    /// Replaces the list. Does nothing and returns `false` if `expected` is given and not the present list.
    pub(super) fn replace(&self, expected: Option<&Arc<AccessList>>, list: AccessList) -> bool {
        let mut sorted = Sorted::new(&list);
        let is_restricted = !list.is_empty();
        let mut list = Arc::new(list);
        let mut rules = self.rules.lock();
        if expected.is_some_and(|expected| !Arc::ptr_eq(expected, &rules.list)) {
            return false;
        }
        std::mem::swap(&mut rules.list, &mut list);
        std::mem::swap(&mut rules.sorted, &mut sorted);
        self.is_restricted.store(is_restricted, Ordering::SeqCst);
        // Unlocked before the old list, which may be long, is dropped.
        drop(rules);
        true
    }

    pub(super) fn set_at_denied(&self, rejection: Rejection) {
        self.rules.lock().at_denied = rejection;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(list: &AccessList, client: &str) -> bool {
        let client: IpAddr = client.parse().unwrap();
        let control = AccessControl::new(list.clone(), Rejection::Reset);
        let admits = list.admits(client);
        let expected = if admits {
            Ok(())
        } else {
            Err(Rejection::Reset)
        };
        assert_eq!(control.check(client), expected, "{client}");
        admits
    }

    #[test]
    fn a_denied_network_always_loses() {
        let list = || AccessList::new().allow("10.0.0.0/8").unwrap();
        // The order, and which network is larger, have no meaning.
        let narrow = list().deny("10.9.0.0/16").unwrap();
        assert!(admits(&narrow, "10.1.0.1") && !admits(&narrow, "10.9.0.1"));
        let wide = AccessList::new().deny("0.0.0.0/0").unwrap();
        let wide = wide.allow("10.0.0.0/8").unwrap();
        assert!(!admits(&wide, "10.1.0.1") && !admits(&wide, "::1"));
        let other_host = list().deny("10.1.0.1").unwrap();
        assert!(!admits(&other_host, "10.1.0.1") && admits(&other_host, "10.1.0.2"));
    }

    #[test]
    fn without_allowed_networks_all_others_are_admitted() {
        let list = AccessList::new().deny("192.0.2.0/24").unwrap();
        assert!(admits(&list, "192.0.3.0") && admits(&list, "::1"));
        assert!(!admits(&list, "192.0.2.255"));
        for client in ["0.0.0.0", "255.255.255.255", "::", "::ffff:0.0.0.0"] {
            assert!(admits(&AccessList::new(), client));
        }
    }

    #[test]
    fn families_are_apart_and_mapped_addresses_are_ipv4() {
        let v4 = AccessList::new().allow("0.0.0.0/0").unwrap();
        assert!(admits(&v4, "192.0.2.1") && admits(&v4, "::ffff:192.0.2.1"));
        assert!(!admits(&v4, "::1") && !admits(&v4, "::192.0.2.1"));
        let v6 = AccessList::new().allow("::/0").unwrap();
        assert!(admits(&v6, "::1") && admits(&v6, "::fffe:192.0.2.1"));
        assert!(!admits(&v6, "192.0.2.1") && !admits(&v6, "::ffff:192.0.2.1"));
        let mapped = AccessList::new().allow("::ffff:192.0.2.0/120").unwrap();
        assert!(admits(&mapped, "192.0.2.9") && admits(&mapped, "::ffff:192.0.2.9"));
        assert!(!admits(&mapped, "192.0.3.9"));
        let all_mapped = AccessList::new().deny("::ffff:0:0/96").unwrap();
        assert!(!admits(&all_mapped, "192.0.2.9") && admits(&all_mapped, "::1"));
        let client: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let host = AccessList::new().deny(client).unwrap();
        assert!(!admits(&host, "192.0.2.1") && admits(&host, "192.0.2.2"));
    }

    #[test]
    fn a_list_is_replaced_only_if_it_is_the_expected_one() {
        let control = AccessControl::new(AccessList::new(), Rejection::Close);
        let first = control.list();
        let denying = AccessList::new().deny("192.0.2.1").unwrap();
        assert!(control.replace(Some(&first), denying.clone()));
        assert!(!control.replace(Some(&first), AccessList::new()));
        assert_eq!(*control.list(), denying);
        assert!(control.is_restricted());
        assert!(control.replace(None, AccessList::new()));
        assert!(!control.is_restricted());
    }
}
