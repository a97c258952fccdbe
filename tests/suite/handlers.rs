//! The life of a handler: the order of its methods, what follows when one of them, or a hook,
//! fails or panics, and how that is told.

use std::any::TypeId;
use std::error::Error as StdError;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::alone::{is_alone, run, test_name};
use crate::support::net::*;
use socketserver::strategy::RequestKind;
use socketserver::transport::{Bind, SocketOptions, Tcp};
use socketserver::{
    Error, Handled, HandlerError, Request, RequestHandler, Result, Sequential, Server,
    ServerHandle, Service, Stage, Strategy, TcpRequest, TcpServer, Threading, ThreadingTcpServer,
    Transport, UnixStreamServer, handler_fn,
};

// ---- the order, and what a failure does to it ----

/// Where a [`Traced`] service can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    Verifying,
    Making,
    SettingUp,
    Handling,
    Finishing,
    Dropping,
    Reporting,
}
use Point::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Fails,
    Panics,
}
use How::*;

/// Writes down what is called, and fails where it is told to, until it is disarmed.
struct Traced {
    armed: AtomicBool,
    script: &'static [(Point, How)],
    calls: Mutex<Vec<String>>,
}

impl Traced {
    fn new(script: &'static [(Point, How)]) -> Self {
        Self {
            armed: AtomicBool::new(true),
            script,
            calls: Mutex::default(),
        }
    }

    fn reach(&self, point: Point, call: String) -> Result {
        if !self.armed.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.calls.lock().unwrap().push(call);
        match self.script.iter().find(|(planned, _)| *planned == point) {
            None => Ok(()),
            Some((_, Fails)) => Err(format!("{point:?} was told to").into()),
            Some((_, Panics)) => panic!("{point:?} was told to"),
        }
    }
}

impl<R: Request> Service<R> for Traced {
    type Handler = TracedHandler;

    fn request_handler(self: &Arc<Self>) -> TracedHandler {
        let reached = self.reach(Making, "request_handler".into());
        reached.expect("making a handler can only panic");
        TracedHandler(Arc::clone(self))
    }

    fn verify_request(&self, _: &R) -> bool {
        self.reach(Verifying, "verify_request".into()).is_ok()
    }

    fn handle_error(&self, _: &mut R, error: &HandlerError) {
        let _ = self.reach(Reporting, format!("({error})"));
    }
}

struct TracedHandler(Arc<Traced>);

impl<R: Request> RequestHandler<R> for TracedHandler {
    fn setup(&mut self, _: &mut R) -> Result {
        self.0.reach(SettingUp, "setup".into())
    }

    fn handle(&mut self, request: &mut R) -> Result {
        let line = request.readline(100)?;
        request.send_all(&line)?;
        self.0.reach(Handling, "handle".into())
    }

    fn finish(&mut self, _: &mut R) -> Result {
        self.0.reach(Finishing, "finish".into())
    }
}

impl Drop for TracedHandler {
    fn drop(&mut self) {
        let _ = self.0.reach(Dropping, "drop".into());
    }
}

