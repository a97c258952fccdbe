//! Handshakes: clients that do not complete them, and what the others see meanwhile.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use socketserver::strategy::{AcceptWait, Ready};
use socketserver::{
    HandshakeError, HandshakeErrorKind, Job, Phase, Rejected, Request, RequestHandler, Result,
    Sequential, Server, Service, Strategy, ThreadPool, Threading, TlsRequest,
};

use super::*;
#[cfg(unix)]
use crate::support::alone::{apart, test_name};
#[cfg(target_os = "linux")]
use crate::support::alone::{is_kind_alone, start};
#[cfg(target_os = "linux")]
use crate::support::kinds::{Kind, by_kind};

/// Reports failed handshakes.
pub(super) struct Reporting(mpsc::SyncSender<HandshakeErrorKind>);

pub(super) struct Echo;

impl RequestHandler<TlsRequest> for Echo {
    fn handle(&mut self, request: &mut TlsRequest) -> Result {
        echo_lines(request)
    }
}

impl Service<TlsRequest> for Reporting {
    type Handler = Echo;

    fn request_handler(self: &Arc<Self>) -> Echo {
        Echo
    }

    fn handshake_error(&self, _: &TlsRequest, error: &HandshakeError) {
        self.0.send(error.kind()).unwrap();
    }
}

pub(super) fn reporting() -> (Reporting, mpsc::Receiver<HandshakeErrorKind>) {
    let (sender, errors) = mpsc::sync_channel(1000);
    (Reporting(sender), errors)
}

/// Starts a server without a limit of the time for handshakes.
fn serve_patiently<M: Strategy + Default>(
    grace: Duration,
) -> RunningServer<Tls<Tcp>, impl Service<TlsRequest>, M> {
    let options = options::<_, M>().handshake_timeout(None);
    let server = options.bind(own_loopback(), echo()).unwrap();
    let server = server.force_close_timeout(PATIENCE / 2);
    server.grace_period(grace).spawn().unwrap()
}

/// Two hundred clients that say nothing, or stop in the middle, delay no other client.
fn silent_clients_delay_no_other_client<M: Strategy + Default>() {
    serve_beside_silent_clients(M::default());
}

fn serve_beside_silent_clients(strategy: impl Strategy) {
    let server = options::<_, Sequential>()
        .handshake_timeout(None)
        .bind(own_loopback(), echo())
        .unwrap()
        .strategy(strategy)
        .grace_period(Duration::ZERO)
        .force_close_timeout(PATIENCE)
        .spawn()
        .unwrap();
    let address = *server.server_address();
    let silent: Vec<_> = (0..200).map(|_| silent(&address)).collect();
    for mut client in silent.iter().skip(1).step_by(2) {
        client.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
    }
    let mut good = connect(&address);
    assert_eq!(good.ask("hello\n"), "hello\n");
    good.finish();
    assert_eq!(good.rest().unwrap(), b"");
    drop(good);
    let handle = server.handle();
    eventually("the good client has been served", || {
        handle.stats().completed == 1
    });
    server.stop().unwrap();
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.active), (1, 0), "{stats:?}");
    assert_eq!(
        stats.accepted,
        stats.completed + stats.rejected + stats.force_closed,
        "{stats:?}"
    );
    for mut client in silent {
        let mut buffer = [0; 100];
        // The end, or the reset that follows the unread half of a handshake.
        while let Ok(1..) = client.read(&mut buffer) {}
    }
}

fn a_late_client_is_disconnected<M: Strategy + Default>() {
    let (service, errors) = reporting();
    let server = options::<_, M>()
        .handshake_timeout(Duration::from_millis(20))
        .bind(own_loopback(), service)
        .unwrap()
        .spawn()
        .unwrap();
    let mut late = silent(server.server_address());
    assert_eq!(next(&errors), HandshakeErrorKind::TimedOut);
    assert_eq!(late.read(&mut [0; 10]).unwrap(), 0);
    let handle = server.handle();
    server.stop().unwrap();
    let stats = handle.stats();
    assert_eq!(stats.handshake_errors.timed_out, 1);
    assert_eq!((stats.rejected_by.handshake, stats.rejected), (1, 1));
}

