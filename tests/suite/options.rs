//! The options of a server, as the sockets show them, and the errors of binding.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{
    UnixDatagram as UnixDatagramSocket, UnixListener, UnixStream as UnixStreamSocket,
};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::support::net::*;
use nix::libc;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use socketserver::transport::{Bind, FromListener, Inet, Tcp, Udp, UnixDatagram, UnixStream};
use socketserver::{
    Address, Error, Request, Sequential, Server, TcpRequest, TcpServer, Threading,
    ThreadingTcpServer, UdpRequest, UdpServer, UnixAddress, UnixDatagramServer, UnixStreamServer,
};

/// The error of what must not work.
#[track_caller]
fn error_of<V>(result: Result<V, Error>) -> Error {
    match result {
        Ok(_) => panic!("it worked"),
        Err(error) => error,
    }
}

#[track_caller]
fn works<V>(result: Result<V, Error>) {
    drop(result.unwrap());
}

#[track_caller]
fn kind_of(error: &Error) -> ErrorKind {
    error.io_error().unwrap().kind()
}

// ---- SO_REUSEADDR, SO_REUSEPORT ----

/// Different from Python, where it is off for both.
#[test]
fn addresses_are_reused_by_tcp_and_not_by_udp() {
    let tcp = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
    assert!(SockRef::from(&tcp).reuse_address().unwrap());
    let udp = UdpServer::bind(LOOPBACK, || LineEcho).unwrap();
    assert!(!SockRef::from(&udp).reuse_address().unwrap());
}

fn the_reuse_options_are_set_as_asked_for<T: Reachable + Inet>() {
    let dir = TempDir::new();
    for (address, port) in [(true, true), (true, false), (false, true), (false, false)] {
        let options = Server::<T, _, Sequential>::options()
            .allow_reuse_address(address)
            .allow_reuse_port(port);
        let server = T::bind(&dir, options, || LineEcho).unwrap();
        let socket = SockRef::from(&server);
        assert_eq!(socket.reuse_address().unwrap(), address);
        assert_eq!(socket.reuse_port().unwrap(), port);
    }
    let server = T::bind::<_, Sequential>(&dir, Server::options(), || LineEcho).unwrap();
    assert!(!SockRef::from(&server).reuse_port().unwrap());
}

over!([Tcp, Udp] the_reuse_options_are_set_as_asked_for);

#[test]
fn servers_share_a_port_if_all_of_them_allow_it() {
    macro_rules! share {
        ($server:ident) => {
            let shared = || $server::options().allow_reuse_port(true);
            let first = shared().bind(own_loopback(), LineEcho::default).unwrap();
            let address = *first.server_address();
            let second = shared().bind(address, LineEcho::default).unwrap();
            assert_eq!(*second.server_address(), address);
            let error = error_of($server::options().bind(address, LineEcho::default));
            assert_eq!(kind_of(&error), ErrorKind::AddrInUse);

            let alone = $server::bind(own_loopback(), LineEcho::default).unwrap();
            let error = error_of(shared().bind(*alone.server_address(), LineEcho::default));
            assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
        };
    }
    share!(TcpServer);
    share!(UdpServer);

    // Whoever of the two it is, somebody answers; also when only one is left.
    let options = || ThreadingTcpServer::options().allow_reuse_port(true);
    let first = options().bind(own_loopback(), LineEcho::default).unwrap();
    let address = *first.server_address();
    let second = options().bind(address, LineEcho::default).unwrap();
    let (first, second) = (first.spawn().unwrap(), second.spawn().unwrap());
    for _ in 0..20 {
        assert_eq!(Tcp::connect(&address).ask("hello\n"), "hello\n");
    }
    assert_eq!(first.stats().accepted + second.stats().accepted, 20);
    drop(second);
    assert_eq!(Tcp::connect(&address).ask("hello\n"), "hello\n");
}

