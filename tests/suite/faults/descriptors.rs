//! A server without free descriptors. Connections wait in the backlog. After a second without a free
//! descriptor they are rejected, in order.

use std::fs;
use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socketserver::{Strategy, ThreadPool};

use crate::faults::served::{Counts, Served, echo, serve};
use crate::support::alone::test_name;
use crate::support::kinds::{Kind, by_kind};
use crate::support::net::*;

by_kind!(two_hundred_clients_share_forty_descriptors);

const CLIENTS: usize = 200;
const DESCRIPTORS: u64 = 40;

/// Strategy of a kind. The pool has enough threads for all clients, so that only descriptors are short.
fn strategy(kind: Kind) -> Box<dyn Strategy> {
    match kind {
        Kind::ThreadPool => Box::new(ThreadPool::new(CLIENTS)),
        kind => kind.strategy(),
    }
}

/// Returns whether the server runs out of descriptors. A sequential server needs one connection at a time,
/// and a forking server closes its copy of each connection.
fn runs_out(kind: Kind) -> bool {
    matches!(kind, Kind::Threading | Kind::ThreadPool | Kind::Coroutines)
}

/// Waits until the server has accepted as many connections as it can.
#[track_caller]
fn wait_until_full(served: &mut Served, kind: Kind) {
    let is_full = |counts: &Counts| match kind {
        Kind::Sequential => counts.accepted == 1,
        Kind::Forking => counts.accepted == 40,
        Kind::Threading | Kind::ThreadPool | Kind::Coroutines => counts.backed_off == 1,
    };
    let deadline = Instant::now() + PATIENCE;
    while !is_full(&served.counts()) {
        assert!(
            Instant::now() < deadline,
            "the server accepts fewer connections than it can"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// State of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientState {
    Answered,
    Rejected,
    Waiting,
}

impl ClientState {
    #[track_caller]
    fn of(client: &Client, question: &str) -> Self {
        let short = Some(Duration::from_millis(1));
        client.socket().set_read_timeout(short).unwrap();
        let received = client.try_receive();
        client.socket().set_read_timeout(Some(PATIENCE)).unwrap();
        match received {
            Ok(data) if data.is_empty() => Self::Rejected,
            Ok(data) => {
                assert_eq!(data, question.as_bytes());
                Self::Answered
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Self::Waiting,
            Err(error) => panic!("neither an answer nor an orderly end: {error}"),
        }
    }
}

/// Connects a new client. Returns whether it is served instead of rejected; `held` then keeps it
/// connected.
#[track_caller]
fn is_answered(served: &Served, held: &mut Vec<Client>) -> bool {
    let client = served.client();
    client.send("new\n");
    let answer = client.receive();
    let is_answered = !answer.is_empty();
    if is_answered {
        assert_eq!(answer, b"new\n");
        held.push(client);
    }
    is_answered
}

/// Processor time of all threads of a process.
fn cpu_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || fields.next().unwrap().parse::<u64>().unwrap();
    // `utime` and `stime`, in hundredths of a second on every Linux.
    Duration::from_millis(10 * (ticks() + ticks()))
}

fn question(number: usize) -> String {
    format!("hello {number}\n")
}

/// Starts a server and connects the clients. In the process of the server, runs it to its end and returns `None`.
fn start(kind: Kind) -> Option<(Served, Vec<(usize, Client)>)> {
    let check = test_name!("two_hundred_clients_share_forty_descriptors");
    let mut served = Served::start(check, kind, || {
        let before = getrlimit(Resource::Nofile);
        let current = Some(DESCRIPTORS);
        setrlimit(Resource::Nofile, Rlimit { current, ..before }).unwrap();
        serve(echo(), strategy(kind), |options| options);
    })?;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = served.client();
            client.send(question(number));
            (number, client)
        })
        .collect();
    // The first reply shows that the server has started to accept.
    assert_eq!(clients[0].1.exactly(8), question(0).as_bytes());
    wait_until_full(&mut served, kind);
    Some((served, clients))
}

