//! `sleep` and `blocking`: waits that do not depend on the client.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socketserver::transport::Tcp;
use socketserver::{Coroutines, Request, Strategy, TcpRequest, blocking, sleep};

use super::{one_worker, start};
use crate::support::net::*;

over_streams!(
    sleeping_coroutines_do_not_block_others,
    a_blocking_call_does_not_block_others,
);

fn sleeping_coroutines_do_not_block_others<T: Connected>() {
    const TIME: Duration = Duration::from_millis(300);
    let service = Hooks::new(|request: &mut T::Request| {
        while let Some(line) = request.next_line(100)? {
            if line == b"sleep\n" {
                let started = Instant::now();
                sleep(TIME);
                assert!(started.elapsed() >= TIME);
            }
            request.send_all(&line)?;
        }
        Ok(())
    });
    let host = start::<T, _>(one_worker(), service);
    let sleepers: Vec<_> = (0..100).map(|_| host.client()).collect();
    let other = host.client();
    let started = Instant::now();
    for sleeper in &sleepers {
        sleeper.send("sleep\n");
    }
    assert_eq!(other.ask("awake?\n"), "awake?\n");
    for sleeper in &sleepers {
        assert_eq!(sleeper.line(), "sleep\n");
    }
    // One after the other, the sleeps would take half a minute.
    assert!(started.elapsed() < 50 * TIME);
    assert_eq!(host.server.stats().failed, 0);
    host.stop();
}

fn a_blocking_call_does_not_block_others<T: Connected>() {
    let (blocked, blocks) = mpsc::channel();
    let gate = Gate::default();
    let service = Hooks::new({
        let gate = gate.clone();
        move |request: &mut T::Request| {
            while let Some(line) = request.next_line(100)? {
                if line == b"block\n" {
                    let blocked = blocked.clone();
                    blocking(|| {
                        let _ = blocked.send(thread::current().name().map(str::to_owned));
                        gate.pass();
                    });
                }
                request.send_all(&line)?;
            }
            Ok(())
        }
    });
    let host = start::<T, _>(one_worker(), service);
    let clients = [(); 10].map(|()| host.client());
    let mut threads = BTreeSet::new();
    for client in &clients {
        client.send("block\n");
        threads.insert(next(&blocks));
    }
    let expected = (1..=10).map(|n| Some(format!("socketserver-blocking-{n}")));
    assert_eq!(threads, expected.collect());
    let other = host.client();
    for n in 0..50 {
        assert_eq!(other.ask(&format!("{n}\n")), format!("{n}\n"));
    }
    gate.open();
    for client in &clients {
        assert_eq!(client.line(), "block\n");
    }
    // The threads are reused.
    clients[0].send("block\n");
    assert!(threads.contains(&next(&blocks)));
    assert_eq!(clients[0].line(), "block\n");
    host.stop();
}

#[test]
fn a_blocking_call_can_borrow_and_returns_its_result() {
    let service = Hooks::new(|request: &mut TcpRequest| {
        let line = request.readline(100)?;
        let mut words = Vec::new();
        let count = blocking(|| {
            words.extend(line.split(|&byte| byte == b' '));
            words.len()
        });
        // The request can be used in `blocking` too. There its reads block the thread.
        let echoed = blocking(|| {
            let line = request.readline(100)?;
            request.send_all(&line)?;
            Ok::<_, std::io::Error>(line.len())
        })?;
        let longest = words.iter().map(|word| word.len()).max();
        request.send_all(format!("{count} {longest:?} {echoed}\n"))?;
        Ok(())
    });
    let host = start::<Tcp, _>(one_worker(), service);
    let client = host.client();
    client.send("some words here");
    client.send("\n");
    client.send("more\n");
    assert_eq!(client.rest(), b"more\n3 Some(5) 5\n");
    host.stop();
}

fn a_panic_in_a_blocking_call_is_a_panic_of_the_handler<T: Connected>() {
    expect_panics();
    let (service, failures) = Hooks::new(|request: &mut T::Request| {
        let number = request.readline(100)?.len();
        blocking(|| {
            if number > 5 {
                panic!("{number} is too much");
            }
        });
        request.send_all("fine\n")?;
        Ok(())
    })
    .failures();
    let host = start::<T, _>(one_worker(), service);
    for _ in 0..3 {
        let client = host.client();
        client.send("123456\n");
        client.expect_end();
        assert!(next(&failures).text.contains("7 is too much"));
        assert_eq!(host.client().ask("12\n"), "fine\n");
    }
    host.stop();
}