/// What `SO_REUSEADDR` is for: the connections of the previous server linger.
#[test]
fn a_tcp_server_can_be_restarted_at_once() {
    let mut address = own_loopback();
    let mut lingering = Vec::new();
    for _ in 0..5 {
        let server = ThreadingTcpServer::bind(address, || LineEcho).unwrap();
        address = *server.server_address();
        let server = server.spawn().unwrap();
        let client = Tcp::connect(&address);
        client.send("hello\n");
        // It is the server that closes first.
        assert_eq!(client.rest(), b"hello\n");
        drop(server);
        lingering.push(client);
    }
    let strict = ThreadingTcpServer::options().allow_reuse_address(false);
    let error = error_of(strict.bind(address, || LineEcho));
    assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
    drop(lingering);
}

// ---- the backlog ----

/// The kernel lets one more in than the backlog says.
const PLACES: usize = 3 + 1;

#[test]
fn the_queue_of_a_unix_server_is_as_long_as_asked_for() {
    let dir = TempDir::new();
    let path = dir.socket();
    let options = UnixStreamServer::options().request_queue_size(3);
    let server = options.bind(&path, || LineEcho).unwrap();
    let connect = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(&path)?)?;
        Ok(socket)
    };
    let queued: Vec<_> = (0..PLACES).map(|_| connect().unwrap()).collect();
    let full = connect().unwrap_err();
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    drop(queued);
    drop(server);
}

#[test]
fn the_queue_of_a_tcp_server_is_as_long_as_asked_for() {
    let options = TcpServer::options().request_queue_size(3);
    let server = options.bind(LOOPBACK, || LineEcho).unwrap();
    let queued: Vec<_> = (0..PLACES)
        .map(|_| Tcp::connect(server.server_address()))
        .collect();
    // The kernel ignores the attempts of others, and they go on trying.
    let patience = Duration::from_millis(300);
    let full = TcpStream::connect_timeout(server.server_address(), patience).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::TimedOut);
    drop(queued);
}

#[test]
fn the_queue_is_long_unless_asked_for() {
    let server = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
    // More than the 128 of the standard library, and far more than Python's 5.
    let queued: Vec<_> = (0..200)
        .map(|_| Tcp::connect(server.server_address()))
        .collect();
    assert_eq!(queued.len(), 200);
}

// ---- TCP_DEFER_ACCEPT ----

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

// ---- addresses ----

fn has_ipv6() -> bool {
    let has = UdpSocket::bind("[::1]:0").is_ok();
    if !has {
        println!("not tested: this machine has no IPv6");
    }
    has
}

#[test]
fn the_family_is_that_of_the_address() {
    if !has_ipv6() {
        return;
    }
    let tcp = ThreadingTcpServer::bind("[::1]:0", || LineEcho).unwrap();
    assert!(tcp.server_address().is_ipv6());
    assert_ne!(tcp.server_address().port(), 0);
    let tcp = tcp.spawn().unwrap();
    assert_eq!(Tcp::connect(tcp.server_address()).ask("hello\n"), "hello\n");

    let service = Hooks::new(|request: &mut UdpRequest| {
        let client = request.client_address().to_string();
        Ok(request.send_all(client.as_bytes())?)
    });
    let udp = UdpServer::bind(("::1", 0), service).unwrap();
    let udp = udp.spawn().unwrap();
    let client = UdpSocket::bind("[::1]:0").unwrap();
    client.connect(udp.server_address()).unwrap();
    let own = client.local_addr().unwrap().to_string();
    let client = Client::new(client);
    client.send("?");
    assert_eq!(client.receive(), own.as_bytes());
}

