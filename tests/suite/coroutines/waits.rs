//! Waiting for clients: many at once, on the thread where it began, as long as the timeouts say.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;
use socketserver::{Coroutines, Request, Result};

use super::{exchange, one_worker, pattern, start};
use crate::support::net::*;

const MIB: usize = 1 << 20;
/// More than the buffers of two sockets hold.
const TOO_MUCH: usize = 24 * MIB;

fn much() -> Vec<u8> {
    pattern(1, MIB).repeat(TOO_MUCH / MIB)
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn echo_bytes<R: Request>(request: &mut R) -> Result {
    loop {
        let data = request.recv(100_000)?;
        if data.is_empty() {
            return Ok(());
        }
        request.send_all(&data)?;
    }
}

over_streams!(
    one_of_many_clients_of_a_worker_gets_its_answers,
    large_messages_go_both_ways_on_several_connections,
    a_client_that_does_not_read_keeps_nobody_else_waiting,
    a_coroutine_stays_on_its_thread,
);

fn one_of_many_clients_of_a_worker_gets_its_answers<T: Connected>() {
    let host = start::<T, _>(one_worker(), Hooks::<T::Request>::echo());
    let clients: Vec<_> = (0..200).map(|_| host.client()).collect();
    let handle = host.server.handle();
    eventually("all are accepted", || handle.stats().active == 200);
    for n in 0..100 {
        let line = format!("{n}\n");
        assert_eq!(clients[117].ask(&line), line);
    }
    // And none of the others was forgotten, in whatever order they talk.
    for n in 0..200 {
        let line = format!("I am {n}\n");
        assert_eq!(clients[n * 77 % 200].ask(&line), line);
    }
    for client in &clients {
        client.finish();
    }
    for client in &clients {
        client.expect_end();
    }
    eventually("all are over", || handle.stats().active == 0);
    host.stop();
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.failed), (200, 0));
}

fn large_messages_go_both_ways_on_several_connections<T: Connected>() {
    let host = start::<T, _>(one_worker(), Hooks::new(echo_bytes));
    thread::scope(|scope| {
        for seed in 0..6 {
            let client = host.client();
            scope.spawn(move || {
                for round in 0..3 {
                    let data = pattern(seed * 10 + round, MIB);
                    assert!(exchange(&client, &data) == data, "not what was sent");
                }
                client.finish();
                client.expect_end();
            });
        }
    });
    host.stop();
}

fn a_client_that_does_not_read_keeps_nobody_else_waiting<T: Connected>() {
    let (sending, sends) = mpsc::channel();
    let service = Hooks::new(move |request: &mut T::Request| {
        while let Some(line) = request.next_line(100)? {
            if line == b"much\n" {
                let _ = sending.send(());
                request.send_all(much())?;
            } else {
                request.send_all(&line)?;
            }
        }
        Ok(())
    });
    let host = start::<T, _>(one_worker(), service);
    let deaf = [(); 3].map(|()| host.client());
    for client in &deaf {
        client.send("much\n");
        next(&sends);
    }
    let other = host.client();
    for n in 0..200 {
        assert_eq!(other.ask(&format!("{n}\n")), format!("{n}\n"));
    }
    assert_eq!(host.server.stats().active, 4, "all of it went out");
    let expected = much();
    for client in &deaf {
        assert!(client.exactly(TOO_MUCH) == expected, "not what was sent");
        assert_eq!(client.ask("still there?\n"), "still there?\n");
    }
    host.stop();
}