over_streams!(a_panic_in_a_blocking_call_is_a_panic_of_the_handler);

/// There are more blocking calls than threads. The other calls wait for a free thread.
#[test]
fn more_blocking_calls_than_threads_are_run() {
    const CLIENTS: usize = 2000;
    const THREADS: usize = 512;
    let gate = Gate::default();
    let [running, most, done] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
    let service = Hooks::new({
        let (gate, running, most) = (gate.clone(), Arc::clone(&running), Arc::clone(&most));
        let done = Arc::clone(&done);
        move |request: &mut TcpRequest| {
            blocking(|| {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                gate.pass();
                running.fetch_sub(1, Ordering::SeqCst);
                done.fetch_add(1, Ordering::SeqCst);
            });
            Ok(request.send_all("done\n")?)
        }
    });
    let host = start::<Tcp, _>(Coroutines::new().workers(2), service);
    let clients: Vec<_> = (0..CLIENTS).map(|_| host.client()).collect();
    let handle = host.server.handle();
    eventually("all requests run", || {
        handle.stats().active == CLIENTS as u64
    });
    eventually("all threads are busy", || {
        running.load(Ordering::SeqCst) == THREADS
    });
    gate.open();
    for client in &clients {
        assert_eq!(client.rest(), b"done\n");
    }
    assert_eq!(most.load(Ordering::SeqCst), THREADS);
    assert_eq!(done.load(Ordering::SeqCst), CLIENTS);
    host.stop();
}

#[test]
fn a_nested_blocking_call_stays_on_its_thread() {
    let service = Hooks::new(|request: &mut TcpRequest| {
        let outside = thread::current().id();
        let [first, second] = blocking(|| {
            let first = thread::current().id();
            sleep(Duration::from_millis(1));
            [first, blocking(|| blocking(|| thread::current().id()))]
        });
        let same = first == second && first != outside;
        request.send_all(format!("{same}"))?;
        Ok(())
    });
    let host = start::<Tcp, _>(one_worker(), service);
    assert_eq!(host.client().rest(), b"true");
    host.stop();
}

#[test]
fn outside_of_handlers_sleep_and_blocking_are_plain_calls() {
    let here = thread::current().id();
    assert_eq!(blocking(|| blocking(|| thread::current().id())), here);
    let started = Instant::now();
    sleep(Duration::from_millis(20));
    assert!(started.elapsed() >= Duration::from_millis(20));
}

fn under_other_strategies_sleep_and_blocking_are_plain_calls<M: Strategy + Default>() {
    let service = Hooks::new(|request: &mut TcpRequest| {
        let here = thread::current().id();
        sleep(Duration::from_millis(1));
        let same = blocking(|| thread::current().id()) == here;
        Ok(request.send_all(format!("{same}"))?)
    });
    let host = host::<Tcp, M, _>(service);
    let coroutines = std::any::type_name::<M>().contains("Coroutines");
    let expected = format!("{}", !coroutines);
    assert_eq!(host.client().rest(), expected.as_bytes());
    host.stop();
}

by_strategy!(under_other_strategies_sleep_and_blocking_are_plain_calls);

/// Handlers of datagrams can wait too, all of them on one worker.
fn handlers_of_datagrams_wait_at_the_same_time<T: Reachable>() {
    let together = Rendezvous::new(20);
    let service = Hooks::new(move |request: &mut T::Request| {
        let met = blocking(|| together.wait());
        sleep(Duration::from_millis(1));
        Ok(request.send_all(format!("{met}"))?)
    });
    let host = start::<T, _>(one_worker(), service);
    let clients = [(); 20].map(|()| host.client());
    for client in &clients {
        client.send("?");
    }
    for client in &clients {
        assert_eq!(client.receive(), b"true");
    }
    host.stop();
}

over!([Tcp, Udp, UnixStream, UnixDatagram] handlers_of_datagrams_wait_at_the_same_time);
