//! The tests of CPython's `Lib/test/test_socketserver.py`, under their own names.
//!
//! The 27 tests of that file are the 27 functions at the top level here; [`CPYTHON`] lists them, and
//! a test compares the list with what is here and with the Python that is installed. The code is this
//! project's own; what each test checks is CPython's. Below them, in the module `ours`, the same
//! matrix goes on with the strategies that Python does not have.
//!
//! ```sh
//! cargo test --test python_parity          # all
//! cargo test --test python_parity test_    # only CPython's, and the rest of the matrix
//! python3 -m unittest test.test_socketserver   # the originals
//! ```
//!
//! How their terms are mapped:
//!
//! | there | here |
//! | --- | --- |
//! | `server.socket.fileno() == -1` | the socket is none of this process's descriptors any more (`SocketId`) |
//! | a `handle_error` that raises, which ends the server and the test | no request counts as failed |
//! | an override of `shutdown_request` that counts or signals | a socket that counts how often it is shut down; `server_close`, which waits for the requests |
//! | `active_children` is empty after `server_close` | each child was reported to `on_child_exit`, and no request is active |
//! | `SystemExit` in a handler, which passes `handle_error` by and ends the loop, the thread or the child | a panic, which reaches `handle_error` too and costs that request only: a [difference] on purpose, so the tests named `..._not_handled` check the opposite of their originals |
//! | port -1, an `OverflowError` | an address that is in use, as a port is a `u16` |
//! | `wfile` is a `BufferedIOBase` with the request's `fileno()` | what writes is a `Write`, and there is one descriptor for both halves |
//! | the list `_threads` | the threads that have run a handler and not ended |
//! | `__all__` | an item of this crate for each name |
//!
//! [difference]: ../docs/differences.md

#![allow(non_snake_case, reason = "CPython's names")]

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::panic_any;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::support::alone::test_name;
use crate::support::net::*;
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use socketserver::request::StreamSocket;
use socketserver::strategy::RequestKind;
use socketserver::transport::{Bind, SocketOptions, Tcp};
use socketserver::{
    CoroutineTcpServer, CoroutineUnixStreamServer, Coroutines, Error, Forking, ForkingTcpServer,
    ForkingUdpServer, ForkingUnixDatagramServer, ForkingUnixStreamServer, Handled, HandlerError,
    Request, RequestHandler, Result, Sequential, Server, ServerHandle, Service, Stats, Strategy,
    StreamRequest, TcpRequest, TcpServer, Threading, ThreadingTcpServer, ThreadingUdpServer,
    ThreadingUnixDatagramServer, ThreadingUnixStreamServer, Transport, UdpServer,
    UnixDatagramServer, UnixStreamServer,
};

/// CPython's tests, in the order of its file.
const CPYTHON: [&str; 27] = [
    "test_TCPServer",
    "test_ThreadingTCPServer",
    "test_ForkingTCPServer",
    "test_UnixStreamServer",
    "test_ThreadingUnixStreamServer",
    "test_ForkingUnixStreamServer",
    "test_UDPServer",
    "test_ThreadingUDPServer",
    "test_ForkingUDPServer",
    "test_UnixDatagramServer",
    "test_ThreadingUnixDatagramServer",
    "test_ForkingUnixDatagramServer",
    "test_shutdown",
    "test_close_immediately",
    "test_tcpserver_bind_leak",
    "test_context_manager",
    "test_sync_handled",
    "test_sync_not_handled",
    "test_threading_handled",
    "test_threading_not_handled",
    "test_forking_handled",
    "test_forking_not_handled",
    "test_basics",
    "test_write",
    "test_all",
    "test_shutdown_request_called_if_verify_request_false",
    "test_threads_reaped",
];

// ---- SocketServerTest: every server echoes a line to three clients, one after the other ----

