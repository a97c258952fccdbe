//! One limit of connections for all servers of a group.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;

/// Counts the handlers that run at the same time, of all servers.
#[derive(Clone, Default)]
struct Running(Arc<(AtomicUsize, AtomicUsize)>);

impl Running {
    fn echo<R: Request>(self) -> impl Service<R> {
        handler_fn(move |request: &mut R| {
            let (now, most) = &*self.0;
            let running = now.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(running, Ordering::SeqCst);
            let line = request.readline(100);
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(request.send_all(line?)?)
        })
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

/// Binds a Unix server where the system has such sockets, and another TCP server elsewhere.
#[cfg(unix)]
fn add_second(
    group: ServerGroup,
    dir: &TempDir,
    running: &Running,
    strategy: Box<dyn Strategy>,
) -> ServerGroup {
    use socketserver::UnixStreamServer;

    let server = UnixStreamServer::bind(dir.socket(), running.clone().echo()).unwrap();
    group.add_named("second", server.strategy(strategy))
}

#[cfg(windows)]
fn add_second(
    group: ServerGroup,
    _: &TempDir,
    running: &Running,
    strategy: Box<dyn Strategy>,
) -> ServerGroup {
    let server = TcpServer::bind(LOOPBACK, running.clone().echo()).unwrap();
    group.add_named("second", server.strategy(strategy))
}

#[cfg(unix)]
fn connect_second(handle: &GroupHandle) -> Client {
    let server = member(handle, "second");
    let path = server.server_address().to_string();
    Client::new(std::os::unix::net::UnixStream::connect(path).unwrap())
}

#[cfg(windows)]
fn connect_second(handle: &GroupHandle) -> Client {
    connect(&member(handle, "second"))
}

/// More clients than places at both servers. A place that one server frees is used by the other, because each waits
/// for a client that the other serves.
#[test]
fn the_places_are_shared_under_every_mix_of_strategies() {
    const MOST: usize = 3;
    for first in strategies() {
        for second in strategies() {
            let running = Running::default();
            let dir = TempDir::new();
            let server = TcpServer::bind(LOOPBACK, running.clone().echo()).unwrap();
            let group = ServerGroup::new()
                .max_connections(MOST)
                .add_named("first", server.strategy(first()));
            let group = add_second(group, &dir, &running, second()).spawn().unwrap();
            let handle = group.handle();
            thread::scope(|scope| {
                for number in 0..8 {
                    let handle = &handle;
                    scope.spawn(move || {
                        for _ in 0..5 {
                            let client = match number % 2 {
                                0 => connect(&member(handle, "first")),
                                _ => connect_second(handle),
                            };
                            assert_eq!(client.ask("hello\n"), "hello\n");
                            client.expect_end();
                        }
                    });
                }
            });
            assert!(handle.wait_until_idle(PATIENCE));
            assert_eq!(handle.stats().completed, 40);
            let most = running.most();
            assert!((1..=MOST).contains(&most), "{most} handlers at once");
            expect_reports_add_up(&stop(group));
        }
    }
}

/// The client of one server waits in the backlog for a place that the other server has taken.
#[test]
fn a_place_that_one_server_frees_wakes_the_other() {
    for strategy in strategies() {
        let running = Running::default();
        let dir = TempDir::new();
        let server = TcpServer::bind(LOOPBACK, running.clone().echo()).unwrap();
        let group = ServerGroup::new().add_named("first", server.strategy(strategy()));
        let group = add_second(group, &dir, &running, strategy());
        let group = group.max_connections(1).spawn().unwrap();
        let handle = group.handle();
        for _ in 0..3 {
            let first = connect(&member(&handle, "first"));
            eventually("the only place is taken", || handle.stats().active == 1);
            let second = connect_second(&handle);
            second.send("second\n");
            assert_eq!(first.ask("first\n"), "first\n");
            assert_eq!(second.line(), "second\n");
            second.expect_end();
            assert!(handle.wait_until_idle(PATIENCE));
        }
        assert_eq!(running.most(), 1);
        stop(group);
    }
}

#[test]
fn clients_above_the_limit_are_rejected_by_their_server() {
    let running = Running::default();
    let dir = TempDir::new();
    let server = ThreadingTcpServer::bind(LOOPBACK, running.clone().echo()).unwrap();
    let group = ServerGroup::new()
        .at_max_connections(Rejection::message("busy\n"))
        .max_connections(1)
        .add_named("first", server);
    let group = add_second(group, &dir, &running, Box::new(Sequential));
    let group = group.spawn().unwrap();
    let handle = group.handle();
    let first = connect(&member(&handle, "first"));
    eventually("the only place is taken", || handle.stats().active == 1);
    for _ in 0..3 {
        assert_eq!(connect_second(&handle).rest(), b"busy\n");
    }
    assert_eq!(connect(&member(&handle, "first")).rest(), b"busy\n");
    assert_eq!(first.ask("first\n"), "first\n");
    assert!(handle.wait_until_idle(PATIENCE));
    assert_eq!(connect_second(&handle).ask("second\n"), "second\n");
    assert!(handle.wait_until_idle(PATIENCE));
    let rejected = |name| member(&handle, name).stats().rejected_by.max_connections;
    assert_eq!((rejected("first"), rejected("second")), (1, 3));
    assert_eq!(handle.stats().rejected_by.max_connections, 4);
    stop(group);
}

/// Each server also has its own limit, and datagrams do not count.
#[test]
fn the_limit_of_a_server_holds_besides_that_of_the_group() {
    let running = Running::default();
    let options = ThreadingTcpServer::options().max_connections(1);
    let small = options.at_max_connections(Rejection::Close);
    let small = small.bind(LOOPBACK, running.clone().echo()).unwrap();
    let large = ThreadingTcpServer::bind(LOOPBACK, running.clone().echo()).unwrap();
    let udp = UdpServer::bind(own_loopback(), running.echo()).unwrap();
    let group = ServerGroup::new()
        .add_named("small", small)
        .add_named("large", large)
        .add_named("udp", udp)
        .at_max_connections(Rejection::message("full\n"))
        .max_connections(2)
        .spawn()
        .unwrap();
    let handle = group.handle();
    let one = connect(&member(&handle, "small"));
    eventually("a place is taken", || handle.stats().active == 1);
    assert_eq!(connect(&member(&handle, "small")).rest(), b"");
    let two = connect(&member(&handle, "large"));
    eventually("both places are taken", || handle.stats().active == 2);
    assert_eq!(connect(&member(&handle, "large")).rest(), b"full\n");
    assert_eq!(
        connect_udp(&member(&handle, "udp")).ask("hello\n"),
        "hello\n"
    );
    for client in [one, two] {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    expect_reports_add_up(&stop(group));
}
