//! The limit of connections that the servers of a group share.
//!
//! The counters of the members are the only count of active connections, as for the limits of one server: a place is
//! reserved here only while a connection is being accepted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::state::counters::RejectionReason;
use crate::state::limits::{Admission, OverloadPolicy, Rejection};

/// At most so many connections of all members together.
#[derive(Debug)]
pub(crate) struct SharedLimit {
    /// Copy of `SharedUsage::most.is_some()`, for the hot path.
    is_set: AtomicBool,
    usage: Mutex<SharedUsage>,
}

#[derive(Debug)]
struct SharedUsage {
    most: Option<usize>,
    policy: OverloadPolicy,
    /// Number of places held for connections that are being accepted.
    reserved: usize,
    /// Start of the time during which all places have been taken without a break.
    full_since: Option<Instant>,
}

/// The result of trying to reserve a place.
#[derive(Debug)]
pub(crate) enum SharedEntry {
    Reserved,
    Wait,
    Reject(RejectionReason, Rejection),
}

impl Default for SharedLimit {
    fn default() -> Self {
        Self {
            is_set: AtomicBool::new(false),
            usage: Mutex::new(SharedUsage {
                most: None,
                policy: OverloadPolicy::Wait,
                reserved: 0,
                full_since: None,
            }),
        }
    }
}

impl SharedLimit {
    pub(crate) fn set_most(&self, most: Option<usize>) {
        let mut usage = self.usage.lock();
        usage.most = most.map(|most| most.max(1));
        self.is_set.store(most.is_some(), Ordering::SeqCst);
    }

    pub(crate) fn set_policy(&self, policy: OverloadPolicy) {
        self.usage.lock().policy = policy;
    }

    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::SeqCst)
    }

    /// Returns the present decision about the next connection. `active` returns the number of connections of all
    /// members.
    pub(crate) fn admission(&self, active: impl FnOnce() -> usize) -> Admission {
        self.usage.lock().admission(active, Instant::now())
    }

    /// Reserves a place for the next connection. [`admit`](Self::admit) or [`give_back`](Self::give_back) ends the
    /// reservation.
    pub(crate) fn try_reserve(&self, active: impl Fn() -> usize) -> SharedEntry {
        let now = Instant::now();
        let mut usage = self.usage.lock();
        match usage.admission(&active, now) {
            Admission::Admit => {
                usage.reserved += 1;
                if usage.is_full(active) {
                    usage.full_since = Some(now);
                }
                SharedEntry::Reserved
            }
            Admission::Wait(_) => SharedEntry::Wait,
            Admission::Reject(reason) => SharedEntry::Reject(reason, usage.policy.rejection()),
        }
    }

    /// Moves a reserved place to the counters of its server, where `count` counts it, in one step. Also returns
    /// whether connections above the limit may be rejected.
    pub(crate) fn admit<T>(&self, count: impl FnOnce() -> T) -> (T, bool) {
        let mut usage = self.usage.lock();
        let counted = count();
        usage.reserved -= 1;
        (counted, usage.policy != OverloadPolicy::Wait)
    }

    /// Returns a reserved place that was not used.
    pub(crate) fn give_back(&self) {
        self.usage.lock().reserved -= 1;
    }
}

impl SharedUsage {
    fn is_full(&self, active: impl FnOnce() -> usize) -> bool {
        let taken = || active().saturating_add(self.reserved);
        self.most.is_some_and(|most| taken() >= most)
    }

    fn admission(&mut self, active: impl FnOnce() -> usize, now: Instant) -> Admission {
        if !self.is_full(active) {
            self.full_since = None;
            return Admission::Admit;
        }
        let since = *self.full_since.get_or_insert(now);
        let reason = RejectionReason::MaxConnections;
        match self.policy.admission(reason, since, now) {
            // A reserved place may come back unused.
            Admission::Reject(_) if self.reserved > 0 => Admission::Wait(None),
            admission => admission,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;

    fn limit(most: usize, policy: OverloadPolicy) -> SharedLimit {
        let limit = SharedLimit::default();
        limit.set_most(Some(most));
        limit.set_policy(policy);
        limit
    }

    #[test]
    fn places_are_never_more_than_the_limit() {
        const MOST: usize = 3;
        let limit = limit(MOST, OverloadPolicy::Wait);
        let active = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (limit, active) = (&limit, &active);
                scope.spawn(move || {
                    for step in 0..2000 {
                        let count = || active.load(Ordering::SeqCst);
                        match limit.try_reserve(count) {
                            SharedEntry::Reserved if (step + thread) % 5 == 0 => limit.give_back(),
                            SharedEntry::Reserved => {
                                let count = || active.fetch_add(1, Ordering::SeqCst);
                                let (before, _) = limit.admit(count);
                                assert!(before < MOST);
                                active.fetch_sub(1, Ordering::SeqCst);
                            }
                            SharedEntry::Wait => std::thread::yield_now(),
                            SharedEntry::Reject(..) => panic!("the policy is to wait"),
                        }
                    }
                });
            }
        });
        assert_eq!(limit.usage.lock().reserved, 0);
    }

    #[test]
    fn a_reserved_place_causes_no_rejection() {
        let limit = limit(0, Rejection::Reset.into());
        assert!(matches!(limit.try_reserve(|| 0), SharedEntry::Reserved));
        assert!(matches!(limit.try_reserve(|| 0), SharedEntry::Wait));
        limit.give_back();
        let expected = (RejectionReason::MaxConnections, Rejection::Reset);
        match limit.try_reserve(|| 1) {
            SharedEntry::Reject(reason, rejection) => assert_eq!((reason, rejection), expected),
            other => panic!("{other:?}"),
        }
        limit.set_most(None);
        assert!(matches!(limit.admission(|| 1000), Admission::Admit));
    }

    #[test]
    fn only_an_uninterrupted_limit_lasts() {
        const TIME: Duration = Duration::from_secs(1000);
        let limit = limit(1, OverloadPolicy::WaitAtMost(TIME));
        let start = Instant::now();
        let at = |active, after| limit.usage.lock().admission(|| active, start + after);
        assert!(matches!(at(1, Duration::ZERO), Admission::Wait(Some(TIME))));
        assert!(matches!(at(1, TIME), Admission::Reject(_)));
        assert!(matches!(at(0, TIME), Admission::Admit));
        assert!(matches!(at(1, TIME), Admission::Wait(Some(TIME))));
    }
}