fn failed_handshakes_are_counted_by_reason<M: Strategy + Default>() {
    let (service, errors) = reporting();
    let server = serve::<_, M>(service);
    let address = *server.server_address();

    let mut http = silent(&address);
    http.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert_eq!(next(&errors), HandshakeErrorKind::NotTls);

    let gone = silent(&address);
    gone.shutdown(Shutdown::Both).unwrap();
    assert_eq!(next(&errors), HandshakeErrorKind::Disconnected);

    let distrustful = TlsClient::connect_to(address, &Authority::unknown(), "localhost");
    assert!(distrustful.is_err());
    assert_eq!(next(&errors), HandshakeErrorKind::Alert);

    assert_eq!(connect(&address).ask("hello\n"), "hello\n");
    let handle = server.handle();
    server.stop().unwrap();
    let stats = handle.stats();
    let counts = stats.handshake_errors;
    assert_eq!(
        (counts.not_tls, counts.disconnected, counts.alert),
        (1, 1, 1)
    );
    assert_eq!((stats.failed, stats.rejected_by.handshake), (0, 3));
}

/// A client that has sent nothing is ended when the stop begins; one in the middle of its handshake has the grace
/// period.
fn a_stop_ends_handshakes<M: Strategy + Default>() {
    let server = serve_patiently::<M>(PATIENCE);
    let mut silent = silent(server.server_address());
    let handle = server.handle();
    eventually("the client is accepted", || handle.stats().accepted == 1);
    let report = in_time(move || server.stop().unwrap());
    assert_eq!(silent.read(&mut [0; 10]).unwrap(), 0);
    assert_eq!((report.rejected, report.force_closed.len()), (1, 0));
    assert_eq!(handle.phase(), Phase::Stopped);
}

fn a_handshake_is_force_closed_after_the_grace_period<M: Strategy + Default>() {
    let server = serve_patiently::<M>(Duration::from_millis(20));
    let mut half = half_hello(server.server_address());
    let handle = server.handle();
    wait_for_handshake(&handle);
    let report = in_time(move || server.stop().unwrap());
    assert_eq!(
        (report.rejected, report.force_closed.len()),
        (0, 1),
        "{report}"
    );
    while let Ok(1..) = half.read(&mut [0; 10]) {}
}

/// Another thread closes the connection: its handshake ends at once.
fn a_connection_can_be_closed_in_its_handshake<M: Strategy + Default>() {
    let server = serve_patiently::<M>(PATIENCE);
    let mut half = half_hello(server.server_address());
    let handle = server.handle();
    wait_for_handshake(&handle);
    handle.requests()[0].close();
    while let Ok(1..) = half.read(&mut [0; 10]) {}
    eventually("its request has ended", || handle.requests().is_empty());
    in_time(move || server.stop().unwrap());
}

/// The handshakes of the backlog are completed when the server is closed.
fn the_backlog_is_served<M: Strategy + Default>() {
    let server = options::<_, M>()
        .bind(own_loopback(), echo())
        .unwrap()
        .grace_period(PATIENCE);
    let address = *server.server_address();
    let client = std::thread::spawn(move || {
        let mut client = connect(&address);
        let answer = client.ask("hello\n");
        client.finish();
        client.rest().unwrap();
        answer
    });
    let backlog = || {
        rustix::event::poll(
            &mut [rustix::event::PollFd::new(
                &server,
                rustix::event::PollFlags::IN,
            )],
            None,
        )
    };
    backlog().unwrap();
    let report = server.server_close();
    assert_eq!(client.join().unwrap(), "hello\n");
    assert_eq!((report.completed, report.rejected), (1, 0), "{report}");
}

/// Another server can have the port while the grace period of this one lasts.
#[cfg(unix)]
fn the_port_is_free_while_a_handshake_is_completed<M: Strategy + Default>() {
    let server = serve_patiently::<M>(Duration::MAX);
    let address = *server.server_address();
    let half = half_hello(&address);
    let handle = server.handle();
    eventually("the client is accepted", || handle.stats().accepted == 1);
    let closing = std::thread::spawn(move || server.stop().unwrap());
    eventually("the port is free", || TcpListener::bind(address).is_ok());
    assert_eq!(handle.stats().active, 1);
    drop(half);
    let report = in_time(move || closing.join().unwrap());
    assert_eq!((report.completed, report.rejected), (0, 1), "{report}");
}

