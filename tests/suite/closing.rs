//! Closing a server: it stops listening, waits for running requests as long as the grace period
//! lasts, cuts off the rest, reports what it did, and never hangs.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::net::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socketserver::strategy::RequestKind;
use socketserver::transport::{Tcp, UnixStream};
use socketserver::{
    Activity, Coroutines, DrainReport, Job, Rejected, Request, RequestInfo, RunningServer,
    Sequential, Server, Service, Strategy, TcpRequest, TcpServer, ThreadPool, Threading,
    ThreadingTcpServer, WaitingClients,
};

/// A grace period for tests in which it is over.
const SHORT: Duration = Duration::from_millis(50);

/// (running, interrupted, abandoned)
fn numbers(report: DrainReport) -> (usize, usize, usize) {
    (
        report.running,
        report.interrupted.len(),
        report.abandoned.len(),
    )
}

fn with_grace<T, M, S>(grace: Duration, service: S) -> Host<T, S, M>
where
    T: Reachable,
    M: Strategy + Default,
    S: Service<T::Request>,
{
    host_with::<T, M, _, _>(service, |options| options, |server| server.grace(grace))
}

// ---- what is waited for ----

/// The handler ends when it sees that the server is closed, and not before.
fn a_running_request_is_waited_for<T: Reachable, M: Strategy + Default>() {
    let (started, starts) = mpsc::channel();
    let service = Hooks::new(move |request: &mut T::Request| {
        let line = request.readline(100)?;
        let _ = started.send(());
        let handle = request.server().clone();
        eventually("the server is closed", || handle.is_shutting_down());
        request.send_all(&line)?;
        Ok(())
    });
    let host = with_grace::<T, M, _>(PATIENCE, service);
    let client = host.client();
    client.send("hello\n");
    next(&starts);
    let handle = host.server.handle();
    let report = host.stop();
    assert_eq!((report.interrupted.len(), report.abandoned.len()), (0, 0));
    assert_eq!(handle.stats().completed, 1);
    assert_eq!(client.line(), "hello\n");
    if T::KIND == RequestKind::Connection {
        client.expect_end();
    }
}

fn a_server_that_never_served_closes_at_once<T: Reachable, M: Strategy + Default>() {
    let dir = TempDir::new();
    let server = T::bind::<_, M>(&dir, Server::options(), || LineEcho).unwrap();
    let socket = SocketId::of(&server);
    assert_eq!(numbers(in_time(|| server.server_close())), (0, 0, 0));
    assert!(!socket.is_open());
}

everywhere!(
    a_running_request_is_waited_for,
    a_server_that_never_served_closes_at_once,
);

/// While the last requests come to their end, nobody new gets in.
fn a_server_that_is_closing_refuses_clients<T: Connected, M: Strategy + Default>() {
    let (tell, address) = mpsc::channel::<T::Address>();
    let address = Mutex::new(address);
    let service = Hooks::new(move |request: &mut T::Request| {
        // The others are those that are made below.
        if request.readline(100)?.is_empty() {
            return Ok(());
        }
        socketserver::blocking(|| {
            let address = next(&address.lock().unwrap());
            eventually("nobody listens", || T::try_connect(&address).is_err());
        });
        request.send_all(b"refused\n")?;
        Ok(())
    });
    let host = with_grace::<T, M, _>(PATIENCE, service);
    let client = host.client();
    client.send("the first\n");
    let handle = host.server.handle();
    eventually("it is running", || handle.stats().accepted == 1);
    tell.send(host.server.server_address().clone()).unwrap();
    let report = host.stop();
    assert_eq!((report.interrupted.len(), report.abandoned.len()), (0, 0));
    assert_eq!(client.rest(), b"refused\n");
}

fn a_grace_period_without_limit_is_waited_for<T: Connected, M: Strategy + Default>() {
    let host = with_grace::<T, M, _>(Duration::MAX, Hooks::<T::Request>::echo());
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    let handle = host.server.handle();
    let stopped = thread::spawn(move || host.stop());
    eventually("it is being closed", || handle.is_shutting_down());
    // Not cut off, as Python's would not be.
    assert_eq!(client.ask("still there?\n"), "still there?\n");
    drop(client);
    let report = stopped.join().unwrap();
    assert_eq!((report.interrupted.len(), report.abandoned.len()), (0, 0));
}

// ---- what is cut off ----