/// What is to fail, what is called then, and what the request is counted as.
type Case = (&'static [(Point, How)], &'static str, &'static str);

const CASES: &[Case] = &[
    (
        &[],
        "verify_request request_handler setup handle finish drop",
        "completed",
    ),
    (&[(Verifying, Fails)], "verify_request", "refused"),
    (
        &[(Verifying, Panics)],
        "verify_request (verify_request panicked: Verifying was told to)",
        "failed",
    ),
    (
        &[(Making, Panics)],
        "verify_request request_handler (request_handler panicked: Making was told to)",
        "failed",
    ),
    (
        &[(SettingUp, Fails)],
        "verify_request request_handler setup drop (setup failed: SettingUp was told to)",
        "failed",
    ),
    (
        &[(SettingUp, Panics)],
        "verify_request request_handler setup drop (setup panicked: SettingUp was told to)",
        "failed",
    ),
    (
        &[(Handling, Fails)],
        "verify_request request_handler setup handle finish drop \
         (handle failed: Handling was told to)",
        "failed",
    ),
    (
        &[(Handling, Panics)],
        "verify_request request_handler setup handle finish drop \
         (handle panicked: Handling was told to)",
        "failed",
    ),
    (
        &[(Finishing, Fails)],
        "verify_request request_handler setup handle finish drop \
         (finish failed: Finishing was told to)",
        "failed",
    ),
    (
        &[(Handling, Fails), (Finishing, Panics)],
        "verify_request request_handler setup handle finish drop \
         (handle failed: Handling was told to\n\
         while that was dealt with, finish panicked: Finishing was told to)",
        "failed",
    ),
    (
        &[(Dropping, Panics)],
        "verify_request request_handler setup handle finish drop \
         (request_handler panicked: Dropping was told to)",
        "failed",
    ),
    (
        &[(Handling, Fails), (Dropping, Panics)],
        "verify_request request_handler setup handle finish drop \
         (handle failed: Handling was told to)",
        "failed",
    ),
    (
        &[(Handling, Fails), (Reporting, Panics)],
        "verify_request request_handler setup handle finish drop \
         (handle failed: Handling was told to)",
        "failed",
    ),
    (
        &[(Verifying, Panics), (Reporting, Panics)],
        "verify_request (verify_request panicked: Verifying was told to)",
        "failed",
    ),
];

fn a_failure_costs_that_request_and_no_other<T: Reachable, M: Strategy + Default>() {
    expect_panics();
    for &(script, calls, outcome) in CASES {
        let host = host::<T, M, _>(Traced::new(script));
        let handle = host.server.handle();

        let client = host.client();
        client.send("the first\n");
        if T::KIND == RequestKind::Connection {
            // An orderly end, whatever happened.
            client.rest();
        }
        eventually("the first request is over", || {
            let stats = handle.stats();
            (stats.accepted, stats.active) == (1, 0)
        });
        let traced = host.server.service();
        assert_eq!(
            *traced.calls.lock().unwrap().join(" "),
            *calls,
            "{script:?}"
        );
        let stats = handle.stats();
        let counted = match (stats.completed, stats.failed, stats.refused) {
            (1, 0, 0) => "completed",
            (0, 1, 0) => "failed",
            (0, 0, 1) => "refused",
            _ => panic!("{stats:?}"),
        };
        assert_eq!(counted, outcome, "{script:?}");

        traced.armed.store(false, Ordering::SeqCst);
        assert_eq!(host.client().ask("the next\n"), "the next\n", "{script:?}");
        let report = host.stop();
        assert_eq!((report.interrupted.len(), report.abandoned.len()), (0, 0));
    }
}

over_pairs!([Tcp, Udp] a_failure_costs_that_request_and_no_other);

/// Makes a mess again while it is cleaned up.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("this panics whenever it is dropped");
    }
}

impl fmt::Display for Bomb {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("this panics whenever it is shown");
    }
}

impl StdError for Bomb {}

/// Serves one client whose handler ends with `end`, and then another as usual.
fn the_server_survives<M: Strategy + Default>(end: fn() -> Result) {
    expect_panics();
    let host = host::<Tcp, M, _>(Hooks::new(move |request: &mut TcpRequest| {
        let line = request.readline(100)?;
        request.send_all(&line)?;
        match &*line {
            b"now\n" => end(),
            _ => Ok(()),
        }
    }));
    for line in ["now\n", "later\n"] {
        let client = host.client();
        client.send(line);
        assert_eq!(client.rest(), line.as_bytes());
    }
    let handle = host.server.handle();
    eventually("both are over", || handle.stats().active == 0);
    let stats = handle.stats();
    assert_eq!((stats.failed, stats.completed), (1, 1));
    host.stop();
}

fn a_panic_whose_payload_panics_again_ends_nothing_else<M: Strategy + Default>() {
    the_server_survives::<M>(|| panic_any(Bomb));
}

fn an_error_that_panics_when_it_is_dropped_ends_nothing_else<M: Strategy + Default>() {
    the_server_survives::<M>(|| Err(Box::new(Bomb)));
}

by_strategy!(
    a_panic_whose_payload_panics_again_ends_nothing_else,
    an_error_that_panics_when_it_is_dropped_ends_nothing_else,
);

// ---- hooks of the accept loop ----

#[test]
fn a_panic_in_service_actions_ends_nothing() {
    expect_panics();
    let (calls, called) = mpsc::channel();
    let service = Hooks::<TcpRequest>::echo().on_actions(move || {
        let _ = calls.send(());
        panic!("on purpose");
    });
    let host = host_with::<Tcp, Sequential, _, _>(
        service,
        |options| options,
        |server| server.poll_interval(Duration::from_millis(1)),
    );
    for _ in 0..3 {
        next(&called);
        assert_eq!(host.client().ask("hello\n"), "hello\n");
    }
}

