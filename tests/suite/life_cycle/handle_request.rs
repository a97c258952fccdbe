//! `handle_request`.

use super::*;

fn handle_request_accepts_one_request<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(echo_or_stop());
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
    let (server, _dir) = bound::<T, M, _>(echo_or_stop());
    let handle = server.handle();
    // The stop is requested before or after the call has begun.
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
    // The stop is used up: requests are served again.
    let client = T::connect(server.server_address());
    client.send("hello\n");
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(client.line(), "hello\n");
}

everywhere!(
    handle_request_accepts_one_request,
    handle_request_ends_by_a_stop,
);

/// Python: no limit if neither timeout is set, and the smaller if both are.
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
        let service = echo_or_stop::<T::Request>().on_timeout(move || timeouts.send(()).unwrap());
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

        // The timeout does not end the server, and a request in the backlog does not time out.
        let client = T::connect(server.server_address());
        client.send("hello\n");
        assert_eq!(server.handle_request().unwrap(), Handled::Request);
        assert_eq!(client.line(), "hello\n");
        assert_eq!(timed_out.try_iter().count(), 0);
    }
}

fn a_handle_request_timeout_of_zero_polls_once<T: Reachable>() {
    let (timeouts, timed_out) = mpsc::channel();
    let service = echo_or_stop::<T::Request>().on_timeout(move || timeouts.send(()).unwrap());
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
    a_handle_request_timeout_of_zero_polls_once,
);

#[test]
fn the_timeout_of_handle_request_does_not_end_serve_forever() {
    let (actions, acted) = mpsc::channel();
    let service = echo_or_stop::<TcpRequest>().on_actions(move || {
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
fn handle_request_counts_a_rejected_request_too() {
    let service = echo_or_stop::<TcpRequest>().on_verify(|_| false);
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let client = Tcp::connect(server.server_address());
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    client.expect_end();
}
