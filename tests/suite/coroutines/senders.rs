//! Senders to clients that do not read: who waits, and who does not.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use socketserver::{Coroutines, Request, Result, Sender};

use super::start;
use crate::support::net::*;

const TOO_MUCH: usize = 24 << 20;

/// Everybody who is there, by the number that they were told, and their threads.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<BTreeMap<usize, (Sender, ThreadId)>>>);

impl Room {
    fn enter(&self, sender: Sender) -> usize {
        let mut room = self.0.lock().unwrap();
        let number = room.len();
        room.insert(number, (sender, thread::current().id()));
        number
    }

    fn sender(&self, number: usize) -> Sender {
        self.0.lock().unwrap()[&number].0.clone()
    }

    fn thread(&self, number: usize) -> ThreadId {
        self.0.lock().unwrap()[&number].1
    }
}

/// A client, and its number.
struct Guest {
    client: Client,
    number: usize,
}

/// What a handler says of a long message to somebody else.
type Sent = (usize, std::result::Result<(), ErrorKind>);

/// Tells each client its number, and does what it says: `flood N` sends a lot to another one, `close N`
/// ends its conversation, `timeout N` bounds the client's own writes; all else comes back.
fn serve<R: Request>(request: &mut R, room: &Room, outcomes: &mpsc::Sender<Sent>) -> Result {
    let number = room.enter(request.sender());
    request.send_all(format!("{number}\n"))?;
    while let Some(line) = request.next_line(100)? {
        let text = String::from_utf8_lossy(&line).into_owned();
        match text.trim_end().split_once(' ') {
            Some(("flood", whom)) => {
                let whom = room.sender(whom.parse()?);
                let sent = whom.send_all(vec![b'x'; TOO_MUCH]);
                let _ = outcomes.send((number, sent.map_err(|error| error.kind())));
            }
            Some(("close", whom)) => room.sender(whom.parse()?).close(),
            Some(("timeout", time)) => {
                request.set_timeout(Duration::from_millis(time.parse()?))?;
                request.send_all("set\n")?;
            }
            _ => request.send_all(&line)?,
        }
    }
    Ok(())
}

struct Party<T: Connected> {
    host: Host<T, Hooks<T::Request>, Coroutines>,
    outcomes: mpsc::Receiver<Sent>,
    /// Does not read.
    deaf: Guest,
    /// Sends to it.
    loud: Guest,
    others: Vec<Guest>,
}

/// A server whose client `loud` is on the same thread as `deaf`, or on another one.
fn party<T: Connected>(same_thread: bool) -> Party<T> {
    let (sent, outcomes) = mpsc::channel();
    let room = Room::default();
    let service = Hooks::new({
        let room = room.clone();
        move |request: &mut T::Request| serve(request, &room, &sent)
    });
    let host = start::<T, _>(Coroutines::new().workers(2), service);
    let guest = || {
        let client = host.client();
        let number = client.line().trim_end().parse().unwrap();
        Guest { client, number }
    };
    let (deaf, mut others) = (guest(), Vec::new());
    // Soon, unless one of the threads has not even begun yet.
    let loud = loop {
        let next = guest();
        if (room.thread(next.number) == room.thread(deaf.number)) == same_thread {
            break next;
        }
        others.push(next);
        assert!(others.len() < 1000, "all are on one thread");
    };
    others.extend((0..10).map(|_| guest()));
    Party {
        host,
        outcomes,
        deaf,
        loud,
        others,
    }
}

impl<T: Connected> Party<T> {
    fn begin(same_thread: bool) -> Self {
        let party = party(same_thread);
        party
            .loud
            .client
            .send(format!("flood {}\n", party.deaf.number));
        // It has begun, and cannot end.
        assert_eq!(party.deaf.client.exactly(10), b"xxxxxxxxxx");
        party
    }

    /// Everybody else goes on.
    #[track_caller]
    fn goes_on(&self) {
        for Guest { client, number } in &self.others {
            let line = format!("still here, {number}\n");
            assert_eq!(client.ask(&line), line);
        }
    }

    #[track_caller]
    fn outcome(&self) -> std::result::Result<(), ErrorKind> {
        let (number, outcome) = next(&self.outcomes);
        assert_eq!(number, self.loud.number);
        // The one who has sent it is fine in any case.
        assert_eq!(self.loud.client.ask("hello\n"), "hello\n");
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
        let party = Party::<T>::begin(same_thread);
        party.goes_on();
        assert!(party.outcomes.try_recv().is_err(), "all of it went out");
        party.deaf.client.exactly(TOO_MUCH - 10);
        assert_eq!(party.outcome(), Ok(()));
        assert_eq!(party.deaf.client.ask("hello\n"), "hello\n");
        party.host.stop();
    }
}

fn a_sender_waits_no_longer_than_its_timeout<T: Connected>() {
    for same_thread in [true, false] {
        let party = party::<T>(same_thread);
        // Its handler may run into it too, while it waits for the next line, and then it is gone.
        assert_eq!(party.deaf.client.ask("timeout 100\n"), "set\n");
        party
            .loud
            .client
            .send(format!("flood {}\n", party.deaf.number));
        party.goes_on();
        let outcome = next(&party.outcomes).1;
        assert!(
            matches!(
                outcome,
                Err(ErrorKind::TimedOut | ErrorKind::BrokenPipe | ErrorKind::NotConnected)
            ),
            "{outcome:?}"
        );
        assert_eq!(party.loud.client.ask("hello\n"), "hello\n");
        party.host.stop();
    }
}

fn a_sender_waits_until_the_client_is_closed<T: Connected>() {
    for same_thread in [true, false] {
        let party = Party::<T>::begin(same_thread);
        party.goes_on();
        let close = format!("close {}\n", party.deaf.number);
        party.others[0].client.send(close);
        assert_eq!(party.outcome(), Err(ErrorKind::BrokenPipe));
        party.host.stop();

        // Or has left.
        let Party {
            host,
            outcomes,
            deaf,
            loud,
            others,
        } = Party::<T>::begin(same_thread);
        drop(deaf);
        let (number, outcome) = next(&outcomes);
        assert_eq!(number, loud.number);
        let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        assert!(gone.contains(&outcome.unwrap_err()));
        assert_eq!(others[0].client.ask("hello\n"), "hello\n");
        host.stop();
    }
}

/// Coroutines, threads and the handler of the client, all at once, each message larger than what is
/// sent in one go.
fn messages_of_many_senders_do_not_mix<T: Connected>() {
    const SIZE: usize = 300_000;
    const EACH: usize = 5;
    let room = Room::default();
    let service = Hooks::new({
        let room = room.clone();
        move |request: &mut T::Request| {
            let number = room.enter(request.sender());
            request.send_all(format!("{number}\n"))?;
            // One line starts it; who is number 0 hears it all, from itself too.
            while request.next_line(100)?.is_some() {
                for _ in 0..EACH {
                    room.sender(0).send_all(vec![number as u8; SIZE])?;
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
            let sender = room.sender(0);
            thread::spawn(move || {
                for _ in 0..EACH {
                    sender.send_all(vec![number; SIZE]).unwrap();
                }
            })
        })
        .collect();
    let mut heard = BTreeMap::new();
    for _ in 0..16 * EACH {
        let message = clients[0].exactly(SIZE);
        let number = message[0];
        assert!(message == vec![number; SIZE], "mixed");
        *heard.entry(number).or_insert(0) += 1;
    }
    let expected = (0..12).chain(100..104).map(|number| (number, EACH));
    assert_eq!(heard, expected.collect());
    for thread in threads {
        thread.join().unwrap();
    }
    host.stop();
}
