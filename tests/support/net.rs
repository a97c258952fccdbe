//! Servers, clients and waiting, for tests that talk over the loopback interface.
//!
//! Nothing here waits without a limit: what does not come within [`PATIENCE`] fails the test.

use std::any::Any;
use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as StdUnixAddr, UnixDatagram as UnixDatagramSocket};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use socket2::{SockRef, Socket};
use socketserver::request::StreamSocket;
use socketserver::transport::{Tcp, Udp, UnixDatagram, UnixStream};
use socketserver::{
    DrainReport, Error, Forking, HandlerError, Request, RequestHandler, Result, RunningServer,
    Sequential, Server, ServerOptions, Service, ShuttingDown, Stage, Strategy, StreamRequest,
    Threading, Transport, UnixAddress,
};

/// How long anything may take before the test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The address that internet servers of tests ask for.
pub(crate) const LOOPBACK: &str = "127.0.0.1:0";

/// A loopback address that no other test uses. For tests that look at what becomes of a port: one
/// of 127.0.0.1 that was given back may be somebody else's a moment later. And for UDP servers: a
/// late reply to a client of another test, whose port they have got, would be a request.
pub(crate) fn own_loopback() -> SocketAddr {
    let [_, a, b, c] = (std::process::id() * 64 + unique() as u32 % 64).to_be_bytes();
    ([127, a | 1, b, c], 0).into()
}

// ---- places ----

/// A fresh directory, removed at the end of the test.
#[derive(Debug)]
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        loop {
            let name = format!("socketserver-{}-{}", std::process::id(), unique());
            let path = std::env::temp_dir().join(name);
            match std::fs::create_dir(&path) {
                Ok(()) => return Self(path),
                // Left behind by a process that had the same number, and was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot make {}: {error}", path.display()),
            }
        }
    }

    /// A path in it that was not given out before.
    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join(format!("{}.sock", unique()))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn unique() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What tells a socket from all others while it exists, and whether it still does in this process:
/// Python's `fileno() == -1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketId(PathBuf);

impl SocketId {
    pub(crate) fn of(socket: impl AsFd) -> Self {
        let fd = socket.as_fd().as_raw_fd();
        Self(std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap())
    }

    pub(crate) fn is_open(&self) -> bool {
        self.descriptors() > 0
    }

    /// How many descriptors of this process are this socket.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
            .filter(|target| *target == self.0)
            .count()
    }
}

// ---- waiting ----

/// Runs `work` on a thread of its own and fails if it takes too long: for calls that must not
/// hang.
#[track_caller]
pub(crate) fn in_time<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::sync_channel(1);
    let thread = thread::spawn(move || done.send(work()));
    match result.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("this should have ended by now"),
        Err(RecvTimeoutError::Disconnected) => resume_unwind(match thread.join() {
            Err(payload) => payload,
            Ok(_) => Box::new("the thread ended without a result") as Box<dyn Any + Send>,
        }),
    }
}

/// The next message, which has to come in time.
#[track_caller]
pub(crate) fn next<M>(messages: &Receiver<M>) -> M {
    match messages.recv_timeout(PATIENCE) {
        Ok(message) => message,
        Err(error) => panic!("no message: {error}"),
    }
}

/// Looks again and again, for what nothing announces.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Holds up handlers until the test opens it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open; that it never is, is for the test to notice.
    pub(crate) fn pass(&self) {
        let closed = self.0.0.lock().unwrap();
        let opened = self
            .0
            .1
            .wait_timeout_while(closed, 2 * PATIENCE, |open| !*open);
        drop(opened);
    }
}

/// Where a given number of threads wait for each other.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    expected: usize,
    shared: Arc<(Mutex<usize>, Condvar)>,
}

impl Meeting {
    pub(crate) fn of(expected: usize) -> Self {
        let shared = Arc::default();
        Self { expected, shared }
    }

    /// Waits until everybody is there. `false`: they did not come in time.
    pub(crate) fn attend(&self) -> bool {
        let (there, changed) = &*self.shared;
        let mut there = there.lock().unwrap();
        *there += 1;
        changed.notify_all();
        let waited = changed.wait_timeout_while(there, PATIENCE, |n| *n < self.expected);
        !waited.unwrap().1.timed_out()
    }
}

// ---- clients ----