/// Has one client whose handler waits by `wait` for what never comes, stops the server by `stop`,
/// and checks that the handler is cut off.
fn is_cut_off<T: Connected, M: Strategy + Default>(
    wait: fn(&mut T::Request) -> socketserver::Result,
    stop: impl FnOnce(Host<T, Hooks<T::Request>, M>),
) {
    let (started, starts) = mpsc::channel();
    let (service, failures) = Hooks::new(move |request: &mut T::Request| {
        let _ = started.send(());
        wait(request)
    })
    .failures();
    let host = with_grace::<T, M, _>(SHORT, service);
    let handle = host.server.handle();
    let client = host.client();
    next(&starts);
    let start = Instant::now();
    stop(host);
    assert!(start.elapsed() >= SHORT, "after {:?}", start.elapsed());
    let failure = next(&failures);
    assert!(
        failure.shutting_down && failure.is_disconnect,
        "{failure:?}"
    );
    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.active), (1, 0));
    drop(client);
}

fn waits_to_read<R: Request>(request: &mut R) -> socketserver::Result {
    request.readline(100)?;
    Err("the client said something".into())
}

fn waits_to_write<R: Request>(request: &mut R) -> socketserver::Result {
    loop {
        request.send_all([0; 10_000])?;
    }
}

/// The report says so too where the loop could not have left otherwise, so that it was done before
/// the server was closed.
fn a_client_that_keeps_the_server_is_cut_off<T: Connected, M: Strategy + Default>() {
    for wait in [waits_to_read, waits_to_write] {
        is_cut_off::<T, M>(wait, |host| {
            let handle = host.server.handle();
            assert_eq!(numbers(host.stop()), (1, 1, 0));
            assert_eq!(handle.stats().interrupted, 1);
        });
    }
}

fn dropping_the_server_cuts_off_too<T: Connected, M: Strategy + Default>() {
    is_cut_off::<T, M>(waits_to_read, |host| in_time(|| drop(host.server)));
}

/// Connections that a pool has accepted and not come to yet are closed as well.
fn clients_in_the_queue_are_closed<T: Connected>() {
    let (service, failures) = Hooks::new(waits_to_read::<T::Request>).failures();
    let host = host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| server.grace(SHORT).strategy(ThreadPool::new(1).queue(4)),
    );
    let clients = [(); 4].map(|()| host.client());
    let handle = host.server.handle();
    eventually("all are accepted", || handle.stats().accepted == 4);
    assert_eq!(numbers(host.stop()), (4, 4, 0));
    for client in clients {
        assert!(next(&failures).shutting_down);
        client.expect_end();
    }
}

/// Those that nobody has accepted are served, as long as the grace period lasts; the others get an orderly
/// end.
fn clients_that_were_not_accepted_yet_are_not_lost<T: Connected>() {
    let dir = TempDir::new();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), || LineEcho).unwrap();
    let server = server.grace(SHORT);
    let clients = [(); 5].map(|()| T::connect(server.server_address()));
    clients[0].send("hello\n");
    let report = in_time(|| server.server_close());
    assert_eq!((report.running, report.accepted), (0, 5));
    assert_eq!((report.completed, report.refused), (1, 3));
    assert_eq!((report.interrupted.len(), report.abandoned.len()), (1, 0));
    assert_eq!(clients[0].rest(), b"hello\n");
    for client in &clients[1..] {
        client.expect_end();
    }
}

/// The kernel waits for what completes its handshake, as it does with every client for a moment: only
/// that this one, which has the server wait for its first words, can take its time.
#[test]
fn a_client_whose_handshake_is_under_way_is_not_lost() {
    let ((started, starts), (go, goes)) = (mpsc::channel(), mpsc::channel());
    let goes = Mutex::new(goes);
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let line = request.readline(100)?;
        let _ = started.send(());
        next(&goes.lock().unwrap());
        Ok(request.send_all(&line)?)
    });
    let options = TcpServer::options().defer_accept(PATIENCE);
    let server = options.bind(LOOPBACK, service).unwrap().grace(PATIENCE);
    let queue = server.as_fd().try_clone_to_owned().unwrap();
    let [first, second] = [(); 2].map(|()| Tcp::connect(server.server_address()));
    first.send("hello\n");
    let closing = thread::spawn(move || server.server_close());
    next(&starts);
    // The door is closed, and the first client keeps the one who looks after the queue.
    second.send("too\n");
    eventually("the second is in the queue", || {
        let mut queue = [PollFd::new(&queue, PollFlags::IN)];
        poll(&mut queue, Some(&Timespec::default())).unwrap() > 0
    });
    go.send(()).unwrap();
    go.send(()).unwrap();
    assert_eq!(first.rest(), b"hello\n");
    assert_eq!(second.rest(), b"too\n");
    let report = in_time(|| closing.join().unwrap());
    assert_eq!((report.accepted, report.completed), (2, 2));
}

