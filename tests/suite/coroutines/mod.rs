//! Coroutines: what is special about handlers that wait without a thread of their own. (What they have
//! in common with those of other strategies is tested with these, in the other files.)
//!
//! Most of it happens on one worker, where whatever holds up one coroutine holds up all.

mod alone;
mod elsewhere;
mod held;
mod limits;
mod lives;
mod outside;
mod panics;
mod senders;
mod waits;

use std::thread;
use std::time::Duration;

use socketserver::{Coroutines, Sequential, Service};

use crate::support::net::*;

fn one_worker() -> Coroutines {
    Coroutines::new().workers(1)
}

/// Starts a server that does not wait long for those who are still there when it is stopped.
fn start<T: Reachable, S: Service<T::Request>>(
    strategy: Coroutines,
    service: S,
) -> Host<T, S, Coroutines> {
    host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| {
            server
                .strategy(strategy)
                .grace_period(Duration::from_millis(20))
        },
    )
}

/// Bytes that are different everywhere, so that a hole or a swap shows.
fn pattern(seed: usize, size: usize) -> Vec<u8> {
    (0..size)
        .map(|n| (n ^ (n >> 8) ^ (n >> 16) ^ seed) as u8)
        .collect()
}

/// Sends all of it while the answer, as many bytes, comes back.
fn exchange(client: &Client, data: &[u8]) -> Vec<u8> {
    thread::scope(|scope| {
        scope.spawn(|| client.send(data));
        client.exactly(data.len())
    })
}
