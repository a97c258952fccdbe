//! Plays a schedule to its end.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socketserver::transport::Udp;
use socketserver::{
    BacklogPolicy, DrainReport, Error, Phase, RunningServer, Sequential, Server, ServerHandle,
    Stats, Strategy, Transport,
};

use super::books;
use super::guest::{Guest, Visited, receive_now};
use super::schedule::{FAREWELLS, House, Limit, Schedule, Step, Stop, Word};
use super::talk::{Fate, Script, talk};
use crate::support::net::*;

/// A server of a test, on its way.
enum Serving<T: Reachable, M: Strategy> {
    Here {
        server: Arc<Server<T, Hooks<T::Request>, M>>,
        thread: JoinHandle<Result<(), Error>>,
    },
    InBackground(RunningServer<T, Hooks<T::Request>, M>),
}

type Served<T, M> = Server<T, Hooks<<T as Transport>::Request>, M>;

fn open<T: Reachable, M: Strategy>(dir: &TempDir, house: &House, strategy: M) -> Served<T, M> {
    let (turn, refused) = (AtomicUsize::new(0), house.rejected);
    let service = Hooks::new(talk::<T::Request>).on_verify(move |_| {
        let turn = turn.fetch_add(1, Ordering::SeqCst) % 8;
        refused >> turn & 1 == 0
    });
    let server = T::bind::<_, Sequential>(dir, Server::options(), service).unwrap();
    let waiting = match house.refuses_waiting {
        true => BacklogPolicy::Reject(Rejection::Message(FAREWELLS[1].to_vec())),
        false => BacklogPolicy::Serve,
    };
    // On a busy machine a handler may take its time to notice that it was cut off.
    let server = server
        .grace_period(house.grace)
        .force_close_timeout(PATIENCE / 2);
    server.backlog_policy(waiting).strategy(strategy)
}

fn limited<T: Visited, M: Strategy>(server: Served<T, M>, house: &House) -> Served<T, M> {
    match house.limit.clone() {
        None => server,
        Some(Limit::Connections(most, policy)) => {
            server.max_connections(most).at_max_connections(policy)
        }
        Some(Limit::PerClient(most, policy)) => {
            server.max_per_client(most).at_max_per_client(policy)
        }
        Some(Limit::Rate(burst, policy)) => server.accept_rate(100.0, burst).at_accept_rate(policy),
    }
}

impl<T: Reachable, M: Strategy> Serving<T, M> {
    fn begin(server: Served<T, M>, house: &House) -> Self {
        if house.in_background {
            return Self::InBackground(server.spawn().unwrap());
        }
        Self::here(Arc::new(server))
    }

    fn here(server: Arc<Served<T, M>>) -> Self {
        let served = Arc::clone(&server);
        // On a thread whose panics are expected.
        let thread = thread::Builder::new().name("socketserver-test".into());
        let thread = thread.spawn(move || served.serve_forever()).unwrap();
        // A stop that comes before that is taken for one that comes too late.
        let handle = server.handle();
        eventually("it serves", || {
            handle.phase() != Phase::Bound || thread.is_finished()
        });
        Self::Here { server, thread }
    }

    /// Stops serving, and serves again.
    fn anew(self) -> Self {
        match self {
            Self::Here { server, thread } => {
                server.shutdown();
                in_time(move || thread.join()).unwrap().unwrap();
                Self::here(server)
            }
            background => background,
        }
    }

    /// Stops and closes it.
    fn end(self, how: &Stop) -> Option<DrainReport> {
        match (self, how) {
            (Self::InBackground(server), Stop::Close) => Some(server.stop().unwrap()),
            (Self::InBackground(server), Stop::Drop) => {
                drop(server);
                None
            }
            (Self::Here { server, thread }, how) => {
                server.shutdown();
                thread.join().unwrap().unwrap();
                let server = Arc::into_inner(server).unwrap();
                match how {
                    Stop::Close => Some(server.server_close()),
                    Stop::Drop => {
                        drop(server);
                        None
                    }
                }
            }
        }
    }
}