fn run_server<T, S, M>(bind: impl FnOnce(&TempDir) -> Result<Server<T, S, M>, Error>)
where
    T: Reachable,
    S: Service<T::Request>,
    M: Strategy,
{
    let dir = TempDir::new();
    let server = bind(&dir).unwrap().poll_interval(Duration::from_millis(10));
    let address = server.server_address().clone();
    assert_eq!(address, T::getsockname(server.as_fd()));
    let socket = SocketId::of(&server);
    let handle = server.handle();
    assert_eq!(*handle.server_address(), address.clone().into());
    assert_ne!(handle.server_address().port(), Some(0), "not a real port");

    let server = Arc::new(server);
    let serving = thread::spawn({
        let server = Arc::clone(&server);
        move || server.serve_forever()
    });
    for n in 1..=3 {
        let line = format!("hello {n}\n");
        assert_eq!(T::connect(&address).ask(&line), line);
    }
    server.shutdown();
    in_time(|| serving.join()).unwrap().unwrap();
    let server = Arc::into_inner(server).expect("nobody else has it");
    let report = in_time(|| server.server_close());
    assert_eq!((report.interrupted.len(), report.abandoned.len()), (0, 0));
    assert!(!socket.is_open());

    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.completed, stats.active), (3, 3, 0));
    assert_eq!((stats.failed, stats.refused), (0, 0));
}

/// `run_server` for servers that fork. Each child was collected in the end, and had nothing to
/// complain about.
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

/// CPython's `simple_subprocess`: a child that is none of the server's must be left to whoever
/// started it.
fn beside_another_child(run: impl FnOnce()) {
    let mut child = Command::new("sh").args(["-c", "exit 72"]).spawn().unwrap();
    let stat = format!("/proc/{}/stat", child.id());
    eventually("it has ended, and waits to be collected", || {
        fs::read_to_string(&stat).unwrap().contains(") Z ")
    });
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

#[test]
fn test_ForkingTCPServer() {
    beside_another_child(|| {
        run_forking_server(|_| ForkingTcpServer::bind(LOOPBACK, || LineEcho));
    });
}

#[test]
fn test_UnixStreamServer() {
    run_server(|dir| UnixStreamServer::bind(dir.socket(), || LineEcho));
}

#[test]
fn test_ThreadingUnixStreamServer() {
    run_server(|dir| ThreadingUnixStreamServer::bind(dir.socket(), || LineEcho));
}

#[test]
fn test_ForkingUnixStreamServer() {
    beside_another_child(|| {
        run_forking_server(|dir| ForkingUnixStreamServer::bind(dir.socket(), || LineEcho));
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

#[test]
fn test_ForkingUDPServer() {
    beside_another_child(|| {
        run_forking_server(|_| ForkingUdpServer::bind(own_loopback(), || LineEcho));
    });
}

#[test]
fn test_UnixDatagramServer() {
    run_server(|dir| UnixDatagramServer::bind(dir.socket(), || LineEcho));
}

#[test]
fn test_ThreadingUnixDatagramServer() {
    run_server(|dir| ThreadingUnixDatagramServer::bind(dir.socket(), || LineEcho));
}

#[test]
fn test_ForkingUnixDatagramServer() {
    run_forking_server(|dir| ForkingUnixDatagramServer::bind(dir.socket(), || LineEcho));
}

/// A stop ends `serve_forever`, also one that comes before the thread that is to serve has begun.
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

/// A server that never served closes, and has no need of a handler.
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
        // Out of descriptors, it would be another error of the same sort.
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

/// The handler class that overrides nothing.
struct Nothing;

impl<R: Request> RequestHandler<R> for Nothing {
    fn handle(&mut self, _: &mut R) -> Result {
        Ok(())
    }
}

// ---- ErrorHandlerTest: what a handler ends with reaches handle_error ----

/// A service that writes down in a file what is called, which works in a child process too, and
/// whose handlers end as they are told to.
struct ErrorTest {
    log: PathBuf,
    end: fn() -> Result,
}

impl ErrorTest {
    fn log(&self, line: &str) {
        let mut log = OpenOptions::new();
        let mut log = log.create(true).append(true).open(&self.log).unwrap();
        writeln!(log, "{line}").unwrap();
    }
}

impl<R: Request> Service<R> for ErrorTest {
    type Handler = BadHandler;

    fn request_handler(self: &Arc<Self>) -> BadHandler {
        BadHandler(Arc::clone(self))
    }

    fn handle_error(&self, _: &mut R, _: &HandlerError) {
        self.log("Error handled");
    }
}

struct BadHandler(Arc<ErrorTest>);

impl<R: Request> RequestHandler<R> for BadHandler {
    fn handle(&mut self, _: &mut R) -> Result {
        self.0.log("Handler called");
        (self.0.end)()
    }
}

fn value_error() -> Result {
    Err("Test error".into())
}

fn panics() -> Result {
    panic_any("Test error");
}

/// Serves one client by a handler that ends with `end`. Both go to `handle_error`, and neither
/// ends anything else.
fn check_result<M: Strategy>(strategy: M, end: fn() -> Result) {
    expect_panics();
    let dir = TempDir::new();
    let log = dir.socket();
    let service = ErrorTest {
        log: log.clone(),
        end,
    };
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let server = server.strategy(strategy).grace(PATIENCE);
    let server = server.handle_request_timeout(Duration::ZERO);
    let handle = server.handle();
    drop(Tcp::connect(server.server_address()));
    // On a thread whose panics are expected.
    let named = thread::Builder::new().name("socketserver-test".into());
    let handled = named.spawn(move || {
        let handled = [server.handle_request(), server.handle_request()];
        server.server_close();
        handled.map(Result::unwrap)
    });
    let handled = in_time(|| handled.unwrap().join()).unwrap();
    assert_eq!(handled, [Handled::Request, Handled::Timeout]);
    assert_eq!(
        fs::read_to_string(log).unwrap(),
        "Handler called\nError handled\n"
    );
    let Stats { active, failed, .. } = handle.stats();
    assert_eq!((active, failed), (0, 1));
}

#[test]
fn test_sync_handled() {
    check_result(Sequential, value_error);
}

#[test]
fn test_sync_not_handled() {
    check_result(Sequential, panics);
}

#[test]
fn test_threading_handled() {
    check_result(Threading::new(), value_error);
}

#[test]
fn test_threading_not_handled() {
    check_result(Threading::new(), panics);
}

#[test]
fn test_forking_handled() {
    check_result(forking(), value_error);
}

#[test]
fn test_forking_not_handled() {
    check_result(forking(), panics);
}

// ---- SocketWriterTest ----

#[test]
fn test_basics() {
    fn is_writer(_: &mut impl Write) {}

    let (told, basics) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        is_writer(request);
        let (_reader, writer) = request.split();
        is_writer(writer);
        writer.write_all(b"hello\n")?;
        let descriptors = SocketId::of(request.socket()).descriptors();
        let _ = told.send((request.socket().peer_addr()?, descriptors));
        Ok(())
    });
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let client = Tcp::connect(server.server_address());
    let address = client.socket().local_addr().unwrap().as_socket();
    server.handle_request().unwrap();
    // The socket that the writer has written to is the request's, and the only one.
    assert_eq!(client.rest(), b"hello\n");
    assert_eq!(next(&basics), (address.unwrap(), 1));
}

/// How many signals `test_write` has received.
static SIGNALS: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code, reason = "nothing safe interrupts a system call")]
mod signals {
    use super::*;