/// A client's socket, of any transport. Every read and write is bounded by [`PATIENCE`].
#[derive(Debug)]
pub(crate) struct Client(Socket);

impl Client {
    pub(crate) fn new(socket: impl Into<OwnedFd>) -> Self {
        let socket = Socket::from(socket.into());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    pub(crate) fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.0)
    }

    #[track_caller]
    pub(crate) fn send(&self, data: impl AsRef<[u8]>) {
        self.try_send(data).unwrap();
    }

    pub(crate) fn try_send(&self, data: impl AsRef<[u8]>) -> io::Result<()> {
        let data = data.as_ref();
        if data.is_empty() {
            return self.0.send(data).map(drop);
        }
        (&self.0).write_all(data)
    }

    /// One `recv`: a datagram, or what is there of a stream.
    pub(crate) fn try_receive(&self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 1 << 18];
        let size = loop {
            match (&self.0).read(&mut buffer) {
                // A socket with a timeout is also interrupted by signals that are ignored: by the
                // SIGCHLD of a child that ends while another thread starts one.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                size => break size?,
            }
        };
        buffer.truncate(size);
        Ok(buffer)
    }

    /// The same without waiting; `None` if nothing is there.
    pub(crate) fn try_receive_now(&self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match recv(&self.0, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((size, _)) => return Ok(Some(buffer[..size].to_vec())),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    #[track_caller]
    pub(crate) fn receive(&self) -> Vec<u8> {
        self.try_receive().unwrap()
    }

    /// As many bytes of a stream.
    #[track_caller]
    pub(crate) fn exactly(&self, size: usize) -> Vec<u8> {
        let mut data = vec![0; size];
        (&self.0).read_exact(&mut data).unwrap();
        data
    }

    /// What comes up to and with the next `\n`, which must end what is there, as it does where
    /// question and answer alternate.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let data = self.receive();
            assert!(!data.is_empty(), "the end came before the line's");
            line.extend(data);
        }
        String::from_utf8(line).unwrap()
    }

    #[track_caller]
    pub(crate) fn ask(&self, question: &str) -> String {
        self.send(question);
        self.line()
    }

    /// Everything up to the end of a stream, which must be an orderly one.
    #[track_caller]
    pub(crate) fn rest(&self) -> Vec<u8> {
        let mut data = Vec::new();
        (&self.0).read_to_end(&mut data).unwrap();
        data
    }

    #[track_caller]
    pub(crate) fn expect_end(&self) {
        assert_eq!(self.rest(), b"", "more came where the end should be");
    }

    /// Sends no more; can still receive.
    pub(crate) fn finish(&self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }
}

// ---- transports ----

/// What tests have to know about a transport to run over all of them.
pub(crate) trait Reachable: Transport {
    /// Binds to an address of its own.
    fn bind<S, M>(
        dir: &TempDir,
        options: ServerOptions<Self, S, M>,
        service: S,
    ) -> Result<Server<Self, S, M>, Error>
    where
        S: Service<Self::Request>,
        M: Strategy + Default;

    /// A client's connection; for datagrams, a socket that can be answered.
    fn try_connect(address: &Self::Address) -> io::Result<Client>;

    #[track_caller]
    fn connect(address: &Self::Address) -> Client {
        Self::try_connect(address).unwrap()
    }

