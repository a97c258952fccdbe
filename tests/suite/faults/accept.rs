//! Every error that `accept(2)` knows, from a transport that makes them up.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use socketserver::strategy::RequestKind;
use socketserver::transport::{Bind, FromListener, SocketOptions, Tcp, Udp, UnixStream};
use socketserver::{
    AcceptErrorKind, Error, RunningServer, Sequential, Server, ServerHandle, Strategy, Transport,
};

use crate::support::kinds::Kind;
use crate::support::net::*;

// What `man 2 accept` lists, and for datagrams `man 7 udp`.

const RETRIED: [Errno; 17] = [
    Errno::EINTR,
    Errno::ECONNABORTED,
    Errno::EPROTO,
    Errno::ENETDOWN,
    Errno::ENOPROTOOPT,
    Errno::EHOSTDOWN,
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
];
/// The last is one that nobody expects.
const BACKED_OFF: [Errno; 6] = [
    Errno::EMFILE,
    Errno::ENFILE,
    Errno::ENOBUFS,
    Errno::ENOMEM,
    Errno::ENOSR,
    Errno::EXDEV,
];
const FATAL: [Errno; 4] = [Errno::EBADF, Errno::EINVAL, Errno::ENOTSOCK, Errno::EFAULT];

// ---- the transport ----

/// A transport of which the test says when it fails.
struct Faulty<T> {
    inner: T,
    plan: Arc<Plan>,
}

/// What goes wrong, and what was tried.
#[derive(Default)]
struct Plan {
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    left: usize,
    /// When `get_request` was called, on which thread.
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

    fn mend(&self) {
        self.state.lock().unwrap().left = 0;
    }

    /// Fails, or takes in a request: under the lock, so that a loop that was let through before cannot
    /// take in what comes after the next `fail`.
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

    /// Waits until one loop has called so often, and tells when every loop has.
    fn wait_for_calls(&self, number: usize) -> Vec<Vec<Instant>> {
        let state = self.state.lock().unwrap();
        let few = |state: &mut State| state.calls.values().all(|calls| calls.len() < number);
        let waited = self.called.wait_timeout_while(state, PATIENCE, few);
        let (state, waited) = waited.unwrap();
        assert!(!waited.timed_out(), "the server tries no more");
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

/// The transports that are given faults.
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

/// A server that has such a transport, and passes on what its hook is told.
struct Patient<T: Inner> {
    server: RunningServer<Faulty<T>, Hooks<T::Request>, Box<dyn Strategy>>,
    plan: Arc<Plan>,
    errors: Receiver<Option<i32>>,
    _dir: TempDir,
}

fn patient<T: Inner>(kind: Kind) -> Patient<T> {
    let (seen, errors) = mpsc::channel();
    let patient = patient_that_tells(kind, move |error| {
        let _ = seen.send(error.raw_os_error());
    });
    Patient { errors, ..patient }
}

fn patient_that_tells<T: Inner>(
    kind: Kind,
    hook: impl Fn(&io::Error) + Send + Sync + 'static,
) -> Patient<T> {
    let dir = TempDir::new();
    let plan = Arc::<Plan>::default();
    let faulty = Faulty {
        inner: T::make(&dir),
        plan: Arc::clone(&plan),
    };
    let service = Hooks::<T::Request>::echo().on_get_request_error(hook);
    let server = Server::<Faulty<T>, _, Sequential>::from_listener(faulty, service).unwrap();
    let server = server.strategy(kind.strategy());
    let server = server.grace(Duration::from_millis(50)).spawn().unwrap();
    Patient {
        server,
        plan,
        errors: mpsc::channel().1,
        _dir: dir,
    }
}

impl<T: Inner> Patient<T> {
    /// A client that is there and waits.
    fn client(&self) -> Client {
        let client = T::connect(self.server.server_address());
        client.send("hello\n");
        client
    }

    #[track_caller]
    fn is_served(&self, client: Client) {
        assert_eq!(client.line(), "hello\n");
        if T::KIND == RequestKind::Connection {
            client.finish();
            client.expect_end();
        }
    }

    /// `[retried, backed_off, fatal]`, once there are so many.
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
                use crate::support::kinds::by_kind;
                by_kind!(tcp, udp, unix);
            }
        })*
    };
}