    /// Counts each SIGUSR1, without SA_RESTART, so that the interrupted call fails with EINTR.
    pub(super) fn count() {
        extern "C" fn count(_: libc::c_int) {
            SIGNALS.fetch_add(1, Ordering::SeqCst);
        }
        let action = SigAction::new(
            SigHandler::Handler(count),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing but add to an atomic, which is safe in signal context.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    }

    /// Runs `work`, whose thread is interrupted by one signal after the other once `started` is set.
    pub(super) fn storm<R>(started: &AtomicBool, work: impl FnOnce() -> R) -> R {
        // SAFETY: it has no preconditions.
        let target = unsafe { libc::pthread_self() };
        let enough = AtomicBool::new(false);
        thread::scope(|scope| {
            let _enough = SetOnDrop(&enough);
            scope.spawn(|| {
                while !enough.load(Ordering::SeqCst) {
                    if started.load(Ordering::SeqCst) {
                        // SAFETY: the thread lives, because it waits for the end of this one.
                        unsafe { libc::pthread_kill(target, libc::SIGUSR1) };
                    }
                    thread::yield_now();
                }
            });
            work()
        })
    }
}

/// Sets a flag at the end of a scope, however that comes about.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A write is on its way at once, and all of it, also when signals interrupt it.
#[test]
fn test_write() {
    /// CPython's `SOCK_MAX_SIZE`: more than the system buffers.
    const BIG: usize = 16 * 1024 * 1024 + 1;
    const INTERRUPTIONS: usize = 100;

    let (told, written) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let first = request.write(b"write data\n")?;
        let answer = request.readline(100)?;
        let second = request.write(&vec![0; BIG])?;
        let _ = told.send((first, answer, second));
        Ok(())
    });
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let server = server.handle_request_timeout(PATIENCE);
    let address = *server.server_address();
    signals::count();
    let storm = AtomicBool::new(false);
    let received = thread::scope(|scope| {
        let client = scope.spawn(|| {
            let client = Tcp::connect(&address);
            assert_eq!(client.line(), "write data\n");
            client.send("client response\n");
            client.exactly(100);
            // The handler waits in its second write now, as nobody reads what it sends.
            storm.store(true, Ordering::SeqCst);
            eventually("the write is interrupted, again and again", || {
                SIGNALS.load(Ordering::SeqCst) > INTERRUPTIONS
            });
            client.rest().len()
        });
        let handled = signals::storm(&storm, || server.handle_request());
        assert_eq!(handled.unwrap(), Handled::Request);
        client.join().unwrap()
    });
    let (first, answer, second) = next(&written);
    assert_eq!(first, b"write data\n".len());
    assert_eq!(answer, b"client response\n");
    assert_eq!((second, received), (BIG, BIG - 100));
}