    /// What the socket says where it is bound: Python's `getsockname()`.
    fn getsockname(socket: BorrowedFd<'_>) -> Self::Address;
}

macro_rules! reachable_inet {
    ($transport:ty, $address:expr, $connect:expr) => {
        impl Reachable for $transport {
            fn bind<S, M>(
                _: &TempDir,
                options: ServerOptions<Self, S, M>,
                service: S,
            ) -> Result<Server<Self, S, M>, Error>
            where
                S: Service<Self::Request>,
                M: Strategy + Default,
            {
                options.bind($address, service)
            }

            fn try_connect(address: &SocketAddr) -> io::Result<Client> {
                $connect(*address).map(Client::new)
            }

            fn getsockname(socket: BorrowedFd<'_>) -> SocketAddr {
                let name = SockRef::from(&socket).local_addr().unwrap();
                name.as_socket().unwrap()
            }
        }
    };
}

macro_rules! reachable_unix {
    ($transport:ty, $connect:expr) => {
        impl Reachable for $transport {
            fn bind<S, M>(
                dir: &TempDir,
                options: ServerOptions<Self, S, M>,
                service: S,
            ) -> Result<Server<Self, S, M>, Error>
            where
                S: Service<Self::Request>,
                M: Strategy + Default,
            {
                options.bind(dir.socket(), service)
            }

            fn try_connect(address: &UnixAddress) -> io::Result<Client> {
                $connect(address).map(Client::new)
            }

            fn getsockname(socket: BorrowedFd<'_>) -> UnixAddress {
                let name = SockRef::from(&socket).local_addr().unwrap();
                UnixAddress::Path(name.as_pathname().unwrap().into())
            }
        }
    };
}

reachable_inet!(Tcp, LOOPBACK, TcpStream::connect::<SocketAddr>);
reachable_inet!(Udp, own_loopback(), |server| {
    let socket = UdpSocket::bind(LOOPBACK)?;
    socket.connect::<SocketAddr>(server)?;
    io::Result::Ok(socket)
});
reachable_unix!(UnixStream, |server| {
    std::os::unix::net::UnixStream::connect_addr(&unix_name(server))
});
reachable_unix!(UnixDatagram, |server: &UnixAddress| {
    // An answer needs an address to go to: next to the server's, or in the abstract namespace.
    let socket = match server.as_path() {
        Some(path) => UnixDatagramSocket::bind(path.with_extension(unique().to_string()))?,
        None => UnixDatagramSocket::bind_addr(&abstract_name(&unique_name()))?,
    };
    socket.connect_addr(&unix_name(server))?;
    io::Result::Ok(socket)
});

/// A name that no other test, and no other run of this one, uses in the abstract namespace.
pub(crate) fn unique_name() -> String {
    format!("socketserver-{}-{}", std::process::id(), unique())
}

pub(crate) fn abstract_name(name: &str) -> StdUnixAddr {
    StdUnixAddr::from_abstract_name(name).unwrap()
}

fn unix_name(address: &UnixAddress) -> StdUnixAddr {
    match address {
        UnixAddress::Path(path) => StdUnixAddr::from_pathname(path).unwrap(),
        UnixAddress::Abstract(name) => StdUnixAddr::from_abstract_name(name).unwrap(),
        UnixAddress::Unnamed => panic!("nobody can connect to an unnamed socket"),
    }
}

/// The transports with connections, and the type of their sockets.
pub(crate) trait Connected: Reachable<Request = StreamRequest<Self::Socket>> {
    type Socket: StreamSocket + AsFd;
}

impl Connected for Tcp {
    type Socket = TcpStream;
}

impl Connected for UnixStream {
    type Socket = std::os::unix::net::UnixStream;
}

/// Makes a `#[test]` of a generic function for each of some transports.
macro_rules! over {
    ($transports:tt $($check:ident),* $(,)?) => {
        $($crate::support::net::over!(@ $transports $check);)*
    };
    (@ [$($transport:ident),*] $check:ident) => {
        mod $check {
            $(
                #[test]
                #[allow(non_snake_case)]
                fn $transport() {
                    super::$check::<socketserver::transport::$transport>();
                }
            )*
        }
    };
}

macro_rules! over_streams {
    ($($check:ident),* $(,)?) => { $crate::support::net::over!([Tcp, UnixStream] $($check),*); };
}

macro_rules! over_datagrams {
    ($($check:ident),* $(,)?) => { $crate::support::net::over!([Udp, UnixDatagram] $($check),*); };
}

/// ... for each strategy.
macro_rules! by_strategy {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            #[test]
            fn sequential() {
                super::$check::<socketserver::Sequential>();
            }
            #[test]
            fn threading() {
                super::$check::<socketserver::Threading>();
            }
            #[test]
            fn thread_pool() {
                super::$check::<socketserver::ThreadPool>();
            }
            #[test]
            fn coroutines() {
                super::$check::<socketserver::Coroutines>();
            }
        })*
    };
}

