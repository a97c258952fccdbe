//! How many at once, how long without a wait, and who has how much of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use socketserver::{Coroutines, Request, blocking, sleep};

use super::{one_worker, start};
use crate::support::net::*;

over_streams!(
    who_is_beyond_the_cap_waits_for_others_to_end,
    workers_share_the_cap,
    a_full_server_can_be_stopped_and_its_queue_is_closed,
    what_holds_a_worker_is_counted,
    a_client_that_never_stops_does_not_keep_others_from_being_served,
    connections_that_stay_are_spread,
);

fn who_is_beyond_the_cap_waits_for_others_to_end<T: Connected>() {
    let strategy = one_worker().max_coroutines(3);
    let host = start::<T, _>(strategy, Hooks::<T::Request>::echo());
    let handle = host.server.handle();
    let mut clients: Vec<_> = (0..5).map(|_| host.client()).collect();
    // What they say waits with them.
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
    // One leaves, the next comes in.
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

fn a_full_server_can_be_stopped_and_its_queue_is_closed<T: Connected>() {
    for workers in [1, 3] {
        let strategy = Coroutines::new().workers(workers).max_coroutines(workers);
        let host = start::<T, _>(strategy, Hooks::<T::Request>::echo());
        let handle = host.server.handle();
        let clients: Vec<_> = (0..3 * workers).map(|_| host.client()).collect();
        eventually("it is full", || handle.stats().active == workers as u64);
        let report = host.stop();
        assert_eq!((report.running, report.abandoned.len()), (workers, 0));
        // Nobody has left, so that there was never room for the others.
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

fn what_holds_a_worker_is_counted<T: Connected>() {
    const TIME: Duration = Duration::from_millis(30);
    let service = Hooks::new(|request: &mut T::Request| {
        while let Some(line) = request.next_line(100)? {
            match &*line {
                b"hold\n" => thread::sleep(TIME),
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
        assert_eq!(client.ask("hold\n"), "hold\n");
        // It is counted when it waits the next time.
        eventually("it is counted", || handle.stats().worker_stalls >= n);
    }
    // A busy machine may hold a worker too, so what is not counted cannot be told from one time.
    let not_counted = |how: &str| {
        let before = handle.stats().worker_stalls;
        assert_eq!(client.ask(how), how);
        handle.stats().worker_stalls == before
    };
    for how in ["sleep\n", "block\n", "nothing\n"] {
        let times = (0..20).filter(|_| not_counted(how)).count();
        assert!(times >= 5, "{how:?} holds the worker");
    }
    host.stop();
}

/// Whoever always has more is interrupted, so that its messages and those of others take turns.
fn a_client_that_never_stops_does_not_keep_others_from_being_served<T: Connected>() {
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
    let over = AtomicBool::new(false);
    other.send("other\n");
    thread::scope(|scope| {
        let (flood, over) = (&flood, &over);
        scope.spawn(move || {
            flood.send("flood\n");
            while !over.load(Ordering::SeqCst) {
                flood.send([b'x'; 50_000]);
            }
            flood.finish();
        });
        scope.spawn(move || while flood.try_receive().is_ok_and(|data| !data.is_empty()) {});
        eventually("it floods", || echoed.load(Ordering::SeqCst) > 100);
        let mut least = usize::MAX;
        for _ in 0..50 {
            let before = echoed.load(Ordering::SeqCst);
            assert_eq!(other.ask("hello\n"), "hello\n");
            least = least.min(echoed.load(Ordering::SeqCst) - before);
        }
        over.store(true, Ordering::SeqCst);
        // A question that comes right after the flood's turn has begun waits for that one only: 32 reads
        // and writes. How many turns the thread of this test sleeps through is another matter.
        assert!(least <= 64, "at least {least} came first");
    });
    host.stop();
}

fn connections_that_stay_are_spread<T: Connected>() {
    const CLIENTS: usize = 40;
    for workers in [2, 4] {
        let (began, begins) = mpsc::channel::<ThreadId>();
        let service = Hooks::new(move |request: &mut T::Request| {
            let _ = began.send(thread::current().id());
            echo_lines(request)
        });
        let host = start::<T, _>(Coroutines::new().workers(workers), service);
        let handle = host.server.handle();
        // Until all threads are there.
        let mut early = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while seen.len() < workers {
            early.push(host.client());
            seen.insert(next(&begins));
            assert!(early.len() < 1000, "some workers have nothing to do");
        }
        drop(early);
        assert!(handle.wait_until_idle(PATIENCE));

        let fair = CLIENTS / workers;
        let mut all_shares = Vec::new();
        // A worker that the machine keeps from running gets nothing meanwhile, but not every time.
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
