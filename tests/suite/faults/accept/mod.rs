//! Every error that `accept(2)` documents, from a transport that simulates them.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use socketserver::RequestKind;
use socketserver::transport::{Bind, FromListener, SocketOptions, Tcp, Udp, UnixStream};
use socketserver::{
    AcceptErrorKind, Error, RunningServer, Sequential, Server, ServerHandle, Strategy, Transport,
};

use crate::support::kinds::Kind;
use crate::support::net::*;
use crate::support::scale::scale;

macro_rules! by_transport_and_kind {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            use super::*;

            fn tcp(kind: Kind) {
                super::$check::<Tcp>(kind);
            }
            fn udp(kind: Kind) {
                super::$check::<Udp>(kind);
            }
            fn unix(kind: Kind) {
                super::$check::<UnixStream>(kind);
            }
            mod over {
                use super::{tcp, udp, unix};
                use crate::support::kinds::by_kind_here;
                by_kind_here!(tcp, udp, unix);
            }
        })*
    };
}

// These modules use the macros above.
mod back_off;
mod fatal;
mod harmless;
mod retry;

// The errors that `man 2 accept` lists, and for datagrams `man 7 udp`.

const RETRIED: &[Errno] = &[
    Errno::EINTR,
    Errno::ECONNABORTED,
    Errno::EPROTO,
    Errno::ENETDOWN,
    Errno::ENOPROTOOPT,
    Errno::EHOSTDOWN,
    #[cfg(target_os = "linux")]
    Errno::ENONET,
    Errno::EHOSTUNREACH,
    Errno::EOPNOTSUPP,
    Errno::ENETUNREACH,
    Errno::EPROTONOSUPPORT,
    Errno::ESOCKTNOSUPPORT,
    Errno::ETIMEDOUT,
    Errno::EPERM,
    Errno::ECONNREFUSED,
    Errno::ECONNRESET,
    Errno::EMSGSIZE,
    Errno::EACCES,
];

/// The last one is an error that `accept(2)` does not document.
const BACKED_OFF: &[Errno] = &[
    Errno::EMFILE,
    Errno::ENFILE,
    Errno::ENOBUFS,
    Errno::ENOMEM,
    #[cfg(target_os = "linux")]
    Errno::ENOSR,
    Errno::EXDEV,
];

const FATAL: [Errno; 4] = [Errno::EBADF, Errno::EINVAL, Errno::ENOTSOCK, Errno::EFAULT];

/// Transport that fails when the test plans it.
struct Faulty<T> {
    inner: T,
    plan: Arc<Plan>,
}

/// The planned faults, and the calls so far.
#[derive(Default)]
struct Plan {
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    left: usize,
    /// Times of the calls of `get_request`, by thread.
    calls: HashMap<ThreadId, Vec<Instant>>,
}

type Fault = Box<dyn Fn() -> io::Error + Send>;

impl Plan {
    /// Makes the next `times` calls fail.
    fn fail(&self, times: usize, fault: impl Fn() -> io::Error + Send + 'static) {
        let mut state = self.state.lock().unwrap();
        state.fault = Some(Box::new(fault));
        state.left = times;
        state.calls.clear();
    }

    fn fail_with(&self, times: usize, errno: Errno) {
        self.fail(times, move || errno.into());
    }

    fn end_faults(&self) {
        self.state.lock().unwrap().left = 0;
    }

    /// Fails, or accepts a request. Holds the lock, so that a loop whose call has begun before the next
    /// `fail` cannot accept a later request.
    fn call<R>(&self, get_request: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let mut state = self.state.lock().unwrap();
        let calls = state.calls.entry(thread::current().id()).or_default();
        calls.push(Instant::now());
        self.called.notify_all();
        if state.left == 0 {
            return get_request();
        }
        state.left -= 1;
        Err(state.fault.as_ref().unwrap()())
    }

    /// Waits until one loop has made `number` calls. Returns the times of the calls of each loop.
    fn wait_for_calls(&self, number: usize) -> Vec<Vec<Instant>> {
        let state = self.state.lock().unwrap();
        let few = |state: &mut State| state.calls.values().all(|calls| calls.len() < number);
        let waited = self.called.wait_timeout_while(state, PATIENCE, few);
        let (state, waited) = waited.unwrap();
        assert!(!waited.timed_out(), "the server no longer tries to accept");
        state.calls.values().cloned().collect()
    }
}

