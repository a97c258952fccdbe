//! When an accept loop tries to accept the next request.

use std::time::{Duration, Instant};

use crate::probe_backoff::ProbeBackoff;

/// The memory of an accept loop between two requests: whether to try the next accept without waiting
/// first, and how long to back off after an error.
///
/// Under load, requests are in the backlog already. Accepting one without calling `poll` first saves
/// a system call for each request. An attempt that finds the backlog empty wastes a system call, so
/// after failed attempts fewer are made, down to one for every 32 requests.
pub(super) struct AcceptBackoff {
    is_request_likely: bool,
    /// Decides after which requests the next accept is tried without waiting.
    attempts_without_wait: ProbeBackoff,
    /// Number of errors since the last request.
    consecutive_errors: u32,
    /// Number of connections since the last request that have ended before they were accepted.
    consecutive_aborted: u32,
    /// Number of waits since the last request after which the backlog was empty.
    consecutive_empty: u32,
    delay: Duration,
    /// When to try again after an error.
    retry_at: Option<Instant>,
    /// When descriptors ran out; `None` while there are descriptors.
    pub(super) exhausted_since: Option<Instant>,
    /// Number of times a descriptor seemed to be free since accepting last worked.
    failed_probes: u32,
    no_probe_until: Option<Instant>,
}

impl Default for AcceptBackoff {
    /// Tries the first accept without waiting, because the transport may hold datagrams that an
    /// earlier loop has received; the listener does not become readable for these.
    fn default() -> Self {
        Self {
            is_request_likely: true,
            attempts_without_wait: ProbeBackoff::default(),
            consecutive_errors: 0,
            consecutive_aborted: 0,
            consecutive_empty: 0,
            delay: Duration::ZERO,
            retry_at: None,
            exhausted_since: None,
            failed_probes: 0,
            no_probe_until: None,
        }
    }
}

impl AcceptBackoff {
    const MAX_CONSECUTIVE_ERRORS: u32 = 16;
    /// As many as a backlog of usual length holds on a system that reports reset connections.
    const MAX_CONSECUTIVE_ABORTED: u32 = 256;
    const MAX_CONSECUTIVE_EMPTY: u32 = 64;
    const FIRST_DELAY: Duration = Duration::from_millis(10);
    const MAX_DELAY: Duration = Duration::from_secs(1);
    /// Interval between two checks for a free descriptor. Descriptors that code outside this crate
    /// closes cause no notification.
    pub(super) const PROBE_INTERVAL: Duration = Duration::from_millis(50);
    /// Time for which connections stay in the backlog for lack of descriptors before they are
    /// rejected.
    pub(super) const SHED_AFTER: Duration = Duration::from_secs(1);
    /// From this number of failed probes on, they no longer restart the `SHED_AFTER` time.
    const MAX_PROBES: u32 = 5;
    /// Number of connections that are rejected before the loop checks for a stop.
    pub(super) const MAX_SHED_AT_ONCE: u32 = 256;

    /// Returns whether the next accept is tried without waiting first.
    pub(super) fn is_request_likely(&self) -> bool {
        self.is_request_likely
    }

    /// Records that a request was accepted; `without_wait` if the loop did not wait for it.
    pub(super) fn record_request(&mut self, without_wait: bool) {
        if without_wait {
            self.attempts_without_wait.reset();
        }
        self.is_request_likely = self.attempts_without_wait.should_try();
        self.consecutive_errors = 0;
        self.consecutive_aborted = 0;
        self.consecutive_empty = 0;
        self.recover();
    }

    /// Records that the backlog was empty; `without_wait` if the loop had not waited for a request.
    pub(super) fn record_empty(&mut self, without_wait: bool) {
        // Accepting did not fail for lack of a descriptor.
        self.recover();
        if without_wait {
            self.attempts_without_wait.record(false);
        } else {
            self.consecutive_empty = self.consecutive_empty.wrapping_add(1);
        }
        self.is_request_likely = false;
    }

    /// Returns whether the backlog was empty after so many waits that the socket may be broken. Other loops
    /// that take the requests are a reason, too.
    pub(super) fn is_suspiciously_empty(&self) -> bool {
        self.consecutive_empty % Self::MAX_CONSECUTIVE_EMPTY == Self::MAX_CONSECUTIVE_EMPTY - 1
    }

    /// Clears the state of back-off and descriptor exhaustion.
    pub(super) fn recover(&mut self) {
        self.retry_at = None;
        self.delay = Duration::ZERO;
        self.exhausted_since = None;
        self.failed_probes = 0;
    }

    /// Records an error that concerns one client. After too many in a row the loop backs off, because
    /// then the server has a problem that does not disappear by trying again at once.
    pub(super) fn record_client_error(&mut self) {
        self.consecutive_errors += 1;
        if self.consecutive_errors > Self::MAX_CONSECUTIVE_ERRORS {
            self.back_off();
        }
    }

