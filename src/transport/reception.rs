//! Taking in requests for a loop that serves each on the spot.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Udp;
use crate::ServerHandle;
use crate::request::UdpRequest;
use crate::sys::arrivals::Arrivals;
use crate::sys::datagram::recv_whole_inet;

/// Where an accept loop gets its requests if it serves each before it takes the next. Only one
/// exists at a time then, so the memory of all can be the same.
pub trait Reception<R> {
    /// The next of those that were taken in already.
    fn next_taken_in(&mut self) -> Option<&mut R>;

    /// Takes in at least one, and lends the first. Never waits. `likely`: the loop did not wait for it
    /// either.
    fn take_in(&mut self, likely: bool) -> io::Result<&mut R>;
}

/// That of UDP, which takes in several datagrams by one system call where nobody else could serve
/// them meanwhile.
pub(super) struct UdpReception<'a> {
    udp: &'a Udp,
    server: &'a ServerHandle,
    request: UdpRequest,
    arrivals: Arrivals,
    appetite: Appetite,
}

impl<'a> UdpReception<'a> {
    /// `alone`: there is no other loop.
    pub(super) fn new(udp: &'a Udp, server: &'a ServerHandle, alone: bool) -> Self {
        let most = if alone { Arrivals::MOST } else { 1 };
        Self {
            udp,
            server,
            request: udp.blank_request(server),
            arrivals: Arrivals::default(),
            appetite: Appetite::up_to(most),
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
            self.appetite = Appetite::up_to(1);
        }
    }
}

impl Reception<UdpRequest> for UdpReception<'_> {
    #[inline]
    fn next_taken_in(&mut self) -> Option<&mut UdpRequest> {
        if self.arrivals.is_empty() && !self.udp.kept.is_any() {
            return None;
        }
        self.look_after_request();
        let (udp, arrivals) = (self.udp, &mut self.arrivals);
        let taken_in = self.request.renew(udp.max_packet_size, |packet| {
            let peer = arrivals.take_into(packet);
            peer.or_else(|| udp.kept.take_into(packet)).ok_or(())
        });
        taken_in.ok().map(|()| &mut self.request)
    }

    fn take_in(&mut self, likely: bool) -> io::Result<&mut UdpRequest> {
        self.look_after_request();
        let (udp, arrivals) = (self.udp, &mut self.arrivals);
        let (socket, size) = (udp.socket.as_fd(), udp.buffer_size());
        let wanted = self.appetite.next(likely);
        if wanted > 1 {
            self.appetite.had(arrivals.receive(socket, wanted, size)?);
        }
        self.request.renew(udp.max_packet_size, |packet| {
            if let Some(peer) = arrivals.take_into(packet) {
                return Ok(peer);
            }
            packet.reserve_exact(size);
            recv_whole_inet(socket, packet)
        })?;
        Ok(&mut self.request)
    }
}

impl Drop for UdpReception<'_> {
    /// What was taken in and not served is for the next loop.
    fn drop(&mut self) {
        self.udp.kept.put(mem::take(&mut self.arrivals));
    }
}

/// Datagrams that were taken in by a loop that has ended since.
#[derive(Debug, Default)]
pub(super) struct Kept {
    any: AtomicBool,
    arrivals: Mutex<Arrivals>,
}

impl Kept {
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn take_into(&self, packet: &mut Vec<u8>) -> Option<SocketAddr> {
        if !self.is_any() {
            return None;
        }
        let mut arrivals = self.arrivals.lock();
        let peer = arrivals.take_into(packet);
        self.any.store(!arrivals.is_empty(), Ordering::Release);
        peer
    }

    fn put(&self, left: Arrivals) {
        if !left.is_empty() {
            let mut arrivals = self.arrivals.lock();
            // Only a loop that is alone takes in more than it serves, and it began with these.
            debug_assert!(arrivals.is_empty(), "these would be lost");
            *arrivals = left;
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
struct Appetite {
    most: usize,
    size: usize,
    /// All that were asked for last were there.
    sated: bool,
    /// When they were asked for, if the loop did not wait since.
    since: Option<Instant>,
}

impl Appetite {
    /// How long the datagrams of one call may take to serve.
    const MOMENT: Duration = Duration::from_micros(500);

    fn up_to(most: usize) -> Self {
        Self {
            most,
            size: 1,
            sated: false,
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
        let sated = mem::replace(&mut self.sated, true);
        match since.map(|since| now.saturating_duration_since(since)) {
            Some(taken) if taken > Self::MOMENT => self.size = 1,
            Some(_) if sated => self.size = (self.size * 2).min(self.most),
            _ => {}
        }
        self.size
    }

    /// How many came, of several.
    fn had(&mut self, received: usize) {
        self.sated = received == self.size;
        self.size = received.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_taken_in_while_more_is_waiting_and_handlers_are_quick() {
        let mut appetite = Appetite::up_to(16);
        let mut now = Instant::now();
        let mut after = |appetite: &mut Appetite, taken| {
            now += taken;
            appetite.next_at(now)
        };
        let quick = Appetite::MOMENT;
        let slow = quick + Duration::from_nanos(1);

        let sizes = [(); 6].map(|()| after(&mut appetite, quick));
        assert_eq!(sizes, [1, 2, 4, 8, 16, 16]);
        appetite.had(3);
        assert_eq!(after(&mut appetite, quick), 3);
        assert_eq!(after(&mut appetite, quick), 6);
        assert_eq!(after(&mut appetite, slow), 1);
        assert_eq!(after(&mut appetite, slow), 1);
        assert_eq!(after(&mut appetite, quick), 2);

        // Who had to wait knows nothing about the handlers.
        assert_eq!(appetite.next(false), 1);
        assert_eq!(after(&mut appetite, quick), 2);
        assert_eq!(Appetite::up_to(1).next(true), 1);
    }
}
