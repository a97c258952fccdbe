//! `spawn`.

use super::*;

use crate::support::alone::{apart, test_name};

/// The end of the block drops the server, like the end of Python's `with`.
#[test]
fn dropping_a_running_server_frees_its_port() {
    // A process that another test starts holds the socket until its exec.
    apart(
        test_name!("dropping_a_running_server_frees_its_port"),
        || {
            let address = own_loopback();
            let server = ThreadingTcpServer::bind(address, || LineEcho).unwrap();
            let address = *server.server_address();
            for _ in 0..5 {
                let server = ThreadingTcpServer::bind(address, || LineEcho);
                assert!(matches!(server, Err(Error::Bind { .. })));
            }
            drop(server);
            for _ in 0..5 {
                let server = ThreadingTcpServer::bind(address, || LineEcho).unwrap();
                let server = server.spawn().unwrap();
                assert_eq!(Tcp::connect(&address).ask("hello\n"), "hello\n");
                in_time(|| drop(server));
                let refused = Tcp::try_connect(&address).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            }

            let address = own_loopback();
            let server = UdpServer::bind(address, || LineEcho).unwrap();
            let address = *server.server_address();
            let server = server.spawn().unwrap();
            in_time(|| drop(server));
            drop(UdpServer::bind(address, || LineEcho).unwrap());
        },
    );
}

/// As in Python.
#[cfg(unix)]
#[test]
fn the_file_of_a_unix_server_stays() {
    let dir = TempDir::new();
    let path = dir.socket();
    let server = UnixStreamServer::bind(&path, || LineEcho).unwrap();
    let address = server.server_address().clone();
    drop(server.spawn().unwrap());
    let refused = UnixStream::try_connect(&address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(UnixStreamServer::bind(&path, || LineEcho).is_err());
    std::fs::remove_file(&path).unwrap();
    drop(UnixStreamServer::bind(&path, || LineEcho).unwrap());
}

#[test]
fn a_running_server_is_a_server() {
    let server = ThreadingTcpServer::bind(LOOPBACK, echo_or_stop()).unwrap();
    let address = *server.server_address();
    let server = server.spawn().unwrap();
    assert_eq!(*server.server_address(), address);
    assert!(matches!(server.serve_forever(), Err(Error::AlreadyServing)));
    assert!(format!("{server:?}").contains(&address.to_string()));
    assert!(!server.handle().is_shutting_down());
    assert_eq!(Tcp::connect(&address).ask("stop\n"), "stop\n");
    // After the loop has left, `stop` still closes the server.
    assert!(server.handle().wait(PATIENCE));
    in_time(|| server.stop()).unwrap();
}

fn a_spawned_server_can_be_stopped_before_it_began<T: Reachable, M: Strategy + Default>() {
    for _ in 0..20 {
        let (server, _dir) = bound::<T, M, _>(echo_or_stop());
        let server = Arc::into_inner(server).unwrap();
        let handle = server.handle();
        handle.shutdown();
        let server = server.spawn().unwrap();
        assert!(handle.wait(PATIENCE));
        in_time(|| server.stop()).unwrap();
        host::<T, M, _>(echo_or_stop()).stop();
    }
}

everywhere!(a_spawned_server_can_be_stopped_before_it_began,);
