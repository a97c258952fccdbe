//! SocketServerTest: every server echoes a line to three clients, one after the other.

use super::*;

/// `run_server` for servers that fork. Each child process was reaped and exited without an error.
#[cfg(unix)]
fn run_forking_server<T, S>(bind: impl FnOnce(&TempDir) -> Result<Server<T, S, Forking>, Error>)
where
    T: Reachable,
    S: Service<T::Request>,
{
    let (exits, children) = mpsc::channel();
    run_server(|dir| {
        let forking = forking().on_child_exit(move |exit| exits.send(*exit).unwrap());
        Ok(bind(dir)?.strategy(forking))
    });
    let children: Vec<_> = children.iter().collect();
    assert_eq!(children.len(), 3);
    assert!(
        children.iter().all(|child| child.code() == Some(0)),
        "{children:?}"
    );
}

/// CPython's `simple_subprocess`: the server must not reap child processes that it did not start.
#[cfg(unix)]
fn beside_another_child(run: impl FnOnce()) {
    let mut child = Command::new("sh").args(["-c", "exit 72"]).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid), ended).unwrap(); // does not reap it
    run();
    assert_eq!(child.wait().unwrap().code(), Some(72));
}

#[test]
fn test_TCPServer() {
    run_server(|_| TcpServer::bind(LOOPBACK, || LineEcho));
}

#[test]
fn test_ThreadingTCPServer() {
    run_server(|_| ThreadingTcpServer::bind(LOOPBACK, || LineEcho));
}

#[cfg(unix)]
#[test]
fn test_ForkingTCPServer() {
    apart(test_name!("test_ForkingTCPServer"), || {
        beside_another_child(|| {
            run_forking_server(|_| ForkingTcpServer::bind(LOOPBACK, || LineEcho));
        });
    });
}

#[cfg(unix)]
#[test]
fn test_UnixStreamServer() {
    run_server(|dir| UnixStreamServer::bind(dir.socket(), || LineEcho));
}

#[cfg(unix)]
#[test]
fn test_ThreadingUnixStreamServer() {
    run_server(|dir| ThreadingUnixStreamServer::bind(dir.socket(), || LineEcho));
}

#[cfg(unix)]
#[test]
fn test_ForkingUnixStreamServer() {
    apart(test_name!("test_ForkingUnixStreamServer"), || {
        beside_another_child(|| {
            run_forking_server(|dir| ForkingUnixStreamServer::bind(dir.socket(), || LineEcho));
        });
    });
}

#[test]
fn test_UDPServer() {
    run_server(|_| UdpServer::bind(own_loopback(), || LineEcho));
}

#[test]
fn test_ThreadingUDPServer() {
    run_server(|_| ThreadingUdpServer::bind(own_loopback(), || LineEcho));
}

#[cfg(unix)]
#[test]
fn test_ForkingUDPServer() {
    apart(test_name!("test_ForkingUDPServer"), || {
        beside_another_child(|| {
            run_forking_server(|_| ForkingUdpServer::bind(own_loopback(), || LineEcho));
        });
    });
}

#[cfg(unix)]
#[test]
fn test_UnixDatagramServer() {
    run_server(|dir| UnixDatagramServer::bind(dir.socket(), || LineEcho));
}

#[cfg(unix)]
#[test]
fn test_ThreadingUnixDatagramServer() {
    run_server(|dir| ThreadingUnixDatagramServer::bind(dir.socket(), || LineEcho));
}

#[cfg(unix)]
#[test]
fn test_ForkingUnixDatagramServer() {
    apart(test_name!("test_ForkingUnixDatagramServer"), || {
        run_forking_server(|dir| ForkingUnixDatagramServer::bind(dir.socket(), || LineEcho));
    });
}

/// A stop ends `serve_forever`, even if it is requested before the serving thread starts.
#[test]
fn test_shutdown() {
    let servers: Vec<_> = (0..20)
        .map(|_| Arc::new(TcpServer::bind(LOOPBACK, || Nothing).unwrap()))
        .collect();
    let serving: Vec<_> = servers
        .iter()
        .map(|server| {
            let here = Arc::clone(server);
            let serving = thread::spawn(move || here.serve_forever());
            server.shutdown();
            serving
        })
        .collect();
    for serving in serving {
        in_time(|| serving.join()).unwrap().unwrap();
    }
    for server in servers {
        let server = Arc::into_inner(server).unwrap();
        in_time(|| server.server_close());
    }
}

/// A server that never served can be closed, and creates no handler.
#[test]
fn test_close_immediately() {
    fn never_called() -> Nothing {
        unreachable!("there was no request")
    }
    let server = ThreadingTcpServer::bind(LOOPBACK, never_called).unwrap();
    in_time(|| server.server_close());
}

#[test]
fn test_tcpserver_bind_leak() {
    let first = TcpServer::bind(LOOPBACK, || Nothing).unwrap();
    let (made, sockets) = mpsc::channel();
    for _ in 0..1024 {
        let made = made.clone();
        let error = TcpServer::options()
            .before_bind(move |socket| {
                made.send(SocketId::of(socket)).unwrap();
                Ok(())
            })
            .bind(*first.server_address(), || Nothing)
            .unwrap_err();
        // If descriptors leaked, the error would be another one at some point.
        let Error::Bind { source, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(source.kind(), io::ErrorKind::AddrInUse);
    }
    let sockets: Vec<_> = sockets.try_iter().collect();
    assert_eq!(sockets.len(), 1024);
    assert!(!sockets.iter().any(SocketId::is_open));
}

#[test]
fn test_context_manager() {
    let socket = {
        let server = TcpServer::bind(LOOPBACK, || Nothing).unwrap();
        let socket = SocketId::of(&server);
        assert!(socket.is_open());
        socket
    };
    assert!(!socket.is_open());
}

/// Handler that does nothing.
struct Nothing;

impl<R: Request> RequestHandler<R> for Nothing {
    fn handle(&mut self, _: &mut R) -> Result {
        Ok(())
    }
}