/// Looked at before binding, because the kernel sets it for servers with one address only.
fn only_v6_is_set_as_asked_for<T: Reachable + Inet + Bind<&'static str>>() {
    if !has_ipv6() {
        return;
    }
    for only_v6 in [true, false] {
        let (told, option) = mpsc::channel();
        let options = Server::<T, _, Sequential>::options()
            .only_v6(only_v6)
            .before_bind(move |socket| {
                told.send(SockRef::from(&socket).only_v6()?).unwrap();
                Ok(())
            });
        works(options.bind("[::1]:0", || LineEcho));
        assert_eq!(option.iter().collect::<Vec<_>>(), [only_v6]);
        // No such thing there.
        let options = Server::<T, _, Sequential>::options().only_v6(only_v6);
        works(options.bind(LOOPBACK, || LineEcho));
    }
}

over!([Tcp, Udp] only_v6_is_set_as_asked_for);

/// A dual-stack server that, for the test, has the loopback address only.
#[test]
fn a_dual_stack_server_sees_ipv4_clients_as_mapped() {
    if !has_ipv6() {
        return;
    }
    let service = Hooks::new(|request: &mut TcpRequest| {
        let client = format!("{}\n", request.client_address().ip());
        Ok(request.send_all(client.as_bytes())?)
    });
    let options = ThreadingTcpServer::options().only_v6(false);
    let server = options.bind("[::ffff:127.0.0.1]:0", service).unwrap();
    let port = server.server_address().port();
    let server = server.spawn().unwrap();
    let client = Tcp::connect(&SocketAddr::from(([127, 0, 0, 1], port)));
    assert_eq!(client.line(), "::ffff:127.0.0.1\n");
    drop(server);

    let options = TcpServer::options().only_v6(true);
    let error = error_of(options.bind("[::ffff:127.0.0.1]:0", || LineEcho));
    assert!(matches!(error, Error::Bind { .. }), "{error:?}");
}

/// Where Python clients and servers look for it.
#[test]
fn localhost_is_ipv4() {
    for address in ["localhost:0", "127.0.0.1:0"] {
        let server = TcpServer::bind(address, || LineEcho).unwrap();
        assert_eq!(server.server_address().ip().to_string(), "127.0.0.1");
    }
    let server = UdpServer::bind(("localhost", 0), || LineEcho).unwrap();
    assert_eq!(server.server_address().ip().to_string(), "127.0.0.1");
}

#[test]
fn an_address_can_be_written_in_many_ways() {
    let socket_address: SocketAddr = LOOPBACK.parse().unwrap();
    let all = [
        TcpServer::bind(LOOPBACK, || LineEcho).map(drop),
        TcpServer::bind(LOOPBACK.to_owned(), || LineEcho).map(drop),
        TcpServer::bind(("127.0.0.1", 0), || LineEcho).map(drop),
        TcpServer::bind((Ipv4Addr::LOCALHOST, 0), || LineEcho).map(drop),
        TcpServer::bind(socket_address, || LineEcho).map(drop),
        TcpServer::bind(&[socket_address][..], || LineEcho).map(drop),
    ];
    assert!(all.iter().all(Result::is_ok), "{all:?}");

    let dir = TempDir::new();
    let text = |path: std::path::PathBuf| path.into_os_string().into_string().unwrap();
    works(UnixStreamServer::bind(dir.socket(), || LineEcho));
    works(UnixStreamServer::bind(dir.socket().as_path(), || LineEcho));
    works(UnixStreamServer::bind(text(dir.socket()), || LineEcho));
    works(UnixStreamServer::bind(text(dir.socket()).as_str(), || {
        LineEcho
    }));
    works(UnixStreamServer::bind(
        UnixAddress::Path(dir.socket()),
        || LineEcho,
    ));
    let name = unique_name().into_bytes();
    let server = UnixStreamServer::bind(UnixAddress::Abstract(name), || LineEcho).unwrap();
    let address = server.server_address().clone();
    let server = server.spawn().unwrap();
    assert_eq!(UnixStream::connect(&address).ask("hello\n"), "hello\n");
    drop(server);
}

