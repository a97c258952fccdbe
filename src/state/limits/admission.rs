//! Admission: whether the next connection is accepted, waits in the backlog or is rejected.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::state::counters::{Counters, RejectionReason};
use crate::state::limits::access::AccessControl;
use crate::state::limits::client_counts::ClientLimit;
use crate::state::limits::{
    AccessList, Admission, Client, LimitConfig, OverloadPolicy, Rejection, TokenBucket,
};
use crate::sys::waker::Waker;

/// The limits of a server and their use. All of them can be changed while the server serves.
///
/// The number of active connections comes from the server's counters, so that no second number can
/// disagree with them. Only connections that are about to be accepted are counted here.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Whether the number or the rate of connections is limited. If not, `usage` is not locked.
    is_limited: AtomicBool,
    usage: Mutex<Usage>,
    /// Number of accept loops that wait for a place.
    waiting: AtomicUsize,
    access: AccessControl,
    clients: ClientLimit,
}

#[derive(Debug)]
struct Usage {
    max_connections: Option<usize>,
    at_max_connections: OverloadPolicy,
    accept_rate: Option<TokenBucket>,
    at_accept_rate: OverloadPolicy,
    /// Number of buckets that `accept_rate` has had.
    bucket_number: u64,
    /// Number of places held by permits.
    reserved: usize,
    /// Start of the time during which all places have been taken without a break.
    full_since: Option<Instant>,
}

/// The result of trying to admit one connection.
pub(crate) enum Entry<'a> {
    /// Neither the number nor the rate of connections is limited.
    Unlimited,
    Permit(Permit<'a>),
    Wait,
    Reject(RejectionReason, Rejection),
}

/// A place for the next connection, and a token. Dropping it returns both, unless a connection was
/// [admitted](Self::admit) with it.
pub(crate) struct Permit<'a> {
    limits: &'a Limits,
    waker: &'a Waker,
    /// The bucket from which the token was taken.
    bucket_number: u64,
}

impl Limits {
    pub(crate) fn new(config: LimitConfig) -> Self {
        let usage = Usage {
            max_connections: config.max_connections,
            at_max_connections: config.at_max_connections,
            accept_rate: config.accept_rate,
            at_accept_rate: config.at_accept_rate,
            bucket_number: 0,
            reserved: 0,
            full_since: None,
        };
        Self {
            is_limited: AtomicBool::new(usage.is_limited()),
            usage: Mutex::new(usage),
            waiting: AtomicUsize::new(0),
            access: AccessControl::new(config.access_list, config.at_denied),
            clients: ClientLimit::new(config.max_per_client, config.at_max_per_client),
        }
    }

    /// Locks the use of the limits of number and rate; `None` if neither is limited.
    #[inline]
    fn limited(&self) -> Option<MutexGuard<'_, Usage>> {
        let is_limited = self.is_limited.load(Ordering::SeqCst);
        is_limited.then(|| self.usage.lock())
    }

    /// Returns the present decision about the next connection.
    #[inline]
    pub(crate) fn admission(&self, counters: &Counters) -> Admission {
        match self.limited() {
            None => Admission::Admit,
            Some(mut usage) => usage.admission(counters, Instant::now()),
        }
    }

    /// Reserves a place and a token for the next connection, if the limits allow it. `waker` wakes the
    /// accept loops of the server.
    #[inline]
    pub(crate) fn try_admit<'a>(&'a self, counters: &Counters, waker: &'a Waker) -> Entry<'a> {
        let Some(mut usage) = self.limited() else {
            return Entry::Unlimited;
        };
        let now = Instant::now();
        match usage.admission(counters, now) {
            Admission::Admit => {
                usage.reserve(counters, now);
                Entry::Permit(Permit {
                    limits: self,
                    waker,
                    bucket_number: usage.bucket_number,
                })
            }
            Admission::Wait(_) => Entry::Wait,
            Admission::Reject(reason) => Entry::Reject(reason, usage.rejection(reason)),
        }
    }

    /// Announces that the calling loop is going to wait for a place, until the result is dropped. The
    /// loop has to check once more before it waits, because places that became free earlier woke no loop.
    pub(crate) fn wait_for_place(&self) -> PlaceWait<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        PlaceWait(&self.waiting)
    }

    /// Returns the time until a token is available; `None` if one is.
    pub(crate) fn next_token(&self) -> Option<Duration> {
        let usage = self.limited()?;
        let bucket = usage.accept_rate.as_ref()?;
        bucket.time_until_token(Instant::now())
    }

    /// Wakes an accept loop that waits for a place. Called after the counters were updated.
    #[inline]
    pub(crate) fn notify_place_free(&self, waker: &Waker) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            waker.wake();
        }
    }
}

