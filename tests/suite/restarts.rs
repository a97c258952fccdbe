//! A server that is stopped and bound again, a hundred times, at an address where clients connect all the
//! time. Nobody who was connected is lost: there is an answer, or an orderly end.

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

by_kind!(a_hundred_restarts_lose_nobody);

const RESTARTS: usize = 100;
const CLIENTS: usize = 4;

/// What became of all clients.
#[derive(Debug, Default)]
struct Fates {
    answered: AtomicU64,
    /// Connected, and the end came before the answer, in order.
    turned_away: AtomicU64,
    /// Nobody listened.
    rejected: AtomicU64,
}

/// In a process of its own: a child of another test, just forked, would have its copy of the listening
/// socket for a moment.
fn a_hundred_restarts_lose_nobody(kind: Kind) {
    alone(test_name!("a_hundred_restarts_lose_nobody"), kind, || {
        restart(kind)
    });
}

fn restart(kind: Kind) {
    let (over, fates) = (AtomicBool::new(false), Fates::default());
    let bind = |address: SocketAddr| Server::<Tcp, _, Sequential>::bind(address, || LineEcho);
    let mut server = Some(bind(own_loopback()).unwrap());
    let address = *server.as_ref().unwrap().server_address();
    thread::scope(|scope| {
        // A check that fails must not leave the clients behind, who are waited for.
        let _over = SetOnDrop(&over);
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    visit(&address, &fates);
                    // They come all the time, but not as fast as they can.
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
        for n in 0..RESTARTS {
            let server = server.take().unwrap_or_else(|| bind(address).unwrap());
            let server = server.strategy(kind.strategy());
            let server = server.grace_period(Duration::from_secs(5)).spawn().unwrap();
            let handle = server.handle();
            // It stops in the midst of them.
            eventually("clients come", || handle.stats().accepted >= 3);
            in_time(move || match n % 2 {
                0 => drop(server.stop().unwrap()),
                _ => drop(server),
            });
            let stats = handle.stats();
            let served = (stats.active, stats.completed + stats.rejected);
            assert_eq!(served, (0, stats.accepted), "{n}: {stats:?}");
        }
    });
    assert!(fates.answered.into_inner() >= RESTARTS as u64);
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn visit(address: &SocketAddr, fates: &Fates) {
    let fate = match Tcp::try_connect(address).and_then(|client| ask(&client)) {
        Ok(true) => &fates.answered,
        Ok(false) => &fates.turned_away,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => &fates.rejected,
        Err(error) => panic!("connected, and lost: {error} ({fates:?})"),
    };
    fate.fetch_add(1, Ordering::SeqCst);
}

/// Whether there is an answer, and not the end.
fn ask(client: &Client) -> io::Result<bool> {
    // If that fails, the answer tells why.
    let _ = client.try_send("hello\n");
    let answer = client.try_receive()?;
    if answer.is_empty() {
        return Ok(false);
    }
    assert_eq!(answer, b"hello\n");
    assert_eq!(client.try_receive()?, b"", "more came than was asked for");
    Ok(true)
}
