//! Schedules with datagrams: the lines of a step are one datagram, and so is an incomplete line.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

use socketserver::transport::Udp;
use socketserver::{Stats, Strategy};

use super::counts;
use super::protocol::{Expected, HandlerState};
use super::schedule::{CLOSING_MESSAGE, Line, Schedule, ServerConfig, Step};
use super::server::{Serving, Stopping, configure};
use crate::support::net::*;

pub(crate) fn run<M: Strategy>(schedule: &Schedule, strategy: M) {
    let Schedule {
        config,
        steps,
        stop_before,
        stop,
    } = schedule;
    let dir = TempDir::new();
    let server = configure(config, strategy, |options, service| {
        Udp::bind(&dir, options, service)
    });
    let (handle, address) = (server.handle(), *server.server_address());
    let mut serving = Some(Serving::start(server, config));
    let mut stopping = None;
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let mut stop_sent = false;
    let mut a_client_left = false;
    for (index, step) in steps.iter().enumerate() {
        if index == *stop_before
            && let Some(serving) = serving.take()
        {
            stopping = Some(Stopping::start(serving, &handle, stop));
        }
        let count = clients.len().max(1);
        let mut send = |client: usize, data: Vec<u8>| {
            // Sending fails if the previous datagram arrived after the server had closed its socket.
            if let Some(Some(client)) = clients.get(client % count)
                && client.try_send(&data).is_ok()
            {
                sent.push(data);
            }
        };
        match step {
            Step::Connect => clients.push(Some(Udp::connect(&address))),
            Step::Send(client, lines) => {
                stop_sent |= lines.iter().any(Line::is_stop);
                send(*client, Line::concat(lines));
            }
            Step::SendPart(client) => send(*client, b"par".to_vec()),
            Step::Reset(client) | Step::Leave(client) => {
                a_client_left |= clients
                    .get_mut(client % count)
                    .is_some_and(|client| client.take().is_some());
            }
            Step::Pause(time) => thread::sleep(Duration::from_millis(*time)),
            Step::Restart => serving = serving.map(Serving::restart),
            Step::Read(_) | Step::HalfClose(_) => {}
        }
        counts::add_up(&handle.stats());
    }
    if stopping.is_none() && !stop_sent {
        let accepted = || handle.stats().accepted == sent.len() as u64;
        eventually("all datagrams are accepted", accepted);
    }
    let stopping = match serving {
        Some(serving) => Stopping::start(serving, &handle, stop),
        None => stopping.unwrap(),
    };
    let after = stopping.finish(&handle);
    check_counts(&sent, &after, a_client_left);
    if !a_client_left {
        check_replies(&sent, &after, config, &clients);
    }
}

/// Checks the counters against the datagrams that were sent.
fn check_counts(sent: &[Vec<u8>], after: &Stats, a_client_left: bool) {
    let all = format!("{sent:?}\n{after:?}");
    let count = |state| {
        let states = sent.iter().map(|data| Expected::of(data, true).state);
        states.filter(|other| *other == state).count() as u64
    };
    assert!(after.accepted <= sent.len() as u64, "{all}");
    assert!(after.completed <= count(HandlerState::Completed), "{all}");
    assert!(after.failed <= count(HandlerState::Failed), "{all}");
    assert!(after.disconnected == 0 || a_client_left, "{all}");
}

/// Checks that every completed request has sent its reply, and every request that was rejected at the close
/// its message. No client has left.
fn check_replies(
    sent: &[Vec<u8>],
    after: &Stats,
    config: &ServerConfig,
    clients: &[Option<Client>],
) {
    let all = format!("{sent:?}\n{after:?}");
    let mut expected: Vec<_> = sent
        .iter()
        .map(|data| Expected::of(data, true))
        .filter(|expected| expected.state == HandlerState::Completed)
        .map(|expected| expected.answers)
        .collect();
    let (replies, rejections) = (RefCell::new(Vec::new()), Cell::new(0));
    let count = || replies.borrow().len() as u64;
    let rejected = u64::from(config.rejects_backlog) * after.rejected_by.closing;
    eventually("all replies have arrived", || {
        for datagram in clients.iter().flatten().flat_map(receive_now) {
            if datagram == CLOSING_MESSAGE {
                rejections.set(rejections.get() + 1);
            } else {
                replies.borrow_mut().push(datagram);
            }
        }
        count() >= after.completed && rejections.get() >= rejected
    });
    // A child process may have been ended by a signal just after its reply.
    let most = after.completed + after.force_closed;
    assert!((after.completed..=most).contains(&count()), "{all}");
    assert_eq!(rejections.get(), rejected, "{all}");
    for reply in replies.into_inner() {
        let index = expected.iter().position(|other| *other == reply);
        expected.swap_remove(index.unwrap_or_else(|| panic!("{reply:?} to {all}")));
    }
}

/// Receives the datagrams that have arrived.
fn receive_now(client: &Client) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    loop {
        match client.try_receive_now() {
            Ok(Some(datagram)) => datagrams.push(datagram),
            Ok(None) => return datagrams,
            // A datagram was sent after the server had closed its socket.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => panic!("{error}"),
        }
    }
}