/// # Limits by the address of a client
impl Limits {
    /// Returns whether the access list may deny any client.
    #[inline]
    pub(crate) fn has_access_list(&self) -> bool {
        self.access.is_restricted()
    }

    /// Checks the address of a client by the access list. The error says how the client is rejected.
    #[inline]
    pub(crate) fn check_access(&self, address: IpAddr) -> Result<(), Rejection> {
        self.access.check(address)
    }

    /// Admits a connection by the address of its client: checks the access list, and counts the connection for
    /// the client until [`remove_client`](Self::remove_client). Returns the client.
    #[inline]
    pub(crate) fn admit_client(
        &self,
        address: IpAddr,
    ) -> Result<Option<Client>, (RejectionReason, Rejection)> {
        let denied = |rejection| (RejectionReason::AccessList, rejection);
        self.access.check(address).map_err(denied)?;
        let client = Client::of(address);
        let too_many = |rejection| (RejectionReason::MaxPerClient, rejection);
        self.clients.add(client).map_err(too_many)?;
        Ok(Some(client))
    }

    /// Removes a connection of this client.
    #[inline]
    pub(crate) fn remove_client(&self, client: Client) {
        self.clients.remove(client);
    }
}

/// # Changes while the server serves
impl Limits {
    pub(crate) fn set_max_connections(&self, most: Option<usize>, waker: &Waker) {
        self.change(waker, |usage| {
            usage.max_connections = most.map(at_least_one);
            usage.full_since = None;
        });
    }

    pub(crate) fn set_at_max_connections(&self, policy: OverloadPolicy, waker: &Waker) {
        self.change(waker, |usage| {
            usage.at_max_connections = policy;
            usage.full_since = None;
        });
    }

    pub(crate) fn set_accept_rate(&self, bucket: Option<TokenBucket>, waker: &Waker) {
        self.change(waker, |usage| {
            usage.accept_rate = bucket;
            usage.bucket_number += 1;
        });
    }

    pub(crate) fn set_at_accept_rate(&self, policy: OverloadPolicy, waker: &Waker) {
        self.change(waker, |usage| usage.at_accept_rate = policy);
    }

    pub(crate) fn set_max_per_client(&self, most: Option<usize>) {
        self.clients.set_most(most.map(at_least_one));
    }

    pub(crate) fn set_at_max_per_client(&self, rejection: Rejection) {
        self.clients.set_at_most(rejection);
    }

    pub(crate) fn access_list(&self) -> Arc<AccessList> {
        self.access.list()
    }

    /// Sets the access list. Does nothing and returns `false` if `expected` is given and not the present list.
    pub(crate) fn set_access_list(
        &self,
        expected: Option<&Arc<AccessList>>,
        list: AccessList,
    ) -> bool {
        self.access.replace(expected, list)
    }

    pub(crate) fn set_at_denied(&self, rejection: Rejection) {
        self.access.set_at_denied(rejection);
    }

    /// Changes the limits of number and rate, and wakes a loop that waits because of them.
    fn change(&self, waker: &Waker, change: impl FnOnce(&mut Usage)) {
        let mut usage = self.usage.lock();
        change(&mut usage);
        self.is_limited.store(usage.is_limited(), Ordering::SeqCst);
        drop(usage);
        self.notify_place_free(waker);
    }
}

