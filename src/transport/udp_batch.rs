//! Batches of UDP datagrams: how many to receive at once, and what an ended loop leaves.
//!
//! Datagrams are received in batches only by a single loop that runs requests inline. A loop of a pool
//! receives one, because its handler may be slow while another thread is idle; `handle_request` receives
//! the one that it serves.
//!
//! Replies are not collected, neither for `sendmmsg` nor for segmentation (`UDP_SEGMENT`): a reply would
//! wait for the next handler, however slow that is. On loopback, C with `recvmmsg` and `sendto` needs no
//! more processor time than with `recvmmsg` and `sendmmsg`. By processor time, where a plain C loop is
//! 1.00 and C with `recvmmsg` is 1.03, batches took `Sequential` from 0.96 to 0.99.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::sys::pktinfo::Arrival;
use crate::sys::recv_batch::RecvBatch;

/// Datagrams that were received by a loop that has ended since.
#[derive(Debug, Default)]
pub(super) struct LeftoverDatagrams {
    is_any: AtomicBool,
    batch: Mutex<RecvBatch>,
}

impl LeftoverDatagrams {
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.is_any.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn take_into(&self, packet: &mut Vec<u8>) -> Option<Arrival> {
        if !self.is_any() {
            return None;
        }
        let mut batch = self.batch.lock();
        let arrival = batch.take_into(packet);
        self.is_any.store(!batch.is_empty(), Ordering::Release);
        arrival
    }

    pub(super) fn put(&self, left: RecvBatch) {
        if !left.is_empty() {
            let mut batch = self.batch.lock();
            // Only a single loop receives in batches, and it serves the leftover first.
            debug_assert!(batch.is_empty(), "leftover datagrams would be lost");
            *batch = left;
            self.is_any.store(true, Ordering::Release);
        }
    }
}

/// How many datagrams to receive by one call.
///
/// Datagrams that this process has received cannot be served by another process with the same socket.
/// So the size starts at one, and doubles while as many datagrams arrive as were requested and all
/// their handlers together return within [`MAX_BATCH_TIME`](Self::MAX_BATCH_TIME).
#[derive(Debug)]
pub(super) struct BatchSizer {
    max: usize,
    size: usize,
    last_batch_full: bool,
    /// Time of the last request for datagrams, if the loop has not waited since.
    since: Option<Instant>,
}

impl BatchSizer {
    const MAX_BATCH_TIME: Duration = Duration::from_micros(500);

    pub(super) fn up_to(max: usize) -> Self {
        Self {
            max,
            size: 1,
            last_batch_full: false,
            since: None,
        }
    }

    /// Returns how many datagrams to request.
    #[inline]
    pub(super) fn next(&mut self, speculative: bool) -> usize {
        if self.max == 1 {
            return 1;
        }
        if !speculative {
            self.since = None;
            return 1;
        }
        self.next_at(Instant::now())
    }

    fn next_at(&mut self, now: Instant) -> usize {
        let since = self.since.replace(now);
        let last_batch_full = mem::replace(&mut self.last_batch_full, true);
        match since.map(|since| now.saturating_duration_since(since)) {
            Some(taken) if taken > Self::MAX_BATCH_TIME => self.size = 1,
            Some(_) if last_batch_full => self.size = (self.size * 2).min(self.max),
            _ => {}
        }
        self.size
    }

    /// Records how many datagrams a request for several returned.
    pub(super) fn record_received(&mut self, received: usize) {
        self.last_batch_full = received == self.size;
        self.size = received.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_taken_in_while_more_is_waiting_and_handlers_are_quick() {
        let mut batch_sizer = BatchSizer::up_to(16);
        let mut now = Instant::now();
        let mut after = |batch_sizer: &mut BatchSizer, taken| {
            now += taken;
            batch_sizer.next_at(now)
        };
        let quick = BatchSizer::MAX_BATCH_TIME;
        let slow = quick + Duration::from_nanos(1);

        let sizes = [(); 6].map(|()| after(&mut batch_sizer, quick));
        assert_eq!(sizes, [1, 2, 4, 8, 16, 16]);
        batch_sizer.record_received(3);
        assert_eq!(after(&mut batch_sizer, quick), 3);
        assert_eq!(after(&mut batch_sizer, quick), 6);
        assert_eq!(after(&mut batch_sizer, slow), 1);
        assert_eq!(after(&mut batch_sizer, slow), 1);
        assert_eq!(after(&mut batch_sizer, quick), 2);

        // A loop that has waited knows nothing about the time of its handlers.
        assert_eq!(batch_sizer.next(false), 1);
        assert_eq!(after(&mut batch_sizer, quick), 2);
        assert_eq!(BatchSizer::up_to(1).next(true), 1);
    }
}
