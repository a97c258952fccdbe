//! The gate: who may come in right now, and what becomes of those who may not.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::AtLimit;
use super::bucket::Bucket;
use super::clients::{Client, Clients};
use crate::server::core::{Core, InFlight};
use crate::server::stats::Refusal;

/// The limits of a server, and how much of them is used up.
///
/// How many connections there are is what the counters say, so that the two cannot disagree, and
/// nothing has to be given back: only those who are about to be accepted are counted here.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    /// Whether there are any: if not, this is all that is looked at.
    set: AtomicBool,
    /// How many accept loops wait for a place, or are about to.
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) max_connections: Option<usize>,
    pub(super) at_max_connections: AtLimit,
    pub(super) max_per_client: Option<usize>,
    pub(super) at_max_per_client: AtLimit,
    pub(super) accept_rate: Option<Bucket>,
    pub(super) at_accept_rate: AtLimit,
    /// Places of those who are about to be accepted.
    reserved: usize,
    /// Since when all places are taken, without a break.
    full_since: Option<Instant>,
    clients: Clients,
}

/// What the limits say about whoever comes next.
#[derive(Debug)]
pub(in crate::server) enum Verdict {
    /// Comes in.
    Open,
    /// Waits in the kernel's queue: until somebody leaves, or for so long at most.
    Shut(Option<Duration>),
    /// Is turned away.
    Away(Refusal),
}

/// The same, acted upon.
pub(in crate::server) enum Entry<'a> {
    /// There are no limits.
    Free,
    Pass(Pass<'a>),
    Shut,
    Away(Refusal, AtLimit),
}

/// A place for the next client, and a token. Unless a client is [admitted](Self::admit) with it, both go
/// back when it is dropped.
pub(in crate::server) struct Pass<'a> {
    core: &'a Arc<Core>,
}

impl Limits {
    #[inline]
    pub(in crate::server) fn are_set(&self) -> bool {
        self.set.load(Ordering::Relaxed)
    }

    /// Changes the limits.
    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let limited = state.max_connections.is_some()
            || state.max_per_client.is_some()
            || state.accept_rate.is_some();
        self.set.store(limited, Ordering::Relaxed);
    }

    /// What they say right now about whoever comes next.
    #[inline]
    pub(in crate::server) fn verdict(&self, core: &Core) -> Verdict {
        if !self.are_set() {
            return Verdict::Open;
        }
        self.state.lock().verdict(core, Instant::now())
    }

    /// Lets one client in, if that is what they say.
    #[inline]
    pub(in crate::server) fn enter<'a>(&self, core: &'a Arc<Core>) -> Entry<'a> {
        if !self.are_set() {
            return Entry::Free;
        }
        let now = Instant::now();
        let mut state = self.state.lock();
        match state.verdict(core, now) {
            Verdict::Open => {
                state.reserve(core, now);
                Entry::Pass(Pass { core })
            }
            Verdict::Shut(_) => Entry::Shut,
            Verdict::Away(reason) => Entry::Away(reason, state.policy(reason)),
        }
    }

    /// The calling loop is going to wait for a place, until the result is dropped. It has to look once
    /// more before it does: what came free before this was announced to nobody.
    pub(in crate::server) fn await_place(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(&self.waiting)
    }

    /// How long it takes until there is a token, if there is none.
    pub(in crate::server) fn next_token(&self) -> Option<Duration> {
        if !self.are_set() {
            return None;
        }
        let state = self.state.lock();
        state.accept_rate.as_ref()?.lacks(Instant::now())
    }

    /// A request of this client has ended.
    pub(in crate::server) fn leave(&self, client: Client) {
        self.state.lock().clients.leave(client);
    }

    /// A place may have come free, after the counters have said so: tells a loop that waits for one.
    #[inline]
    pub(in crate::server) fn announce_place(&self, core: &Core) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            core.waker.wake();
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            max_connections: None,
            at_max_connections: AtLimit::Wait,
            max_per_client: None,
            at_max_per_client: AtLimit::Close,
            accept_rate: None,
            at_accept_rate: AtLimit::Wait,
            reserved: 0,
            full_since: None,
            clients: Clients::default(),
        }
    }
}

impl State {
    fn verdict(&mut self, core: &Core, now: Instant) -> Verdict {
        match self.on_connections(core, now) {
            Verdict::Open => self.on_rate(now),
            other => other,
        }
    }

    fn is_full(&self, core: &Core) -> bool {
        let taken = || core.active().saturating_add(self.reserved);
        self.max_connections.is_some_and(|most| taken() >= most)
    }

    fn on_connections(&mut self, core: &Core, now: Instant) -> Verdict {
        if !self.is_full(core) {
            self.full_since = None;
            return Verdict::Open;
        }
        let since = *self.full_since.get_or_insert(now);
        let policy = &self.at_max_connections;
        let verdict = policy.verdict(Refusal::MaxConnections, since, now);
        self.if_certain(verdict, None)
    }

