//! `before_bind`.

use super::*;

fn a_socket_can_be_configured_before_it_is_bound<T: Reachable>() {
    const SIZE: usize = 60_000;
    let dir = TempDir::new();
    let (called, calls) = mpsc::channel();
    let options = Server::<T, _, Sequential>::options().before_bind(move |socket| {
        let socket = SockRef::from(&socket);
        // On Windows, a socket that is not bound has no address.
        let address = socket.local_addr().ok().and_then(|it| it.as_socket());
        let is_bound = address.is_some_and(|address| address.port() != 0);
        called.send(is_bound).unwrap();
        socket.set_recv_buffer_size(SIZE)
    });
    let server = T::bind(&dir, options, || LineEcho).unwrap();
    // The kernel doubles the size.
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