/// Returns the shares of a processor that a full server uses in two parts of four seconds.
fn shares_of_processor(served: &Served) -> [f64; 2] {
    [800, 3200].map(|time| {
        let (start, before) = (Instant::now(), cpu_time(served.program.id()));
        thread::sleep(Duration::from_millis(time));
        let spent = cpu_time(served.program.id()) - before;
        spent.as_secs_f64() / start.elapsed().as_secs_f64()
    })
}

fn two_hundred_clients_share_forty_descriptors(kind: Kind) {
    // A full server only has to reject the backlog, once, after a second. A loop that spins would use a large part of
    // a processor, even on a busy machine. Work from before may be late, but not each of three times.
    let mut all_shares = Vec::new();
    let (mut served, clients) = loop {
        let Some((served, clients)) = start(kind) else {
            return;
        };
        let shares = shares_of_processor(&served);
        all_shares.push(shares);
        if shares.iter().all(|share| *share < 0.05) {
            break (served, clients);
        }
        assert!(all_shares.len() < 3, "{kind:?}: {all_shares:?}");
    };

    let mut held = Vec::new();
    let mut waiting = Vec::new();
    let mut rejected = 0;
    for (number, client) in clients {
        let state = match number {
            0 => ClientState::Answered,
            _ => ClientState::of(&client, &question(number)),
        };
        match state {
            ClientState::Answered => held.push(client),
            ClientState::Rejected => rejected += 1,
            ClientState::Waiting => waiting.push((number, client)),
        }
    }
    let numbers = (held.len(), rejected, waiting.len());
    if runs_out(kind) {
        assert!(held.len() > 10 && held.len() < 40, "{numbers:?}");
        assert_eq!(waiting.len(), 0, "{numbers:?}");
    } else {
        // The connections wait for earlier requests and not for a descriptor.
        assert_eq!(rejected, 0, "{numbers:?}");
    }

    let mut completed = 0;
    if runs_out(kind) {
        // A client that disconnects frees a descriptor. A later client can again wait up to a second.
        let mut leave = |held: &mut Vec<Client>| {
            let client = held.remove(0);
            client.finish();
            client.expect_end();
            completed += 1;
        };
        let mut attempt = || {
            leave(&mut held);
            while !is_answered(&served, &mut held) {
                rejected += 1;
            }
            let next = served.client();
            next.send("next\n");
            let short = Some(Duration::from_millis(50));
            next.socket().set_read_timeout(short).unwrap();
            let nothing = next.try_receive();
            next.socket().set_read_timeout(Some(PATIENCE)).unwrap();
            if nothing.is_ok() {
                // More than a second has passed between two of these lines, on a busy machine.
                rejected += 1;
                return Duration::MAX;
            }
            leave(&mut held);
            let start = Instant::now();
            let answer = next.receive();
            if answer.is_empty() {
                rejected += 1;
                return Duration::MAX;
            }
            assert_eq!(answer, b"next\n");
            held.push(next);
            start.elapsed()
        };
        // A freed descriptor is used at once. Of ten attempts, one has to meet the limit, because the
        // machine may be busy.
        let soon = |took: &Duration| *took < Duration::from_millis(100);
        let took = up_to_ten(&mut attempt, soon);
        assert!(took.last().is_some_and(soon), "served after {took:?}");
    }

    // No accepted connection was affected.
    for client in held {
        assert_eq!(client.ask("still there?\n"), "still there?\n");
        client.finish();
        client.expect_end();
        completed += 1;
    }
    for (number, client) in waiting {
        assert_eq!(client.line(), question(number));
        client.finish();
        client.expect_end();
        completed += 1;
    }
    let expected = Counts {
        accepted: completed + rejected,
        completed,
        rejected,
        without_descriptor: rejected,
        backed_off: u64::from(runs_out(kind)),
        ..Counts::default()
    };
    served.wait_for_completed(completed);
    assert_eq!(served.stop(), expected);
}
