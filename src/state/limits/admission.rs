//! Admission: whether the next connection is accepted, waits in the backlog or is rejected.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::state::counters::{Counters, RejectionReason};
use crate::state::limits::client_counts::ClientCounts;
use crate::state::limits::{Admission, Client, LimitConfig, OverloadPolicy, Rejection};
use crate::sys::waker::Waker;

/// The limits of a server and their use.
///
/// The number of active connections comes from the server's counters, so that no second number can
/// disagree with them. Only connections that are about to be accepted are counted here.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    /// `None` if no limit is set: then nothing else is looked at.
    usage: Option<Mutex<Usage>>,
    /// Number of accept loops that wait for a place.
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct Usage {
    config: LimitConfig,
    /// Number of places held by permits.
    reserved: usize,
    /// Start of the time during which all places have been taken without a break.
    full_since: Option<Instant>,
    clients: ClientCounts,
}

/// The result of trying to admit one connection.
pub(crate) enum Entry<'a> {
    /// No limit is set.
    Unlimited,
    Permit(Permit<'a>),
    Wait,
    Reject(RejectionReason, Rejection),
}

/// A place for the next connection, and a token. Dropping it returns both, unless a connection was
/// [admitted](Self::admit) with it.
pub(crate) struct Permit<'a> {
    limits: &'a Limits,
    usage: &'a Mutex<Usage>,
    waker: &'a Waker,
}

impl Limits {
    pub(crate) fn new(config: LimitConfig) -> Self {
        let usage = config.is_limited().then(|| {
            Mutex::new(Usage {
                config,
                reserved: 0,
                full_since: None,
                clients: ClientCounts::default(),
            })
        });
        Self {
            usage,
            waiting: AtomicUsize::new(0),
        }
    }

    /// Returns the present decision about the next connection.
    #[inline]
    pub(crate) fn admission(&self, counters: &Counters) -> Admission {
        match &self.usage {
            None => Admission::Admit,
            Some(usage) => usage.lock().admission(counters, Instant::now()),
        }
    }

    /// Reserves a place and a token for the next connection, if the limits allow it. `waker` wakes the
    /// accept loops of the server.
    #[inline]
    pub(crate) fn try_admit<'a>(&'a self, counters: &Counters, waker: &'a Waker) -> Entry<'a> {
        let Some(usage) = &self.usage else {
            return Entry::Unlimited;
        };
        let now = Instant::now();
        let mut locked = usage.lock();
        match locked.admission(counters, now) {
            Admission::Admit => {
                locked.reserve(counters, now);
                Entry::Permit(Permit {
                    limits: self,
                    usage,
                    waker,
                })
            }
            Admission::Wait(_) => Entry::Wait,
            Admission::Reject(reason) => Entry::Reject(reason, locked.rejection(reason)),
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
        let usage = self.usage.as_ref()?.lock();
        usage
            .config
            .accept_rate
            .as_ref()?
            .time_until_token(Instant::now())
    }

    /// Removes a connection of this client.
    pub(crate) fn remove_client(&self, client: Client) {
        if let Some(usage) = &self.usage {
            usage.lock().clients.remove(client);
        }
    }

    /// Wakes an accept loop that waits for a place. Called after the counters were updated.
    #[inline]
    pub(crate) fn notify_place_free(&self, waker: &Waker) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            waker.wake();
        }
    }
}

impl Usage {
    fn admission(&mut self, counters: &Counters, now: Instant) -> Admission {
        match self.admission_by_connections(counters, now) {
            Admission::Admit => self.admission_by_rate(now),
            other => other,
        }
    }

    fn is_full(&self, counters: &Counters) -> bool {
        let taken = || counters.active().saturating_add(self.reserved);
        self.config
            .max_connections
            .is_some_and(|most| taken() >= most)
    }

    fn admission_by_connections(&mut self, counters: &Counters, now: Instant) -> Admission {
        if !self.is_full(counters) {
            self.full_since = None;
            return Admission::Admit;
        }
        let since = *self.full_since.get_or_insert(now);
        let policy = &self.config.at_max_connections;
        let admission = policy.admission(RejectionReason::MaxConnections, since, now);
        self.unless_reserved(admission, None)
    }

