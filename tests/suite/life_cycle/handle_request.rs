//! Handle_request.

use super::*;

fn handle_request_takes_in_one_request<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(obedient());
    let clients = [(); 3].map(|()| {
        let client = T::connect(server.server_address());
        client.send("hello\n");
        client
    });
    for (accepted, client) in (1..).zip(&clients) {
        let handled = in_time({
            let server = Arc::clone(&server);
            move || server.handle_request()
        });
        assert_eq!(handled.unwrap(), Handled::Request);
        assert_eq!(client.line(), "hello\n");
        assert_eq!(server.stats().accepted, accepted);
    }
}

fn handle_request_ends_by_a_stop<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(obedient());
    let handle = server.handle();
    // One that is waiting, and, as the stop is asked for before it starts, one that is not yet.
    for _ in 0..5 {
        let waiting = thread::spawn({
            let server = Arc::clone(&server);
            move || server.handle_request()
        });
        handle.shutdown();
        let handled = in_time(|| waiting.join()).unwrap();
        assert_eq!(handled.unwrap(), Handled::Shutdown);
        assert!(!handle.is_shutting_down());
    }
    // That was that: requests are served again.
    let client = T::connect(server.server_address());
    client.send("hello\n");
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(client.line(), "hello\n");
}

everywhere!(
    handle_request_takes_in_one_request,
    handle_request_ends_by_a_stop,
);

/// Python: none set, no limit; one set, that one; both, the smaller.
fn handle_request_times_out_by_the_smaller_timeout<T: Reachable>() {
    const SOON: Duration = Duration::from_millis(40);
    for (own, of_socket) in [
        (Some(SOON), None),
        (None, Some(SOON)),
        (Some(SOON), Some(HOUR)),
        (Some(HOUR), Some(SOON)),
        (Some(SOON), Some(2 * SOON)),
    ] {
        let (timeouts, timed_out) = mpsc::channel();
        let service = obedient::<T::Request>().on_timeout(move || timeouts.send(()).unwrap());
        let dir = TempDir::new();
        let server = T::bind::<_, Sequential>(&dir, Server::options(), service).unwrap();
        SockRef::from(&server).set_read_timeout(of_socket).unwrap();
        let server = server.handle_request_timeout(own);
        let start = Instant::now();
        let (server, handled) = in_time(move || {
            let handled = server.handle_request();
            (server, handled)
        });
        assert_eq!(handled.unwrap(), Handled::Timeout, "{own:?} {of_socket:?}");
        assert!(start.elapsed() >= SOON, "{own:?} {of_socket:?}");
        assert_eq!(timed_out.try_iter().count(), 1, "{own:?} {of_socket:?}");

        // It is over, but the server is not; and a request that is there does not time out.
        let client = T::connect(server.server_address());
        client.send("hello\n");
        assert_eq!(server.handle_request().unwrap(), Handled::Request);
        assert_eq!(client.line(), "hello\n");
        assert_eq!(timed_out.try_iter().count(), 0);
    }
}

fn a_handle_request_timeout_of_zero_looks_once<T: Reachable>() {
    let (timeouts, timed_out) = mpsc::channel();
    let service = obedient::<T::Request>().on_timeout(move || timeouts.send(()).unwrap());
    let dir = TempDir::new();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), service).unwrap();
    let server = server.handle_request_timeout(Duration::ZERO);
    assert_eq!(server.handle_request().unwrap(), Handled::Timeout);
    assert_eq!(timed_out.try_iter().count(), 1);
    let client = T::connect(server.server_address());
    client.send("hello\n");
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(client.line(), "hello\n");
    assert_eq!(server.handle_request().unwrap(), Handled::Timeout);
    assert_eq!(timed_out.try_iter().count(), 1);
}

over!([Tcp, Udp, UnixStream, UnixDatagram]
    handle_request_times_out_by_the_smaller_timeout,
    a_handle_request_timeout_of_zero_looks_once,
);

/// Only `handle_request` looks at it.
#[test]
fn the_timeout_of_handle_request_does_not_end_serve_forever() {
    let (actions, acted) = mpsc::channel();
    let service = obedient::<TcpRequest>().on_actions(move || {
        let _ = actions.send(());
    });
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let server = server
        .handle_request_timeout(Duration::ZERO)
        .poll_interval(Duration::from_millis(5));
    let server = server.spawn().unwrap();
    for _ in 0..3 {
        next(&acted);
    }
    assert_eq!(
        Tcp::connect(server.server_address()).ask("hello\n"),
        "hello\n"
    );
}

#[test]
fn handle_request_counts_a_refused_request_too() {
    let service = obedient::<TcpRequest>().on_verify(|_| false);
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let client = Tcp::connect(server.server_address());
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    client.expect_end();
}
