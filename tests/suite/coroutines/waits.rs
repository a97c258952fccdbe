//! Waits for clients: many at once, always on the same thread, limited by timeouts.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;
use socketserver::{Activity, Coroutines, Request, Result};

use super::{exchange, one_worker, pattern, start};
use crate::support::net::*;

const MIB: usize = 1 << 20;
/// Size in bytes of a message that is larger than the buffers of two sockets.
const LARGE: usize = 24 * MIB;

fn large_message() -> Vec<u8> {
    pattern(1, MIB).repeat(LARGE / MIB)
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
    each_of_many_clients_of_a_worker_gets_its_answers,
    large_messages_go_both_ways_on_several_connections,
    a_client_that_does_not_read_does_not_block_others,
    a_coroutine_stays_on_its_thread,
);

fn each_of_many_clients_of_a_worker_gets_its_answers<T: Connected>() {
    let host = start::<T, _>(one_worker(), Hooks::<T::Request>::echo());
    let clients: Vec<_> = (0..200).map(|_| host.client()).collect();
    let handle = host.server.handle();
    eventually("all clients are accepted", || handle.stats().active == 200);
    for n in 0..100 {
        let line = format!("{n}\n");
        assert_eq!(clients[117].ask(&line), line);
    }
    // The other clients are served too, in any order.
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
    eventually("all requests have ended", || handle.stats().active == 0);
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

fn a_client_that_does_not_read_does_not_block_others<T: Connected>() {
    let (started, starts) = mpsc::channel();
    let service = Hooks::new(move |request: &mut T::Request| {
        while let Some(line) = request.next_line(100)? {
            if line == b"large\n" {
                let _ = started.send(());
                request.send_all(large_message())?;
            } else {
                request.send_all(&line)?;
            }
        }
        Ok(())
    });
    let host = start::<T, _>(one_worker(), service);
    let not_reading = [(); 3].map(|()| host.client());
    for client in &not_reading {
        client.send("large\n");
        next(&starts);
    }
    let other = host.client();
    for n in 0..200 {
        assert_eq!(other.ask(&format!("{n}\n")), format!("{n}\n"));
    }
    assert_eq!(host.server.stats().active, 4, "a request has ended");
    let expected = large_message();
    for client in &not_reading {
        assert!(client.exactly(LARGE) == expected, "not what was sent");
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
            // Coroutines of this thread may have changed it meanwhile, but no other thread can.
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
    input_in_time_counts_although_the_worker_was_blocked,
    a_write_takes_as_long_as_its_timeout,
);

/// Obeys the commands of the client. `set N` and `raw N` set a timeout in milliseconds, of the request or of
/// the socket. `wait` reads a line.
fn obey_commands<T: Connected>() -> Hooks<T::Request> {
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
                            // The next command may come at any time during the test.
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

/// Receives how long the handler waited until its timeout expired.
#[track_caller]
fn nothing_for(client: &Client) -> Duration {
    let answer = client.line();
    let time = answer.trim_end().strip_prefix("nothing for ");
    Duration::from_micros(time.expect(&answer).parse().unwrap())
}

fn a_read_takes_as_long_as_its_timeout<T: Connected>() {
    let host = start::<T, _>(one_worker(), obey_commands::<T>());
    let client = host.client();
    for (how, time) in [
        ("set", 5),
        ("raw", 5),
        ("set", 150),
        ("raw", 40),
        ("set", 1),
    ] {
        // The timeout applies to the read of the next command too, so both are sent at once.
        client.send(format!("{how} {time}\nwait\n"));
        assert_eq!(client.exactly(12), b"set\nwaiting\n");
        let passed = nothing_for(&client);
        assert!(passed >= ms(time), "{how} {time}: expired after {passed:?}");
    }
    // Earlier timeouts have no effect on later reads.
    for time in [60_000, 1 << 30] {
        assert_eq!(client.ask(&format!("set {time}\n")), "set\n");
        assert_eq!(client.ask("wait\n"), "waiting\n");
        thread::sleep(ms(30));
        assert_eq!(client.ask("hello\n"), "got hello\n");
    }
    host.stop();
}

fn timeouts_of_different_clients_do_not_mix<T: Connected>() {
    let host = start::<T, _>(one_worker(), obey_commands::<T>());
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
    // All clients are still served.
    for (_, client) in &clients {
        assert_eq!(client.ask("wait\n"), "waiting\n");
        assert_eq!(client.ask("hello\n"), "got hello\n");
    }
    host.stop();
}

/// Time that passes before the read does not count.
fn a_timeout_begins_with_its_wait<T: Connected>() {
    let service = Hooks::new(|request: &mut T::Request| {
        request.readline(100)?;
        request.set_timeout(ms(100))?;
        // Blocks the worker. The coroutine does not wait here.
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

/// A handler blocks the worker for longer than the timeout of another coroutine, whose input has arrived.
fn input_in_time_counts_although_the_worker_was_blocked<T: Connected>() {
    let (blocked, blocks) = mpsc::channel();
    let service = Hooks::new(move |request: &mut T::Request| {
        let line = request.readline(100)?;
        if line == b"block\n" {
            let _ = blocked.send(());
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
    let attempt = || {
        let (waiting, blocking) = (host.client(), host.client());
        let begun = Instant::now();
        assert_eq!(waiting.ask("hello\n"), "waiting\n");
        // Gives the worker time to begin this wait.
        thread::sleep(ms(100));
        blocking.send("block\n");
        next(&blocks);
        let sent = waiting.try_send("in time\n");
        // Input that is late does not count.
        let is_in_time = begun.elapsed() < ms(1000);
        if is_in_time {
            sent.unwrap();
            assert_eq!(waiting.rest(), b"in time\n");
        }
        is_in_time
    };
    let in_time = up_to_ten(attempt, |in_time| *in_time);
    assert!(in_time.ends_with(&[true]), "the input is late each time");
    host.stop();
}

fn a_write_takes_as_long_as_its_timeout<T: Connected>() {
    let (errors, failures) = mpsc::channel();
    let service = Hooks::new(move |request: &mut T::Request| {
        while let Some(line) = request.next_line(100)? {
            if line == b"large\n" {
                request.set_timeout(ms(50))?;
                let started = Instant::now();
                let error = request.send_all(large_message()).unwrap_err();
                let _ = errors.send((error.kind(), started.elapsed()));
                request.set_timeout(None)?;
            } else {
                request.send_all(&line)?;
            }
        }
        Ok(())
    });
    let host = start::<T, _>(one_worker(), service);
    let (not_reading, other) = (host.client(), host.client());
    not_reading.send("large\n");
    while failures.try_recv().map_or(true, |(kind, passed)| {
        assert_eq!(kind, ErrorKind::TimedOut);
        assert!(passed >= ms(50), "expired after {passed:?}");
        false
    }) {
        assert_eq!(other.ask("hello\n"), "hello\n");
    }
    // The connection is still served. The answer follows the sent part of the message.
    not_reading.send("and now?\n");
    not_reading.finish();
    let received = not_reading.rest();
    assert!(received.ends_with(b"and now?\n") && received.len() < LARGE);
    host.stop();
}

/// The client's bytes arrive while the coroutine waits for space, before its first read.
fn input_during_the_first_write_is_not_missed<T: Connected>() {
    const SIZE: usize = 8 << 20;
    const SLOW: usize = 40;
    let accepted = AtomicUsize::new(0);
    let service = Hooks::new(move |request: &mut T::Request| {
        if accepted.fetch_add(1, Ordering::SeqCst) >= SLOW {
            request.send_all(vec![b'x'; SIZE])?;
        }
        let line = request.readline(100)?;
        Ok(request.send_all(line)?)
    });
    let host = start::<T, _>(one_worker(), service);
    // After clients that say nothing at first, the worker expects no input of a new client.
    for _ in 0..SLOW {
        let client = host.client();
        eventually("the handler waits", || {
            let requests = host.server.handle().requests();
            requests
                .iter()
                .any(|one| one.activity() == Activity::Reading)
        });
        assert_eq!(client.ask("hello\n"), "hello\n");
        client.finish();
        client.expect_end();
        eventually("its request has ended", || host.server.stats().active == 0);
    }
    for _ in 0..10 {
        let client = host.client();
        client.send("hello\n");
        assert_eq!(client.exactly(SIZE).len(), SIZE);
        assert_eq!(client.line(), "hello\n");
    }
}

over_streams!(input_during_the_first_write_is_not_missed);