/// The first address is in use, and the second is taken.
#[test]
fn all_addresses_of_a_name_are_tried() {
    let taken = TcpServer::bind(own_loopback(), || LineEcho).unwrap();
    let addresses = [*taken.server_address(), own_loopback()];
    let server = TcpServer::bind(&addresses[..], || LineEcho).unwrap();
    assert_eq!(server.server_address().ip(), addresses[1].ip());
    let error = error_of(TcpServer::bind(&addresses[..1], || LineEcho));
    assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
}

/// As in Python: who may connect is the umask's affair.
#[test]
fn the_mode_of_a_socket_file_follows_the_umask() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    let umask = u32::from_str_radix(umask.unwrap().trim(), 8).unwrap();
    let dir = TempDir::new();
    let path = dir.socket();
    let _server = UnixStreamServer::bind(&path, || LineEcho).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o777 & !umask);
}

/// As in Python: programs that the server starts have neither the port nor a client.
fn programs_do_not_inherit_sockets<T: Connected>() {
    let is_inherited = |socket: BorrowedFd<'_>| {
        let info = format!("/proc/self/fdinfo/{}", socket.as_raw_fd());
        let info = std::fs::read_to_string(info).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = u32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
        flags & nix::libc::O_CLOEXEC as u32 == 0
    };
    let (seen, inherited) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        let _ = seen.send(is_inherited(request.socket().as_fd()));
        Ok(())
    });
    let host = host::<T, Threading, _>(hooks);
    assert!(!is_inherited(host.server.as_fd()));
    host.client().expect_end();
    assert!(!next(&inherited));
}

/// Nor does a listener that was taken over, for whoever has a clone of it.
fn a_listening_socket_does_not_block<T: Connected>() {
    let dir = TempDir::new();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), || LineEcho).unwrap();
    assert!(SockRef::from(&server).nonblocking().unwrap());
}

over_streams!(
    programs_do_not_inherit_sockets,
    a_listening_socket_does_not_block,
);

/// The interface is a number at the end.
#[test]
fn a_link_local_address_is_shown_as_in_python() {
    let ip = "fe80::1".parse().unwrap();
    let address = SocketAddr::from(SocketAddrV6::new(ip, 9999, 0, 2));
    assert_eq!(address.to_python(), "('fe80::1', 9999, 0, 2)");
}

// ---- before_bind ----

fn a_socket_can_be_configured_before_it_is_bound<T: Reachable>() {
    const SIZE: usize = 60_000;
    let dir = TempDir::new();
    let (called, calls) = mpsc::channel();
    let options = Server::<T, _, Sequential>::options().before_bind(move |socket| {
        let socket = SockRef::from(&socket);
        let is_bound = socket
            .local_addr()?
            .as_socket()
            .is_some_and(|it| it.port() != 0);
        called.send(is_bound).unwrap();
        socket.set_recv_buffer_size(SIZE)
    });
    let server = T::bind(&dir, options, || LineEcho).unwrap();
    // The kernel doubles what it is told.
    assert!(SockRef::from(&server).recv_buffer_size().unwrap() >= SIZE);
    assert_eq!(calls.iter().collect::<Vec<_>>(), [false]);
}

fn a_configuration_that_fails_is_an_error_of_bind<T: Reachable>() {
    let dir = TempDir::new();
    let options = Server::<T, _, Sequential>::options().before_bind(|_| {
        Err(io::Error::new(
            ErrorKind::Unsupported,
            "not on this machine",
        ))
    });
    match error_of(T::bind(&dir, options, || LineEcho)) {
        Error::Bind { source, .. } => assert_eq!(source.to_string(), "not on this machine"),
        other => panic!("{other:?}"),
    }
}

over!([Tcp, Udp, UnixStream, UnixDatagram]
    a_socket_can_be_configured_before_it_is_bound,
    a_configuration_that_fails_is_an_error_of_bind,
);

// ---- from_listener ----

