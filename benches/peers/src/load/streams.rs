//! `messages`: on each of many open connections one message is on its way at any time.

use std::net::{SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::{Exchange, TICK, new_epoll};
use crate::Result;
use crate::meter::{Meter, Sample};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const BUFFER_SIZE: usize = 64 * 1024;

struct Client {
    socket: TcpStream,
    exchange: Exchange,
    began: Instant,
}

impl Client {
    fn connect(server: SocketAddrV4, id: u16, size: usize, epoll: &Epoll) -> Result<Self> {
        let socket = TcpStream::connect_timeout(&server.into(), CONNECT_TIMEOUT)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        epoll.add(&socket, EpollEvent::new(interest, id.into()))?;
        Ok(Self {
            socket,
            exchange: Exchange::new(id.into(), size),
            began: Instant::now(),
        })
    }

    fn begin(&mut self, now: Instant) -> Result {
        self.began = now;
        self.exchange.next();
        self.exchange.send(&self.socket)
    }
}

pub fn run(
    server: SocketAddrV4,
    connections: u16,
    size: usize,
    mut meter: Meter<'_>,
) -> Result<Sample> {
    let (epoll, mut events) = new_epoll()?;
    let mut buffer = vec![0; BUFFER_SIZE];
    let mut clients = (0..connections)
        .map(|id| Client::connect(server, id, size, &epoll))
        .collect::<Result<Vec<_>>>()?;
    meter.start();
    for client in &mut clients {
        client.begin(Instant::now())?;
    }

    while meter.keep_going(Instant::now())? {
        let ready = epoll.wait(&mut events, TICK)?;
        for event in &events[..ready] {
            let client = &mut clients[event.data() as usize];
            client.exchange.send(&client.socket)?;
            if !event.events().contains(EpollFlags::EPOLLIN) {
                continue;
            }
            client.exchange.receive(&client.socket, &mut buffer)?;
            if client.exchange.is_echoed() {
                // The end of one message is the beginning of the next: one look at the clock.
                let now = Instant::now();
                meter.record(client.began, now);
                client.begin(now)?;
            }
        }
    }
    let sample = meter.finish()?;
    for client in &mut clients {
        client.exchange.finish(&client.socket, &mut buffer)?;
    }
    Ok(sample)
}