fn a_coroutine_stays_on_its_thread<T: Connected>() {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::SeqCst);
        static LAST: Cell<usize> = const { Cell::new(0) };
    }
    let service = Hooks::new(|request: &mut T::Request| {
        let here = || (thread::current().id(), NUMBER.with(|number| *number));
        let (before, lines) = (here(), Rc::new(Cell::new(0)));
        let others = Rc::clone(&lines);
        while let Some(line) = request.next_line(100)? {
            lines.set(lines.get() + 1);
            LAST.set(lines.get());
            request.send_all(&line)?;
            socketserver::sleep(ms(1));
            // Others on this thread have written to it meanwhile, but nobody from another thread.
            assert!((1..=10).contains(&LAST.get()));
            assert_eq!(here(), before);
            assert_eq!(others.get(), lines.get());
        }
        request.send_all(format!("{}\n", others.get()))?;
        Ok(())
    });
    let host = start::<T, _>(Coroutines::new().workers(3), service);
    let clients: Vec<_> = (0..20).map(|_| host.client()).collect();
    for n in 0..10 {
        for client in &clients {
            client.send(format!("{n}\n"));
        }
        for client in &clients {
            assert_eq!(client.line(), format!("{n}\n"));
        }
    }
    for client in &clients {
        client.finish();
        assert_eq!(client.rest(), b"10\n");
    }
    let handle = host.server.handle();
    host.stop();
    assert_eq!(handle.stats().completed, 20);
}

// ---- timeouts ----

over_streams!(
    a_read_takes_as_long_as_its_timeout,
    timeouts_of_different_clients_do_not_mix,
    a_timeout_begins_with_its_wait,
    what_came_in_time_is_not_too_late_because_of_others,
    a_write_takes_as_long_as_its_timeout,
);

