//! A server that stops and binds the same address again, a hundred times, while clients connect. Each connected client
//! gets an answer or an orderly end of the stream. Only Linux has the filter for this.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use socketserver::transport::Tcp;
use socketserver::{Sequential, Server};

use crate::support::alone::{alone, test_name};
use crate::support::kinds::{Kind, by_kind};
use crate::support::net::*;

by_kind!(a_hundred_restarts_lose_no_client);

const RESTARTS: usize = 100;
const CLIENTS: usize = 4;

/// Number of clients, by outcome.
#[derive(Debug, Default)]
struct Outcomes {
    answered: AtomicU64,
    /// The server accepted the connection and closed it without an answer.
    rejected: AtomicU64,
    /// No socket was listening.
    connection_refused: AtomicU64,
}

/// Needs a process of its own, because a child process that another test has just forked would have a copy of the
/// listening socket for a moment.
fn a_hundred_restarts_lose_no_client(kind: Kind) {
    alone(
        test_name!("a_hundred_restarts_lose_no_client"),
        kind,
        || restart(kind),
    );
}

fn restart(kind: Kind) {
    let (done, outcomes) = (AtomicBool::new(false), Outcomes::default());
    let bind = |address: SocketAddr| Server::<Tcp, _, Sequential>::bind(address, || LineEcho);
    let mut server = Some(bind(own_loopback()).unwrap());
    let address = *server.as_ref().unwrap().server_address();
    thread::scope(|scope| {
        // Ends the client threads also after a failed assertion, because the scope waits for them.
        let _done = SetOnDrop(&done);
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    connect_and_ask(&address, &outcomes);
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
        for n in 0..RESTARTS {
            let server = server.take().unwrap_or_else(|| bind(address).unwrap());
            let server = server.strategy(kind.strategy());
            let server = server.grace_period(Duration::from_secs(5)).spawn().unwrap();
            let handle = server.handle();
            eventually("clients connect", || handle.stats().accepted >= 3);
            in_time(move || match n % 2 {
                0 => drop(server.stop().unwrap()),
                _ => drop(server),
            });
            let stats = handle.stats();
            let counts = (stats.active, stats.completed + stats.rejected);
            assert_eq!(counts, (0, stats.accepted), "{n}: {stats:?}");
        }
    });
    assert!(outcomes.answered.into_inner() >= RESTARTS as u64);
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn connect_and_ask(address: &SocketAddr, outcomes: &Outcomes) {
    let outcome = match Tcp::try_connect(address).and_then(|client| ask(&client)) {
        Ok(true) => &outcomes.answered,
        Ok(false) => &outcomes.rejected,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => &outcomes.connection_refused,
        Err(error) => panic!("a connected client was lost: {error} ({outcomes:?})"),
    };
    outcome.fetch_add(1, Ordering::SeqCst);
}

/// Returns whether the server answers before the end of the stream.
fn ask(client: &Client) -> io::Result<bool> {
    // After an error of this call, the next one returns the reason.
    let _ = client.try_send("hello\n");
    let answer = client.try_receive()?;
    if answer.is_empty() {
        return Ok(false);
    }
    assert_eq!(answer, b"hello\n");
    assert_eq!(client.try_receive()?, b"", "data after the answer");
    Ok(true)
}
