//! Receiving datagrams for an accept loop that runs each request itself.

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

#[cfg(doc)]
use crate::transport::Transport;

/// How a transport of this crate receives for an accept loop that runs each request before it receives
/// the next: an opaque value from [`Transport::inline_receiver`].
///
/// The default value means: by [`Transport::get_request`], one request at a time.
pub struct InlineReceiver<'a, R>(Option<Box<dyn ReceiveInline<R> + 'a>>);

/// Receives requests of which only one exists at a time, so that all of them share its memory.
pub(crate) trait ReceiveInline<R> {
    /// Returns the next request that is received already.
    fn next_buffered(&mut self) -> Option<&mut R>;

    /// Receives at least one request, without waiting, and returns the first. `speculative`: the loop
    /// has not waited for it either.
    fn receive(&mut self, speculative: bool) -> io::Result<&mut R>;
}

impl<'a, R> InlineReceiver<'a, R> {
    pub(crate) fn new(receiver: impl ReceiveInline<R> + 'a) -> Self {
        Self(Some(Box::new(receiver)))
    }

    pub(crate) fn into_inner(self) -> Option<Box<dyn ReceiveInline<R> + 'a>> {
        self.0
    }
}

impl<R> Default for InlineReceiver<'_, R> {
    fn default() -> Self {
        Self(None)
    }
}

impl<R> std::fmt::Debug for InlineReceiver<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InlineReceiver")
            .field("is_default", &self.0.is_none())
            .finish()
    }
}

/// The receiver of a UDP server. Receives several datagrams by one system call where no other loop
/// could serve them meanwhile.
pub(super) struct UdpInlineReceiver<'a> {
    udp: &'a Udp,
    server: &'a ServerHandle,
    request: UdpRequest,
    batch: RecvBatch,
    batch_sizer: BatchSizer,
}

impl<'a> UdpInlineReceiver<'a> {
    pub(super) fn new(udp: &'a Udp, server: &'a ServerHandle, is_only_loop: bool) -> Self {
        let max_batch = if is_only_loop { RecvBatch::MAX_LEN } else { 1 };
        Self {
            udp,
            server,
            request: udp.blank_request(server),
            batch: RecvBatch::default(),
            batch_sizer: BatchSizer::up_to(max_batch),
        }
    }

    /// Undoes what a handler may have done to the request.
    #[inline]
    fn restore_request(&mut self) {
        if !self.request.belongs_to(&self.udp.socket, self.server) {
            // The handler has swapped it with a request of another server.
            self.request = self.udp.blank_request(self.server);
        }
        if self.request.was_socket_used() {
            // The handler may be about to receive the next datagrams from the socket itself.
            self.batch_sizer = BatchSizer::up_to(1);
        }
    }
}

impl ReceiveInline<UdpRequest> for UdpInlineReceiver<'_> {
    #[inline]
    fn next_buffered(&mut self) -> Option<&mut UdpRequest> {
        if self.batch.is_empty() && !self.udp.leftover.is_any() {
            return None;
        }
        self.restore_request();
        let (udp, batch) = (self.udp, &mut self.batch);
        let received = self.request.renew(udp.max_packet_size, |packet| {
            let peer = batch.take_into(packet);
            peer.or_else(|| udp.leftover.take_into(packet)).ok_or(())
        });
        received.ok().map(|()| &mut self.request)
    }

    fn receive(&mut self, speculative: bool) -> io::Result<&mut UdpRequest> {
        self.restore_request();
        let (udp, batch) = (self.udp, &mut self.batch);
        let (socket, size) = (udp.socket.as_fd(), udp.buffer_size());
        let wanted = self.batch_sizer.next(speculative);
        if wanted > 1 {
            let received = batch.receive(socket, wanted, size)?;
            self.batch_sizer.record_received(received);
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
    /// Leaves datagrams that were received and not served to the next loop.
    fn drop(&mut self) {
        self.udp.leftover.put(mem::take(&mut self.batch));
    }
}

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
    pub(super) fn take_into(&self, packet: &mut Vec<u8>) -> Option<SocketAddr> {
        if !self.is_any() {
            return None;
        }
        let mut batch = self.batch.lock();
        let peer = batch.take_into(packet);
        self.is_any.store(!batch.is_empty(), Ordering::Release);
        peer
    }

    fn put(&self, left: RecvBatch) {
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
struct BatchSizer {
    max: usize,
    size: usize,
    last_batch_full: bool,
    /// Time of the last request for datagrams, if the loop has not waited since.
    since: Option<Instant>,
}

impl BatchSizer {
    const MAX_BATCH_TIME: Duration = Duration::from_micros(500);

    fn up_to(max: usize) -> Self {
        Self {
            max,
            size: 1,
            last_batch_full: false,
            since: None,
        }
    }

    /// Returns how many datagrams to request.
    #[inline]
    fn next(&mut self, speculative: bool) -> usize {
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
    fn record_received(&mut self, received: usize) {
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