/// A server that is being stopped on another thread.
struct Stopping {
    report: mpsc::Receiver<Option<DrainReport>>,
    thread: JoinHandle<()>,
    /// `None` if somebody may have asked for a stop before.
    before: Option<Stats>,
}

impl Stopping {
    fn begin<T: Reachable, M: Strategy>(
        serving: Serving<T, M>,
        handle: &ServerHandle,
        how: &Stop,
    ) -> Self {
        let before = handle.stats();
        books::balance(&before);
        let before = (handle.phase() == Phase::Serving).then_some(before);
        let (done, report) = mpsc::channel();
        let how = how.clone();
        let end = move || drop(done.send(serving.end(&how)));
        let thread = thread::Builder::new().name("socketserver-test".into());
        let thread = thread.spawn(end).unwrap();
        Self {
            report,
            thread,
            before,
        }
    }

    /// Waits for its end, which must not be long in coming.
    fn finish(self, handle: &ServerHandle) -> Stats {
        let report = next(&self.report);
        self.thread.join().unwrap();
        let after = handle.stats();
        books::is_settled(&after);
        assert!(handle.requests().is_empty());
        if let Some(report) = report {
            books::agree(&report, self.before.as_ref(), &after);
        }
        after
    }
}

/// `forks`: handlers run in processes, which are ended without further ado.
pub(crate) fn connections<T: Visited, M: Strategy>(schedule: &Schedule, strategy: M, forks: bool) {
    let Schedule {
        house,
        steps,
        stop_before,
        stop,
    } = schedule;
    let dir = TempDir::new();
    let server = limited(open::<T, _>(&dir, house, strategy), house);
    let (handle, address) = (server.handle(), server.server_address().clone());
    let mut serving = Some(Serving::begin(server, house));
    let mut stopping = None;
    let mut guests: Vec<Guest> = Vec::new();
    let mut strangers = 0;
    let mut asked_to_stop = false;
    for (number, step) in steps.iter().enumerate() {
        if number == *stop_before
            && let Some(serving) = serving.take()
        {
            stopping = Some(Stopping::begin(serving, &handle, stop));
        }
        let may_be_ignored = asked_to_stop || stopping.is_some() || house.may_refuse() || forks;
        let count = guests.len().max(1);
        let mut with = |who: usize, act: &dyn Fn(&mut Guest)| {
            if let Some(guest) = guests.get_mut(who % count) {
                act(guest);
            }
        };
        match step {
            Step::Connect => {
                // Who comes late finds nobody who answers.
                let timeout = match stopping {
                    None => PATIENCE,
                    Some(_) => Duration::from_millis(20),
                };
                match T::visit(&address, timeout) {
                    Ok(client) => {
                        let slipped_in = T::CAN_SLIP_IN && stopping.is_some();
                        guests.push(Guest::new(client, house.resets() || slipped_in));
                    }
                    Err(error) => {
                        assert!(stopping.is_some() || house.resets(), "{error}");
                        strangers += 1;
                    }
                }
            }
            Step::Say(who, words) => {
                let data: Vec<_> = words.iter().flat_map(|word| word.line()).copied().collect();
                with(*who, &|guest| guest.say(&data, may_be_ignored));
                asked_to_stop |= words.iter().any(Word::is_stop);
            }
            Step::Begin(who) => with(*who, &|guest| guest.say(b"par", may_be_ignored)),
            Step::Listen(who) => with(*who, &Guest::listen),
            Step::HalfClose(who) => with(*who, &Guest::half_close),
            Step::Reset(who) => with(*who, &Guest::reset),
            Step::Leave(who) => with(*who, &Guest::leave),
            Step::Pause(time) => thread::sleep(Duration::from_millis(*time)),
            Step::ServeAnew => {
                // A loop that serves somebody itself has to cut him off to end.
                guests.iter_mut().for_each(Guest::is_disturbed);
                serving = serving.map(Serving::anew);
            }
        }
        books::balance(&handle.stats());
    }
    let stopping = match serving {
        Some(serving) => Stopping::begin(serving, &handle, stop),
        None => stopping.unwrap(),
    };
    let after = stopping.finish(&handle);
    let lots: Vec<_> = guests.into_iter().map(Guest::settle).collect();
    books::are_those_of(&lots, strangers, &after);
}

