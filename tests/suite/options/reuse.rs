//! `SO_REUSEADDR` and `SO_REUSEPORT`.

use super::*;

use crate::support::alone::{apart, test_name};

/// In Python, the option is off for both.
#[test]
fn addresses_are_reused_by_tcp_and_not_by_udp() {
    let tcp = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
    // On Windows, the option would let another program take the port.
    assert_eq!(SockRef::from(&tcp).reuse_address().unwrap(), cfg!(unix));
    let udp = UdpServer::bind(LOOPBACK, || LineEcho).unwrap();
    assert!(!SockRef::from(&udp).reuse_address().unwrap());
}

#[cfg(unix)]
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

#[cfg(unix)]
over!([Tcp, Udp]
    the_reuse_options_are_set_as_asked_for,
);

#[cfg(unix)]
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

    // Every client is served by one of the two servers, also when only one is left.
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

/// Connections of the previous server are in TIME_WAIT, so the bind needs `SO_REUSEADDR`.
#[test]
fn a_tcp_server_can_be_restarted_at_once() {
    // A process that another test starts holds the socket until its exec.
    apart(test_name!("a_tcp_server_can_be_restarted_at_once"), || {
        let mut address = own_loopback();
        let mut lingering = Vec::new();
        for _ in 0..5 {
            let server = ThreadingTcpServer::bind(address, || LineEcho).unwrap();
            address = *server.server_address();
            let server = server.spawn().unwrap();
            let client = Tcp::connect(&address);
            client.send("hello\n");
            // The server closes first, so its side of the connection lingers.
            assert_eq!(client.rest(), b"hello\n");
            drop(server);
            lingering.push(client);
        }
        // Windows has no such restriction.
        #[cfg(unix)]
        {
            let strict = ThreadingTcpServer::options().allow_reuse_address(false);
            let error = error_of(strict.bind(address, || LineEcho));
            assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
            assert!(error.to_string().contains("closed connections"), "{error}");
        }
        drop(lingering);
    });
}

/// On Windows, `SO_REUSEADDR` would let a second socket take the port.
#[test]
fn reused_addresses_belong_to_one_server() {
    macro_rules! taken {
        ($server:ident) => {
            let reused = || $server::options().allow_reuse_address(true);
            let first = reused().bind(LOOPBACK, LineEcho::default).unwrap();
            let error = error_of(reused().bind(*first.server_address(), LineEcho::default));
            assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
        };
    }
    taken!(TcpServer);
    // On Unix, UDP sockets with this option share the port.
    #[cfg(windows)]
    taken!(UdpServer);
}
