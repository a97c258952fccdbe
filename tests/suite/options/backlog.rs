//! The backlog.

use super::*;

/// The kernel queues one connection more than the backlog says.
const CAPACITY: usize = 3 + 1;

#[cfg(unix)]
#[test]
fn the_backlog_of_a_unix_server_is_as_long_as_set() {
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
    let queued: Vec<_> = (0..CAPACITY).map(|_| connect().unwrap()).collect();
    let full = connect().unwrap_err();
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    drop(queued);
    drop(server);
}

#[test]
fn the_backlog_of_a_tcp_server_is_as_long_as_set() {
    let options = TcpServer::options().request_queue_size(3);
    let server = options.bind(LOOPBACK, || LineEcho).unwrap();
    let queued: Vec<_> = (0..CAPACITY)
        .map(|_| Tcp::connect(server.server_address()))
        .collect();
    // The kernel ignores further attempts, and the client repeats them until its timeout expires.
    let patience = Duration::from_millis(300);
    let full = TcpStream::connect_timeout(server.server_address(), patience).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::TimedOut);
    drop(queued);
}

#[test]
fn the_backlog_is_long_by_default() {
    let server = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
    // More than the 128 of the standard library, and far more than Python's 5.
    let queued: Vec<_> = (0..200)
        .map(|_| Tcp::connect(server.server_address()))
        .collect();
    assert_eq!(queued.len(), 200);
}