fn clients_that_were_not_accepted_yet_can_be_refused<T: Connected, M: Strategy + Default>() {
    let dir = TempDir::new();
    let server = T::bind::<_, M>(&dir, Server::options(), || LineEcho).unwrap();
    let server = server.waiting_clients(WaitingClients::Refuse(b"come back later\n".into()));
    let clients = [(); 5].map(|()| T::connect(server.server_address()));
    clients[0].send("hello\n");
    let handle = server.handle();
    let report = in_time(|| server.server_close());
    assert_eq!((report.accepted, report.refused), (5, 5));
    assert_eq!(handle.stats().refused_by.closing, 5);
    for client in &clients {
        assert_eq!(client.rest(), b"come back later\n");
    }
}

/// The system closes these, and not always in order: a reset, or the end.
fn clients_that_were_not_accepted_yet_can_be_left<T: Connected>() {
    let dir = TempDir::new();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), || LineEcho).unwrap();
    let server = server.waiting_clients(WaitingClients::Leave);
    let clients = [(); 4].map(|()| T::connect(server.server_address()));
    let report = in_time(|| server.server_close());
    assert_eq!(report.accepted, 0);
    for client in clients {
        match client.try_receive() {
            Ok(data) => assert!(data.is_empty()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

over_streams!(
    clients_in_the_queue_are_closed,
    clients_that_were_not_accepted_yet_are_not_lost,
    clients_that_were_not_accepted_yet_can_be_left,
);

over_streams_by_strategy!(
    a_grace_period_without_limit_is_waited_for,
    a_client_that_keeps_the_server_is_cut_off,
    dropping_the_server_cuts_off_too,
    clients_that_were_not_accepted_yet_can_be_refused,
);

macro_rules! in_threads {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            use super::*;

            #[test]
            fn threading_tcp() {
                super::$check::<Tcp, Threading>();
            }
            #[test]
            fn threading_unix() {
                super::$check::<UnixStream, Threading>();
            }
            #[test]
            fn thread_pool_tcp() {
                super::$check::<Tcp, ThreadPool>();
            }
            #[test]
            fn thread_pool_unix() {
                super::$check::<UnixStream, ThreadPool>();
            }
            #[test]
            fn coroutines_tcp() {
                super::$check::<Tcp, Coroutines>();
            }
            #[test]
            fn coroutines_unix() {
                super::$check::<UnixStream, Coroutines>();
            }
        })*
    };
}

// Where the loop runs the handlers, it still listens as long as one is running.
in_threads!(a_server_that_is_closing_refuses_clients);

/// The loop of a sequential server cannot leave before its handler has ended, and nobody closes
/// the server here: the stop alone has to see to it.
fn an_idle_client_does_not_hold_up_a_shutdown<T: Connected>() {
    let (service, failures) = Hooks::new(waits_to_read::<T::Request>).failures();
    let dir = TempDir::new();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), service).unwrap();
    let server = Arc::new(server.grace(SHORT));
    let handle = server.handle();
    for _ in 0..3 {
        let serving = thread::spawn({
            let server = Arc::clone(&server);
            move || server.serve_forever()
        });
        let before = handle.stats().accepted;
        let client = T::connect(server.server_address());
        eventually("it is accepted", || handle.stats().accepted > before);
        let start = Instant::now();
        handle.shutdown();
        in_time(|| serving.join()).unwrap().unwrap();
        assert!(start.elapsed() >= SHORT);
        assert!(next(&failures).shutting_down);
        client.expect_end();
    }
}

over_streams!(an_idle_client_does_not_hold_up_a_shutdown);

