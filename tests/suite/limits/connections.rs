//! `max_connections`.

use super::*;

fn the_cap_holds_and_all_are_served<T: Connected + Stream, M: Strategy + Default>() {
    const CAP: usize = 3;
    let concurrency = Concurrency::default();
    let service = Hooks::new({
        let concurrency = concurrency.clone();
        move |request: &mut T::Request| {
            concurrency.enter();
            let line = request.readline(100)?;
            assert!(request.server().stats().active <= CAP as u64);
            concurrency.leave();
            Ok(request.send_all(&line)?)
        }
    });
    let limits = |options: Options<_, _>| options.max_connections(CAP);
    let host = start::<T, _, _>(M::default(), service, limits);
    let handle = host.server.handle();
    let watch = Watch::start(handle.clone(), CAP);
    let clients: Vec<_> = (0..5 * CAP).map(|_| host.client()).collect();
    let expected = at_once::<M>(CAP);
    eventually("the limit is reached", || {
        handle.stats().active == expected as u64
    });
    eventually("all their handlers run", || concurrency.most() == expected);
    for (n, client) in clients.iter().enumerate() {
        client.send(format!("{n}\n"));
    }
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(client.rest(), format!("{n}\n").as_bytes());
    }
    eventually("all connections have ended", || handle.stats().active == 0);
    watch.end();
    assert_eq!(concurrency.most(), expected);
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.rejected), (5 * CAP as u64, 0));
    adds_up(&handle);
    host.stop();
}

#[test]
fn several_loops_share_one_cap() {
    for (workers, cap) in [(2, 1), (4, 2), (4, 5), (12, 3)] {
        let concurrency = Concurrency::default();
        let service = Hooks::new({
            let concurrency = concurrency.clone();
            move |request: &mut socketserver::TcpRequest| {
                concurrency.enter();
                sleep(Duration::from_millis(1));
                concurrency.leave();
                echo_lines(request)
            }
        });
        let strategy = Coroutines::new().workers(workers);
        let limits = |options: Options<_, _>| options.max_connections(cap);
        let host = start::<Tcp, _, _>(strategy, service, limits);
        let handle = host.server.handle();
        let watch = Watch::start(handle.clone(), cap);
        let clients: Vec<_> = (0..60).map(|_| host.client()).collect();
        for client in &clients {
            client.send("hello\n");
            client.finish();
        }
        for client in &clients {
            assert_eq!(client.rest(), b"hello\n");
        }
        watch.end();
        assert!(concurrency.most() <= cap);
        host.stop();
    }
}

/// Serves one connection at a time, while other clients always wait. A server that polled for free capacity
/// would take far longer than this test allows.
fn freed_capacity_is_used_at_once<T: Connected + Stream, M: Strategy + Default>() {
    const PER_THREAD: usize = 100;
    let limits = |options: Options<_, _>| options.max_connections(1);
    let host = start::<T, _, _>(M::default(), LineEchoes, limits);
    let handle = host.server.handle();
    let watch = Watch::start(handle.clone(), 1);
    let started = Instant::now();
    thread::scope(|scope| {
        for n in 0..5 {
            let host = &host;
            scope.spawn(move || {
                for _ in 0..PER_THREAD {
                    let line = format!("{n}\n");
                    let client = host.client();
                    client.send(&line);
                    assert_eq!(client.rest(), line.as_bytes());
                }
            });
        }
    });
    let took = started.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    watch.end();
    eventually("all connections have ended", || {
        handle.stats().completed == 5 * PER_THREAD as u64
    });
    host.stop();
}

#[test]
fn full_strategies_reject_clients() {
    a_full_strategy_rejects_clients(Threading::new().max_threads(2));
    a_full_strategy_rejects_clients(ThreadPool::new(1).queue_size(1));
    a_full_strategy_rejects_clients(Coroutines::new().workers(1).max_coroutines(2));
    a_full_strategy_rejects_clients(Coroutines::new().workers(2).max_coroutines(2));
}

#[test]
fn waiting_loops_do_not_iterate() {
    a_waiting_loop_does_not_iterate::<Tcp, _>(Threading::new());
    a_waiting_loop_does_not_iterate::<Tcp, _>(ThreadPool::new(4));
}

over_streams_by_strategy!(
    the_cap_holds_and_all_are_served,
    freed_capacity_is_used_at_once,
);