/// ... and for each pair of them.
macro_rules! over_pairs {
    ($transports:tt $($check:ident),* $(,)?) => {
        $($crate::support::net::over_pairs!(@ $transports $check);)*
    };
    (@ [$($transport:ident),*] $check:ident) => {
        mod $check {
            $(
                #[allow(non_snake_case)]
                mod $transport {
                    use socketserver::transport::$transport;
                    use socketserver::{Coroutines, Sequential, ThreadPool, Threading};

                    #[test]
                    fn sequential() {
                        super::super::$check::<$transport, Sequential>();
                    }
                    #[test]
                    fn threading() {
                        super::super::$check::<$transport, Threading>();
                    }
                    #[test]
                    fn thread_pool() {
                        super::super::$check::<$transport, ThreadPool>();
                    }
                    #[test]
                    fn coroutines() {
                        super::super::$check::<$transport, Coroutines>();
                    }
                }
            )*
        }
    };
}

macro_rules! everywhere {
    ($($check:ident),* $(,)?) => {
        $crate::support::net::over_pairs!([Tcp, Udp, UnixStream, UnixDatagram] $($check),*);
    };
}

macro_rules! over_streams_by_strategy {
    ($($check:ident),* $(,)?) => {
        $crate::support::net::over_pairs!([Tcp, UnixStream] $($check),*);
    };
}

pub(crate) use {
    by_strategy, everywhere, over, over_datagrams, over_pairs, over_streams,
    over_streams_by_strategy,
};

// ---- services ----

/// Answers one line with itself: the handler of CPython's own tests, for every transport.
#[derive(Debug, Default)]
pub(crate) struct LineEcho;

impl<R: Request> RequestHandler<R> for LineEcho {
    fn handle(&mut self, request: &mut R) -> Result {
        let line = request.readline(10_000)?;
        request.write_all(&line)?;
        Ok(())
    }
}

/// Answers each line with itself, to the end of the stream or packet.
pub(crate) fn echo_lines<R: Request>(request: &mut R) -> Result {
    while let Some(line) = request.next_line(10_000)? {
        request.send_all(&line)?;
    }
    Ok(())
}

type Hook<A> = Box<dyn Fn(A) + Send + Sync>;
type ErrorHook<R> = Box<dyn Fn(&mut R, &HandlerError) + Send + Sync>;

/// A service made of closures.
pub(crate) struct Hooks<R: Request> {
    handle: Box<dyn Fn(&mut R) -> Result + Send + Sync>,
    verify_request: Box<dyn Fn(&R) -> bool + Send + Sync>,
    handle_error: ErrorHook<R>,
    handle_timeout: Hook<()>,
    service_actions: Hook<()>,
    get_request_error: Box<dyn Fn(&io::Error) + Send + Sync>,
}

impl<R: Request> Hooks<R> {
    pub(crate) fn new(handle: impl Fn(&mut R) -> Result + Send + Sync + 'static) -> Self {
        Self {
            handle: Box::new(handle),
            verify_request: Box::new(|_| true),
            handle_error: Box::new(|_, _| {}),
            handle_timeout: Box::new(|()| {}),
            service_actions: Box::new(|()| {}),
            get_request_error: Box::new(|_| {}),
        }
    }

    /// Answers by [`echo_lines`].
    pub(crate) fn echo() -> Self {
        Self::new(echo_lines)
    }

    pub(crate) fn on_verify(mut self, hook: impl Fn(&R) -> bool + Send + Sync + 'static) -> Self {
        self.verify_request = Box::new(hook);
        self
    }

    pub(crate) fn on_error(
        mut self,
        hook: impl Fn(&mut R, &HandlerError) + Send + Sync + 'static,
    ) -> Self {
        self.handle_error = Box::new(hook);
        self
    }

    pub(crate) fn on_timeout(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.handle_timeout = Box::new(move |()| hook());
        self
    }

    pub(crate) fn on_actions(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.service_actions = Box::new(move |()| hook());
        self
    }

    pub(crate) fn on_get_request_error(
        mut self,
        hook: impl Fn(&io::Error) + Send + Sync + 'static,
    ) -> Self {
        self.get_request_error = Box::new(hook);
        self
    }

    /// Passes on what `handle_error` is told.
    pub(crate) fn failures(self) -> (Self, Receiver<Failure>) {
        let (sender, failures) = mpsc::channel();
        let hooks = self.on_error(move |_, error| {
            let _ = sender.send(Failure::of(error));
        });
        (hooks, failures)
    }
}

impl<R: Request> Service<R> for Hooks<R> {
    type Handler = HooksHandler<R>;

    fn request_handler(self: &Arc<Self>) -> HooksHandler<R> {
        HooksHandler(Arc::clone(self))
    }