/// Does what it is told: `set N` and `raw N` change the timeout, in milliseconds, `wait` reads a line.
fn obeys<T: Connected>() -> Hooks<T::Request> {
    Hooks::new(|request: &mut T::Request| {
        while let Some(line) = request.next_line(100)? {
            let line = String::from_utf8(line)?;
            let answer = match line.trim_end().split_once(' ') {
                Some(("set", time)) => {
                    request.set_timeout(ms(time.parse()?))?;
                    "set".into()
                }
                Some(("raw", time)) => {
                    let socket = SockRef::from(request.socket());
                    socket.set_read_timeout(Some(ms(time.parse()?)))?;
                    "set".into()
                }
                _ => {
                    request.send_all("waiting\n")?;
                    let started = Instant::now();
                    match request.readline(100) {
                        Ok(line) => format!("got {}", String::from_utf8(line)?.trim_end()),
                        Err(error) if error.kind() == ErrorKind::TimedOut => {
                            // None is to be waited for longer than the test waits.
                            request.set_timeout(2 * PATIENCE)?;
                            format!("nothing for {}", started.elapsed().as_micros())
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
            };
            request.send_all(format!("{answer}\n"))?;
        }
        Ok(())
    })
}

/// Reads how long nothing came.
#[track_caller]
fn nothing_for(client: &Client) -> Duration {
    let answer = client.line();
    let time = answer.trim_end().strip_prefix("nothing for ");
    Duration::from_micros(time.expect(&answer).parse().unwrap())
}

fn a_read_takes_as_long_as_its_timeout<T: Connected>() {
    let host = start::<T, _>(one_worker(), obeys::<T>());
    let client = host.client();
    for (how, time) in [
        ("set", 5),
        ("raw", 5),
        ("set", 150),
        ("raw", 40),
        ("set", 1),
    ] {
        // The first wait must not be interrupted by the question, so all of it goes at once.
        client.send(format!("{how} {time}\nwait\n"));
        assert_eq!(client.exactly(12), b"set\nwaiting\n");
        let passed = nothing_for(&client);
        assert!(passed >= ms(time), "{how} {time}: over after {passed:?}");
    }
    // The timeout of before is not that of a later read.
    for time in [60_000, 1 << 30] {
        assert_eq!(client.ask(&format!("set {time}\n")), "set\n");
        assert_eq!(client.ask("wait\n"), "waiting\n");
        thread::sleep(ms(30));
        assert_eq!(client.ask("hello\n"), "got hello\n");
    }
    host.stop();
}

fn timeouts_of_different_clients_do_not_mix<T: Connected>() {
    let host = start::<T, _>(one_worker(), obeys::<T>());
    let patient = host.client();
    assert_eq!(patient.ask("wait\n"), "waiting\n");
    let clients: Vec<_> = (1..=20)
        .rev()
        .map(|n| {
            let client = host.client();
            client.send(format!("set {}\nwait\n", n * 20));
            (n * 20, client)
        })
        .collect();
    for (time, client) in &clients {
        assert_eq!(client.exactly(12), b"set\nwaiting\n");
        assert!(nothing_for(client) >= ms(*time));
    }
    assert_eq!(patient.ask("hello\n"), "got hello\n");
    // And they are all there.
    for (_, client) in &clients {
        assert_eq!(client.ask("wait\n"), "waiting\n");
        assert_eq!(client.ask("hello\n"), "got hello\n");
    }
    host.stop();
}

/// What the handler did before does not count.
fn a_timeout_begins_with_its_wait<T: Connected>() {
    let service = Hooks::new(|request: &mut T::Request| {
        request.readline(100)?;
        request.set_timeout(ms(100))?;
        // Not a proper wait: something that takes its time.
        thread::sleep(ms(150));
        let started = Instant::now();
        let error = request.readline(100).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let passed = started.elapsed();
        request.send_all(if passed >= ms(100) { "right" } else { "early" })?;
        Ok(())
    });
    let host = start::<T, _>(one_worker(), service);
    let clients = [(); 2].map(|()| host.client());
    for client in clients {
        client.send("go\n");
        assert_eq!(client.rest(), b"right");
    }
    host.stop();
}

/// One handler holds up the worker, for longer than the timeout of another one, whose line has come.
fn what_came_in_time_is_not_too_late_because_of_others<T: Connected>() {
    let (holding, holds) = mpsc::channel();
    let service = Hooks::new(move |request: &mut T::Request| {
        let line = request.readline(100)?;
        if line == b"hold\n" {
            let _ = holding.send(());
            thread::sleep(ms(1500));
            return Ok(());
        }
        request.set_timeout(ms(1000))?;
        request.send_all("waiting\n")?;
        let line = request.readline(100)?;
        request.send_all(&line)?;
        Ok(())
    });
    let host = start::<T, _>(one_worker(), service);
    let (waiting, holder) = (host.client(), host.client());
    assert_eq!(waiting.ask("hello\n"), "waiting\n");
    // Long enough for the worker to have asked how long this wait may take.
    thread::sleep(ms(100));
    holder.send("hold\n");
    next(&holds);
    waiting.send("in time\n");
    assert_eq!(waiting.rest(), b"in time\n");
    host.stop();
}

fn a_write_takes_as_long_as_its_timeout<T: Connected>() {
    let (told, tells) = mpsc::channel();
    let service = Hooks::new(move |request: &mut T::Request| {
        while let Some(line) = request.next_line(100)? {
            if line == b"much\n" {
                request.set_timeout(ms(50))?;
                let started = Instant::now();
                let error = request.send_all(much()).unwrap_err();
                let _ = told.send((error.kind(), started.elapsed()));
                request.set_timeout(None)?;
            } else {
                request.send_all(&line)?;
            }
        }
        Ok(())
    });
    let host = start::<T, _>(one_worker(), service);
    let (deaf, other) = (host.client(), host.client());
    deaf.send("much\n");
    while tells.try_recv().map_or(true, |(kind, passed)| {
        assert_eq!(kind, ErrorKind::TimedOut);
        assert!(passed >= ms(50), "over after {passed:?}");
        false
    }) {
        assert_eq!(other.ask("hello\n"), "hello\n");
    }
    // It goes on being served, after what was sent.
    deaf.send("and now?\n");
    deaf.finish();
    let heard = deaf.rest();
    assert!(heard.ends_with(b"and now?\n") && heard.len() < TOO_MUCH);
    host.stop();
}