by_transport_and_kind!(
    what_concerns_one_client_is_retried_at_once,
    many_of_these_in_a_row_do_not_spin,
    want_of_resources_is_waited_out,
    one_want_after_another_does_not_spin,
    a_stop_does_not_wait_for_the_next_try,
    a_dead_socket_ends_the_server,
    nothing_there_after_all_is_no_error,
    a_hook_that_panics_costs_nothing,
);

// ---- retry ----

fn what_concerns_one_client_is_retried_at_once<T: Inner>(kind: Kind) {
    let patient = patient::<T>(kind);
    let mut retried = 0;
    for errno in RETRIED {
        patient.plan.fail_with(3, errno);
        patient.is_served(patient.client());
        for _ in 0..3 {
            assert_eq!(next(&patient.errors), Some(errno as i32), "{errno}");
        }
        retried += 3;
        patient.expect_counts([retried, 0, 0]);
    }
    // A transport of one's own may have no number for it.
    let unusable = || io::Error::new(io::ErrorKind::ConnectionAborted, "one client");
    patient.plan.fail(3, unusable);
    patient.is_served(patient.client());
    assert_eq!(next(&patient.errors), None);
    patient.expect_counts([retried + 3, 0, 0]);
    patient.server.stop().unwrap();
}

/// The longest row is 16; from then on it is waited, 10 ms, 20 ms and so on.
fn many_of_these_in_a_row_do_not_spin<T: Inner>(kind: Kind) {
    let patient = patient::<T>(kind);
    patient.plan.fail_with(usize::MAX, Errno::ECONNABORTED);
    let client = patient.client();
    for calls in patient.plan.wait_for_calls(16 + 5) {
        assert_gaps(calls.get(16..).unwrap_or_default());
    }
    patient.plan.mend();
    patient.is_served(client);
    patient.server.stop().unwrap();
}

// ---- back off ----

/// Checks that the pauses between tries are 10 ms at least, then 20, 40 and so on. (How much longer they
/// are is the machine's business.)
#[track_caller]
fn assert_gaps(calls: &[Instant]) {
    let mut least = Duration::from_millis(10);
    for pair in calls.windows(2) {
        let pause = pair[1] - pair[0];
        assert!(pause >= least, "tried again after {pause:?}, not {least:?}");
        least = (least * 2).min(Duration::from_secs(1));
    }
}

/// There are descriptors, whatever the error says: that is worth one try at once. Those after it come by
/// and by, at the latest when the next would be due anyway.
#[track_caller]
fn assert_at_most_one_hope(calls: &[Instant]) {
    let pauses: Vec<_> = calls.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let hopes = pauses.iter().filter(|pause| pause.as_millis() < 10).count();
    assert!(hopes <= 1, "{pauses:?}");
}

fn want_of_resources_is_waited_out<T: Inner>(kind: Kind) {
    for errno in BACKED_OFF {
        assert_eq!(AcceptErrorKind::of(&errno.into()), AcceptErrorKind::BackOff);
        let patient = patient::<T>(kind);
        patient.plan.fail_with(usize::MAX, errno);
        let client = patient.client();
        let is_hopeful = matches!(errno, Errno::EMFILE | Errno::ENFILE);
        for calls in patient.plan.wait_for_calls(7) {
            if is_hopeful {
                assert_at_most_one_hope(&calls);
            } else {
                assert_gaps(&calls);
            }
        }
        patient.plan.mend();
        patient.is_served(client);
        let told: Vec<_> = patient.errors.try_iter().collect();
        assert!(told.len() >= 4, "{errno}: told of {}", told.len());
        assert!(told.iter().all(|&told| told == Some(errno as i32)));
        let errors = patient.server.stats().accept_errors;
        assert!(errors.backed_off >= told.len() as u64, "{errors:?}");
        assert_eq!((errors.retried, errors.fatal), (0, 0));
        patient.server.stop().unwrap();
    }
}