    fn on_rate(&mut self, now: Instant) -> Verdict {
        let Some(bucket) = &self.accept_rate else {
            return Verdict::Open;
        };
        let Some(lacks) = bucket.lacks(now) else {
            return Verdict::Open;
        };
        let since = bucket.empty_since();
        let verdict = self.at_accept_rate.verdict(Refusal::AcceptRate, since, now);
        match self.if_certain(verdict, Some(lacks)) {
            // Whatever comes first.
            Verdict::Shut(left) => Verdict::Shut(Some(left.map_or(lacks, |left| left.min(lacks)))),
            other => other,
        }
    }

    /// Nobody is turned away for the sake of a place or a token that may come back unused, in a moment:
    /// several loops may have seen the same client, and each has taken a pass for it.
    fn if_certain(&self, verdict: Verdict, left: Option<Duration>) -> Verdict {
        match verdict {
            Verdict::Away(_) if self.reserved > 0 => Verdict::Shut(left),
            verdict => verdict,
        }
    }

    fn may_turn_away(&self) -> bool {
        self.at_max_connections != AtLimit::Wait || self.at_accept_rate != AtLimit::Wait
    }

    fn reserve(&mut self, core: &Core, now: Instant) {
        self.reserved += 1;
        if let Some(bucket) = &mut self.accept_rate {
            bucket.take(now);
        }
        if self.is_full(core) {
            self.full_since = Some(now);
        }
    }

    fn policy(&self, reason: Refusal) -> AtLimit {
        match reason {
            Refusal::MaxPerClient => self.at_max_per_client.clone(),
            Refusal::AcceptRate => self.at_accept_rate.clone(),
            _ => self.at_max_connections.clone(),
        }
    }
}

impl AtLimit {
    /// What this means for whoever comes next, where the limit was reached then and ever since.
    fn verdict(&self, reason: Refusal, since: Instant, now: Instant) -> Verdict {
        match self {
            Self::Wait => Verdict::Shut(None),
            Self::WaitAtMost(time) => match since.checked_add(*time) {
                None => Verdict::Shut(None),
                Some(end) if end > now => Verdict::Shut(Some(end - now)),
                Some(_) => Verdict::Away(reason),
            },
            Self::Refuse(_) | Self::Close | Self::Reset => Verdict::Away(reason),
        }
    }
}

impl<'a> Pass<'a> {
    /// Takes the client in, unless it has as many connections as it may have.
    pub(in crate::server) fn admit(
        self,
        address: impl FnOnce() -> Option<IpAddr>,
    ) -> Result<InFlight<&'a Arc<Core>>, (Refusal, AtLimit)> {
        let limits = &self.core.limits;
        let mut state = limits.state.lock();
        let mut client = None;
        if let Some(most) = state.max_per_client {
            client = address().map(Client::of);
            if client.is_some_and(|client| !state.clients.enter(client, most)) {
                let reason = Refusal::MaxPerClient;
                let policy = state.policy(reason);
                // The place is given back next.
                drop(state);
                return Err((reason, policy));
            }
        }
        // In one step for everybody else: the place is taken by this request from now on.
        let mut in_flight = InFlight::begin(self.core);
        in_flight.client = client;
        state.reserved -= 1;
        let may_turn_away = state.may_turn_away();
        drop(state);
        if may_turn_away {
            // Whoever waits to be certain that there is no room can be that now.
            limits.announce_place(self.core);
        }
        std::mem::forget(self);
        Ok(in_flight)
    }

    fn give_back(&self, mut state: MutexGuard<'_, State>) {
        state.reserved -= 1;
        if let Some(bucket) = &mut state.accept_rate {
            bucket.put_back();
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let limits = &self.core.limits;
        self.give_back(limits.state.lock());
        // Somebody may have found no place because of this one.
        limits.announce_place(self.core);
    }
}

