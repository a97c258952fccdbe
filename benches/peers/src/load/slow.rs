//! `slow`: `churn` beside clients that stay, and send one byte each second.

use std::net::{SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use super::churn::Churn;
use super::dialer::Dialer;
use super::exchange::Exchange;
use super::{BUFFER_SIZE, FINISH_TIMEOUT};
use crate::Result;
use crate::meter::{Meter, Sample};

/// How long a slow client waits before its next byte.
const PAUSE: Duration = Duration::from_secs(1);

struct Drip {
    socket: TcpStream,
    exchange: Exchange,
    /// When the last byte was sent.
    sent_at: Instant,
}

impl Drip {
    /// Send a byte, if the one before has been answered.
    fn send(&mut self, now: Instant, buffer: &mut [u8]) -> Result {
        self.exchange.receive(&self.socket, buffer)?;
        if !self.exchange.is_answered() {
            let waited = now - self.sent_at;
            return if waited < FINISH_TIMEOUT {
                Ok(())
            } else {
                Err(format!("a slow client waits for its byte for {waited:?}").into())
            };
        }
        if self.exchange.is_echoed() {
            self.exchange.next();
        }
        self.sent_at = now;
        self.exchange.send_part(&self.socket, 1).map(|_| ())
    }
}

/// The slow clients, whose turns are spread evenly over the pause.
struct Drips {
    drips: Vec<Drip>,
    buffer: Vec<u8>,
    began: Instant,
    turns: u32,
}

impl Drips {
    fn connect(server: SocketAddrV4, count: u16, size: usize) -> Result<Self> {
        let began = Instant::now();
        let mut dialer = Dialer::new(server);
        let drips = (0..count)
            .map(|id| {
                Ok(Drip {
                    socket: dialer.dial()?,
                    // From one on: not the numbers of the slots of `churn`.
                    exchange: Exchange::new((u32::from(id) + 1) << 16, size),
                    sent_at: began,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            drips,
            buffer: vec![0; BUFFER_SIZE],
            began,
            turns: 0,
        })
    }

    fn send_what_is_due(&mut self, now: Instant) -> Result {
        let count = self.drips.len() as u32;
        while now.duration_since(self.began) >= PAUSE / count * self.turns {
            self.drips[(self.turns % count) as usize].send(now, &mut self.buffer)?;
            self.turns += 1;
        }
        Ok(())
    }

    fn finish(mut self) -> Result {
        for drip in &mut self.drips {
            drip.exchange.finish(&drip.socket, &mut self.buffer)?;
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
    let mut drips = Drips::connect(server, clients, size)?;
    meter.start();
    let mut churn = Churn::open(server, slots, size)?;
    loop {
        let now = Instant::now();
        if !meter.keep_going(now)? {
            break;
        }
        drips.send_what_is_due(now)?;
        churn.advance(&mut meter)?;
    }
    let sample = meter.finish()?;
    churn.finish()?;
    drips.finish()?;
    Ok(sample)
}
