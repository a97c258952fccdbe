//! `slow`: `churn` beside connected clients that send one byte per second.

use std::net::{SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use super::churn::Churn;
use super::dialer::Dialer;
use super::exchange::Exchange;
use super::{BUFFER_SIZE, FINISH_TIMEOUT};
use crate::Result;
use crate::meter::{Meter, Sample};

/// Time between two bytes of a slow client.
const PAUSE: Duration = Duration::from_secs(1);

struct SlowClient {
    socket: TcpStream,
    exchange: Exchange,
    /// Time at which the last byte was sent.
    sent_at: Instant,
}

impl SlowClient {
    /// Sends the next byte if the previous one has been echoed.
    fn send(&mut self, now: Instant, buffer: &mut [u8]) -> Result {
        self.exchange.receive(&self.socket, buffer)?;
        if !self.exchange.is_answered() {
            let waited = now - self.sent_at;
            return if waited < FINISH_TIMEOUT {
                Ok(())
            } else {
                Err(format!("a slow client has waited {waited:?} for the echo of a byte").into())
            };
        }
        if self.exchange.is_echoed() {
            self.exchange.next();
        }
        self.sent_at = now;
        self.exchange.send_part(&self.socket, 1).map(|_| ())
    }
}

/// The slow clients. Their sends are spread evenly over [`PAUSE`].
struct SlowClients {
    clients: Vec<SlowClient>,
    buffer: Vec<u8>,
    began: Instant,
    sends: u32,
}

impl SlowClients {
    fn connect(server: SocketAddrV4, count: u16, size: usize) -> Result<Self> {
        let began = Instant::now();
        let mut dialer = Dialer::new(server);
        let clients = (0..count)
            .map(|id| {
                Ok(SlowClient {
                    socket: dialer.dial()?,
                    // Starts at 1 << 16, above the numbers of the slots of `churn`.
                    exchange: Exchange::new((u32::from(id) + 1) << 16, size),
                    sent_at: began,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            clients,
            buffer: vec![0; BUFFER_SIZE],
            began,
            sends: 0,
        })
    }

    fn send_due(&mut self, now: Instant) -> Result {
        let count = self.clients.len() as u32;
        while now.duration_since(self.began) >= PAUSE / count * self.sends {
            self.clients[(self.sends % count) as usize].send(now, &mut self.buffer)?;
            self.sends += 1;
        }
        Ok(())
    }

    fn finish(mut self) -> Result {
        for client in &mut self.clients {
            client.exchange.finish(&client.socket, &mut self.buffer)?;
        }
        Ok(())
    }
}

pub fn run(
    server: SocketAddrV4,
    clients: u16,
    slots: u16,
    size: usize,
    mut meter: Meter,
) -> Result<Sample> {
    let mut clients = SlowClients::connect(server, clients, size)?;
    meter.start();
    let mut churn = Churn::open(server, slots, size)?;
    loop {
        let now = Instant::now();
        if !meter.keep_going(now)? {
            break;
        }
        clients.send_due(now)?;
        churn.advance(&mut meter)?;
    }
    let sample = meter.finish()?;
    churn.finish()?;
    clients.finish()?;
    Ok(sample)
}
