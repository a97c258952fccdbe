//! Threads of the hooks, and errors of `accept`.

use super::*;

/// As with Python's `ThreadingMixIn`, hooks of the accept loop run in its thread, and hooks of a request in the thread
/// of that request. Under `Sequential`, all run in the accept loop, one after the other.
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
    let names = |in_loop: bool| {
        let called = called.iter().filter(|call| (call.1 == looping) == in_loop);
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

/// TCP transport whose first calls of `accept(2)` fail.
struct Flaky {
    tcp: Tcp,
    errors: Mutex<Vec<i32>>,
}

const ABORTED: i32 = Errno::CONNABORTED.raw_os_error();
const TOO_MANY: i32 = Errno::MFILE.raw_os_error();
const NO_MEMORY: i32 = Errno::NOBUFS.raw_os_error();
const NO_LISTENER: i32 = Errno::BADF.raw_os_error();

impl Bind<Vec<i32>> for Flaky {
    fn server_bind(errors: Vec<i32>, options: &SocketOptions) -> Result<Self, Error> {
        let tcp = Tcp::server_bind(LOOPBACK, options)?;
        let errors = Mutex::new(errors);
        Ok(Self { tcp, errors })
    }
}

impl_as_fd!(Flaky, tcp);

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
fn errors_of_the_listener_are_reported_counted_and_survived() {
    expect_panics();
    let (errors, reported) = mpsc::channel();
    let service = Hooks::<TcpRequest>::echo().on_get_request_error(move |error| {
        let _ = errors.send(error.raw_os_error());
        panic!("on purpose");
    });
    let failing = vec![TOO_MANY, ABORTED, TOO_MANY, ABORTED];
    let server = Server::<Flaky, _, Sequential>::bind(failing, service).unwrap();
    let server = server.spawn().unwrap();
    assert_eq!(Tcp::connect(server.server_address()).ask("hi\n"), "hi\n");
    for errno in [ABORTED, TOO_MANY, ABORTED, TOO_MANY] {
        assert_eq!(next(&reported), Some(errno));
    }
    let stats = server.stats();
    assert_eq!((stats.accept_errors.total(), stats.accepted), (4, 1));
}

/// Python's `handle_request` returns without a request in this case.
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

/// Python retries at once, about 400,000 times a second.
#[test]
fn running_out_of_memory_does_not_spin_and_can_be_stopped() {
    let (errors, reported) = mpsc::channel();
    let service = Hooks::<TcpRequest>::echo().on_get_request_error(move |_| {
        let _ = errors.send(());
    });
    let failing = vec![NO_MEMORY; 1_000_000];
    let server = Server::<Flaky, _, Sequential>::bind(failing, service).unwrap();
    // The waits are 10 ms after the first error, 20 ms after the second, 40 ms after the third. The first
    // attempt is made without a client.
    let start = Instant::now();
    let server = server.spawn().unwrap();
    let handle = server.handle();
    let _client = Tcp::connect(server.server_address());
    for _ in 0..4 {
        next(&reported);
    }
    assert!(start.elapsed() >= Duration::from_millis(70));
    in_time(|| server.stop()).unwrap();
    let errors = handle.stats().accept_errors.total();
    assert!(errors < 1000, "{errors} errors");
}

/// In Python, the error ends `serve_forever` too, or the loop spins.
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
