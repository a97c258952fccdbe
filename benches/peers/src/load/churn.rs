//! `churn`: every slot connects, sends one message, reads its echo, closes, and begins anew.
//!
//! The close is the orderly one that a client of an echo server makes: shut down the sending
//! half, read to the end, close. So the server sees an end of file, never a reset, and none
//! of them takes an error path. The price is that the *client* is left with a connection in
//! TIME_WAIT for a minute; from one address these would use up the ephemeral ports within
//! seconds, and finding a free one gets slower on the way there. Hence every connection comes
//! from the next of 250 loopback addresses, and the port is chosen at connect time
//! (IP_BIND_ADDRESS_NO_PORT), when a pair of addresses is known that it has to be unique for.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};

use super::{Exchange, FINISH_TIMEOUT, TICK, new_epoll, now_or_never};
use crate::Result;
use crate::meter::{Meter, Sample};

const BUFFER_SIZE: usize = 64 * 1024;

/// 127.0.0.1 is left to the server, .0 and .255 look like something else.
const FIRST_SOURCE: u8 = 2;
const LAST_SOURCE: u8 = 251;

/// Hands out the source addresses in turn.
struct Sources(u8);

impl Sources {
    fn next(&mut self) -> SockaddrIn {
        let source = Ipv4Addr::new(127, 0, 0, self.0);
        self.0 = if self.0 == LAST_SOURCE {
            FIRST_SOURCE
        } else {
            self.0 + 1
        };
        SocketAddrV4::new(source, 0).into()
    }
}

struct Slot {
    socket: TcpStream,
    exchange: Exchange,
    began: Instant,
}

impl Slot {
    fn open(
        exchange: Exchange,
        server: SocketAddrV4,
        source: SockaddrIn,
        epoll: &Epoll,
    ) -> Result<Self> {
        let began = Instant::now();
        let socket = start_connecting(server, source)?;
        let mut slot = Self {
            socket,
            exchange,
            began,
        };
        slot.exchange.next();
        // On loopback the handshake is over when connect(2) returns, though it says that it
        // is in progress: the message can mostly go out at once, and one event is saved.
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
                self.socket.shutdown(std::net::Shutdown::Write)?;
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

fn start_connecting(server: SocketAddrV4, source: SockaddrIn) -> Result<TcpStream> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
    bind(socket.as_raw_fd(), &source)?;
    match connect(socket.as_raw_fd(), &SockaddrIn::from(server)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(format!("connect from {source}: {error}").into()),
    }
}

pub fn run(server: SocketAddrV4, slots: u16, size: usize, mut meter: Meter<'_>) -> Result<Sample> {
    let (epoll, mut events) = new_epoll()?;
    let mut buffer = vec![0; BUFFER_SIZE];
    let mut sources = Sources(FIRST_SOURCE);
    meter.start();
    let mut slots = (0..slots)
        .map(|id| {
            let exchange = Exchange::new(id.into(), size);
            Slot::open(exchange, server, sources.next(), &epoll)
        })
        .collect::<Result<Vec<_>>>()?;

    while meter.keep_going(Instant::now())? {
        let ready = epoll.wait(&mut events, TICK)?;
        for event in &events[..ready] {
            let slot = &mut slots[event.data() as usize];
            if slot.advance(event.events(), &mut buffer)? {
                meter.record(slot.began, Instant::now());
                let exchange = slot.exchange.take();
                // The old socket is closed here, which also takes it out of the epoll set.
                *slot = Slot::open(exchange, server, sources.next(), &epoll)?;
            }
        }
    }
    let sample = meter.finish()?;
    close_all(&mut slots, &epoll, &mut events, &mut buffer)?;
    Ok(sample)
}

/// Bring the connections that are open to their end, when nothing is measured any more: one that
/// is cut off with unread data is an error to the server, and it would report it.
///
/// All at the same time, because a sequential server gets to one only at the end of another.
fn close_all(
    slots: &mut [Slot],
    epoll: &Epoll,
    events: &mut [EpollEvent],
    buffer: &mut [u8],
) -> Result {
    let deadline = Instant::now() + FINISH_TIMEOUT;
    let mut open = slots.len();
    while open > 0 {
        if Instant::now() > deadline {
            return Err(format!("{open} connections not over within {FINISH_TIMEOUT:?}").into());
        }
        let ready = epoll.wait(events, TICK)?;
        for event in &events[..ready] {
            let slot = &mut slots[event.data() as usize];
            if slot.advance(event.events(), buffer)? {
                epoll.delete(&slot.socket)?;
                open -= 1;
            }
        }
    }
    Ok(())
}