#[test]
fn a_panic_in_handle_timeout_ends_nothing() {
    let service = Hooks::<TcpRequest>::echo().on_timeout(|| panic_any("on purpose"));
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let server = server.handle_request_timeout(Duration::ZERO);
    // On a thread whose panics are expected.
    expect_panics();
    let named = std::thread::Builder::new().name("socketserver-test".into());
    let handled = named.spawn(move || [server.handle_request(), server.handle_request()]);
    for handled in handled.unwrap().join().unwrap() {
        assert_eq!(handled.unwrap(), Handled::Timeout);
    }
}

// ---- where hooks run ----

/// Python's `ThreadingMixIn`: what is about accepting runs in the loop, what is about the request in
/// its thread. Without it, everything runs in the loop, one after the other.
fn hooks_run_where_they_do_in_python<T: Reachable, M: Strategy + Default>() {
    let (calls, called) = mpsc::channel();
    let call = move |name: &'static str| {
        let _ = calls.send((name, thread::current().id()));
    };
    let (verify, handle, error, actions) = (call.clone(), call.clone(), call.clone(), call);
    let service = Hooks::<T::Request>::new(move |_| {
        handle("handle");
        Err("on purpose".into())
    })
    .on_verify(move |_| {
        verify("verify_request");
        true
    })
    .on_error(move |request, _| {
        error("handle_error");
        request.server().shutdown();
    })
    .on_actions(move || actions("service_actions"));
    let dir = TempDir::new();
    let server = T::bind::<_, M>(&dir, Server::options(), service).unwrap();
    let server = server.poll_interval(None);
    let client = T::connect(server.server_address());
    client.send("hello\n");
    let (server, looping) = in_time(move || {
        server.serve_forever().unwrap();
        (server, thread::current().id())
    });
    in_time(|| server.server_close());

    let called: Vec<_> = called.iter().collect();
    let names = |here: bool| {
        let called = called.iter().filter(|call| (call.1 == looping) == here);
        called.map(|call| call.0).collect::<Vec<_>>()
    };
    if TypeId::of::<M>() == TypeId::of::<Sequential>() {
        let all = [
            "verify_request",
            "handle",
            "handle_error",
            "service_actions",
        ];
        assert_eq!(names(true), all);
    } else {
        assert_eq!(names(true), ["verify_request", "service_actions"]);
        assert_eq!(names(false), ["handle", "handle_error"]);
    }
}

mod threads {
    use super::*;

    over!([Tcp, Udp, UnixStream, UnixDatagram] sequential, threading);

    fn sequential<T: Reachable>() {
        hooks_run_where_they_do_in_python::<T, Sequential>();
    }

    fn threading<T: Reachable>() {
        hooks_run_where_they_do_in_python::<T, Threading>();
    }
}

/// TCP on which the first calls of `accept(2)` fail.
struct Flaky {
    tcp: Tcp,
    errors: Mutex<Vec<i32>>,
}

/// `ECONNABORTED`, `EMFILE` and `EBADF` of Linux: the client is gone, the process has too many
/// descriptors, the listener is none.
const ABORTED: i32 = 103;
const TOO_MANY: i32 = 24;
const NO_MEMORY: i32 = 105; // ENOBUFS
const NO_LISTENER: i32 = 9;

impl Bind<Vec<i32>> for Flaky {
    fn server_bind(errors: Vec<i32>, options: &SocketOptions) -> Result<Self, Error> {
        let tcp = Tcp::server_bind(LOOPBACK, options)?;
        let errors = Mutex::new(errors);
        Ok(Self { tcp, errors })
    }
}

impl AsFd for Flaky {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

impl Transport for Flaky {
    type Request = TcpRequest;
    type Address = <Tcp as Transport>::Address;

    const KIND: RequestKind = Tcp::KIND;

    fn server_address(&self) -> &Self::Address {
        self.tcp.server_address()
    }

