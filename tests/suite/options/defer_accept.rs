//! TCP_DEFER_ACCEPT.

use super::*;

/// What the socket says, in seconds.
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
    // As long as the kernel can.
    let options = TcpServer::options().defer_accept(Duration::MAX);
    let server = options.bind(LOOPBACK, || LineEcho).unwrap();
    assert!(deferred(&server) >= 3600);
}

#[test]
fn a_listener_that_defers_goes_on_with_it_unless_told_otherwise() {
    let defers = TcpServer::options().defer_accept(Duration::from_secs(3));
    let defers = defers.bind(LOOPBACK, || LineEcho).unwrap();
    let listener = || TcpListener::from(defers.as_fd().try_clone_to_owned().unwrap());
    let server = TcpServer::from_listener(listener(), || LineEcho).unwrap();
    assert_eq!(deferred(&server), 3);
    let told = TcpServer::options().defer_accept(Duration::ZERO);
    let server = told.from_listener(listener(), || LineEcho).unwrap();
    assert_eq!(deferred(&server), 0);
}

/// One at a time, so that a handler with a silent client would keep the others waiting.
#[test]
fn a_client_is_not_accepted_before_it_speaks() {
    let options = TcpServer::options().defer_accept(Duration::from_secs(60));
    let server = options.bind(LOOPBACK, || LineEcho).unwrap();
    let server = server.spawn().unwrap();
    let connect = || Tcp::connect(server.server_address());
    let silent = connect();
    // It comes later, and is the first.
    let talks = connect();
    assert_eq!(talks.ask("hello\n"), "hello\n");
    assert_eq!(server.stats().accepted, 1);
    assert_eq!(silent.ask("at last\n"), "at last\n");
    // Its end is a word, too.
    let leaves = connect();
    leaves.finish();
    leaves.expect_end();
    assert_eq!(server.stats().accepted, 3);
}

#[test]
fn a_client_that_never_speaks_is_accepted_when_the_time_is_over() {
    let options = TcpServer::options().defer_accept(Duration::from_secs(1));
    let greets = Hooks::new(|request: &mut TcpRequest| Ok(request.send_all("welcome\n")?));
    let server = options.bind(LOOPBACK, greets).unwrap();
    let server = server.spawn().unwrap();
    let connecting = Instant::now();
    let silent = Tcp::connect(server.server_address());
    assert_eq!(silent.line(), "welcome\n");
    assert!(connecting.elapsed() >= Duration::from_millis(500));
}