// ---- MiscTestCase ----

/// Python's names, each with its twin. This compiles only if the twin is there.
macro_rules! twins {
    ($($python:literal => $twin:ident,)*) => {
        $(
            #[allow(unused_imports, reason = "that it is there is all that is asked")]
            use socketserver::$twin as _;
        )*
        const TWINS: &[(&str, &str)] = &[$(($python, stringify!($twin))),*];
    };
}

/// Each name in Python's `__all__` has a twin, which can be found by it.
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
    let lib = include_str!("../../src/lib.rs");
    let aliases = include_str!("../../src/aliases.rs");
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
    // 3.12 has got the last two.
    if (3, 12) <= python.version {
        assert_eq!(python.all.len(), TWINS.len());
    }
}

/// TCP whose connections count how often their writing side is shut down.
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

impl AsFd for Counting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

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
    assert_eq!(server.stats().refused, 1);
    in_time(|| server.server_close());
}

/// Counts the threads that have it.
struct OnThread(Arc<AtomicUsize>);

impl Drop for OnThread {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

thread_local! {
    static ON_THREAD: std::cell::OnceCell<OnThread> = const { std::cell::OnceCell::new() };
}

/// Threads that have served do not pile up.
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
    // Python: fewer than 10. Here none, a moment later.
    eventually("all threads have ended", || {
        threads.load(Ordering::SeqCst) == 0
    });
    assert_eq!(server.stats().completed, 10);
    in_time(|| server.server_close());
}

// ---- the list ----

/// What the installed Python has.
struct Python {
    version: (u32, u32),
    /// `socketserver.__all__`.
    all: BTreeSet<String>,
    /// The tests of `test.test_socketserver`; empty where Python comes without its tests.
    tests: BTreeSet<String>,
}

impl Python {
    /// Prints `version 3 11`, and then `all NAME` and `test NAME` for each.
    const SCRIPT: &str = r#"
import ast, importlib.util, socketserver, sys
print("version", *sys.version_info[:2])
for name in socketserver.__all__:
    print("all", name)
try:
    spec = importlib.util.find_spec("test.test_socketserver")
except ModuleNotFoundError:
    spec = None
if spec:
    for node in ast.walk(ast.parse(open(spec.origin, encoding="utf-8").read())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            print("test", node.name)
"#;

    fn installed() -> Option<Self> {
        let output = Command::new("python3")
            .args(["-I", "-B", "-c", Self::SCRIPT])
            .output();
        let Ok(output) = output else {
            eprintln!("not compared: python3 is not installed");
            return None;
        };
        assert!(output.status.success(), "{output:?}");
        let mut python = Self {
            version: (0, 0),
            all: BTreeSet::new(),
            tests: BTreeSet::new(),
        };
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            match *line.split(' ').collect::<Vec<_>>() {
                ["version", major, minor] => {
                    python.version = (major.parse().unwrap(), minor.parse().unwrap());
                }
                ["all", name] => drop(python.all.insert(name.to_owned())),
                ["test", name] => drop(python.tests.insert(name.to_owned())),
                _ => panic!("{line:?}"),
            }
        }
        Some(python)
    }
}

