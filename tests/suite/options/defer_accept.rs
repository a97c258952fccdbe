//! `TCP_DEFER_ACCEPT`.

use super::*;

/// Returns the option of the socket, in seconds.
#[allow(unsafe_code, reason = "nothing safe reads this option")]
fn deferred(socket: impl AsFd) -> libc::c_int {
    let mut seconds = -1;
    let mut size = size_of_val(&seconds) as libc::socklen_t;
    // SAFETY: the kernel writes no more than `size` bytes to `seconds`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw mut seconds).cast(),
            &raw mut size,
        )
    };
    assert_eq!(result, 0);
    seconds
}

#[test]
fn accepting_is_deferred_as_asked_for() {
    let server = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
    assert_eq!(deferred(&server), 0);
    let seconds = Duration::from_secs;
    for (asked_for, set) in [
        (None, 0),
        (Some(Duration::ZERO), 0),
        (Some(Duration::from_millis(1)), 1),
        (Some(seconds(1)), 1),
        (Some(Duration::from_millis(1001)), 3),
        (Some(seconds(3)), 3),
        (Some(seconds(30)), 31),
    ] {
        let options = TcpServer::options().defer_accept(asked_for);
        let server = options.bind(LOOPBACK, || LineEcho).unwrap();
        assert_eq!(deferred(&server), set, "{asked_for:?}");

        let listener = TcpListener::bind(LOOPBACK).unwrap();
        let options = TcpServer::options().defer_accept(asked_for);
        let server = options.from_listener(listener, || LineEcho).unwrap();
        assert_eq!(deferred(&server), set, "{asked_for:?}");
    }
    // The kernel reduces the time to its maximum.
    let options = TcpServer::options().defer_accept(Duration::MAX);
    let server = options.bind(LOOPBACK, || LineEcho).unwrap();
    assert!(deferred(&server) >= 3600);
}

#[test]
fn a_listener_that_defers_keeps_deferring_by_default() {
    let options = TcpServer::options().defer_accept(Duration::from_secs(3));
    let deferring = options.bind(LOOPBACK, || LineEcho).unwrap();
    let listener = || TcpListener::from(deferring.as_fd().try_clone_to_owned().unwrap());
    let server = TcpServer::from_listener(listener(), || LineEcho).unwrap();
    assert_eq!(deferred(&server), 3);
    let not_deferring = TcpServer::options().defer_accept(Duration::ZERO);
    let server = not_deferring
        .from_listener(listener(), || LineEcho)
        .unwrap();
    assert_eq!(deferred(&server), 0);
}

/// The server is sequential, so a handler with a silent client would block the others.
#[test]
fn a_client_is_not_accepted_before_it_sends() {
    let options = TcpServer::options().defer_accept(Duration::from_secs(60));
    let server = options.bind(LOOPBACK, || LineEcho).unwrap();
    let server = server.spawn().unwrap();
    let connect = || Tcp::connect(server.server_address());
    let silent = connect();
    // The second client is accepted first.
    let active = connect();
    assert_eq!(active.ask("hello\n"), "hello\n");
    assert_eq!(server.stats().accepted, 1);
    assert_eq!(silent.ask("at last\n"), "at last\n");
    // The end of a client's data is reported like data.
    let ending = connect();
    ending.finish();
    ending.expect_end();
    assert_eq!(server.stats().accepted, 3);
}

#[test]
fn a_silent_client_is_accepted_when_the_time_expires() {
    let options = TcpServer::options().defer_accept(Duration::from_secs(1));
    let service = Hooks::new(|request: &mut TcpRequest| Ok(request.send_all("welcome\n")?));
    let server = options.bind(LOOPBACK, service).unwrap();
    let server = server.spawn().unwrap();
    let connecting = Instant::now();
    let silent = Tcp::connect(server.server_address());
    assert_eq!(silent.line(), "welcome\n");
    assert!(connecting.elapsed() >= Duration::from_millis(500));
}