/// A request that another thread has does not hold up the loop, even while the strategy that gave it
/// to that thread does.
#[test]
fn a_request_that_was_handed_over_is_not_cut_for_the_loops_sake() {
    struct SlowToReturn(Gate);
    impl Strategy for SlowToReturn {
        fn process_request(&self, job: Job) -> Result<(), Rejected> {
            thread::spawn(|| job.run());
            self.0.pass();
            Ok(())
        }
    }
    let gate = Gate::default();
    let strategy = SlowToReturn(gate.clone());
    let host = host_with::<Tcp, Sequential, _, _>(
        Hooks::<TcpRequest>::echo(),
        |options| options,
        |server| server.strategy(strategy).grace(Duration::ZERO),
    );
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    host.server.shutdown();
    client.socket().set_read_timeout(Some(SHORT)).unwrap();
    let cut = client.try_receive().unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::WouldBlock, "it was cut");
    assert_eq!(client.ask("still there?\n"), "still there?\n");
    gate.open();
    client.finish();
    client.expect_end();
    eventually("the request is over", || host.server.stats().active == 0);
    assert_eq!(host.stop().interrupted.len(), 0);
}

// ---- what cannot be cut off ----

/// A handler that neither reads nor writes has nothing that could be interrupted.
fn a_handler_that_computes_is_abandoned_and_reported<T, M>()
where
    T: Reachable,
    M: Strategy + Default,
{
    let (started, starts) = mpsc::channel();
    let (ended, ends) = mpsc::channel();
    let gate = Gate::default();
    let service = Hooks::new({
        let gate = gate.clone();
        move |_: &mut T::Request| {
            let _ = started.send(());
            gate.pass();
            let _ = ended.send(());
            Ok(())
        }
    });
    let host = with_grace::<T, M, _>(SHORT, service);
    host.client().send("?\n");
    next(&starts);
    let handle = host.server.handle();
    let start = Instant::now();
    let report = host.stop();
    assert_eq!((report.running, report.abandoned.len()), (1, 1));
    assert!(start.elapsed() >= SHORT);
    assert_eq!(handle.stats().active, 1);
    assert!(handle.is_shutting_down(), "the handler cannot tell");
    // It goes on, and to its end.
    gate.open();
    next(&ends);
    eventually("the request is over", || handle.stats().active == 0);
}

everywhere!(a_handler_that_computes_is_abandoned_and_reported);

/// Two that end by themselves, two that are cut off, and one that does not even notice.
fn the_report_tells_them_apart<T: Connected, M: Strategy + Default>() {
    let gate = Gate::default();
    let service = Hooks::new({
        let gate = gate.clone();
        move |request: &mut T::Request| {
            match &*request.readline(100)? {
                b"polite\n" => {
                    let handle = request.server().clone();
                    socketserver::blocking(|| {
                        eventually("it is stopped", || handle.is_shutting_down());
                    });
                }
                b"idle\n" => drop(request.readline(100)?),
                _ => socketserver::blocking(|| gate.pass()),
            }
            Ok(())
        }
    });
    // The polite ones have to have ended when this is over.
    let grace = Duration::from_secs(1);
    let host = with_grace::<T, M, _>(grace, service);
    let clients = ["polite", "polite", "idle", "idle", "busy"].map(|role| {
        let client = host.client();
        client.send(format!("{role}\n"));
        client
    });
    let handle = host.server.handle();
    eventually("all are running", || handle.stats().active == 5);
    let report = host.stop();
    assert_eq!(
        (report.running, report.completed, report.accepted),
        (5, 2, 0)
    );
    assert_eq!((report.interrupted.len(), report.abandoned.len()), (2, 1));
    let activities = |requests: &[RequestInfo]| -> Vec<_> {
        let activity = requests.iter().map(RequestInfo::activity);
        activity.collect()
    };
    assert_eq!(activities(&report.interrupted), [Activity::Reading; 2]);
    assert_eq!(activities(&report.abandoned), [Activity::Running]);
    assert_eq!(report.abandoned[0].bytes_received(), 5);
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.active), (2, 1));
    gate.open();
    drop(clients);
}

// ---- block_on_close(false) ----

fn requests_go_on_by_themselves_if_so_wanted<T: Connected, M: Strategy + Default>() {
    let host = host_with::<T, M, _, _>(
        Hooks::<T::Request>::echo(),
        |options| options,
        |server| server.block_on_close(false).grace(SHORT),
    );
    let handle = host.server.handle();
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    // Left to themselves.
    assert_eq!(numbers(host.stop()), (1, 0, 1));
    thread::sleep(2 * SHORT);
    assert_eq!(client.ask("still there?\n"), "still there?\n");
    client.finish();
    client.expect_end();
    eventually("the request is over", || handle.stats().active == 0);
}

in_threads!(
    the_report_tells_them_apart,
    requests_go_on_by_themselves_if_so_wanted,
);

// ---- from inside ----