#[cfg(unix)] // elsewhere, open connections keep the port
by_strategy!(the_port_is_free_while_a_handshake_is_completed);

by_strategy!(
    silent_clients_delay_no_other_client,
    a_late_client_is_disconnected,
    failed_handshakes_are_counted_by_reason,
    a_stop_ends_handshakes,
    a_handshake_is_force_closed_after_the_grace_period,
    a_connection_can_be_closed_in_its_handshake,
    the_backlog_is_served,
    verify_request_knows_what_the_handshake_has_agreed_on,
);

#[cfg(unix)]
#[test]
fn silent_clients_occupy_no_child_processes() {
    apart(
        test_name!("silent_clients_occupy_no_child_processes"),
        || {
            serve_beside_silent_clients(forking());
        },
    );
}

/// An idle child process ends at the stop, also while another client is in its handshake.
#[cfg(unix)]
#[test]
fn a_handshake_does_not_keep_idle_child_processes() {
    let name = test_name!("a_handshake_does_not_keep_idle_child_processes");
    apart(name, || {
        let wait = |request: &mut TlsRequest| {
            request.send_all("waits\n")?;
            let has_message = request.wait_for_message()?;
            Ok(writeln!(request, "message: {has_message}")?)
        };
        let server = options::<_, Sequential>()
            .handshake_timeout(None)
            .bind(own_loopback(), socketserver::handler_fn(wait))
            .unwrap()
            .strategy(forking())
            .grace_period(Duration::MAX)
            .spawn()
            .unwrap();
        let mut idle = connect(server.server_address());
        assert_eq!(idle.line().unwrap(), "waits\n");
        let half = half_hello(server.server_address());
        let handle = server.handle();
        eventually("the client is accepted", || handle.stats().accepted == 2);
        handle.shutdown();
        let closing = std::thread::spawn(move || server.stop().unwrap());
        assert_eq!(idle.line().unwrap(), "message: false\n");
        drop(half);
        let report = in_time(move || closing.join().unwrap());
        assert_eq!((report.completed, report.rejected), (1, 1), "{report}");
    });
}

/// The thread of the handshakes computes without a pause while the server forks for those that are complete.
#[cfg(unix)]
#[test]
fn many_handshakes_at_once_do_not_prevent_forks() {
    const CLIENTS: usize = 300;
    let name = test_name!("many_handshakes_at_once_do_not_prevent_forks");
    apart(name, || {
        // The last client completes its handshake when the others are served.
        let options = options::<_, Sequential>().handshake_timeout(None);
        let server = options.bind(own_loopback(), echo()).unwrap();
        let server = server.strategy(forking());
        let address = *server.server_address();
        // All have sent their part before the first is accepted.
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| TlsClient::begin(&address)).collect();
        let handle = server.handle();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for client in &mut clients {
                    assert_eq!(client.ask("hello\n"), "hello\n");
                    client.finish();
                    client.rest().unwrap();
                }
                handle.shutdown();
            });
            server.serve_forever().unwrap();
        });
        server.server_close();
        let stats = handle.stats();
        assert_eq!(
            (stats.completed, stats.rejected, stats.failed),
            (CLIENTS as u64, 0, 0),
            "{stats:?}"
        );
    });
}

/// Without `max_connections`, the descriptors of the process limit the number of silent clients.
#[cfg(target_os = "linux")]
fn silent_clients_leave_descriptors_to_others(kind: Kind) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let name = test_name!("silent_clients_leave_descriptors_to_others");
    if is_kind_alone(name, kind) {
        let before = getrlimit(Resource::Nofile);
        let current = Some(60);
        setrlimit(Resource::Nofile, Rlimit { current, ..before }).unwrap();
        let options = options::<_, Sequential>().handshake_timeout(None);
        let server = options.bind(own_loopback(), echo()).unwrap();
        println!("\nlistening on {}", server.server_address());
        return server.strategy(kind.strategy()).serve_forever().unwrap();
    }
    let mut program = start(name, kind);
    program.wait_for_text("\nlistening on ");
    let address = program.line().parse().unwrap();
    let _silent: Vec<_> = (0..100).map(|_| silent(&address)).collect();
    // Clients in the backlog are rejected after a second without a descriptor.
    eventually("a client is served", || {
        let client = TlsClient::connect_to(address, &Authority::known(), "localhost");
        client.is_ok_and(|mut client| client.ask("hello\n") == "hello\n")
    });
    program.kill();
}