impl<T: Transport> Transport for Faulty<T> {
    type Request = T::Request;
    type Address = T::Address;

    const KIND: RequestKind = T::KIND;

    fn server_address(&self) -> &T::Address {
        self.inner.server_address()
    }

    fn server_activate(&self) -> io::Result<()> {
        self.inner.server_activate()
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<T::Request> {
        self.plan.call(|| self.inner.get_request(server))
    }
}

impl<T: Transport> AsFd for Faulty<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<T: Transport> FromListener<Self> for Faulty<T> {
    fn from_listener(listener: Self, _: &SocketOptions) -> Result<Self, Error> {
        Ok(listener)
    }
}

/// The transports that [`Faulty`] wraps.
trait Inner: Reachable {
    fn make(dir: &TempDir) -> Self;
}

impl Inner for Tcp {
    fn make(_: &TempDir) -> Self {
        Self::server_bind(LOOPBACK, &Self::default_options()).unwrap()
    }
}

impl Inner for UnixStream {
    fn make(dir: &TempDir) -> Self {
        Self::server_bind(dir.socket(), &Self::default_options()).unwrap()
    }
}

impl Inner for Udp {
    fn make(_: &TempDir) -> Self {
        let socket = std::net::UdpSocket::bind(own_loopback()).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self::from_listener(socket, &Self::default_options()).unwrap()
    }
}

/// Server with a [`Faulty`] transport. `errors` receives the errors that its hook gets.
struct FaultyServer<T: Inner> {
    server: RunningServer<Faulty<T>, Hooks<T::Request>, Box<dyn Strategy>>,
    plan: Arc<Plan>,
    errors: Receiver<Option<i32>>,
    _dir: TempDir,
}

fn faulty_server<T: Inner>(kind: Kind) -> FaultyServer<T> {
    let (reported, errors) = mpsc::channel();
    let faulty = faulty_server_with_hook(kind, move |error| {
        let _ = reported.send(error.raw_os_error());
    });
    FaultyServer { errors, ..faulty }
}

fn faulty_server_with_hook<T: Inner>(
    kind: Kind,
    hook: impl Fn(&io::Error) + Send + Sync + 'static,
) -> FaultyServer<T> {
    let dir = TempDir::new();
    let plan = Arc::<Plan>::default();
    let transport = Faulty {
        inner: T::make(&dir),
        plan: Arc::clone(&plan),
    };
    let service = Hooks::<T::Request>::echo().on_get_request_error(hook);
    let server = Server::<Faulty<T>, _, Sequential>::from_listener(transport, service).unwrap();
    let server = server.strategy(kind.strategy());
    let server = server
        .grace_period(Duration::from_millis(50))
        .spawn()
        .unwrap();
    FaultyServer {
        server,
        plan,
        errors: mpsc::channel().1,
        _dir: dir,
    }
}

impl<T: Inner> FaultyServer<T> {
    /// Connects a client that has sent a line and waits for the reply.
    fn client(&self) -> Client {
        let client = T::connect(self.server.server_address());
        client.send("hello\n");
        client
    }

    #[track_caller]
    fn expect_served(&self, client: Client) {
        assert_eq!(client.line(), "hello\n");
        if T::KIND == RequestKind::Connection {
            client.finish();
            client.expect_end();
        }
    }

    /// Waits until the counters are `[retried, backed_off, fatal]`.
    #[track_caller]
    fn expect_counts(&self, expected: [u64; 3]) {
        let counted = || {
            let errors = self.server.stats().accept_errors;
            [errors.retried, errors.backed_off, errors.fatal]
        };
        let deadline = Instant::now() + PATIENCE;
        while counted() != expected && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(counted(), expected);
    }
}

/// Asserts that the pauses between calls are at least 10 ms, then 20, 40 and so on, up to a second. A
/// busy machine makes them longer.
#[track_caller]
fn assert_gaps(calls: &[Instant]) {
    let mut least = Duration::from_millis(10);
    for pair in calls.windows(2) {
        let pause = pair[1] - pair[0];
        assert!(
            pause >= least,
            "tried again after {pause:?} instead of {least:?}"
        );
        least = (least * 2).min(Duration::from_secs(1));
    }
}
