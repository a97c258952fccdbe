//! `activate(false)`.

use super::*;

/// Datagram sockets do not listen: clients can send datagrams, but the server does not serve them.
fn a_server_that_is_not_activated_does_not_serve<T: Reachable>() {
    let dir = TempDir::new();
    let bind = || T::bind::<_, Threading>(&dir, Server::options().activate(false), echo_or_stop());
    assert!(matches!(bind().unwrap().spawn(), Err(Error::NotActivated)));

    let server = bind().unwrap();
    assert!(matches!(server.serve_forever(), Err(Error::NotActivated)));
    assert!(matches!(server.handle_request(), Err(Error::NotActivated)));
    let address = server.server_address().clone();
    if T::KIND == RequestKind::Connection {
        let refused = T::try_connect(&address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    server.server_activate().unwrap();
    server.server_activate().unwrap();
    let client = T::connect(&address);
    client.send("hello\n");
    let server = server.spawn().unwrap();
    assert_eq!(client.line(), "hello\n");
    assert_eq!(*server.server_address(), address);
}

over!([Tcp, Udp, UnixStream, UnixDatagram]
    a_server_that_is_not_activated_does_not_serve,
);