/// A limit of zero would admit no connection at all.
fn at_least_one(most: usize) -> usize {
    most.max(1)
}

impl Usage {
    fn is_limited(&self) -> bool {
        self.max_connections.is_some() || self.accept_rate.is_some()
    }

    fn admission(&mut self, counters: &Counters, now: Instant) -> Admission {
        match self.admission_by_connections(counters, now) {
            Admission::Admit => self.admission_by_rate(now),
            other => other,
        }
    }

    fn is_full(&self, counters: &Counters) -> bool {
        let taken = || counters.active().saturating_add(self.reserved);
        self.max_connections.is_some_and(|most| taken() >= most)
    }

    fn admission_by_connections(&mut self, counters: &Counters, now: Instant) -> Admission {
        if !self.is_full(counters) {
            self.full_since = None;
            return Admission::Admit;
        }
        let since = *self.full_since.get_or_insert(now);
        let policy = &self.at_max_connections;
        let admission = policy.admission(RejectionReason::MaxConnections, since, now);
        self.unless_reserved(admission, None)
    }

    fn admission_by_rate(&mut self, now: Instant) -> Admission {
        let Some(bucket) = &self.accept_rate else {
            return Admission::Admit;
        };
        let Some(until_token) = bucket.time_until_token(now) else {
            return Admission::Admit;
        };
        let policy = &self.at_accept_rate;
        let admission = policy.admission(RejectionReason::AcceptRate, bucket.empty_since(), now);
        match self.unless_reserved(admission, Some(until_token)) {
            Admission::Wait(left) => {
                let left = left.map_or(until_token, |left| left.min(until_token));
                Admission::Wait(Some(left))
            }
            other => other,
        }
    }

    /// Turns a rejection into a wait while permits are out. Several loops may have seen the same
    /// connection, and each holds a permit for it; unused permits come back in a moment.
    fn unless_reserved(&self, admission: Admission, left: Option<Duration>) -> Admission {
        match admission {
            Admission::Reject(_) if self.reserved > 0 => Admission::Wait(left),
            admission => admission,
        }
    }

    fn may_reject(&self) -> bool {
        self.at_max_connections != OverloadPolicy::Wait
            || self.at_accept_rate != OverloadPolicy::Wait
    }

    fn reserve(&mut self, counters: &Counters, now: Instant) {
        self.reserved += 1;
        if let Some(bucket) = &mut self.accept_rate {
            bucket.take(now);
        }
        if self.is_full(counters) {
            self.full_since = Some(now);
        }
    }

    fn rejection(&self, reason: RejectionReason) -> Rejection {
        match reason {
            RejectionReason::AcceptRate => self.at_accept_rate.rejection(),
            _ => self.at_max_connections.rejection(),
        }
    }
}

impl Permit<'_> {
    /// Admits the connection. `count` counts it as accepted, and returns its request.
    pub(crate) fn admit<T>(self, count: impl FnOnce() -> T) -> T {
        let mut usage = self.limits.usage.lock();
        // Called under the lock, so that the place moves from the permit to the counters in one step.
        let request = count();
        usage.reserved -= 1;
        let may_reject = usage.may_reject();
        drop(usage);
        if may_reject {
            // A loop may wait because this permit was out; now it can decide.
            self.limits.notify_place_free(self.waker);
        }
        std::mem::forget(self);
        request
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut usage = self.limits.usage.lock();
        usage.reserved -= 1;
        // A bucket that was set since has not lost a token.
        if usage.bucket_number == self.bucket_number
            && let Some(bucket) = &mut usage.accept_rate
        {
            bucket.put_back();
        }
        drop(usage);
        // A notification may have been missed because of this permit.
        self.limits.notify_place_free(self.waker);
    }
}

/// An accept loop that waits for a place.
pub(crate) struct PlaceWait<'a>(&'a AtomicUsize);

impl Drop for PlaceWait<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