    fn server_activate(&self) -> io::Result<()> {
        self.tcp.server_activate()
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<TcpRequest> {
        match self.errors.lock().unwrap().pop() {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => self.tcp.get_request(server),
        }
    }
}

#[test]
fn errors_of_the_listener_are_told_counted_and_survived() {
    expect_panics();
    let (errors, told) = mpsc::channel();
    let service = Hooks::<TcpRequest>::echo().on_get_request_error(move |error| {
        let _ = errors.send(error.raw_os_error());
        panic!("on purpose");
    });
    let failing = vec![TOO_MANY, ABORTED, TOO_MANY, ABORTED];
    let server = Server::<Flaky, _, Sequential>::bind(failing, service).unwrap();
    let server = server.spawn().unwrap();
    assert_eq!(Tcp::connect(server.server_address()).ask("hi\n"), "hi\n");
    for errno in [ABORTED, TOO_MANY, ABORTED, TOO_MANY] {
        assert_eq!(next(&told), Some(errno));
    }
    let stats = server.stats();
    assert_eq!((stats.accept_errors.total(), stats.accepted), (4, 1));
}

/// Python's `handle_request` returns then, without a request.
#[test]
fn a_client_that_is_gone_before_it_is_accepted_does_not_end_handle_request() {
    let failing = vec![ABORTED];
    let server = Server::<Flaky, _, Sequential>::bind(failing, || LineEcho).unwrap();
    let client = Tcp::connect(server.server_address());
    client.send("hello\n");
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(client.line(), "hello\n");
    let stats = server.stats();
    assert_eq!((stats.accept_errors.total(), stats.accepted), (1, 1));
}

/// Python tries again at once, some 400,000 times a second.
#[test]
fn running_out_of_memory_does_not_spin_and_can_be_stopped() {
    let (errors, told) = mpsc::channel();
    let service = Hooks::<TcpRequest>::echo().on_get_request_error(move |_| {
        let _ = errors.send(());
    });
    let failing = vec![NO_MEMORY; 1_000_000];
    let server = Server::<Flaky, _, Sequential>::bind(failing, service).unwrap();
    let server = server.spawn().unwrap();
    let handle = server.handle();
    // 10 ms after the first, 20 ms after the second, and so on.
    let start = Instant::now();
    let _client = Tcp::connect(server.server_address());
    for _ in 0..4 {
        next(&told);
    }
    assert!(start.elapsed() >= Duration::from_millis(70));
    in_time(|| server.stop()).unwrap();
    let errors = handle.stats().accept_errors.total();
    assert!(errors < 1000, "{errors} errors");
}

/// Python: the same, or a busy loop.
#[test]
fn a_listener_that_is_broken_for_good_ends_serve_forever() {
    let failing = vec![NO_LISTENER];
    let server = Server::<Flaky, _, Sequential>::bind(failing, || LineEcho).unwrap();
    let _client = Tcp::connect(server.server_address());
    match in_time(move || server.serve_forever()) {
        Err(Error::Accept { source }) => assert_eq!(source.raw_os_error(), Some(NO_LISTENER)),
        other => panic!("{other:?}"),
    }
}

// ---- what makes handlers ----

/// Counts the requests that it has handled: one, if it is as fresh as it should be.
#[derive(Default)]
struct Counting {
    handled: usize,
}

impl<R: Request> RequestHandler<R> for Counting {
    fn handle(&mut self, request: &mut R) -> Result {
        request.readline(100)?;
        self.handled += 1;
        request.send_all(format!("{}\n", self.handled).as_bytes())?;
        Ok(())
    }
}

fn each_request_has_a_fresh_handler<T: Reachable, M: Strategy + Default>() {
    let host = host::<T, M, _>(Counting::default);
    for _ in 0..5 {
        assert_eq!(host.client().ask("?\n"), "1\n");
    }
}

everywhere!(each_request_has_a_fresh_handler);

/// One of the makers below, behind a server.
fn answer_of<S: Service<TcpRequest>>(service: S) -> String {
    host::<Tcp, Threading, _>(service).client().ask("hello\n")
}

#[test]
fn whatever_makes_a_handler_is_a_service() {
    struct Greeter {
        greeting: Arc<str>,
    }
    impl RequestHandler<TcpRequest> for Greeter {
        fn handle(&mut self, request: &mut TcpRequest) -> Result {
            request.readline(100)?;
            Ok(request.send_all(self.greeting.as_bytes())?)
        }
    }
    fn greeter() -> Greeter {
        let greeting = "from a function\n".into();
        Greeter { greeting }
    }
    let greeting: Arc<str> = "from a closure\n".into();
    let closure = move || Greeter {
        greeting: Arc::clone(&greeting),
    };
    assert_eq!(answer_of(|| LineEcho), "hello\n");
    assert_eq!(answer_of(LineEcho::default), "hello\n");
    assert_eq!(answer_of(greeter), "from a function\n");
    assert_eq!(answer_of(closure), "from a closure\n");
}

#[test]
fn a_function_is_a_service_by_handler_fn() {
    fn shout(request: &mut TcpRequest) -> Result {
        let line = request.readline(100)?.to_ascii_uppercase();
        Ok(request.send_all(&line)?)
    }
    let visits = AtomicUsize::new(0);
    let count = handler_fn(move |request: &mut TcpRequest| {
        request.readline(100)?;
        let visit = visits.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(request.send_all(format!("visit {visit}\n").as_bytes())?)
    });
    assert_eq!(answer_of(handler_fn(shout)), "HELLO\n");
    let host = host::<Tcp, Threading, _>(count);
    for visit in 1..=3 {
        assert_eq!(host.client().ask("\n"), format!("visit {visit}\n"));
    }
}

#[test]
fn a_service_can_refuse_by_address() {
    let verified = Arc::new(Mutex::new(Vec::new()));
    let service = Hooks::<TcpRequest>::echo().on_verify({
        let verified = Arc::clone(&verified);
        move |request| {
            let mut verified = verified.lock().unwrap();
            verified.push(*request.client_address());
            verified.len() != 2
        }
    });
    let host = host::<Tcp, Threading, _>(service);
    let clients = [(); 3].map(|()| host.client());
    assert_eq!(clients[0].ask("one\n"), "one\n");
    clients[1].expect_end();
    assert_eq!(clients[2].ask("three\n"), "three\n");
    let addresses = clients.map(|client| client.socket().local_addr().unwrap().as_socket());
    assert_eq!(
        verified.lock().unwrap().as_slice(),
        addresses.map(Option::unwrap)
    );
    assert_eq!(host.server.stats().refused, 1);
}

// ---- what handle_error is told ----

#[test]
fn handle_error_can_still_answer() {
    let service = Hooks::new(|request: &mut TcpRequest| {
        request.readline(100)?;
        Err("this is broken".into())
    })
    .on_error(|request, error| {
        let answer = format!("500 {}\n", error.error().unwrap());
        request.send_all(answer.as_bytes()).unwrap();
    });
    let host = host::<Tcp, Threading, _>(service);
    let client = host.client();
    client.send("?\n");
    assert_eq!(client.rest(), b"500 this is broken\n");
}

#[derive(Debug)]
struct Outer(io::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("outer")
    }
}

impl StdError for Outer {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

/// Runs a handler that ends with `end`, and looks at what `handle_error` is told.
fn told(end: fn() -> Result, look: fn(&HandlerError)) {
    expect_panics();
    let (looked, looks) = mpsc::channel();
    let service = Hooks::new(move |_: &mut TcpRequest| end()).on_error(move |_, error| {
        // Assertions that fail have to reach the thread of the test.
        let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| look(error)));
        let _ = looked.send(ok.map_err(|_| format!("{error:?}")));
    });
    let host = host::<Tcp, Threading, _>(service);
    host.client().expect_end();
    assert_eq!(next(&looks), Ok(()), "not what was expected");
}

