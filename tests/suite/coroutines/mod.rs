//! Coroutines: behaviour of handlers that wait without a thread of their own. Behaviour that all strategies
//! share is tested in the other modules, for all strategies.
//!
//! Most tests use one worker, because a handler that blocks it blocks all coroutines.

#[cfg(target_os = "linux")]
mod alone;
mod blocked_worker;
mod life_cycle;
mod limits;
mod other_sockets;
mod panics;
mod senders;
mod sleep_and_blocking;
mod waits;

use std::thread;
use std::time::Duration;

use socketserver::{Coroutines, Sequential, Service};

use crate::support::net::*;

fn one_worker() -> Coroutines {
    Coroutines::new().workers(1)
}

/// Starts a server with a short grace period.
fn start<T: Reachable, S: Service<T::Request>>(
    strategy: Coroutines,
    service: S,
) -> Host<T, S, Coroutines> {
    start_with_grace(strategy, Duration::from_millis(20), service)
}

fn start_with_grace<T: Reachable, S: Service<T::Request>>(
    strategy: Coroutines,
    grace_period: Duration,
    service: S,
) -> Host<T, S, Coroutines> {
    host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| server.strategy(strategy).grace_period(grace_period),
    )
}

/// Bytes that differ in each part, so that lost or reordered parts are noticed.
fn pattern(seed: usize, size: usize) -> Vec<u8> {
    (0..size)
        .map(|n| (n ^ (n >> 8) ^ (n >> 16) ^ seed) as u8)
        .collect()
}

/// Sends the data, and receives an answer of the same size at the same time.
fn exchange(client: &Client, data: &[u8]) -> Vec<u8> {
    thread::scope(|scope| {
        scope.spawn(|| client.send(data));
        client.exactly(data.len())
    })
}
