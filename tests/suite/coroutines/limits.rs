//! Limits of coroutines: their number, their turns, their distribution over the workers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use socketserver::{Coroutines, Request, blocking, sleep};

use super::{one_worker, start};
use crate::support::net::*;

over_streams!(
    clients_beyond_the_cap_wait_for_others_to_end,
    workers_share_the_cap,
    a_full_server_can_be_stopped_and_its_backlog_is_closed,
    worker_stalls_are_counted,
    a_client_that_never_pauses_does_not_block_others,
    long_connections_are_spread_over_the_workers,
);

fn clients_beyond_the_cap_wait_for_others_to_end<T: Connected>() {
    let strategy = one_worker().max_coroutines(3);
    let host = start::<T, _>(strategy, Hooks::<T::Request>::echo());
    let handle = host.server.handle();
    let mut clients: Vec<_> = (0..5).map(|_| host.client()).collect();
    // The lines of clients beyond the cap wait in the kernel.
    for (n, client) in clients.iter().enumerate() {
        client.send(format!("{n}\n"));
    }
    for (n, client) in clients.iter().enumerate().take(3) {
        assert_eq!(client.line(), format!("{n}\n"));
    }
    for _ in 0..20 {
        assert_eq!(clients[2].ask("hello\n"), "hello\n");
        assert_eq!(handle.stats().accepted, 3);
    }
    // When a client leaves, the next is accepted.
    clients.remove(1);
    assert_eq!(clients[2].line(), "3\n");
    assert_eq!(handle.stats().accepted, 4);
    clients.remove(0);
    assert_eq!(clients[2].line(), "4\n");
    for client in &clients {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    host.stop();
}

fn workers_share_the_cap<T: Connected>() {
    let [running, most] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let service = Hooks::new({
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        move |request: &mut T::Request| {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            sleep(Duration::from_millis(1));
            let line = request.readline(100)?;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(request.send_all(&line)?)
        }
    });
    let strategy = Coroutines::new().workers(2).max_coroutines(4);
    let host = start::<T, _>(strategy, service);
    let clients: Vec<_> = (0..60).map(|_| host.client()).collect();
    for client in &clients {
        client.send("hello\n");
    }
    for client in &clients {
        assert_eq!(client.rest(), b"hello\n");
    }
    assert!(most.load(Ordering::SeqCst) <= 4);
    host.stop();
}

fn a_full_server_can_be_stopped_and_its_backlog_is_closed<T: Connected>() {
    for workers in [1, 3] {
        let strategy = Coroutines::new().workers(workers).max_coroutines(workers);
        let host = start::<T, _>(strategy, Hooks::<T::Request>::echo());
        let handle = host.server.handle();
        let clients: Vec<_> = (0..3 * workers).map(|_| host.client()).collect();
        eventually("the server is full", || {
            handle.stats().active == workers as u64
        });
        let report = host.stop();
        assert_eq!((report.running, report.abandoned.len()), (workers, 0));
        // No client left before the stop, so the others were in the backlog.
        assert_eq!(
            (report.accepted, report.rejected),
            (2 * workers, 2 * workers)
        );
        assert_eq!(report.force_closed.len(), workers);
        for client in clients {
            client.expect_end();
        }
    }
}

fn worker_stalls_are_counted<T: Connected>() {
    const TIME: Duration = Duration::from_millis(30);
    let service = Hooks::new(|request: &mut T::Request| {
        while let Some(line) = request.next_line(100)? {
            match &*line {
                b"stall\n" => thread::sleep(TIME),
                b"sleep\n" => sleep(TIME),
                b"block\n" => blocking(|| thread::sleep(TIME)),
                _ => {}
            }
            request.send_all(&line)?;
        }
        Ok(())
    });
    let host = start::<T, _>(Coroutines::new().workers(2), service);
    let handle = host.server.handle();
    let client = host.client();
    for n in 1..=5 {
        assert_eq!(client.ask("stall\n"), "stall\n");
        // A stall is counted when the handler waits again.
        eventually("the stall is counted", || handle.stats().worker_stalls >= n);
    }
    // On a busy machine these may be counted as stalls too, but not each time.
    let not_counted = |how: &str| {
        let before = handle.stats().worker_stalls;
        assert_eq!(client.ask(how), how);
        handle.stats().worker_stalls == before
    };
    for how in ["sleep\n", "block\n", "nothing\n"] {
        let times = (0..20).filter(|_| not_counted(how)).count();
        assert!(times >= 5, "{how:?} is counted as a stall");
    }
    host.stop();
}

/// A coroutine that never has to wait yields after some reads and writes, so that others are served too.
fn a_client_that_never_pauses_does_not_block_others<T: Connected>() {
    let echoed: Arc<AtomicUsize> = Arc::default();
    let service = Hooks::new({
        let echoed = Arc::clone(&echoed);
        move |request: &mut T::Request| {
            let floods = request.readline(100)? == b"flood\n";
            loop {
                let data = request.recv(1000)?;
                if data.is_empty() {
                    return Ok(());
                }
                request.send_all(&data)?;
                if floods {
                    echoed.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    });
    let host = start::<T, _>(one_worker(), service);
    let (flood, other) = (host.client(), host.client());
    let done = AtomicBool::new(false);
    other.send("other\n");
    thread::scope(|scope| {
        let (flood, done) = (&flood, &done);
        scope.spawn(move || {
            flood.send("flood\n");
            while !done.load(Ordering::SeqCst) {
                flood.send([b'x'; 50_000]);
            }
            flood.finish();
        });
        scope.spawn(move || while flood.try_receive().is_ok_and(|data| !data.is_empty()) {});
        eventually("the flood is echoed", || {
            echoed.load(Ordering::SeqCst) > 100
        });
        let mut least = usize::MAX;
        for _ in 0..50 {
            let before = echoed.load(Ordering::SeqCst);
            assert_eq!(other.ask("hello\n"), "hello\n");
            least = least.min(echoed.load(Ordering::SeqCst) - before);
        }
        done.store(true, Ordering::SeqCst);
        // A line that arrives during a turn of the flood waits for this turn only, which is 32 reads and
        // writes. Only the minimum is checked, because this thread itself may sleep for several turns.
        assert!(least <= 64, "at least {least} messages came first");
    });
    host.stop();
}

fn long_connections_are_spread_over_the_workers<T: Connected>() {
    const CLIENTS: usize = 40;
    for workers in [2, 4] {
        let (began, begins) = mpsc::channel::<ThreadId>();
        let service = Hooks::new(move |request: &mut T::Request| {
            let _ = began.send(thread::current().id());
            echo_lines(request)
        });
        let host = start::<T, _>(Coroutines::new().workers(workers), service);
        let handle = host.server.handle();
        // Waits until all workers run.
        let deadline = Instant::now() + PATIENCE;
        let mut early = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while seen.len() < workers {
            assert!(Instant::now() < deadline, "some workers get no connections");
            if early.len() == 100 {
                early.clear();
            }
            early.push(host.client());
            seen.insert(next(&begins));
            thread::sleep(Duration::from_millis(1));
        }
        drop(early);
        assert!(handle.wait_until_idle(PATIENCE));

        let fair = CLIENTS / workers;
        let mut all_shares = Vec::new();
        // On a busy machine a worker may not run for a while and get no connections, but not each time.
        let is_fair = (0..5).any(|_| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| host.client()).collect();
            let mut shares = BTreeMap::new();
            for client in &clients {
                assert_eq!(client.ask("hello\n"), "hello\n");
                let thread = format!("{:?}", next(&begins));
                *shares.entry(thread).or_insert(0) += 1;
            }
            drop(clients);
            assert!(handle.wait_until_idle(PATIENCE));
            let mut each = shares.values();
            let is_fair =
                shares.len() == workers && each.all(|n| (fair / 3..=fair * 2).contains(n));
            all_shares.push(shares);
            is_fair
        });
        assert!(is_fair, "{all_shares:?}");
        host.stop();
    }
}