#[test]
fn an_error_is_told_with_its_type_and_its_causes() {
    told(
        || Err(Outer(io::Error::other("inner")).into()),
        |error| {
            assert_eq!(error.stage(), Stage::Handle);
            let outer = error.error().unwrap();
            assert_eq!(
                outer.downcast_ref::<Outer>().unwrap().0.to_string(),
                "inner"
            );
            assert_eq!(StdError::source(error).unwrap().to_string(), "outer");
            assert_eq!(error.panic_message(), None);
            assert!(error.context().is_none());
            assert!(!error.is_disconnect() && !error.is_timeout());
            assert_eq!(error.to_string(), "handle failed: outer\ncaused by: inner");
        },
    );
}

#[test]
fn a_text_is_an_error_too() {
    told(
        || Err("just a text".into()),
        |error| assert_eq!(error.to_string(), "handle failed: just a text"),
    );
}

#[test]
fn a_panic_is_told_with_its_message() {
    told(
        || panic!("no {}", "way"),
        |error| {
            assert_eq!(error.panic_message(), Some("no way"));
            assert!(error.error().is_none() && StdError::source(error).is_none());
            assert!(!error.is_disconnect() && !error.is_timeout());
            assert_eq!(error.to_string(), "handle panicked: no way");
        },
    );
    told(
        || panic_any(7),
        |error| assert_eq!(error.panic_message(), Some("(a payload that is not text)")),
    );
}

#[test]
fn timeouts_are_recognised_behind_other_errors_and_other_peoples_ends_are_no_disconnects() {
    told(
        || Err(Outer(ErrorKind::TimedOut.into()).into()),
        |error| assert!(error.is_timeout() && !error.is_disconnect()),
    );
    // The end of some file is not the end of the client, nor is that of another connection.
    told(
        || Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
        |error| assert!(!error.is_disconnect()),
    );
    told(
        || Err(Outer(ErrorKind::ConnectionReset.into()).into()),
        |error| assert!(!error.is_disconnect() && !error.is_timeout()),
    );
}