#[cfg(target_os = "linux")]
by_kind!(silent_clients_leave_descriptors_to_others);

/// A wait can fail for lack of memory, as `poll` does.
#[test]
fn a_wait_that_fails_for_a_moment_ends_no_server() {
    struct Failing {
        pool: ThreadPool,
        failures: AtomicUsize,
        has_failed: AtomicBool,
    }

    impl Strategy for Failing {
        fn process_request(&self, job: Job) -> std::result::Result<(), Rejected> {
            self.pool.process_request(job)
        }

        fn wait(&self, wait: &AcceptWait<'_>) -> std::io::Result<Ready> {
            let take_one = |failures: usize| failures.checked_sub(1);
            let order = Ordering::SeqCst;
            if self.failures.fetch_update(order, order, take_one).is_ok() {
                return Err(std::io::Error::from_raw_os_error(12)); // ENOMEM
            }
            let ready = self.pool.wait(wait);
            // The first handshake is complete.
            if matches!(ready, Ok(Ready::Woken)) && !self.has_failed.swap(true, order) {
                self.failures.store(3, order);
            }
            ready
        }
    }

    let strategy = Failing {
        pool: ThreadPool::new(2),
        failures: AtomicUsize::new(0),
        has_failed: AtomicBool::new(false),
    };
    let server = options::<_, Sequential>()
        .bind(own_loopback(), echo())
        .unwrap();
    let server = server.strategy(strategy).spawn().unwrap();
    assert_eq!(connect(server.server_address()).ask("hello\n"), "hello\n");
    eventually("it backs off", || {
        server.stats().accept_errors.backed_off > 0
    });
    server.stop().unwrap();
}

/// Each of the few threads would otherwise wait for a silent client.
#[test]
fn silent_clients_occupy_no_thread_of_few() {
    let server = options::<_, Threading>()
        .handshake_timeout(None)
        .bind(own_loopback(), echo())
        .unwrap()
        .strategy(Threading::new().max_threads(2))
        .grace_period(Duration::ZERO)
        .spawn()
        .unwrap();
    let _silent: Vec<_> = (0..10).map(|_| silent(server.server_address())).collect();
    assert_eq!(connect(server.server_address()).ask("hello\n"), "hello\n");
}

#[test]
fn handle_request_serves_one_client_after_its_handshake() {
    let server = options::<_, Sequential>()
        .bind(own_loopback(), echo())
        .unwrap();
    let address = *server.server_address();
    let _silent = silent(&address);
    let client = std::thread::spawn(move || {
        let mut client = connect(&address);
        let answer = client.ask("hello\n");
        client.finish();
        answer
    });
    let server = server.handle_request_timeout(PATIENCE);
    assert_eq!(
        server.handle_request().unwrap(),
        socketserver::Handled::Request
    );
    assert_eq!(client.join().unwrap(), "hello\n");
    assert_eq!(server.stats().completed, 1);
}

fn verify_request_knows_what_the_handshake_has_agreed_on<M: Strategy + Default>() {
    struct OnlyNamed;

    impl Service<TlsRequest> for OnlyNamed {
        type Handler = Echo;

        fn request_handler(self: &Arc<Self>) -> Echo {
            Echo
        }

        fn verify_request(&self, request: &TlsRequest) -> bool {
            let info = request.connection_info();
            info.is_encrypted() && info.tls().unwrap().server_name() == Some("localhost")
        }
    }

    let server = serve::<_, M>(OnlyNamed);
    let address = *server.server_address();
    let mut named = connect(&address);
    assert_eq!(named.ask("hello\n"), "hello\n");
    drop(named);
    let mut nameless = TlsClient::connect_to(address, &Authority::known(), "127.0.0.1").unwrap();
    assert_eq!(nameless.rest().unwrap(), b"");
    let handle = server.handle();
    eventually("both have ended", || handle.stats().active == 0);
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.rejected_by.verify_request), (1, 1));
}

#[test]
fn a_server_without_a_certificate_says_what_is_missing() {
    let error = Server::<Tls<Tcp>, _, Sequential>::bind("127.0.0.1:0", echo()).unwrap_err();
    assert!(
        error.to_string().contains("TlsConfig::from_pem_files"),
        "{error}"
    );
}
