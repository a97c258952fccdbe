//! Senders to clients that do not read: which coroutines wait, and which do not.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use socketserver::{Coroutines, Request, Result, Sender};

use super::start;
use crate::support::net::*;

/// Size in bytes of a message that is larger than the buffers of two sockets.
const LARGE: usize = 24 << 20;

/// Senders and threads of all requests, by the numbers of their clients.
#[derive(Clone, Default)]
struct Senders(Arc<Mutex<BTreeMap<usize, (Sender, ThreadId)>>>);

impl Senders {
    fn add(&self, sender: Sender) -> usize {
        let mut senders = self.0.lock().unwrap();
        let number = senders.len();
        senders.insert(number, (sender, thread::current().id()));
        number
    }

    fn sender(&self, number: usize) -> Sender {
        self.0.lock().unwrap()[&number].0.clone()
    }

    fn thread(&self, number: usize) -> ThreadId {
        self.0.lock().unwrap()[&number].1
    }
}

/// A client and its number.
struct Numbered {
    client: Client,
    number: usize,
}

/// The number of a client that sent a large message to another client, and the result.
type Sent = (usize, std::result::Result<(), ErrorKind>);

/// Sends its number to the client and obeys its commands. `flood N` sends a large message to client N.
/// `close N` closes the connection of client N. `timeout N` sets the timeout of the client's own reads and
/// writes, in milliseconds. Other lines are echoed.
fn serve<R: Request>(request: &mut R, senders: &Senders, outcomes: &mpsc::Sender<Sent>) -> Result {
    let number = senders.add(request.sender());
    request.send_all(format!("{number}\n"))?;
    while let Some(line) = request.next_line(100)? {
        let text = String::from_utf8_lossy(&line).into_owned();
        match text.trim_end().split_once(' ') {
            Some(("flood", target)) => {
                let target = senders.sender(target.parse()?);
                let sent = target.send_all(vec![b'x'; LARGE]);
                let _ = outcomes.send((number, sent.map_err(|error| error.kind())));
            }
            Some(("close", target)) => senders.sender(target.parse()?).close(),
            Some(("timeout", time)) => {
                request.set_timeout(Duration::from_millis(time.parse()?))?;
                request.send_all("set\n")?;
            }
            _ => request.send_all(&line)?,
        }
    }
    Ok(())
}

struct Scenario<T: Connected> {
    host: Host<T, Hooks<T::Request>, Coroutines>,
    outcomes: mpsc::Receiver<Sent>,
    /// Client that does not read.
    blocked: Numbered,
    /// Client whose handler sends a large message to `blocked`.
    flooding: Numbered,
    others: Vec<Numbered>,
}

/// Starts a server that serves `blocked` and `flooding` on the same thread, or on two threads.
fn scenario<T: Connected>(same_thread: bool) -> Scenario<T> {
    let (sent, outcomes) = mpsc::channel();
    let senders = Senders::default();
    let service = Hooks::new({
        let senders = senders.clone();
        move |request: &mut T::Request| serve(request, &senders, &sent)
    });
    let host = start::<T, _>(Coroutines::new().workers(2), service);
    let connect = || {
        let client = host.client();
        let number = client.line().trim_end().parse().unwrap();
        Numbered { client, number }
    };
    let (blocked, mut others) = (connect(), Vec::new());
    // Takes few attempts, unless one of the threads has not started yet.
    let deadline = Instant::now() + PATIENCE;
    let flooding = loop {
        let next = connect();
        if (senders.thread(next.number) == senders.thread(blocked.number)) == same_thread {
            break next;
        }
        assert!(
            Instant::now() < deadline,
            "no client is on the wanted thread"
        );
        if others.len() == 100 {
            others.clear();
        }
        others.push(next);
        thread::sleep(Duration::from_millis(1));
    };
    others.extend((0..10).map(|_| connect()));
    Scenario {
        host,
        outcomes,
        blocked,
        flooding,
        others,
    }
}

impl<T: Connected> Scenario<T> {
    /// Starts the server and the large message.
    fn begin(same_thread: bool) -> Self {
        let scenario = scenario(same_thread);
        scenario
            .flooding
            .client
            .send(format!("flood {}\n", scenario.blocked.number));
        // The message has begun and cannot end, because the client reads no more.
        assert_eq!(scenario.blocked.client.exactly(10), b"xxxxxxxxxx");
        scenario
    }

    #[track_caller]
    fn expect_others_are_served(&self) {
        for Numbered { client, number } in &self.others {
            let line = format!("still here, {number}\n");
            assert_eq!(client.ask(&line), line);
        }
    }