#[test]
fn the_first_error_is_the_context_of_the_second() {
    struct Clumsy;
    impl RequestHandler<TcpRequest> for Clumsy {
        fn handle(&mut self, _: &mut TcpRequest) -> Result {
            Err("the first".into())
        }
        fn finish(&mut self, _: &mut TcpRequest) -> Result {
            Err("the second".into())
        }
    }
    struct Watching(mpsc::Sender<Vec<(Stage, String)>>);
    impl Service<TcpRequest> for Watching {
        type Handler = Clumsy;
        fn request_handler(self: &Arc<Self>) -> Clumsy {
            Clumsy
        }
        fn handle_error(&self, _: &mut TcpRequest, error: &HandlerError) {
            let errors = std::iter::successors(Some(error), |error| error.context());
            let told = errors.map(|it| (it.stage(), it.error().unwrap().to_string()));
            let _ = self.0.send(told.collect());
        }
    }
    let (sender, receiver) = mpsc::channel();
    let server = ThreadingTcpServer::bind(LOOPBACK, Watching(sender)).unwrap();
    let server = server.spawn().unwrap();
    Tcp::connect(server.server_address()).expect_end();
    let expected = [(Stage::Finish, "the second"), (Stage::Handle, "the first")];
    assert_eq!(
        next(&receiver),
        expected.map(|(stage, text)| (stage, text.into()))
    );
}

// ---- what is printed ----

/// Fails in the way that the client asks for.
struct Failing;

impl<R: Request> RequestHandler<R> for Failing {
    fn handle(&mut self, request: &mut R) -> Result {
        match &*request.readline(100)? {
            b"fail\n" => Err(Outer(io::Error::other("inner")).into()),
            b"panic\n" => panic!("no way"),
            _ => Ok(request.read_exact(&mut [0; 100])?),
        }
    }
}

/// Runs servers whose errors are printed. Says on stdout who the clients were.
#[test]
#[ignore = "is run in a process of its own, by `errors_are_printed_as_python_does`"]
fn the_process_that_prints_errors() {
    if !is_alone(test_name!("the_process_that_prints_errors")) {
        return;
    }
    // What the panic hook prints is not looked at.
    std::panic::set_hook(Box::new(|_| {}));
    let server = TcpServer::bind(LOOPBACK, || Failing).unwrap();
    let server = server.spawn().unwrap();
    for order in ["fail", "panic", "leave", "reset"] {
        let client = Tcp::connect(server.server_address());
        println!(
            "client {}",
            client
                .socket()
                .local_addr()
                .unwrap()
                .as_socket()
                .unwrap()
                .port()
        );
        client.send(format!("{order}\n123"));
        match order {
            "leave" => client.finish(),
            "reset" => {
                client.socket().set_linger(Some(Duration::ZERO)).unwrap();
                continue;
            }
            _ => {}
        }
        client.expect_end();
    }
    server.stop().unwrap();

    let dir = TempDir::new();
    let server = UnixStreamServer::bind(dir.socket(), || Failing).unwrap();
    let server = server.spawn().unwrap();
    let client = socketserver::transport::UnixStream::connect(server.server_address());
    client.send("fail\n");
    client.expect_end();
    server.stop().unwrap();
}

#[test]
fn errors_are_printed_as_python_does() {
    let ended = run(test_name!("the_process_that_prints_errors"));
    let (stdout, stderr) = (ended.text(), &ended.stderr);

    let ports: Vec<_> = stdout
        .lines()
        .filter_map(|line| line.split_once("client "))
        .map(|(_, port)| port)
        .collect();
    let [failed, panicked, _left, _reset] = ports[..] else {
        panic!("{stdout}");
    };
    // In Python the traceback is between the dashes.
    let dashes = "-".repeat(40);
    let report = |from: &str, what: &str| {
        format!(
            "{dashes}\nException occurred during processing of request from {from}\n\
             {what}\n{dashes}\n"
        )
    };
    let outer = "handle failed: outer\ncaused by: inner";
    let expected = [
        report(&format!("('127.0.0.1', {failed})"), outer),
        report(
            &format!("('127.0.0.1', {panicked})"),
            "handle panicked: no way",
        ),
        // Nothing about the clients that merely left.
        report("", outer),
    ];
    assert_eq!(*stderr, expected.concat());
}
