//! Addresses of Unix stream clients.

use super::*;

/// Python: the address of an unbound client is an empty string.
#[test]
fn a_unix_stream_client_has_a_name_if_it_is_bound() {
    let (seen, addresses) = mpsc::channel();
    let service = Hooks::new(move |request: &mut UnixStreamRequest| {
        let _ = seen.send(request.client_address().clone());
        echo_lines(request)
    });
    let dir = TempDir::new();
    let server = UnixStreamServer::bind(dir.socket(), service).unwrap();
    let address = SockAddr::unix(server.server_address().as_path().unwrap()).unwrap();
    let server = server.spawn().unwrap();
    let path = dir.socket();
    #[cfg(target_os = "linux")]
    let name = unique_name();
    let bound_to = |address: &SockAddr| {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(address).unwrap();
        socket
    };
    #[cfg(target_os = "linux")]
    let by_name = bound_to(&SockAddr::unix(format!("\0{name}")).unwrap());
    let by_path = bound_to(&SockAddr::unix(&path).unwrap());
    let unbound = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    for (socket, expected) in [
        (unbound, UnixAddress::Unnamed),
        (by_path, UnixAddress::Path(path)),
        #[cfg(target_os = "linux")]
        (by_name, UnixAddress::Abstract(name.into_bytes())),
    ] {
        socket.connect(&address).unwrap();
        assert_eq!(Client::new(socket).ask("hello\n"), "hello\n");
        assert_eq!(next(&addresses), expected);
    }
    in_time(|| server.stop()).unwrap();
}
