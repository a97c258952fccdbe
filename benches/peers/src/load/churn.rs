//! `churn`: every slot repeatedly connects, sends one message, reads its echo and closes.
//!
//! A slot closes in order: it shuts down the sending half, reads to the end, closes. The server
//! therefore sees an end of stream and never a reset, and no server takes an error path.

use std::io::Read;
use std::net::{Shutdown, SocketAddrV4, TcpStream};
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::dialer::Dialer;
use super::exchange::{Exchange, unless_blocked};
use super::{BUFFER_SIZE, EVENTS, FINISH_TIMEOUT, TICK, new_epoll};
use crate::Result;
use crate::meter::{Meter, Sample};

struct Slot {
    socket: TcpStream,
    exchange: Exchange,
    began: Instant,
}

impl Slot {
    fn open(exchange: Exchange, dialer: &mut Dialer, epoll: &Epoll) -> Result<Self> {
        let began = Instant::now();
        let socket = dialer.dial()?;
        let mut slot = Self {
            socket,
            exchange,
            began,
        };
        slot.exchange.next();
        // Sends immediately, because this usually succeeds and saves one event.
        slot.exchange.send(&slot.socket)?;

        let mut interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        if !slot.exchange.is_sent() {
            interest |= EpollFlags::EPOLLOUT;
        }
        let id = slot.exchange.tag.source;
        epoll.add(&slot.socket, EpollEvent::new(interest, id.into()))?;
        Ok(slot)
    }

    /// Sends and receives as far as possible. Returns true at the end of the stream.
    fn advance(&mut self, event: EpollFlags, buffer: &mut [u8]) -> Result<bool> {
        self.exchange.send(&self.socket)?;
        if !event.contains(EpollFlags::EPOLLIN) {
            return Ok(false);
        }
        if !self.exchange.is_echoed() {
            self.exchange.receive(&self.socket, buffer)?;
            if self.exchange.is_echoed() {
                self.socket.shutdown(Shutdown::Write)?;
            }
            // The end of the stream arrives later, as the server's reaction to the shutdown.
            return Ok(false);
        }
        match unless_blocked(self.socket.read(buffer))? {
            None => Ok(false),
            Some(0) => Ok(true),
            Some(bytes) => {
                Err(format!("{:?}: {bytes} bytes after the echo", self.exchange.tag).into())
            }
        }
    }
}

/// All slots and their epoll set.
pub struct Churn {
    epoll: Epoll,
    events: [EpollEvent; EVENTS],
    buffer: Vec<u8>,
    dialer: Dialer,
    slots: Vec<Slot>,
}

impl Churn {
    pub fn open(server: SocketAddrV4, slots: u16, size: usize) -> Result<Self> {
        let (epoll, events) = new_epoll()?;
        let mut dialer = Dialer::new(server);
        let slots = (0..slots)
            .map(|id| Slot::open(Exchange::new(id.into(), size), &mut dialer, &epoll))
            .collect::<Result<_>>()?;
        Ok(Self {
            epoll,
            events,
            buffer: vec![0; BUFFER_SIZE],
            dialer,
            slots,
        })
    }

    /// Waits for events, at most [`TICK`], and handles them.
    pub fn advance(&mut self, meter: &mut Meter) -> Result {
        let ready = self.epoll.wait(&mut self.events, TICK)?;
        for event in &self.events[..ready] {
            let slot = &mut self.slots[event.data() as usize];
            if slot.advance(event.events(), &mut self.buffer)? {
                meter.record(slot.began, Instant::now());
                let exchange = slot.exchange.take();
                // Drops the old socket, which also removes it from the epoll set.
                *slot = Slot::open(exchange, &mut self.dialer, &self.epoll)?;
            }
        }
        Ok(())
    }

    /// Completes the open connections after the measurement. Closing a socket with unread data resets
    /// the connection, and the server would report that as an error.
    ///
    /// Advances all connections at the same time, because a sequential server serves one only after
    /// the end of the one before.
    pub fn finish(mut self) -> Result {
        let deadline = Instant::now() + FINISH_TIMEOUT;
        let mut open = self.slots.len();
        while open > 0 {
            if Instant::now() > deadline {
                return Err(
                    format!("{open} connections did not end within {FINISH_TIMEOUT:?}").into(),
                );
            }
            let ready = self.epoll.wait(&mut self.events, TICK)?;
            for event in &self.events[..ready] {
                let slot = &mut self.slots[event.data() as usize];
                if slot.advance(event.events(), &mut self.buffer)? {
                    self.epoll.delete(&slot.socket)?;
                    open -= 1;
                }
            }
        }
        Ok(())
    }
}

pub fn run(server: SocketAddrV4, slots: u16, size: usize, mut meter: Meter) -> Result<Sample> {
    meter.start();
    let mut churn = Churn::open(server, slots, size)?;
    while meter.keep_going(Instant::now())? {
        churn.advance(&mut meter)?;
    }
    let sample = meter.finish()?;
    churn.finish()?;
    Ok(sample)
}
