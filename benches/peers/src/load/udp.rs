//! `udp`: a fixed number of datagrams in flight at any time, over several sockets.
//!
//! Each socket owns some of the window's slots, and each slot has one datagram in flight. When its
//! echo arrives, the slot sends the next one. A datagram without an echo after [`LOST_AFTER`] counts
//! as lost and is replaced, so losses cannot stop the load.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use nix::sys::epoll::{EpollEvent, EpollFlags};

use self::batch::Batch;
use super::{TICK, new_epoll};
use crate::Result;
use crate::meter::{Meter, Sample};
use crate::payload::Tag;

mod batch;

/// More sockets than a server has threads, but so few that each sends several datagrams at a time.
const SOCKETS: u16 = 8;

/// Far above the latency of a working server, far below the length of a measurement.
const LOST_AFTER: Duration = Duration::from_millis(250);

struct Slot {
    tag: Tag,
    message: Vec<u8>,
    sent_at: Instant,
}

impl Slot {
    fn next(&mut self, now: Instant) {
        self.tag.sequence = self.tag.sequence.wrapping_add(1);
        self.tag.fill(&mut self.message);
        self.sent_at = now;
    }
}

struct Client {
    socket: UdpSocket,
    /// Number of the first slot. The numbers are consecutive.
    first: u32,
    slots: Vec<Slot>,
    batch: Batch,
    /// Indices of the slots with a datagram that is not sent yet.
    to_send: Vec<usize>,
}

impl Client {
    fn new(server: SocketAddrV4, first: u32, count: u16, size: usize) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        // A connected socket receives from the server only, and reports a server that has exited.
        socket.connect(server)?;
        let now = Instant::now();
        let slots = (first..first + u32::from(count))
            .map(|source| {
                let tag = Tag {
                    source,
                    sequence: 0,
                };
                let mut slot = Slot {
                    tag,
                    message: vec![0; size],
                    sent_at: now,
                };
                slot.next(now);
                slot
            })
            .collect();
        Ok(Self {
            socket,
            first,
            slots,
            batch: Batch::new(count.into(), size),
            to_send: (0..count.into()).collect(),
        })
    }

    fn receive(&mut self, meter: &mut Meter) -> Result {
        self.batch.receive(&self.socket)?;
        let now = Instant::now();
        for datagram in self.batch.received() {
            let tag = Tag::of(datagram).ok_or("a datagram is too short for an echo")?;
            let index = tag.source.wrapping_sub(self.first) as usize;
            let Some(slot) = self.slots.get_mut(index) else {
                return Err(format!("{tag:?} arrived at the socket of another client").into());
            };
            if tag.sequence < slot.tag.sequence {
                // A duplicate, or counted as lost before. Its bytes must still be correct.
                let mut expected = vec![0; slot.message.len()];
                tag.fill(&mut expected);
                tag.check(datagram, &expected)?;
                continue;
            }
            slot.tag.check(datagram, &slot.message)?;
            meter.record(slot.sent_at, now);
            slot.next(now);
            self.to_send.push(index);
        }
        Ok(())
    }

    fn replace_lost(&mut self, now: Instant, meter: &mut Meter) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if now.duration_since(slot.sent_at) > LOST_AFTER {
                meter.record_loss();
                slot.next(now);
                self.to_send.push(index);
            }
        }
    }

    fn send(&mut self) -> Result {
        let messages = self.to_send.drain(..).map(|i| &self.slots[i].message[..]);
        self.batch.send(&self.socket, messages)
    }
}

pub fn run(server: SocketAddrV4, window: u16, size: usize, mut meter: Meter) -> Result<Sample> {
    let (epoll, mut events) = new_epoll()?;
    let mut clients = distribute(window)
        .map(|(first, count)| Client::new(server, first, count, size))
        .collect::<Result<Vec<_>>>()?;
    meter.start();
    for (id, client) in clients.iter_mut().enumerate() {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, id as u64);
        epoll.add(&client.socket, event)?;
        client.send()?;
    }

    let mut last_scan = Instant::now();
    loop {
        let now = Instant::now();
        if !meter.keep_going(now)? {
            return meter.finish();
        }
        // Runs once per tick, because it scans all slots and losses are rare.
        if now.duration_since(last_scan).as_millis() >= u128::from(TICK) {
            last_scan = now;
            for client in &mut clients {
                client.replace_lost(now, &mut meter);
                client.send()?;
            }
        }
        let ready = epoll.wait(&mut events, TICK)?;
        for event in &events[..ready] {
            let client = &mut clients[event.data() as usize];
            client.receive(&mut meter)?;
            client.send()?;
        }
    }
}

/// The first slot and the number of slots of each socket. Every socket has at least one slot.
fn distribute(window: u16) -> impl Iterator<Item = (u32, u16)> {
    let sockets = SOCKETS.min(window);
    (0..sockets).scan(0, move |first, socket| {
        let count = window / sockets + u16::from(socket < window % sockets);
        let share = (*first, count);
        *first += u32::from(count);
        Some(share)
    })
}

#[cfg(test)]
mod tests {
    use super::{SOCKETS, distribute};

    #[test]
    fn every_slot_belongs_to_one_socket() {
        for window in 1..=100 {
            let shares: Vec<_> = distribute(window).collect();
            assert_eq!(shares.len(), usize::from(window.min(SOCKETS)));
            let mut next = 0;
            for (first, count) in shares {
                assert_eq!(first, next);
                assert!(count > 0);
                next += u32::from(count);
            }
            assert_eq!(next, u32::from(window));
        }
    }
}