/// A loop that waits for a place, as long as it does.
pub(in crate::server) struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::thread;

    use super::*;

    fn core() -> Arc<Core> {
        let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
        Arc::new(Core::new(address.into()).unwrap())
    }

    fn ip(host: u32) -> Option<IpAddr> {
        Some(std::net::Ipv4Addr::from_bits(host).into())
    }

    fn enter(core: &Arc<Core>) -> Pass<'_> {
        match core.limits.enter(core) {
            Entry::Pass(pass) => pass,
            _ => panic!("there is room"),
        }
    }

    /// What is left of the books when nobody is there.
    #[track_caller]
    fn expect_empty(core: &Core) {
        assert_eq!(core.active(), 0);
        assert_eq!(core.limits.waiting.load(Ordering::SeqCst), 0);
        let state = core.limits.state.lock();
        assert_eq!((state.reserved, state.clients.len()), (0, 0));
    }

    #[test]
    fn without_limits_everybody_is_free() {
        let core = core();
        assert!(matches!(core.limits.enter(&core), Entry::Free));
        core.limits.set(|limits| limits.max_connections = Some(1));
        assert!(matches!(core.limits.enter(&core), Entry::Pass(_)));
        core.limits.set(|limits| limits.max_connections = None);
        assert!(matches!(core.limits.enter(&core), Entry::Free));
        expect_empty(&core);
    }

    #[test]
    fn a_pass_that_is_not_used_takes_nothing() {
        let core = core();
        core.limits.set(|limits| {
            limits.max_connections = Some(1);
            limits.accept_rate = Bucket::new(0.0, 1, Instant::now());
        });
        for _ in 0..3 {
            let pass = enter(&core);
            // It is a place as long as it is there.
            assert!(matches!(core.limits.enter(&core), Entry::Shut));
            drop(pass);
        }
        let in_flight = enter(&core).admit(|| None).unwrap();
        assert!(matches!(core.limits.verdict(&core), Verdict::Shut(None)));
        drop(in_flight);
        // Now it is the token that lacks.
        assert!(matches!(core.limits.verdict(&core), Verdict::Shut(Some(_))));
        expect_empty(&core);
    }

    /// Another loop may have been quicker, and this one finds nobody.
    #[test]
    fn nobody_is_turned_away_for_a_pass_that_comes_to_nothing() {
        let close: [fn(&mut State); 2] = [
            |limits| {
                limits.max_connections = Some(1);
                limits.at_max_connections = AtLimit::Close;
            },
            |limits| {
                limits.accept_rate = Bucket::new(0.0, 1, Instant::now());
                limits.at_accept_rate = AtLimit::Close;
            },
        ];
        for change in close {
            let core = core();
            core.limits.set(change);
            let pass = enter(&core);
            assert!(matches!(core.limits.enter(&core), Entry::Shut));
            drop(pass);
            let in_flight = enter(&core).admit(|| None).unwrap();
            assert!(matches!(core.limits.enter(&core), Entry::Away(..)));
            drop(in_flight);
            expect_empty(&core);
        }
    }

    #[test]
    fn a_client_that_is_turned_away_gives_its_place_back() {
        let core = core();
        core.limits.set(|limits| {
            limits.max_connections = Some(2);
            limits.max_per_client = Some(1);
            limits.at_max_per_client = AtLimit::Reset;
            limits.accept_rate = Bucket::new(0.0, 2, Instant::now());
        });
        let first = enter(&core).admit(|| ip(1)).unwrap();
        for _ in 0..3 {
            let refused = enter(&core).admit(|| ip(1)).err();
            assert_eq!(refused, Some((Refusal::MaxPerClient, AtLimit::Reset)));
        }
        // On another thread, it is the same client.
        let second = enter(&core).admit(|| ip(2)).unwrap().into_owned();
        drop((first, second));
        expect_empty(&core);
    }

    #[test]
    fn only_an_uninterrupted_limit_lasts() {
        const TIME: Duration = Duration::from_secs(1000);
        let core = core();
        core.limits.set(|limits| {
            limits.max_connections = Some(1);
            limits.at_max_connections = AtLimit::WaitAtMost(TIME);
        });
        let at = |now| core.limits.state.lock().verdict(&core, now);
        let start = Instant::now();
        let first = enter(&core).admit(|| None).unwrap();
        let end = Instant::now() + TIME;
        assert!(matches!(at(start + TIME / 2), Verdict::Shut(Some(left)) if left >= TIME / 2));
        assert!(matches!(at(end), Verdict::Away(Refusal::MaxConnections)));
        drop(first);
        assert!(matches!(at(end), Verdict::Open));
        // Full again, for no time yet.
        let _next = enter(&core).admit(|| None).unwrap();
        assert!(matches!(at(start + TIME / 2), Verdict::Shut(Some(_))));
    }

    #[test]
    fn places_are_never_more_and_never_lost() {
        const CAP: u64 = 3;
        let core = core();
        core.limits.set(|limits| {
            limits.max_connections = Some(CAP as usize);
            limits.max_per_client = Some(2);
        });
        thread::scope(|scope| {
            for n in 0..4 {
                let core = &core;
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    for turn in 0..20_000_u32 {
                        if let Entry::Pass(pass) = core.limits.enter(core)
                            && turn % 3 != 0
                        {
                            mine.extend(pass.admit(|| ip(n / 2)).ok());
                        }
                        assert!(core.counters.stats().active <= CAP);
                        if turn % 5 == 0 {
                            mine.pop();
                        }
                        if turn % 7 == 0 {
                            mine.clear();
                        }
                    }
                });
            }
        });
        expect_empty(&core);
        let all: Vec<_> = (0..CAP as u32)
            .map(|n| enter(&core).admit(|| ip(n)).unwrap())
            .collect();
        assert!(matches!(core.limits.enter(&core), Entry::Shut));
        drop(all);
        expect_empty(&core);
    }
}
