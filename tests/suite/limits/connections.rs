//! How many.

use super::*;

fn the_cap_holds_and_all_are_served<T: Connected + Stream, M: Strategy + Default>() {
    const CAP: usize = 3;
    let inside = Inside::default();
    let service = Hooks::new({
        let inside = inside.clone();
        move |request: &mut T::Request| {
            let here = inside.enter();
            let line = request.readline(100)?;
            assert!(request.server().stats().active <= CAP as u64);
            here.leave();
            Ok(request.send_all(&line)?)
        }
    });
    let host = start::<T, _, _>(M::default(), service, |server| server.max_connections(CAP));
    let handle = host.server.handle();
    let watch = Watch::over(handle.clone(), CAP);
    let clients: Vec<_> = (0..5 * CAP).map(|_| host.client()).collect();
    let expected = at_once::<M>(CAP);
    eventually("it is full", || handle.stats().active == expected as u64);
    eventually("all are inside", || inside.most() == expected);
    for (n, client) in clients.iter().enumerate() {
        client.send(format!("{n}\n"));
    }
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(client.rest(), format!("{n}\n").as_bytes());
    }
    eventually("all are gone", || handle.stats().active == 0);
    watch.end();
    assert_eq!(inside.most(), expected);
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.rejected), (5 * CAP as u64, 0));
    adds_up(&handle);
    host.stop();
}

#[test]
fn several_loops_share_one_cap() {
    for (workers, cap) in [(2, 1), (4, 2), (4, 5), (12, 3)] {
        let inside = Inside::default();
        let service = Hooks::new({
            let inside = inside.clone();
            move |request: &mut socketserver::TcpRequest| {
                let here = inside.enter();
                sleep(Duration::from_millis(1));
                here.leave();
                echo_lines(request)
            }
        });
        let strategy = Coroutines::new().workers(workers);
        let host = start::<Tcp, _, _>(strategy, service, |server| server.max_connections(cap));
        let handle = host.server.handle();
        let watch = Watch::over(handle.clone(), cap);
        let clients: Vec<_> = (0..60).map(|_| host.client()).collect();
        for client in &clients {
            client.send("hello\n");
            client.finish();
        }
        for client in &clients {
            assert_eq!(client.rest(), b"hello\n");
        }
        watch.end();
        assert!(inside.most() <= cap);
        host.stop();
    }
}

/// With one place, for which somebody always waits. Were it found free by looking from time to time only,
/// this would take longer than is allowed, by far.
fn a_place_that_comes_free_is_taken_at_once<T: Connected + Stream, M: Strategy + Default>() {
    const EACH: usize = 100;
    let host = start::<T, _, _>(M::default(), LineEchoes, |server| server.max_connections(1));
    let handle = host.server.handle();
    let watch = Watch::over(handle.clone(), 1);
    let started = Instant::now();
    thread::scope(|scope| {
        for n in 0..5 {
            let host = &host;
            scope.spawn(move || {
                for _ in 0..EACH {
                    let line = format!("{n}\n");
                    let client = host.client();
                    client.send(&line);
                    assert_eq!(client.rest(), line.as_bytes());
                }
            });
        }
    });
    let took = started.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    watch.end();
    eventually("all are gone", || {
        handle.stats().completed == 5 * EACH as u64
    });
    host.stop();
}

#[test]
fn full_strategies_turn_clients_away() {
    a_full_strategy_turns_clients_away(Threading::new().max_threads(2));
    a_full_strategy_turns_clients_away(ThreadPool::new(1).queue_size(1));
    a_full_strategy_turns_clients_away(Coroutines::new().workers(1).max_coroutines(2));
    a_full_strategy_turns_clients_away(Coroutines::new().workers(2).max_coroutines(2));
}

#[test]
fn loops_that_wait_take_no_turns() {
    a_loop_that_waits_takes_no_turns::<Tcp, _>(Threading::new());
    a_loop_that_waits_takes_no_turns::<Tcp, _>(ThreadPool::new(4));
}

over_streams_by_strategy!(
    the_cap_holds_and_all_are_served,
    a_place_that_comes_free_is_taken_at_once,
);