/// Serves on the socket as on one that the server made.
fn serves_on<T: Reachable + FromListener<L>, L>(listener: L) {
    let server = Server::<T, _, Sequential>::from_listener(listener, || LineEcho).unwrap();
    let address = server.server_address().clone();
    assert_eq!(address, T::getsockname(std::os::fd::AsFd::as_fd(&server)));
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
    let dir = TempDir::new();
    serves_on::<Tcp, _>(TcpListener::bind(LOOPBACK).unwrap());
    serves_on::<Udp, _>(UdpSocket::bind(LOOPBACK).unwrap());
    serves_on::<UnixStream, _>(UnixListener::bind(dir.socket()).unwrap());
    serves_on::<UnixDatagram, _>(UnixDatagramSocket::bind(dir.socket()).unwrap());
}

/// As another program may have left it.
#[test]
fn a_socket_that_does_not_block_can_be_taken_over() {
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
    serves_on::<UnixStream, _>(nonblocking!(UnixListener::bind(dir.socket())));
    serves_on::<UnixDatagram, _>(nonblocking!(UnixDatagramSocket::bind(dir.socket())));
}

/// The client that came before the server is served.
#[test]
fn clients_of_a_listener_that_is_taken_over_are_kept() {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let client = Tcp::connect(&listener.local_addr().unwrap());
    client.send("early\n");
    let server = TcpServer::from_listener(listener, || LineEcho).unwrap();
    server.handle_request().unwrap();
    assert_eq!(client.line(), "early\n");
}

/// Bound, but not listening: that is up to the server then.
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

/// Nobody would know where to find it.
#[test]
fn a_socket_that_is_not_bound_cannot_be_taken_over() {
    let unbound = |domain, kind| Socket::new(domain, kind, None).unwrap();
    let tcp: TcpListener = unbound(Domain::IPV4, Type::STREAM).into();
    let udp: UdpSocket = unbound(Domain::IPV4, Type::DGRAM).into();
    let stream: UnixListener = unbound(Domain::UNIX, Type::STREAM).into();
    let datagram: UnixDatagramSocket = unbound(Domain::UNIX, Type::DGRAM).into();
    let taken_over = [
        TcpServer::from_listener(tcp, || LineEcho).map(drop),
        UdpServer::from_listener(udp, || LineEcho).map(drop),
        UnixStreamServer::from_listener(stream, || LineEcho).map(drop),
        UnixDatagramServer::from_listener(datagram, || LineEcho).map(drop),
    ];
    let all_refused = taken_over
        .iter()
        .all(|result| matches!(result, Err(Error::Bind { .. })));
    assert!(all_refused, "{taken_over:?}");
}

/// A socket of another kind in the clothes of a listener, as it may come from outside.
#[test]
fn a_socket_that_cannot_listen_is_an_error_of_activate() {
    let udp = UdpSocket::bind(LOOPBACK).unwrap();
    let listener = TcpListener::from(std::os::fd::OwnedFd::from(udp));
    let error = error_of(TcpServer::from_listener(listener, || LineEcho));
    assert!(
        matches!(error, Error::Activate { .. } | Error::Bind { .. }),
        "{error:?}"
    );
    let (stream, _peer) = UnixStreamSocket::pair().unwrap();
    let listener = UnixListener::from(std::os::fd::OwnedFd::from(stream));
    error_of(UnixStreamServer::from_listener(listener, || LineEcho));
}

// ---- errors ----

/// What `main` prints when it returns the error, and what `{error}` prints.
#[track_caller]
fn says(error: &Error, parts: &[&str]) {
    let (debug, display) = (format!("{error:?}"), error.to_string());
    let cause = std::error::Error::source(error).map(ToString::to_string);
    assert_eq!(debug, format!("{display}: {}", cause.unwrap()));
    for part in parts {
        assert!(debug.contains(part), "no {part:?} in {debug:?}");
    }
}

