//! Addresses.

use super::*;

pub(super) fn has_ipv6() -> bool {
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

/// Reads the option before the bind, because the kernel sets it on a socket that is bound to one address.
fn only_v6_is_set_as_asked_for<T: Reachable + Inet + Bind<&'static str>>() {
    if !has_ipv6() {
        return;
    }
    for only_v6 in [true, false] {
        let (values, value) = mpsc::channel();
        let options = Server::<T, _, Sequential>::options()
            .only_v6(only_v6)
            .before_bind(move |socket| {
                values.send(SockRef::from(&socket).only_v6()?).unwrap();
                Ok(())
            });
        expect_ok(options.bind("[::1]:0", || LineEcho));
        assert_eq!(value.iter().collect::<Vec<_>>(), [only_v6]);
        // The option has no effect on IPv4.
        let options = Server::<T, _, Sequential>::options().only_v6(only_v6);
        expect_ok(options.bind(LOOPBACK, || LineEcho));
    }
}

over!([Tcp, Udp]
    only_v6_is_set_as_asked_for,
);

/// The server has only the IPv4 loopback address, in its IPv6-mapped form.
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

/// Python clients and servers use IPv4 for `localhost`.
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

    #[cfg(unix)]
    unix_addresses();
}

#[cfg(unix)]
fn unix_addresses() {
    let dir = TempDir::new();
    let text = |path: std::path::PathBuf| path.into_os_string().into_string().unwrap();
    expect_ok(UnixStreamServer::bind(dir.socket(), || LineEcho));
    expect_ok(UnixStreamServer::bind(dir.socket().as_path(), || LineEcho));
    expect_ok(UnixStreamServer::bind(text(dir.socket()), || LineEcho));
    expect_ok(UnixStreamServer::bind(text(dir.socket()).as_str(), || {
        LineEcho
    }));
    expect_ok(UnixStreamServer::bind(
        UnixAddress::Path(dir.socket()),
        || LineEcho,
    ));
    let server = UnixStreamServer::bind(name_or_path(&dir), || LineEcho).unwrap();
    let address = server.server_address().clone();
    let server = server.spawn().unwrap();
    assert_eq!(UnixStream::connect(&address).ask("hello\n"), "hello\n");
    drop(server);
}

/// The first address is in use, so the server binds to the second.
#[test]
fn all_addresses_of_a_name_are_tried() {
    let first = TcpServer::bind(own_loopback(), || LineEcho).unwrap();
    let addresses = [*first.server_address(), own_loopback()];
    let server = TcpServer::bind(FirstOf::new(&addresses[..]), || LineEcho).unwrap();
    assert_eq!(server.server_address().ip(), addresses[1].ip());
    let error = error_of(TcpServer::bind(FirstOf::new(&addresses[..1]), || LineEcho));
    assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
}

/// As in Python. The umask determines which users may connect.
#[cfg(unix)]
#[test]
fn the_mode_of_a_socket_file_follows_the_umask() {
    let dir = TempDir::new();
    let (path, directory) = (dir.socket(), dir.socket());
    let _server = UnixStreamServer::bind(&path, || LineEcho).unwrap();
    std::fs::create_dir(&directory).unwrap();
    let mode_of = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode_of(&path), mode_of(&directory));
}

/// As in Python. Programs that the server starts have no descriptor of the listener or of a connection.
#[cfg(unix)]
fn programs_do_not_inherit_sockets<T: Connected>() {
    let is_inherited = |socket: BorrowedFd<'_>| {
        let flags = rustix::io::fcntl_getfd(socket).unwrap();
        !flags.contains(rustix::io::FdFlags::CLOEXEC)
    };
    let (results, inherited) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        let _ = results.send(is_inherited(request.socket().as_fd()));
        Ok(())
    });
    let host = host::<T, Threading, _>(hooks);
    assert!(!is_inherited(host.server.as_fd()));
    host.client().expect_end();
    assert!(!next(&inherited));
}

/// A listener passed to `from_listener` is made nonblocking too, also for duplicates of its descriptor.
#[cfg(unix)]
fn a_listening_socket_does_not_block<T: Connected>() {
    let dir = TempDir::new();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), || LineEcho).unwrap();
    assert!(SockRef::from(&server).nonblocking().unwrap());
}

#[cfg(unix)]
over_streams!(
    programs_do_not_inherit_sockets,
    a_listening_socket_does_not_block,
);

/// The scope id, which names the interface, is the last number.
#[test]
fn a_link_local_address_is_shown_as_in_python() {
    let ip = "fe80::1".parse().unwrap();
    let address = SocketAddr::from(SocketAddrV6::new(ip, 9999, 0, 2));
    assert_eq!(address.to_python(), "('fe80::1', 9999, 0, 2)");
}

/// Python's `("", port)`.
fn an_empty_host_means_all_interfaces<T>()
where
    T: Reachable<Address = SocketAddr> + Bind<(&'static str, u16)> + Bind<(String, u16)>,
{
    let server = Server::<T, _, Sequential>::bind(("", 0), || LineEcho).unwrap();
    let SocketAddr::V4(address) = *server.server_address() else {
        panic!("{}", server.server_address());
    };
    assert!(address.ip().is_unspecified());
    let server = server.spawn().unwrap();
    let reachable = SocketAddr::from(([127, 0, 0, 1], address.port()));
    assert_eq!(T::connect(&reachable).ask("hello\n"), "hello\n");
    drop(server);
    let host = String::new();
    let server = Server::<T, _, Sequential>::bind((host, 0), || LineEcho).unwrap();
    assert!(server.server_address().ip().is_unspecified());
}

over!([Tcp, Udp]
    an_empty_host_means_all_interfaces,
);
