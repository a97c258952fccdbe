//! `shutdown`.

use super::*;

fn another_thread_stops_an_idle_server<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(echo_or_stop());
    let run = Run::of(&server);
    assert_eq!(
        T::connect(server.server_address()).ask("hello\n"),
        "hello\n"
    );
    server.handle().shutdown();
    run.end();
}

fn a_handler_stops_its_server<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(echo_or_stop());
    let run = Run::of(&server);
    assert_eq!(T::connect(server.server_address()).ask("stop\n"), "stop\n");
    run.end();
}

/// `poll_interval` is only for `service_actions`.
fn a_stop_does_not_wait_for_the_poll_interval<T: Reachable, M: Strategy + Default>() {
    for interval in [Some(HOUR), None] {
        let host = host_with::<T, M, _, _>(
            echo_or_stop(),
            |options| options,
            |server| server.poll_interval(interval),
        );
        assert_eq!(host.client().ask("hello\n"), "hello\n");
        host.stop();
    }
}

fn a_stop_before_the_start_is_remembered<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(echo_or_stop());
    let handle = server.handle();
    assert!(!handle.is_shutting_down());
    handle.shutdown();
    handle.shutdown();
    assert!(handle.is_shutting_down());
    Run::of(&server).end();
    // The stop is used up.
    assert_eq!(handle.phase(), Phase::Bound);
    let run = Run::of(&server);
    assert_eq!(T::connect(server.server_address()).ask("stop\n"), "stop\n");
    run.end();
}

/// A late or a second stop is for the run that has ended.
fn a_stop_after_the_end_does_not_end_the_next_run<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(echo_or_stop());
    let handle = server.handle();
    let run = Run::of(&server);
    assert_eq!(T::connect(server.server_address()).ask("stop\n"), "stop\n");
    run.end();
    for _ in 0..3 {
        handle.shutdown();
    }
    assert_eq!(handle.phase(), Phase::Bound);
    let run = Run::of(&server);
    for _ in 0..2 {
        assert_eq!(
            T::connect(server.server_address()).ask("hello\n"),
            "hello\n"
        );
    }
    handle.shutdown();
    run.end();
}

fn clients_that_come_between_two_runs_are_served_by_the_next<T, M>()
where
    T: Reachable,
    M: Strategy + Default,
{
    let (server, _dir) = bound::<T, M, _>(echo_or_stop());
    for _ in 0..3 {
        let client = T::connect(server.server_address());
        client.send("hello\n");
        let run = Run::of(&server);
        assert_eq!(client.line(), "hello\n");
        server.handle().shutdown();
        run.end();
    }
    assert_eq!(server.stats().accepted, 3);
}

fn many_threads_can_stop_a_server_at_once<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(echo_or_stop());
    for _ in 0..3 {
        let run = Run::of(&server);
        assert_eq!(
            T::connect(server.server_address()).ask("hello\n"),
            "hello\n"
        );
        let together = Rendezvous::new(16);
        let threads = [(); 16].map(|()| {
            let (handle, together) = (server.handle(), together.clone());
            thread::spawn(move || {
                assert!(together.wait());
                handle.shutdown();
                handle.wait(PATIENCE)
            })
        });
        for thread in threads {
            assert!(thread.join().unwrap(), "the loop has not left");
        }
        run.end();
    }
}

/// CPython's `test_shutdown`: the stop may come before the loop has begun.
fn twenty_servers_stop_right_after_their_start<T: Reachable, M: Strategy + Default>() {
    let servers: Vec<_> = (0..20)
        .map(|_| {
            let (server, dir) = bound::<T, M, _>(echo_or_stop());
            let run = Run::of(&server);
            let stop = thread::spawn({
                let handle = server.handle();
                move || handle.shutdown()
            });
            (run, stop, server, dir)
        })
        .collect();
    for (run, stop, ..) in servers {
        stop.join().unwrap();
        run.end();
    }
}

fn a_stop_works_under_load<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(echo_or_stop());
    let enough = Arc::new(AtomicBool::new(false));
    let clients = [(); 4].map(|()| {
        let address = server.server_address().clone();
        let enough = Arc::clone(&enough);
        thread::spawn(move || {
            while !enough.load(Ordering::SeqCst) {
                let Ok(client) = T::try_connect(&address) else {
                    return;
                };
                // A connection that is not served gets an error when the server is closed. A datagram
                // that is not served gets no answer and no error, so this does not wait for one.
                if client.try_send("hello\n").is_ok() && T::KIND == RequestKind::Connection {
                    let _ = client.try_receive();
                }
            }
        })
    });
    let handle = server.handle();
    for _ in 0..3 {
        let before = handle.stats().accepted;
        let run = Run::of(&server);
        eventually("clients are served", || {
            handle.stats().accepted >= before + 100
        });
        handle.shutdown();
        run.end();
    }
    enough.store(true, Ordering::SeqCst);
    in_time(move || drop(server));
    for client in clients {
        in_time(|| client.join()).unwrap();
    }
}

everywhere!(
    another_thread_stops_an_idle_server,
    a_handler_stops_its_server,
    a_stop_does_not_wait_for_the_poll_interval,
    a_stop_before_the_start_is_remembered,
    a_stop_after_the_end_does_not_end_the_next_run,
    clients_that_come_between_two_runs_are_served_by_the_next,
    many_threads_can_stop_a_server_at_once,
    twenty_servers_stop_right_after_their_start,
    a_stop_works_under_load,
);

/// As in Python, the loop checks the flag between the poll and the accept: it serves no last request.
fn a_stop_goes_before_the_next_request<T: Reachable>() {
    let (server, _dir) = bound::<T, Sequential, _>(echo_or_stop());
    let clients = [(); 3].map(|()| {
        let client = T::connect(server.server_address());
        client.send("stop\n");
        client
    });
    for (served, client) in (1..).zip(&clients) {
        Run::of(&server).end();
        assert_eq!(client.line(), "stop\n");
        assert_eq!(server.stats().accepted, served);
    }
}

over!([Tcp, Udp, UnixStream, UnixDatagram]
    a_stop_goes_before_the_next_request,
);

/// The watcher thread of one run's grace period must not force-close requests of the next run.
#[test]
fn the_end_of_one_run_force_closes_nothing_in_the_next() {
    const GRACE: Duration = Duration::from_millis(20);
    const RUNS: usize = 20;
    let server = TcpServer::bind(LOOPBACK, echo_or_stop())
        .unwrap()
        .grace_period(GRACE);
    let server = Arc::new(server);
    let serving = thread::spawn({
        let server = Arc::clone(&server);
        move || (0..RUNS).try_for_each(|_| server.serve_forever())
    });
    // Connected before the previous run ends, so that its handler runs right from the start.
    let mut client = Tcp::connect(server.server_address());
    for _ in 1..RUNS {
        let next = Tcp::connect(server.server_address());
        assert_eq!(client.ask("stop\n"), "stop\n");
        thread::sleep(4 * GRACE);
        client = next;
    }
    assert_eq!(client.ask("stop\n"), "stop\n");
    in_time(|| serving.join()).unwrap().unwrap();
}