#[test]
fn an_address_in_use_is_named_and_what_to_do_is_said() {
    let first = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
    let address = *first.server_address();
    let error = error_of(TcpServer::bind(address, || LineEcho));
    assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
    says(
        &error,
        &[
            "cannot bind to",
            &address.to_string(),
            "another server",
            "port 0",
        ],
    );
    let first = UdpServer::bind(LOOPBACK, || LineEcho).unwrap();
    let address = *first.server_address();
    let error = error_of(UdpServer::bind(address, || LineEcho));
    says(&error, &[&address.to_string(), "another server"]);
}

#[test]
fn a_socket_file_that_was_left_behind_is_named_and_what_to_do_is_said() {
    let dir = TempDir::new();
    let path = dir.socket();
    drop(UnixStreamServer::bind(&path, || LineEcho).unwrap());
    let error = error_of(UnixStreamServer::bind(&path, || LineEcho));
    assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
    says(&error, &[path.to_str().unwrap(), "remove the file"]);
    let error = error_of(UnixDatagramServer::bind(&path, || LineEcho));
    says(&error, &[path.to_str().unwrap(), "remove the file"]);
}

#[test]
fn an_address_of_another_machine_is_said_to_be_one() {
    // Reserved for documentation: nobody has it.
    let error = error_of(TcpServer::bind("192.0.2.1:0", || LineEcho));
    assert_eq!(kind_of(&error), ErrorKind::AddrNotAvailable);
    says(&error, &["192.0.2.1:0", "no interface"]);
}

#[test]
fn what_cannot_be_resolved_is_said_and_how_to_write_it() {
    for address in ["localhost", "127.0.0.1", "127.0.0.1:99999", "", ":"] {
        let error = error_of(TcpServer::bind(address, || LineEcho));
        assert!(
            matches!(error, Error::Resolve { .. }),
            "{address:?}: {error:?}"
        );
        says(&error, &["HOST:PORT"]);
    }
    let nothing: &[SocketAddr] = &[];
    let error = error_of(UdpServer::bind(nothing, || LineEcho));
    assert!(matches!(error, Error::Resolve { .. }), "{error:?}");
}

#[test]
fn a_path_that_cannot_be_is_an_error_of_bind() {
    let dir = TempDir::new();
    let missing = dir.socket().join("of-a-directory-that-is-none");
    let error = error_of(UnixStreamServer::bind(&missing, || LineEcho));
    says(&error, &[missing.to_str().unwrap()]);
    let long = format!("/{}", "long/".repeat(100));
    let error = error_of(UnixDatagramServer::bind(&long, || LineEcho));
    says(&error, &[&long]);
    let error = error_of(UnixStreamServer::bind(UnixAddress::Unnamed, || LineEcho));
    says(&error, &["unnamed"]);
}

/// In Python, `""` is a name that the system makes up, and `"\0name"` one without a file.
#[test]
fn a_path_that_is_none_is_not_taken_for_a_name() {
    let error = error_of(UnixStreamServer::bind("", || LineEcho));
    says(&error, &["empty"]);
    let error = error_of(UnixDatagramServer::bind("\0name", || LineEcho));
    says(&error, &["UnixAddress::Abstract"]);
}

#[test]
fn errors_without_a_cause_explain_themselves() {
    let server = TcpServer::options().activate(false);
    let server = server.bind(LOOPBACK, || LineEcho).unwrap();
    let error = error_of(server.serve_forever());
    assert!(error.io_error().is_none());
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(error.to_string().contains("server_activate"), "{error}");
}

#[test]
fn options_and_servers_can_be_printed() {
    let options = UdpServer::<fn() -> LineEcho>::options().max_packet_size(1234);
    assert!(format!("{options:?}").contains("1234"));
    let server = UdpServer::bind(LOOPBACK, || LineEcho).unwrap();
    let address = server.server_address().to_string();
    assert!(format!("{server:?}").contains(&address));
    assert!(format!("{:?}", server.handle()).contains(&address));
}
