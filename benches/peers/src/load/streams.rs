//! `messages`: many open connections, each with one message in flight at any time.

use std::net::{SocketAddrV4, TcpStream};
use std::ops::Range;
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::dialer::Dialer;
use super::exchange::Exchange;
use super::{BUFFER_SIZE, EVENTS, FINISH_TIMEOUT, TICK, new_epoll};
use crate::Result;
use crate::meter::{Meter, Sample};

/// Number of connections opened before the first answer is awaited; smaller than any backlog.
const AT_A_TIME: usize = 100;

struct Client {
    socket: TcpStream,
    exchange: Exchange,
    began: Instant,
}

impl Client {
    fn connect(dialer: &mut Dialer, id: u32, size: usize, epoll: &Epoll) -> Result<Self> {
        let socket = dialer.dial()?;
        socket.set_nodelay(true)?;
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        epoll.add(&socket, EpollEvent::new(interest, id.into()))?;
        Ok(Self {
            socket,
            exchange: Exchange::new(id, size),
            began: Instant::now(),
        })
    }

    fn begin(&mut self, now: Instant) -> Result {
        self.began = now;
        self.exchange.next();
        self.exchange.send(&self.socket)
    }

    /// Sends and receives as far as possible. Returns true when the whole echo has arrived.
    fn advance(&mut self, event: EpollFlags, buffer: &mut [u8]) -> Result<bool> {
        if self.exchange.is_echoed() {
            return Ok(false);
        }
        self.exchange.send(&self.socket)?;
        if !event.contains(EpollFlags::EPOLLIN) {
            return Ok(false);
        }
        self.exchange.receive(&self.socket, buffer)?;
        Ok(self.exchange.is_echoed())
    }
}

/// Open connections. Each has been served once.
pub struct Streams {
    epoll: Epoll,
    events: [EpollEvent; EVENTS],
    buffer: Vec<u8>,
    clients: Vec<Client>,
}

impl Streams {
    pub fn connect(server: SocketAddrV4, count: u16, size: usize) -> Result<Self> {
        let (epoll, events) = new_epoll()?;
        let mut streams = Self {
            epoll,
            events,
            buffer: vec![0; BUFFER_SIZE],
            clients: Vec::new(),
        };
        let mut dialer = Dialer::new(server);
        for id in 0..count.into() {
            let client = Client::connect(&mut dialer, id, size, &streams.epoll)?;
            streams.clients.push(client);
            let open = streams.clients.len();
            if open.is_multiple_of(AT_A_TIME) || open == usize::from(count) {
                let begin = (open - 1) / AT_A_TIME * AT_A_TIME;
                streams.echo(begin..open)?;
            }
        }
        Ok(streams)
    }

    /// Echoes one message on every connection.
    pub fn echo_all(&mut self) -> Result {
        let count = self.clients.len();
        for begin in (0..count).step_by(AT_A_TIME) {
            self.echo(begin..count.min(begin + AT_A_TIME))?;
        }
        Ok(())
    }

    /// Echoes one message on each of some connections, all at the same time.
    fn echo(&mut self, clients: Range<usize>) -> Result {
        let deadline = Instant::now() + FINISH_TIMEOUT;
        let mut open = clients.len();
        for client in &mut self.clients[clients] {
            client.begin(Instant::now())?;
        }
        while open > 0 {
            if Instant::now() > deadline {
                return Err(format!("no echo on {open} connections").into());
            }
            let ready = self.epoll.wait(&mut self.events, TICK)?;
            for event in &self.events[..ready] {
                let client = &mut self.clients[event.data() as usize];
                if client.advance(event.events(), &mut self.buffer)? {
                    open -= 1;
                }
            }
        }
        Ok(())
    }

    /// Keeps a message in flight on every connection until `meter` ends the measurement.
    pub fn run(&mut self, meter: &mut Meter) -> Result {
        meter.start();
        for client in &mut self.clients {
            client.begin(Instant::now())?;
        }
        while meter.keep_going(Instant::now())? {
            let ready = self.epoll.wait(&mut self.events, TICK)?;
            for event in &self.events[..ready] {
                let client = &mut self.clients[event.data() as usize];
                if client.advance(event.events(), &mut self.buffer)? {
                    // Reads the clock once for the end of one message and the start of the next.
                    let now = Instant::now();
                    meter.record(client.began, now);
                    client.begin(now)?;
                }
            }
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result {
        for client in &mut self.clients {
            client.exchange.finish(&client.socket, &mut self.buffer)?;
        }
        Ok(())
    }
}

pub fn run(
    server: SocketAddrV4,
    connections: u16,
    size: usize,
    mut meter: Meter,
) -> Result<Sample> {
    meter.before_connecting(connections)?;
    let mut streams = Streams::connect(server, connections, size)?;
    streams.run(&mut meter)?;
    let sample = meter.finish()?;
    streams.finish()?;
    Ok(sample)
}