/// Tests of this module that would run.
fn tests_that_are_here(ignored: bool) -> BTreeSet<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--list", "--format=terse"]);
    if ignored {
        command.arg("--ignored");
    }
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let name = line.strip_suffix(": test")?;
            Some(name.strip_prefix(test_name!(""))?.to_owned())
        })
        .collect()
}

#[test]
fn every_test_of_cpython_is_here() {
    let here = tests_that_are_here(false);
    let ignored = tests_that_are_here(true);
    for name in CPYTHON {
        assert!(here.contains(name), "{name} is missing");
        assert!(!ignored.contains(name), "{name} is ignored");
    }
    // And no other pretends to be one of them.
    let list: BTreeSet<_> = CPYTHON.map(str::to_owned).into();
    assert_eq!(list.len(), CPYTHON.len());
    let pretenders = here.iter().filter(|name| name.starts_with("test_"));
    assert_eq!(pretenders.cloned().collect::<BTreeSet<_>>(), list);
}

#[test]
fn the_list_is_that_of_the_installed_python() {
    let Some(Python { version, tests, .. }) = Python::installed() else {
        return;
    };
    let list: BTreeSet<_> = CPYTHON.map(str::to_owned).into();
    match version {
        _ if tests.is_empty() => eprintln!("not compared: this Python comes without its tests"),
        // They have had the same 27 all the time.
        (3, 11..=15) => assert_eq!(tests, list, "Python {version:?}"),
        _ => eprintln!(
            "Python {version:?} has these more: {:?}",
            tests.difference(&list).collect::<Vec<_>>()
        ),
    }
}

// ---- what CPython has no test for, because it does not have it ----

mod ours {
    use socketserver::{
        Job, Rejected, ThreadPool, ThreadPoolTcpServer, ThreadPoolUdpServer,
        ThreadPoolUnixDatagramServer, ThreadPoolUnixStreamServer,
    };

    use super::*;

    #[test]
    fn test_ThreadPoolTCPServer() {
        run_server(|_| ThreadPoolTcpServer::bind(LOOPBACK, || LineEcho));
    }

    #[test]
    fn test_ThreadPoolUDPServer() {
        run_server(|_| ThreadPoolUdpServer::bind(own_loopback(), || LineEcho));
    }

    #[test]
    fn test_ThreadPoolUnixStreamServer() {
        run_server(|dir| ThreadPoolUnixStreamServer::bind(dir.socket(), || LineEcho));
    }

    #[test]
    fn test_ThreadPoolUnixDatagramServer() {
        run_server(|dir| ThreadPoolUnixDatagramServer::bind(dir.socket(), || LineEcho));
    }

    #[test]
    fn test_CoroutineTCPServer() {
        run_server(|_| CoroutineTcpServer::bind(LOOPBACK, || LineEcho));
    }

    #[test]
    fn test_CoroutineUnixStreamServer() {
        run_server(|dir| CoroutineUnixStreamServer::bind(dir.socket(), || LineEcho));
    }

    /// A strategy as a user of the library writes it.
    struct Detached;

    impl Strategy for Detached {
        fn process_request(&self, job: Job) -> Result<(), Rejected> {
            thread::spawn(|| job.run());
            Ok(())
        }
    }

    fn run_server_by<T: Reachable>(strategy: impl Strategy) {
        run_server(|dir| {
            let server = T::bind::<_, Sequential>(dir, Server::options(), || LineEcho)?;
            Ok(server.strategy(strategy))
        });
    }

    fn by_a_strategy_of_the_users_own<T: Reachable>() {
        run_server_by::<T>(Detached);
    }

    fn by_a_strategy_that_is_chosen_at_run_time<T: Reachable>() {
        let strategies: [Box<dyn Strategy>; 6] = [
            Box::new(Sequential),
            Box::new(Threading::new()),
            Box::new(forking()),
            Box::new(ThreadPool::new(2)),
            Box::new(Coroutines::new()),
            Box::new(Detached),
        ];
        for strategy in strategies {
            run_server_by::<T>(strategy);
        }
    }

    over!([Tcp, Udp, UnixStream, UnixDatagram]
        by_a_strategy_of_the_users_own,
        by_a_strategy_that_is_chosen_at_run_time,
    );
}
