//! `churn`: every slot connects, sends one message, reads its echo, closes, and begins anew.
//!
//! The close is the orderly one that a client of an echo server makes: shut down the sending
//! half, read to the end, close. So the server sees an end of file, never a reset, and none
//! of them takes an error path.

use std::io::Read;
use std::net::{Shutdown, SocketAddrV4, TcpStream};
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::dialer::Dialer;
use super::exchange::{Exchange, now_or_never};
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
        // The message can mostly go out at once, and one event is saved.
        slot.exchange.send(&slot.socket)?;

        let mut interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        if !slot.exchange.is_sent() {
            interest |= EpollFlags::EPOLLOUT;
        }
        let id = slot.exchange.tag.source;
        epoll.add(&slot.socket, EpollEvent::new(interest, id.into()))?;
        Ok(slot)
    }

    /// Do what can be done now; true at the end of file, when this connection is over.
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
            // The end of file is the server's answer to the shutdown: another event.
            return Ok(false);
        }
        match now_or_never(self.socket.read(buffer))? {
            None => Ok(false),
            Some(0) => Ok(true),
            Some(bytes) => {
                Err(format!("{:?}: {bytes} bytes after the echo", self.exchange.tag).into())
            }
        }
    }
}

/// All slots.
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

    /// Wait a little, and do what can be done then.
    pub fn advance(&mut self, meter: &mut Meter) -> Result {
        let ready = self.epoll.wait(&mut self.events, TICK)?;
        for event in &self.events[..ready] {
            let slot = &mut self.slots[event.data() as usize];
            if slot.advance(event.events(), &mut self.buffer)? {
                meter.record(slot.began, Instant::now());
                let exchange = slot.exchange.take();
                // The old socket is closed here, which also takes it out of the epoll set.
                *slot = Slot::open(exchange, &mut self.dialer, &self.epoll)?;
            }
        }
        Ok(())
    }

    /// Bring the connections that are open to their end, when nothing is measured any more: one
    /// that is cut off with unread data is an error to the server, and it would report it.
    ///
    /// All at the same time, because a sequential server gets to one only at the end of another.
    pub fn finish(mut self) -> Result {
        let deadline = Instant::now() + FINISH_TIMEOUT;
        let mut open = self.slots.len();
        while open > 0 {
            if Instant::now() > deadline {
                return Err(format!("{open} connections not over in {FINISH_TIMEOUT:?}").into());
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