type Slot<S, M> = Arc<Mutex<Option<RunningServer<Tcp, S, M>>>>;

/// A server that is owned by its own service.
fn owned_by_itself<M: Strategy + Default>(
    make: impl FnOnce(Slot<Hooks<TcpRequest>, M>) -> Hooks<TcpRequest>,
) -> (Client, SocketId) {
    let slot = Slot::default();
    let server = Server::<Tcp, _, M>::bind(LOOPBACK, make(Arc::clone(&slot))).unwrap();
    let socket = SocketId::of(&server);
    let address = *server.server_address();
    // Nobody takes it out before it is in.
    let mut here = slot.lock().unwrap();
    *here = Some(server.spawn().unwrap());
    drop(here);
    (Tcp::connect(&address), socket)
}

fn a_handler_can_stop_the_server_that_runs_it<M: Strategy + Default>() {
    let (reports, reported) = mpsc::channel();
    let (client, socket) = owned_by_itself::<M>(|slot| {
        Hooks::new(move |request: &mut TcpRequest| {
            request.readline(100)?;
            let server = slot.lock().unwrap().take();
            let _ = reports.send(server.unwrap().stop()?);
            request.send_all(b"stopped\n")?;
            Ok(())
        })
    });
    client.send("stop\n");
    assert_eq!(next(&reported).running, 1);
    assert_eq!(client.rest(), b"stopped\n");
    eventually("the socket is closed", || !socket.is_open());
}

fn a_handler_can_drop_the_server_that_runs_it<M: Strategy + Default>() {
    let (client, socket) = owned_by_itself::<M>(|slot| {
        Hooks::new(move |request: &mut TcpRequest| {
            request.readline(100)?;
            drop(slot.lock().unwrap().take());
            request.send_all(b"dropped\n")?;
            Ok(())
        })
    });
    client.send("stop\n");
    assert_eq!(client.rest(), b"dropped\n");
    eventually("the socket is closed", || !socket.is_open());
}

/// A hook of the loop: that the loop has left is nothing that it can wait for.
fn a_hook_can_stop_the_server_that_runs_it<M: Strategy + Default>() {
    let (client, socket) = owned_by_itself::<M>(|slot| {
        Hooks::<TcpRequest>::echo().on_verify(move |_| {
            drop(slot.lock().unwrap().take());
            false
        })
    });
    client.expect_end();
    eventually("the socket is closed", || !socket.is_open());
}

by_strategy!(
    a_handler_can_stop_the_server_that_runs_it,
    a_handler_can_drop_the_server_that_runs_it,
    a_hook_can_stop_the_server_that_runs_it,
);

/// Two servers that know each other: a handler may wait for the other one.
#[test]
fn a_handler_can_close_another_server() {
    let other = ThreadingTcpServer::bind(LOOPBACK, Hooks::<TcpRequest>::echo()).unwrap();
    let other = other.grace(SHORT).spawn().unwrap();
    let idle = Tcp::connect(other.server_address());
    assert_eq!(idle.ask("hello\n"), "hello\n");
    let other = Mutex::new(Some(other));
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let report = other.lock().unwrap().take().unwrap().stop()?;
        let report = format!("{:?}\n", numbers(report));
        Ok(request.send_all(report.as_bytes())?)
    });
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let server = server.spawn().unwrap();
    assert_eq!(Tcp::connect(server.server_address()).rest(), b"(1, 1, 0)\n");
    idle.expect_end();
}

/// Nobody is served by a server that is closed, once the handler that has held up a loop is done.
#[test]
fn a_loop_that_was_left_behind_ends_with_its_handler() {
    let (started, starts) = mpsc::channel();
    let gate = Gate::default();
    let service = Hooks::new({
        let gate = gate.clone();
        move |request: &mut socketserver::UdpRequest| {
            let _ = started.send(());
            gate.pass();
            Ok(request.send_all("done\n")?)
        }
    });
    let host = host_with::<socketserver::transport::Udp, ThreadPool, _, _>(
        service,
        |options| options,
        |server| {
            let server = server.grace(Duration::ZERO);
            server.closing_time(Duration::from_millis(10))
        },
    );
    let socket = SocketId::of(&*host.server);
    let client = host.client();
    client.send("?");
    next(&starts);
    assert_eq!(host.stop().abandoned.len(), 1);
    assert!(socket.is_open(), "the loop still has it");
    gate.open();
    assert_eq!(client.line(), "done\n");
    eventually("the loop has left", || !socket.is_open());
}
