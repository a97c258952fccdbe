//! Schedules with connections.

use std::thread;
use std::time::Duration;

use socketserver::Strategy;

use super::client::{RecordingClient, Scheduled};
use super::counts;
use super::schedule::{Limit, Line, Schedule, ServerConfig, Step};
use super::server::{Serving, Stopping, TestOptions, configure};
use crate::support::net::*;

fn limited<T: Scheduled>(options: TestOptions<T>, config: &ServerConfig) -> TestOptions<T> {
    match config.limit.clone() {
        None => options,
        Some(Limit::Connections(most, policy)) => {
            options.max_connections(most).at_max_connections(policy)
        }
        Some(Limit::PerClient(most, rejection)) => {
            options.max_per_client(most).at_max_per_client(rejection)
        }
        Some(Limit::Rate(burst, policy)) => {
            options.accept_rate(100.0, burst).at_accept_rate(policy)
        }
    }
}

/// `forks`: whether handlers run in child processes, which a stop ends by a signal.
pub(crate) fn run<T: Scheduled, M: Strategy>(schedule: &Schedule, strategy: M, forks: bool) {
    let Schedule {
        config,
        steps,
        stop_before,
        stop,
    } = schedule;
    let dir = TempDir::new();
    let server = configure(config, strategy, |options, service| {
        T::bind_alone(&dir, limited::<T>(options, config), service)
    });
    let (handle, address) = (server.handle(), server.server_address().clone());
    let mut serving = Some(Serving::start(server, config));
    let mut stopping = None;
    let mut clients: Vec<RecordingClient> = Vec::new();
    let mut unconnected = 0;
    let mut stop_sent = false;
    for (index, step) in steps.iter().enumerate() {
        if index == *stop_before
            && let Some(serving) = serving.take()
        {
            stopping = Some(Stopping::start(serving, &handle, stop));
        }
        let may_be_unread = stop_sent || stopping.is_some() || config.may_reject() || forks;
        let count = clients.len().max(1);
        let mut with = |client: usize, act: &dyn Fn(&mut RecordingClient)| {
            if let Some(client) = clients.get_mut(client % count) {
                act(client);
            }
        };
        match step {
            Step::Connect => {
                // A server that is being closed may not answer.
                let timeout = match stopping {
                    None => PATIENCE,
                    Some(_) => Duration::from_millis(20),
                };
                match T::connect_timeout(&address, timeout) {
                    Ok(client) => clients.push(RecordingClient::new(client, config.resets())),
                    Err(error) => {
                        assert!(stopping.is_some() || config.resets(), "{error}");
                        unconnected += 1;
                    }
                }
            }
            Step::Send(client, lines) => {
                let data = Line::concat(lines);
                with(*client, &|client| client.send(&data, may_be_unread));
                stop_sent |= lines.iter().any(Line::is_stop);
            }
            Step::SendPart(client) => {
                with(*client, &|client| client.send(b"par", may_be_unread));
            }
            Step::Read(client) => with(*client, &RecordingClient::read),
            Step::HalfClose(client) => with(*client, &RecordingClient::half_close),
            Step::Reset(client) => with(*client, &RecordingClient::reset),
            Step::Leave(client) => with(*client, &RecordingClient::leave),
            Step::Pause(time) => thread::sleep(Duration::from_millis(*time)),
            Step::Restart => {
                // A loop that runs a handler itself ends only if the connection is force-closed.
                clients.iter_mut().for_each(RecordingClient::allow_reset);
                serving = serving.map(Serving::restart);
            }
        }
        counts::add_up(&handle.stats());
    }
    let stopping = match serving {
        Some(serving) => Stopping::start(serving, &handle, stop),
        None => stopping.unwrap(),
    };
    let after = stopping.finish(&handle);
    let outcomes: Vec<_> = clients.into_iter().map(RecordingClient::finish).collect();
    counts::agree_with_clients(&outcomes, unconnected, &after);
}