    #[track_caller]
    fn outcome(&self) -> std::result::Result<(), ErrorKind> {
        let (number, outcome) = next(&self.outcomes);
        assert_eq!(number, self.flooding.number);
        // The client whose handler sent is served in any case.
        assert_eq!(self.flooding.client.ask("hello\n"), "hello\n");
        outcome
    }
}

over_streams!(
    a_sender_waits_until_the_client_reads,
    a_sender_waits_no_longer_than_its_timeout,
    a_sender_waits_until_the_client_is_closed,
    messages_of_many_senders_do_not_mix,
);

fn a_sender_waits_until_the_client_reads<T: Connected>() {
    for same_thread in [true, false] {
        let scenario = Scenario::<T>::begin(same_thread);
        scenario.expect_others_are_served();
        assert!(
            scenario.outcomes.try_recv().is_err(),
            "the send has ended although the client does not read"
        );
        scenario.blocked.client.exactly(LARGE - 10);
        assert_eq!(scenario.outcome(), Ok(()));
        assert_eq!(scenario.blocked.client.ask("hello\n"), "hello\n");
        scenario.host.stop();
    }
}

fn a_sender_waits_no_longer_than_its_timeout<T: Connected>() {
    for same_thread in [true, false] {
        let scenario = scenario::<T>(same_thread);
        // The timeout may also expire in the client's own handler, which waits for a line. Then the
        // connection is closed.
        assert_eq!(scenario.blocked.client.ask("timeout 100\n"), "set\n");
        scenario
            .flooding
            .client
            .send(format!("flood {}\n", scenario.blocked.number));
        scenario.expect_others_are_served();
        let outcome = next(&scenario.outcomes).1;
        assert!(
            matches!(
                outcome,
                Err(ErrorKind::TimedOut | ErrorKind::BrokenPipe | ErrorKind::NotConnected)
            ),
            "{outcome:?}"
        );
        assert_eq!(scenario.flooding.client.ask("hello\n"), "hello\n");
        scenario.host.stop();
    }
}

fn a_sender_waits_until_the_client_is_closed<T: Connected>() {
    for same_thread in [true, false] {
        let scenario = Scenario::<T>::begin(same_thread);
        scenario.expect_others_are_served();
        let close = format!("close {}\n", scenario.blocked.number);
        scenario.others[0].client.send(close);
        assert_eq!(scenario.outcome(), Err(ErrorKind::BrokenPipe));
        scenario.host.stop();

        // The client itself closes the connection.
        let Scenario {
            host,
            outcomes,
            blocked,
            flooding,
            others,
        } = Scenario::<T>::begin(same_thread);
        drop(blocked);
        let (number, outcome) = next(&outcomes);
        assert_eq!(number, flooding.number);
        let disconnected = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        assert!(disconnected.contains(&outcome.unwrap_err()));
        assert_eq!(others[0].client.ask("hello\n"), "hello\n");
        host.stop();
    }
}

/// Coroutines, threads and the handler of the client send at once. Each message is larger than one write.
fn messages_of_many_senders_do_not_mix<T: Connected>() {
    const SIZE: usize = 300_000;
    const EACH: usize = 5;
    let senders = Senders::default();
    let service = Hooks::new({
        let senders = senders.clone();
        move |request: &mut T::Request| {
            let number = senders.add(request.sender());
            request.send_all(format!("{number}\n"))?;
            // A line starts the messages to client 0, which gets some from its own handler too.
            while request.next_line(100)?.is_some() {
                for _ in 0..EACH {
                    senders.sender(0).send_all(vec![number as u8; SIZE])?;
                }
            }
            Ok(())
        }
    });
    let host = start::<T, _>(Coroutines::new().workers(2), service);
    let clients: Vec<_> = (0..12)
        .map(|n| {
            let client = host.client();
            assert_eq!(client.line(), format!("{n}\n"));
            client
        })
        .collect();
    for client in &clients {
        client.send("go\n");
    }
    let threads: Vec<_> = (100..104)
        .map(|number| {
            let sender = senders.sender(0);
            thread::spawn(move || {
                for _ in 0..EACH {
                    sender.send_all(vec![number; SIZE]).unwrap();
                }
            })
        })
        .collect();
    let mut received = BTreeMap::new();
    for _ in 0..16 * EACH {
        let message = clients[0].exactly(SIZE);
        let number = message[0];
        assert!(message == vec![number; SIZE], "messages are mixed");
        *received.entry(number).or_insert(0) += 1;
    }
    let expected = (0..12).chain(100..104).map(|number| (number, EACH));
    assert_eq!(received, expected.collect());
    for thread in threads {
        thread.join().unwrap();
    }
    host.stop();
}
