//! A server that is out of descriptors. Clients wait in the queue of the system; whoever has waited a
//! second without one coming free is turned away, in order.

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

by_kind!(two_hundred_clients_and_forty_descriptors);

const CLIENTS: usize = 200;
const DESCRIPTORS: u64 = 40;

/// One that could serve all of them, if only it had the descriptors.
fn strategy(kind: Kind) -> Box<dyn Strategy> {
    match kind {
        Kind::ThreadPool => Box::new(ThreadPool::new(CLIENTS)),
        kind => kind.strategy(),
    }
}

/// Whether clients take up descriptors: a sequential server needs one at a time, and one that forks gives
/// each of them to a child.
fn starves(kind: Kind) -> bool {
    matches!(kind, Kind::Threading | Kind::ThreadPool | Kind::Coroutines)
}

/// Waits until a server has taken in all it can take in.
#[track_caller]
fn wait_until_full(served: &mut Served, kind: Kind) {
    let is_full = |counts: &Counts| match kind {
        Kind::Sequential => counts.accepted == 1,
        Kind::Forking => counts.accepted == 40,
        Kind::Threading | Kind::ThreadPool | Kind::Coroutines => counts.starved == 1,
    };
    let deadline = Instant::now() + PATIENCE;
    while !is_full(&served.counts()) {
        assert!(Instant::now() < deadline, "it never has all it can have");
        thread::sleep(Duration::from_millis(10));
    }
}

/// What a client has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    TurnedAway,
    Waiting,
}

impl Fate {
    #[track_caller]
    fn of(client: &Client, question: &str) -> Self {
        let short = Some(Duration::from_millis(1));
        client.socket().set_read_timeout(short).unwrap();
        let received = client.try_receive();
        client.socket().set_read_timeout(Some(PATIENCE)).unwrap();
        match received {
            Ok(data) if data.is_empty() => Self::TurnedAway,
            Ok(data) => {
                assert_eq!(data, question.as_bytes());
                Self::Answered
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Self::Waiting,
            Err(error) => panic!("neither an answer nor an orderly end: {error}"),
        }
    }
}

/// Whether somebody new is served, who stays then, and not turned away.
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

/// How long the threads of a process have run.
fn cpu_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || fields.next().unwrap().parse::<u64>().unwrap();
    // `utime` and `stime`, in hundredths of a second on every Linux.
    Duration::from_millis(10 * (ticks() + ticks()))
}

fn two_hundred_clients_and_forty_descriptors(kind: Kind) {
    let check = test_name!("two_hundred_clients_and_forty_descriptors");
    let served = Served::start(check, kind, || {
        let before = getrlimit(Resource::Nofile);
        let current = Some(DESCRIPTORS);
        setrlimit(Resource::Nofile, Rlimit { current, ..before }).unwrap();
        serve(echo(), strategy(kind), |options| options);
    });
    let Some(mut served) = served else { return };

    let question = |number: usize| format!("hello {number}\n");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = served.client();
            client.send(question(number));
            (number, client)
        })
        .collect();
    // The first has its answer: the server is there, and taking them in.
    assert_eq!(clients[0].1.exactly(8), question(0).as_bytes());
    wait_until_full(&mut served, kind);

    // From here on there is nothing to do but to turn away those who wait, once, after a second. Whoever
    // spins meanwhile has a good part of a processor even where it is shared with many.
    for time in [Duration::from_millis(800), Duration::from_millis(3200)] {
        let (start, before) = (Instant::now(), cpu_time(served.program.id()));
        thread::sleep(time);
        let spent = cpu_time(served.program.id()) - before;
        let share = spent.as_secs_f64() / start.elapsed().as_secs_f64();
        assert!(share < 0.05, "{kind:?}: {spent:?} of processor time");
    }

    let mut held = Vec::new();
    let mut waiting = Vec::new();
    let mut turned_away = 0;
    for (number, client) in clients {
        let fate = match number {
            0 => Fate::Answered,
            _ => Fate::of(&client, &question(number)),
        };
        match fate {
            Fate::Answered => held.push(client),
            Fate::TurnedAway => turned_away += 1,
            Fate::Waiting => waiting.push((number, client)),
        }
    }
    let fates = (held.len(), turned_away, waiting.len());
    if starves(kind) {
        assert!(held.len() > 10 && held.len() < 40, "{fates:?}");
        assert_eq!(waiting.len(), 0, "{fates:?}");
    } else {
        // They wait for a turn, and not for a descriptor.
        assert_eq!(turned_away, 0, "{fates:?}");
    }

    let mut completed = 0;
    if starves(kind) {
        // A client that is served ends the want, and whoever comes then has a second again.
        let mut leave = |held: &mut Vec<Client>| {
            let client = held.remove(0);
            client.finish();
            client.expect_end();
            completed += 1;
        };
        let attempt = |_| {
            leave(&mut held);
            while !is_answered(&served, &mut held) {
                turned_away += 1;
            }
            let next = served.client();
            next.send("next\n");
            let short = Some(Duration::from_millis(50));
            next.socket().set_read_timeout(short).unwrap();
            let nothing = next.try_receive();
            next.socket().set_read_timeout(Some(PATIENCE)).unwrap();
            if nothing.is_ok() {
                // More than a second has gone by between two of these lines.
                turned_away += 1;
                return Duration::MAX;
            }
            leave(&mut held);
            let start = Instant::now();
            let answer = next.receive();
            if answer.is_empty() {
                turned_away += 1;
                return Duration::MAX;
            }
            assert_eq!(answer, b"next\n");
            held.push(next);
            start.elapsed()
        };
        // The promise is one of time. The machine may be busy, but not three times in a row.
        let took: Vec<_> = (0..3).map(attempt).collect();
        let soon = took.iter().any(|took| *took < Duration::from_millis(100));
        assert!(soon, "served after {took:?}");
    }

    // Nobody who was taken in has noticed anything.
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
        accepted: completed + turned_away,
        completed,
        rejected: turned_away,
        without_descriptor: turned_away,
        starved: u64::from(starves(kind)),
        ..Counts::default()
    };
    assert_eq!(served.stop(), expected);
}