/// The same with datagrams: each piece that a client says is one.
pub(crate) fn datagrams<M: Strategy>(schedule: &Schedule, strategy: M) {
    let Schedule {
        house,
        steps,
        stop_before,
        stop,
    } = schedule;
    let dir = TempDir::new();
    let server = open::<Udp, _>(&dir, house, strategy);
    let (handle, address) = (server.handle(), *server.server_address());
    let mut serving = Some(Serving::begin(server, house));
    let mut stopping = None;
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let mut asked_to_stop = false;
    let mut somebody_left = false;
    for (number, step) in steps.iter().enumerate() {
        if number == *stop_before
            && let Some(serving) = serving.take()
        {
            stopping = Some(Stopping::begin(serving, &handle, stop));
        }
        let count = clients.len().max(1);
        let number = |who: &usize| who % count;
        match step {
            Step::Connect => clients.push(Some(Udp::connect(&address))),
            Step::Say(..) | Step::Begin(..) => {
                let (from, data) = match step {
                    Step::Say(from, words) => {
                        asked_to_stop |= words.iter().any(Word::is_stop);
                        (
                            from,
                            words.iter().flat_map(|word| word.line()).copied().collect(),
                        )
                    }
                    Step::Begin(from) => (from, b"par".to_vec()),
                    _ => continue,
                };
                // It fails where the last one has found nobody.
                if let Some(Some(client)) = clients.get(number(from))
                    && client.try_send(&data).is_ok()
                {
                    sent.push(data);
                }
            }
            Step::Reset(from) | Step::Leave(from) => {
                somebody_left |= clients
                    .get_mut(number(from))
                    .is_some_and(|client| client.take().is_some());
            }
            Step::Pause(time) => thread::sleep(Duration::from_millis(*time)),
            Step::ServeAnew => serving = serving.map(Serving::anew),
            Step::Listen(_) | Step::HalfClose(_) => {}
        }
        books::balance(&handle.stats());
    }
    let before_the_stop = stopping.is_none();
    if before_the_stop && !asked_to_stop {
        let taken = || handle.stats().accepted == sent.len() as u64;
        eventually("all are taken in", taken);
    }
    let stopping = match serving {
        Some(serving) => Stopping::begin(serving, &handle, stop),
        None => stopping.unwrap(),
    };
    let after = stopping.finish(&handle);
    let all = format!("{sent:?}\n{after:?}");
    let scripts: Vec<_> = sent.iter().map(|data| Script::of(data, true)).collect();
    let of = |fate| scripts.iter().filter(|s| s.fate == fate).count() as u64;
    assert!(after.accepted <= sent.len() as u64, "{all}");
    assert!(after.completed <= of(Fate::Completes), "{all}");
    if somebody_left {
        return;
    }
    assert!(after.failed <= of(Fate::Fails), "{all}");
    let mut expected: Vec<_> = scripts
        .into_iter()
        .filter(|script| script.fate == Fate::Completes)
        .map(|script| script.answers)
        .collect();
    let (replies, farewells) = (Cell::new(0), Cell::new(0));
    let heard = RefCell::new(Vec::new());
    let of_closing = u64::from(house.refuses_waiting) * after.rejected_by.closing;
    eventually("every reply has come", || {
        for datagram in clients.iter().flatten().flat_map(receive_now) {
            if datagram == FAREWELLS[1] {
                farewells.set(farewells.get() + 1);
            } else {
                replies.set(replies.get() + 1);
                heard.borrow_mut().push(datagram);
            }
        }
        replies.get() >= after.completed && farewells.get() >= of_closing
    });
    // A child may have been told to end when it had just replied.
    let most = after.completed + after.force_closed;
    assert!((after.completed..=most).contains(&replies.get()), "{all}");
    assert_eq!(farewells.get(), of_closing, "{all}");
    let heard = heard.into_inner();
    for reply in heard {
        let place = expected.iter().position(|other| *other == reply);
        expected.swap_remove(place.unwrap_or_else(|| panic!("{reply:?} to {all}")));
    }
}