    fn verify_request(&self, request: &R) -> bool {
        (self.verify_request)(request)
    }

    fn handle_error(&self, request: &mut R, error: &HandlerError) {
        (self.handle_error)(request, error);
    }

    fn handle_timeout(&self) {
        (self.handle_timeout)(());
    }

    fn service_actions(&self) {
        (self.service_actions)(());
    }

    fn get_request_error(&self, error: &io::Error) {
        (self.get_request_error)(error);
    }
}

pub(crate) struct HooksHandler<R: Request>(Arc<Hooks<R>>);

impl<R: Request> RequestHandler<R> for HooksHandler<R> {
    fn handle(&mut self, request: &mut R) -> Result {
        (self.0.handle)(request)
    }
}

/// What `handle_error` was told, to be looked at on another thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) text: String,
    /// Of the error itself, if it is an `io::Error`.
    pub(crate) kind: Option<io::ErrorKind>,
    pub(crate) is_disconnect: bool,
    pub(crate) is_timeout: bool,
    pub(crate) shutting_down: bool,
}

impl Failure {
    pub(crate) fn of(error: &HandlerError) -> Self {
        let io_error = error.error().and_then(|error| error.downcast_ref());
        Self {
            stage: error.stage(),
            text: error.to_string(),
            kind: io_error.map(io::Error::kind),
            is_disconnect: error.is_disconnect(),
            is_timeout: error.is_timeout(),
            shutting_down: io_error.is_some_and(ShuttingDown::is_cause_of),
        }
    }
}

/// Panics on the threads of servers, which are part of the plan, print nothing.
pub(crate) fn expect_panics() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let planned = thread::current()
                .name()
                .is_some_and(|name| name.starts_with("socketserver"));
            if !planned {
                print(panic);
            }
        }));
    });
}

/// Forks although libtest has many threads.
///
/// The handlers and hooks of servers that have it may use what is theirs alone, the allocator and the
/// standard streams; a lock, or one end of a channel, that other threads have is of no use in a child.
#[allow(unsafe_code, reason = "there is no other way in a test")]
pub(crate) fn forking() -> Forking {
    // SAFETY: as above.
    unsafe { Forking::new_unchecked() }
}

// ---- servers ----

/// A server that runs in the background, where its clients find it.
pub(crate) struct Host<T: Reachable, S: Service<T::Request>, M: Strategy = Threading> {
    pub(crate) server: RunningServer<T, S, M>,
    // Dropped last: the socket files are in it.
    dir: TempDir,
}

/// Starts a server with defaults.
pub(crate) fn host<T: Reachable, M: Strategy + Default, S: Service<T::Request>>(
    service: S,
) -> Host<T, S, M> {
    host_with::<T, M, S, M>(service, |options| options, |server| server)
}

/// Starts a server with a strategy that is not the default one of its kind.
pub(crate) fn host_by<T, M, S>(strategy: M, service: S) -> Host<T, S, M>
where
    T: Reachable,
    M: Strategy,
    S: Service<T::Request>,
{
    host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| server.strategy(strategy),
    )
}

/// Starts a server after its options and the server itself were adjusted.
pub(crate) fn host_with<T, M, S, N>(
    service: S,
    options: impl FnOnce(ServerOptions<T, S, M>) -> ServerOptions<T, S, M>,
    adjust: impl FnOnce(Server<T, S, M>) -> Server<T, S, N>,
) -> Host<T, S, N>
where
    T: Reachable,
    S: Service<T::Request>,
    M: Strategy + Default,
    N: Strategy,
{
    let dir = TempDir::new();
    let server = T::bind(&dir, options(Server::options()), service).unwrap();
    // On a busy machine a handler may take its time to notice that it was cut off.
    let server = server.closing_time(Duration::from_secs(1));
    let server = adjust(server).spawn().unwrap();
    Host { server, dir }
}

impl<T: Reachable, S: Service<T::Request>, M: Strategy> Host<T, S, M> {
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        T::connect(self.server.server_address())
    }

    /// Stops the server, which must not hang, and must not have failed.
    #[track_caller]
    pub(crate) fn stop(self) -> DrainReport {
        let Self { server, dir } = self;
        let report = in_time(move || server.stop()).unwrap();
        drop(dir);
        report
    }
}