/// A want of memory after one of descriptors: that there are some again is no reason to hope.
fn one_want_after_another_does_not_spin<T: Inner>(kind: Kind) {
    let patient = patient::<T>(kind);
    let calls = AtomicUsize::new(0);
    patient.plan.fail(usize::MAX, move || {
        let first = calls.fetch_add(1, Ordering::SeqCst) < 2;
        let errno = if first { Errno::EMFILE } else { Errno::ENOMEM };
        errno.into()
    });
    let client = patient.client();
    let all = patient.plan.wait_for_calls(9);
    // Each hope is disappointed at most once by each of them.
    for calls in all.iter().filter(|calls| calls.len() == 9) {
        let took = calls[8] - calls[2];
        let least = Duration::from_millis(10 + 20 + 40);
        assert!(took >= least, "tried six times in {took:?}");
    }
    patient.plan.mend();
    patient.is_served(client);
    patient.server.stop().unwrap();
}

/// After the eighth try, the ninth is a second away.
fn a_stop_does_not_wait_for_the_next_try<T: Inner>(kind: Kind) {
    let patient = patient::<T>(kind);
    // A want of memory: for one of descriptors, the server knows a remedy after a second.
    patient.plan.fail_with(usize::MAX, Errno::ENOBUFS);
    let client = patient.client();
    patient.plan.wait_for_calls(8);
    let start = Instant::now();
    // What is waiting in the queue of the system may be taken in at the close.
    patient.plan.mend();
    in_time(move || patient.server.stop()).unwrap();
    // That it is done at once is the promise; what is more than nothing is the machine's.
    let took = start.elapsed();
    assert!(took < Duration::from_millis(800), "stopped after {took:?}");
    drop(client);
}

// ---- fatal ----

fn a_dead_socket_ends_the_server<T: Inner>(kind: Kind) {
    let mut faults: Vec<(Fault, Option<i32>)> = Vec::new();
    for errno in FATAL {
        faults.push((Box::new(move || errno.into()), Some(errno as i32)));
    }
    faults.push((Box::new(|| io::Error::other("no number")), None));
    for (fault, number) in faults {
        let patient = patient::<T>(kind);
        patient.plan.fail(1, fault);
        let client = patient.client();
        let handle = patient.server.handle();
        assert_eq!(next(&patient.errors), number);
        patient.expect_counts([0, 0, 1]);
        assert!(handle.wait(PATIENCE), "it goes on");
        let server = patient.server;
        let error = in_time(move || server.stop()).unwrap_err();
        assert!(matches!(error, Error::Accept { .. }), "{error:?}");
        assert_eq!(error.io_error().unwrap().raw_os_error(), number);
        assert_eq!(handle.stats().accept_errors.total(), 1);
        drop(client);
    }
}

// ---- none at all ----

/// Where several loops wait for one client, all but one find nothing.
fn nothing_there_after_all_is_no_error<T: Inner>(kind: Kind) {
    let patient = patient::<T>(kind);
    patient.plan.fail_with(40, Errno::EAGAIN);
    patient.is_served(patient.client());
    assert_eq!(patient.errors.try_iter().count(), 0);
    patient.expect_counts([0, 0, 0]);
    patient.server.stop().unwrap();
}

fn a_hook_that_panics_costs_nothing<T: Inner>(kind: Kind) {
    expect_panics();
    let patient = patient_that_tells::<T>(kind, |_| panic!("on purpose"));
    for errno in [Errno::ECONNABORTED, Errno::EMFILE] {
        patient.plan.fail_with(2, errno);
        patient.is_served(patient.client());
    }
    patient.expect_counts([2, 2, 0]);
    patient.server.stop().unwrap();
}
