//! MiscTestCase.

use super::*;

/// Python's names, each with its twin. This compiles only if the twin exists.
macro_rules! twins {
    ($($python:literal => $twin:ident,)*) => {
        $(
            #[allow(unused_imports, reason = "the import only checks that the item exists")]
            use socketserver::$twin as _;
        )*
        const TWINS: &[(&str, &str)] = &[$(($python, stringify!($twin))),*];
    };
}

/// Each name in Python's `__all__` has a twin, which a search for the name finds.
#[cfg(unix)]
#[test]
fn test_all() {
    twins! {
        "BaseServer" => Server,
        "TCPServer" => TcpServer,
        "UDPServer" => UdpServer,
        "ThreadingUDPServer" => ThreadingUdpServer,
        "ThreadingTCPServer" => ThreadingTcpServer,
        "BaseRequestHandler" => RequestHandler,
        "StreamRequestHandler" => RequestHandler,
        "DatagramRequestHandler" => RequestHandler,
        "ThreadingMixIn" => Threading,
        "ForkingUDPServer" => ForkingUdpServer,
        "ForkingTCPServer" => ForkingTcpServer,
        "ForkingMixIn" => Forking,
        "UnixStreamServer" => UnixStreamServer,
        "UnixDatagramServer" => UnixDatagramServer,
        "ThreadingUnixStreamServer" => ThreadingUnixStreamServer,
        "ThreadingUnixDatagramServer" => ThreadingUnixDatagramServer,
        "ForkingUnixStreamServer" => ForkingUnixStreamServer,
        "ForkingUnixDatagramServer" => ForkingUnixDatagramServer,
    }
    let lib = include_str!("../../../src/lib.rs");
    let aliases = include_str!("../../../src/server/aliases.rs");
    for (python, twin) in TWINS {
        let alias = format!("#[doc(alias = \"{python}\")]");
        assert!(
            python == twin || [lib, aliases].iter().any(|file| file.contains(&alias)),
            "{python} is not found in the documentation"
        );
    }
    let Some(python) = Python::installed() else {
        return;
    };
    for name in &python.all {
        assert!(
            TWINS.iter().any(|(python, _)| python == name),
            "{name} has no twin"
        );
    }
    // Python 3.12 added the last two.
    if (3, 12) <= python.version {
        assert_eq!(python.all.len(), TWINS.len());
    }
}

/// TCP whose connections count the shutdowns of their sending side.
struct Counting {
    listener: TcpListener,
    address: SocketAddr,
    shutdowns: Arc<AtomicUsize>,
}

impl Bind<Arc<AtomicUsize>> for Counting {
    fn server_bind(shutdowns: Arc<AtomicUsize>, _: &SocketOptions) -> Result<Self, Error> {
        let listener = TcpListener::bind(LOOPBACK).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        Ok(Self {
            listener,
            address,
            shutdowns,
        })
    }
}

impl_as_fd!(Counting, listener);

impl Transport for Counting {
    type Request = StreamRequest<CountingSocket>;
    type Address = SocketAddr;

    const KIND: RequestKind = RequestKind::Connection;

    fn server_address(&self) -> &SocketAddr {
        &self.address
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<Self::Request> {
        let (stream, client_address) = self.listener.accept()?;
        let shutdowns = Arc::clone(&self.shutdowns);
        let socket = CountingSocket { stream, shutdowns };
        Ok(StreamRequest::new(socket, client_address, server))
    }
}

struct CountingSocket {
    stream: TcpStream,
    shutdowns: Arc<AtomicUsize>,
}

impl StreamSocket for CountingSocket {
    type Address = SocketAddr;

    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        StreamSocket::recv(&self.stream, buffer)
    }

    fn send(&self, data: &[u8]) -> io::Result<usize> {
        StreamSocket::send(&self.stream, data)
    }

    fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.stream.try_send(data)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how == Shutdown::Write {
            self.shutdowns.fetch_add(1, Ordering::SeqCst);
        }
        StreamSocket::shutdown(&self.stream, how)
    }

    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        StreamSocket::set_timeout(&self.stream, timeout)
    }
}

#[test]
fn test_shutdown_request_called_if_verify_request_false() {
    let shutdowns: Arc<AtomicUsize> = Arc::default();
    let service = Hooks::echo().on_verify(|_| false);
    let server = Server::<Counting, _, Sequential>::bind(Arc::clone(&shutdowns), service).unwrap();
    drop(Tcp::connect(server.server_address()));
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(shutdowns.load(Ordering::SeqCst), 1);
    assert_eq!(server.stats().rejected, 1);
    in_time(|| server.server_close());
}

/// Thread-local value that counts the threads which have one.
struct OnThread(Arc<AtomicUsize>);

impl Drop for OnThread {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

thread_local! {
    static ON_THREAD: std::cell::OnceCell<OnThread> = const { std::cell::OnceCell::new() };
}

/// Threads end after their requests.
#[test]
fn test_threads_reaped() {
    let threads: Arc<AtomicUsize> = Arc::default();
    let service = Hooks::new({
        let threads = Arc::clone(&threads);
        move |_: &mut TcpRequest| {
            ON_THREAD.with(|here| {
                here.get_or_init(|| {
                    threads.fetch_add(1, Ordering::SeqCst);
                    OnThread(Arc::clone(&threads))
                });
            });
            Ok(())
        }
    });
    let server = ThreadingTcpServer::bind(LOOPBACK, service).unwrap();
    for _ in 0..10 {
        let client = Tcp::connect(server.server_address());
        server.handle_request().unwrap();
        client.expect_end();
    }
    // Python asserts fewer than 10. Here all threads end, a moment later.
    eventually("all threads have ended", || {
        threads.load(Ordering::SeqCst) == 0
    });
    assert_eq!(server.stats().completed, 10);
    in_time(|| server.server_close());
}
