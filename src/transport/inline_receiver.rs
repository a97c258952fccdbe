//! Taking in requests for a loop that serves each on the spot.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::request::UdpRequest;
use crate::state::ServerHandle;
use crate::sys::datagram::recv_whole_inet;
use crate::sys::recv_batch::RecvBatch;
use crate::transport::Udp;

/// Where an accept loop gets its requests if it serves each before it takes the next. Only one
/// exists at a time then, so the memory of all can be the same.
pub trait InlineReceiver<R> {
    /// The next of those that were taken in already.
    fn next_buffered(&mut self) -> Option<&mut R>;

    /// Takes in at least one, and lends the first. Never waits. `likely`: the loop did not wait for it
    /// either.
    fn accept_one(&mut self, likely: bool) -> io::Result<&mut R>;
}

/// That of UDP, which takes in several datagrams by one system call where nobody else could serve
/// them meanwhile.
pub(super) struct UdpInlineReceiver<'a> {
    udp: &'a Udp,
    server: &'a ServerHandle,
    request: UdpRequest,
    batch: RecvBatch,
    batch_sizer: BatchSizer,
}

impl<'a> UdpInlineReceiver<'a> {
    /// `alone`: there is no other loop.
    pub(super) fn new(udp: &'a Udp, server: &'a ServerHandle, alone: bool) -> Self {
        let most = if alone { RecvBatch::MOST } else { 1 };
        Self {
            udp,
            server,
            request: udp.blank_request(server),
            batch: RecvBatch::default(),
            batch_sizer: BatchSizer::up_to(most),
        }
    }

    /// Sees to what a handler can have done to the request.
    #[inline]
    fn look_after_request(&mut self) {
        if !self.request.belongs_to(&self.udp.socket, self.server) {
            // Put one of another server in its place.
            self.request = self.udp.blank_request(self.server);
        }
        if self.request.was_socket_used() {
            // Got hold of the socket: what comes next may be what it is going to receive by itself.
            self.batch_sizer = BatchSizer::up_to(1);
        }
    }
}

impl InlineReceiver<UdpRequest> for UdpInlineReceiver<'_> {
    #[inline]
    fn next_buffered(&mut self) -> Option<&mut UdpRequest> {
        if self.batch.is_empty() && !self.udp.kept.is_any() {
            return None;
        }
        self.look_after_request();
        let (udp, batch) = (self.udp, &mut self.batch);
        let already_received = self.request.renew(udp.max_packet_size, |packet| {
            let peer = batch.take_into(packet);
            peer.or_else(|| udp.kept.take_into(packet)).ok_or(())
        });
        already_received.ok().map(|()| &mut self.request)
    }

    fn accept_one(&mut self, likely: bool) -> io::Result<&mut UdpRequest> {
        self.look_after_request();
        let (udp, batch) = (self.udp, &mut self.batch);
        let (socket, size) = (udp.socket.as_fd(), udp.buffer_size());
        let wanted = self.batch_sizer.next(likely);
        if wanted > 1 {
            self.batch_sizer.had(batch.receive(socket, wanted, size)?);
        }
        self.request.renew(udp.max_packet_size, |packet| {
            if let Some(peer) = batch.take_into(packet) {
                return Ok(peer);
            }
            packet.reserve_exact(size);
            recv_whole_inet(socket, packet)
        })?;
        Ok(&mut self.request)
    }
}

impl Drop for UdpInlineReceiver<'_> {
    /// What was taken in and not served is for the next loop.
    fn drop(&mut self) {
        self.udp.kept.put(mem::take(&mut self.batch));
    }
}

/// Datagrams that were taken in by a loop that has ended since.
#[derive(Debug, Default)]
pub(super) struct LeftoverDatagrams {
    any: AtomicBool,
    batch: Mutex<RecvBatch>,
}

impl LeftoverDatagrams {
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn take_into(&self, packet: &mut Vec<u8>) -> Option<SocketAddr> {
        if !self.is_any() {
            return None;
        }
        let mut batch = self.batch.lock();
        let peer = batch.take_into(packet);
        self.any.store(!batch.is_empty(), Ordering::Release);
        peer
    }

    fn put(&self, left: RecvBatch) {
        if !left.is_empty() {
            let mut batch = self.batch.lock();
            // Only a loop that is alone takes in more than it serves, and it began with these.
            debug_assert!(batch.is_empty(), "these would be lost");
            *batch = left;
            self.any.store(true, Ordering::Release);
        }
    }
}

/// How many datagrams to take in at once.
///
/// What one process has taken in, another that has the same socket cannot serve any more. So it is
/// one at a time, but while more are waiting than were asked for, and all handlers together have
/// returned within a moment.
#[derive(Debug)]
struct BatchSizer {
    most: usize,
    size: usize,
    /// All that were asked for last were there.
    last_batch_full: bool,
    /// When they were asked for, if the loop did not wait since.
    since: Option<Instant>,
}

impl BatchSizer {
    /// How long the datagrams of one call may take to serve.
    const MOMENT: Duration = Duration::from_micros(500);

    fn up_to(most: usize) -> Self {
        Self {
            most,
            size: 1,
            last_batch_full: false,
            since: None,
        }
    }

    /// How many to ask for, `likely` without having waited for one.
    #[inline]
    fn next(&mut self, likely: bool) -> usize {
        if self.most == 1 {
            return 1;
        }
        if !likely {
            self.since = None;
            return 1;
        }
        self.next_at(Instant::now())
    }

    fn next_at(&mut self, now: Instant) -> usize {
        let since = self.since.replace(now);
        let last_batch_full = mem::replace(&mut self.last_batch_full, true);
        match since.map(|since| now.saturating_duration_since(since)) {
            Some(taken) if taken > Self::MOMENT => self.size = 1,
            Some(_) if last_batch_full => self.size = (self.size * 2).min(self.most),
            _ => {}
        }
        self.size
    }

    /// How many came, of several.
    fn had(&mut self, received: usize) {
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
        let quick = BatchSizer::MOMENT;
        let slow = quick + Duration::from_nanos(1);

        let sizes = [(); 6].map(|()| after(&mut batch_sizer, quick));
        assert_eq!(sizes, [1, 2, 4, 8, 16, 16]);
        batch_sizer.had(3);
        assert_eq!(after(&mut batch_sizer, quick), 3);
        assert_eq!(after(&mut batch_sizer, quick), 6);
        assert_eq!(after(&mut batch_sizer, slow), 1);
        assert_eq!(after(&mut batch_sizer, slow), 1);
        assert_eq!(after(&mut batch_sizer, quick), 2);

        // Who had to wait knows nothing about the handlers.
        assert_eq!(batch_sizer.next(false), 1);
        assert_eq!(after(&mut batch_sizer, quick), 2);
        assert_eq!(BatchSizer::up_to(1).next(true), 1);
    }
}