    /// Records that a connection has ended before it was accepted. Requests wait behind it.
    ///
    /// If the error is one of the system (`is_reset`), the client has reset the connection, and the error has taken it
    /// from the backlog. There can be as many as the backlog holds, so that the loop only pauses now and then.
    pub(super) fn record_aborted(&mut self, is_reset: bool) {
        self.consecutive_aborted += 1;
        if is_reset
            && self
                .consecutive_aborted
                .is_multiple_of(Self::MAX_CONSECUTIVE_ABORTED)
        {
            self.retry_at = Instant::now().checked_add(Self::FIRST_DELAY);
        }
        if !is_reset && self.consecutive_aborted > Self::MAX_CONSECUTIVE_ABORTED {
            self.back_off();
        }
    }

    /// Postpones the next attempt. The delay doubles each time.
    pub(super) fn back_off(&mut self) {
        self.is_request_likely = false;
        self.delay = (self.delay * 2).clamp(Self::FIRST_DELAY, Self::MAX_DELAY);
        self.retry_at = Instant::now().checked_add(self.delay);
    }

    /// Records that there are no descriptors. After failed probes, the next probe waits longer.
    pub(super) fn record_fd_exhaustion(&mut self) {
        let now = Instant::now();
        self.exhausted_since.get_or_insert(now);
        let delay = Self::FIRST_DELAY * (1 << self.failed_probes.min(7));
        self.no_probe_until = (self.failed_probes > 0).then(|| now + delay);
    }

    /// Returns the time until the next check for a free descriptor; `None` if it is due.
    pub(super) fn probe_delay(&self) -> Option<Duration> {
        self.no_probe_until?.checked_duration_since(Instant::now())
    }

    /// Makes the next attempt due now, because a descriptor seems to be free.
    ///
    /// If the attempt fails because other code took the descriptor, the `SHED_AFTER` time starts anew.
    /// From the probe number `MAX_PROBES` on it does not, so that connections do not wait for ever.
    pub(super) fn retry(&mut self) {
        self.retry_at = None;
        self.failed_probes += 1;
        if self.failed_probes < Self::MAX_PROBES {
            self.exhausted_since = None;
        }
    }

    /// Returns the time until the next attempt; `None` if it is due.
    pub(super) fn remaining_delay(&mut self) -> Option<Duration> {
        let remaining = self.retry_at?.checked_duration_since(Instant::now());
        if remaining.is_none() {
            self.retry_at = None;
        }
        remaining
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_without_waiting_become_rare_while_they_fail() {
        let mut backoff = AcceptBackoff::default();
        let mut attempts = 0;
        // One request at a time: each attempt without waiting finds the backlog empty.
        for _ in 0..1000 {
            backoff.record_request(false);
            if backoff.is_request_likely() {
                attempts += 1;
                backoff.record_empty(true);
            }
        }
        assert!((5..100).contains(&attempts), "{attempts} attempts");
        // The backlog fills: from the next attempt on, all succeed.
        while !backoff.is_request_likely() {
            backoff.record_request(false);
        }
        for _ in 0..100 {
            backoff.record_request(true);
            assert!(backoff.is_request_likely());
        }
    }

    #[test]
    fn many_client_errors_in_a_row_cause_a_back_off() {
        let mut backoff = AcceptBackoff::default();
        for _ in 0..AcceptBackoff::MAX_CONSECUTIVE_ERRORS {
            backoff.record_client_error();
            assert_eq!(backoff.remaining_delay(), None);
        }
        backoff.record_client_error();
        assert!(backoff.remaining_delay().is_some());
    }

    #[test]
    fn a_backlog_of_unusable_connections_causes_no_back_off() {
        let mut backoff = AcceptBackoff::default();
        for _ in 0..AcceptBackoff::MAX_CONSECUTIVE_ABORTED {
            backoff.record_aborted(false);
            assert_eq!(backoff.remaining_delay(), None);
        }
        backoff.record_aborted(false);
        assert!(backoff.remaining_delay().is_some());
        backoff.record_request(false);
        backoff.record_aborted(false);
        assert_eq!(backoff.remaining_delay(), None);
    }

    #[test]
    fn a_long_backlog_of_reset_connections_causes_short_pauses() {
        let mut backoff = AcceptBackoff::default();
        let mut pauses = 0;
        for _ in 0..4096 {
            backoff.record_aborted(true);
            if let Some(delay) = backoff.remaining_delay() {
                assert!(delay <= AcceptBackoff::FIRST_DELAY);
                pauses += 1;
                backoff.retry_at = None;
            }
        }
        assert_eq!(pauses, 4096 / AcceptBackoff::MAX_CONSECUTIVE_ABORTED);
    }

    #[test]
    fn back_off_doubles_up_to_a_second_and_is_reset_by_a_request() {
        let mut backoff = AcceptBackoff::default();
        let delays = [(); 9].map(|()| {
            backoff.back_off();
            assert!(
                backoff
                    .remaining_delay()
                    .is_some_and(|remaining| remaining <= backoff.delay)
            );
            backoff.delay.as_millis()
        });
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        backoff.record_request(false);
        backoff.back_off();
        assert_eq!(backoff.delay.as_millis(), 10);
    }
}