    fn admission_by_rate(&mut self, now: Instant) -> Admission {
        let Some(bucket) = &self.config.accept_rate else {
            return Admission::Admit;
        };
        let Some(until_token) = bucket.time_until_token(now) else {
            return Admission::Admit;
        };
        let policy = &self.config.at_accept_rate;
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
        self.config.at_max_connections != OverloadPolicy::Wait
            || self.config.at_accept_rate != OverloadPolicy::Wait
    }

    fn reserve(&mut self, counters: &Counters, now: Instant) {
        self.reserved += 1;
        if let Some(bucket) = &mut self.config.accept_rate {
            bucket.take(now);
        }
        if self.is_full(counters) {
            self.full_since = Some(now);
        }
    }

    fn rejection(&self, reason: RejectionReason) -> Rejection {
        match reason {
            RejectionReason::MaxPerClient => self.config.at_max_per_client.clone(),
            RejectionReason::AcceptRate => self.config.at_accept_rate.rejection(),
            _ => self.config.at_max_connections.rejection(),
        }
    }
}

impl Permit<'_> {
    /// Admits the connection, unless its client has as many connections as it may have. `count` counts it as
    /// accepted, for this client if connections per client are limited, and returns its request.
    pub(crate) fn admit<T>(
        self,
        address: impl FnOnce() -> Option<IpAddr>,
        count: impl FnOnce(Option<Client>) -> T,
    ) -> Result<T, (RejectionReason, Rejection)> {
        let mut usage = self.usage.lock();
        let mut client = None;
        if let Some(most) = usage.config.max_per_client {
            client = address().map(Client::of);
            if client.is_some_and(|client| !usage.clients.add(client, most)) {
                let reason = RejectionReason::MaxPerClient;
                let rejection = usage.rejection(reason);
                // Dropping `self` returns the place, which takes the lock again.
                drop(usage);
                return Err((reason, rejection));
            }
        }
        // Called under the lock, so that the place moves from the permit to the counters in one step.
        let request = count(client);
        usage.reserved -= 1;
        let may_reject = usage.may_reject();
        drop(usage);
        if may_reject {
            // A loop may wait because this permit was out; now it can decide.
            self.limits.notify_place_free(self.waker);
        }
        std::mem::forget(self);
        Ok(request)
    }

    fn give_back(mut usage: MutexGuard<'_, Usage>) {
        usage.reserved -= 1;
        if let Some(bucket) = &mut usage.config.accept_rate {
            bucket.put_back();
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        Self::give_back(self.usage.lock());
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::state::limits::token_bucket::TokenBucket;
    use crate::state::{InFlight, ServerState};

    fn server(limits: LimitConfig) -> Arc<ServerState> {
        let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
        Arc::new(ServerState::new(address.into(), limits).unwrap())
    }

    fn max_connections(most: usize) -> LimitConfig {
        LimitConfig {
            max_connections: Some(most),
            ..LimitConfig::default()
        }
    }

    /// Limits an accept rate to a burst that is never refilled.
    fn burst(tokens: u32) -> LimitConfig {
        LimitConfig {
            accept_rate: TokenBucket::new(0.0, tokens, Instant::now()),
            ..LimitConfig::default()
        }
    }

    fn ip(host: u32) -> Option<IpAddr> {
        Some(Ipv4Addr::from_bits(host).into())
    }

    fn try_admit(server: &ServerState) -> Entry<'_> {
        server.limits.try_admit(&server.counters, &server.waker)
    }

    fn permit(server: &ServerState) -> Permit<'_> {
        match try_admit(server) {
            Entry::Permit(permit) => permit,
            _ => panic!("the server must have capacity"),
        }
    }

    type Admitted<'a> = Result<InFlight<&'a Arc<ServerState>>, (RejectionReason, Rejection)>;

    fn admit(server: &Arc<ServerState>, address: Option<IpAddr>) -> Admitted<'_> {
        permit(server).admit(|| address, |client| InFlight::begin_for(server, client))
    }

    #[track_caller]
    fn expect_unused(server: &ServerState) {
        assert_eq!(server.active(), 0);
        assert_eq!(server.limits.waiting.load(Ordering::SeqCst), 0);
        let usage = server.limits.usage.as_ref().unwrap().lock();
        assert_eq!((usage.reserved, usage.clients.len()), (0, 0));
    }

    #[test]
    fn without_limits_every_connection_is_admitted() {
        let unlimited = server(LimitConfig::default());
        assert!(matches!(try_admit(&unlimited), Entry::Unlimited));
        let limited = server(max_connections(1));
        assert!(matches!(try_admit(&limited), Entry::Permit(_)));
        expect_unused(&limited);
    }

    #[test]
    fn an_unused_permit_returns_its_place_and_token() {
        let server = server(LimitConfig {
            max_connections: Some(1),
            ..burst(1)
        });
        for _ in 0..3 {
            let permit = permit(&server);
            assert!(matches!(try_admit(&server), Entry::Wait));
            drop(permit);
        }
        let in_flight = admit(&server, None).unwrap();
        assert!(matches!(
            server.limits.admission(&server.counters),
            Admission::Wait(None)
        ));
        drop(in_flight);
        // The place is free again; the token is used up.
        assert!(matches!(
            server.limits.admission(&server.counters),
            Admission::Wait(Some(_))
        ));
        expect_unused(&server);
    }

    /// Another accept loop may have accepted the client, so that the permit stays unused.
    #[test]
    fn an_unused_permit_causes_no_rejection() {
        let by_connections = LimitConfig {
            at_max_connections: Rejection::Close.into(),
            ..max_connections(1)
        };
        let by_rate = LimitConfig {
            at_accept_rate: Rejection::Close.into(),
            ..burst(1)
        };
        for limits in [by_connections, by_rate] {
            let server = server(limits);
            let unused = permit(&server);
            assert!(matches!(try_admit(&server), Entry::Wait));
            drop(unused);
            let in_flight = admit(&server, None).unwrap();
            assert!(matches!(try_admit(&server), Entry::Reject(..)));
            drop(in_flight);
            expect_unused(&server);
        }
    }

    #[test]
    fn a_rejected_client_returns_its_place() {
        let server = server(LimitConfig {
            max_connections: Some(2),
            max_per_client: Some(1),
            at_max_per_client: Rejection::Reset,
            ..burst(2)
        });
        let first = admit(&server, ip(1)).unwrap();
        for _ in 0..3 {
            let rejected = admit(&server, ip(1)).err();
            let expected = (RejectionReason::MaxPerClient, Rejection::Reset);
            assert_eq!(rejected, Some(expected));
        }
        // An owned request counts for its client too.
        let second = admit(&server, ip(2)).unwrap().into_owned();
        drop((first, second));
        expect_unused(&server);
    }

    #[test]
    fn only_an_uninterrupted_limit_lasts() {
        const TIME: Duration = Duration::from_secs(1000);
        let server = server(LimitConfig {
            at_max_connections: OverloadPolicy::WaitAtMost(TIME),
            ..max_connections(1)
        });
        let usage = server.limits.usage.as_ref().unwrap();
        let at = |now| usage.lock().admission(&server.counters, now);
        let start = Instant::now();
        let first = admit(&server, None).unwrap();
        let end = Instant::now() + TIME;
        assert!(matches!(at(start + TIME / 2), Admission::Wait(Some(left)) if left >= TIME / 2));
        assert!(matches!(
            at(end),
            Admission::Reject(RejectionReason::MaxConnections)
        ));
        drop(first);
        assert!(matches!(at(end), Admission::Admit));
        // The limit is reached anew, so that the time starts anew.
        let _next = admit(&server, None).unwrap();
        assert!(matches!(at(start + TIME / 2), Admission::Wait(Some(_))));
    }

    #[test]
    fn places_are_never_more_and_never_lost() {
        const CAP: u64 = 3;
        let server = server(LimitConfig {
            max_per_client: Some(2),
            ..max_connections(CAP as usize)
        });
        thread::scope(|scope| {
            for n in 0..4 {
                let server = &server;
                scope.spawn(move || {
                    let mut held = Vec::new();
                    for turn in 0..20_000_u32 {
                        if let Entry::Permit(permit) = try_admit(server)
                            && turn % 3 != 0
                        {
                            let count = |client| InFlight::begin_for(server, client);
                            held.extend(permit.admit(|| ip(n / 2), count).ok());
                        }
                        assert!(server.counters.stats().active <= CAP);
                        if turn % 5 == 0 {
                            held.pop();
                        }
                        if turn % 7 == 0 {
                            held.clear();
                        }
                    }
                });
            }
        });
        expect_unused(&server);
        let all: Vec<_> = (0..CAP as u32)
            .map(|n| admit(&server, ip(n)).unwrap())
            .collect();
        assert!(matches!(try_admit(&server), Entry::Wait));
        drop(all);
        expect_unused(&server);
    }
}
