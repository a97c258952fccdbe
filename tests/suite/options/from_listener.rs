//! `from_listener`.

use super::*;

/// Serves on a socket that the caller has made, and checks that the server closes it.
fn serves_on<T: Reachable + FromListener<L>, L>(listener: L) {
    let server = Server::<T, _, Sequential>::from_listener(listener, || LineEcho).unwrap();
    let address = server.server_address().clone();
    assert_eq!(address, T::getsockname(server.as_fd()));
    let socket = SocketId::of(&server);
    let server = server.spawn().unwrap();
    for _ in 0..3 {
        assert_eq!(T::connect(&address).ask("hello\n"), "hello\n");
    }
    in_time(|| drop(server));
    assert!(!socket.is_open());
}

#[test]
fn a_socket_can_be_taken_over() {
    #[cfg(unix)]
    let dir = TempDir::new();
    serves_on::<Tcp, _>(TcpListener::bind(LOOPBACK).unwrap());
    serves_on::<Udp, _>(UdpSocket::bind(LOOPBACK).unwrap());
    #[cfg(unix)]
    serves_on::<UnixStream, _>(UnixListener::bind(dir.socket()).unwrap());
    #[cfg(unix)]
    serves_on::<UnixDatagram, _>(UnixDatagramSocket::bind(dir.socket()).unwrap());
}

/// Another program may pass a socket in nonblocking mode.
#[test]
fn a_socket_that_does_not_block_can_be_taken_over() {
    #[cfg(unix)]
    let dir = TempDir::new();
    macro_rules! nonblocking {
        ($socket:expr) => {{
            let socket = $socket.unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        }};
    }
    serves_on::<Tcp, _>(nonblocking!(TcpListener::bind(LOOPBACK)));
    serves_on::<Udp, _>(nonblocking!(UdpSocket::bind(LOOPBACK)));
    #[cfg(unix)]
    serves_on::<UnixStream, _>(nonblocking!(UnixListener::bind(dir.socket())));
    #[cfg(unix)]
    serves_on::<UnixDatagram, _>(nonblocking!(UnixDatagramSocket::bind(dir.socket())));
}

/// A client that connected before the server was made is served.
#[test]
fn clients_of_a_listener_that_is_taken_over_are_kept() {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let client = Tcp::connect(&listener.local_addr().unwrap());
    client.send("early\n");
    let server = TcpServer::from_listener(listener, || LineEcho).unwrap();
    server.handle_request().unwrap();
    assert_eq!(client.line(), "early\n");
}

/// The server calls `listen(2)` on a socket that is bound only.
#[test]
fn a_socket_that_is_only_bound_is_made_to_listen() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let address: SocketAddr = LOOPBACK.parse().unwrap();
    socket.bind(&address.into()).unwrap();
    serves_on::<Tcp, TcpListener>(socket.into());
}

#[test]
fn options_apply_to_a_listener_that_is_taken_over() {
    let (sender, nodelay) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        sender.send(request.socket().nodelay()?)?;
        Ok(request.send_all(b"hello\n")?)
    });
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let options = TcpServer::options().disable_nagle_algorithm(false);
    let server = options.from_listener(listener, service).unwrap();
    let server = server.spawn().unwrap();
    assert_eq!(Tcp::connect(server.server_address()).line(), "hello\n");
    assert!(!next(&nodelay));
}

/// An unbound socket has no address that clients could connect to.
#[test]
fn a_socket_that_is_not_bound_cannot_be_taken_over() {
    let unbound = |domain, kind| Socket::new(domain, kind, None).unwrap();
    let tcp: TcpListener = unbound(Domain::IPV4, Type::STREAM).into();
    let udp: UdpSocket = unbound(Domain::IPV4, Type::DGRAM).into();
    #[cfg(unix)]
    let stream: UnixListener = unbound(Domain::UNIX, Type::STREAM).into();
    #[cfg(unix)]
    let datagram: UnixDatagramSocket = unbound(Domain::UNIX, Type::DGRAM).into();
    let taken_over = [
        TcpServer::from_listener(tcp, || LineEcho).map(drop),
        UdpServer::from_listener(udp, || LineEcho).map(drop),
        #[cfg(unix)]
        UnixStreamServer::from_listener(stream, || LineEcho).map(drop),
        #[cfg(unix)]
        UnixDatagramServer::from_listener(datagram, || LineEcho).map(drop),
    ];
    let all_rejected = taken_over
        .iter()
        .all(|result| matches!(result, Err(Error::Bind { .. })));
    assert!(all_rejected, "{taken_over:?}");
}

/// Another program may pass a socket that is not a listener.
#[test]
fn a_socket_that_cannot_listen_is_an_error_of_activate() {
    let udp = UdpSocket::bind(LOOPBACK).unwrap();
    let listener = TcpListener::from(OwnedFd::from(udp));
    let error = error_of(TcpServer::from_listener(listener, || LineEcho));
    assert!(
        matches!(error, Error::Activate { .. } | Error::Bind { .. }),
        "{error:?}"
    );
    #[cfg(unix)]
    {
        let (stream, _peer) = UnixStreamSocket::pair().unwrap();
        let listener = UnixListener::from(OwnedFd::from(stream));
        error_of(UnixStreamServer::from_listener(listener, || LineEcho));
    }
}
