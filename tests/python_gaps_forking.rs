//! The gaps of `python_gaps.rs` that are about forking servers.
//!
//! They are a program of their own because a child is a copy of all of it: a client that another test
//! drops would stay connected for as long as a child of a test here has a copy of its socket. For the
//! same reason the clients here leave by saying that they will send no more, and not by being dropped.

mod support;

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use socketserver::strategy::RequestKind;
use socketserver::{
    Forking, Handled, HandlerError, Request, RequestHandler, Result, Sequential, Server, Service,
};
use support::net::*;

/// A server that forks, and echoes lines.
fn host_forking<T: Reachable>(
    adjust: impl FnOnce(Server<T, Hooks<T::Request>, Forking>) -> Server<T, Hooks<T::Request>, Forking>,
) -> Host<T, Hooks<T::Request>, Forking> {
    host_with::<T, Sequential, _, _>(
        Hooks::echo(),
        |options| options,
        |server| adjust(server.strategy(forking())),
    )
}

/// At the limit, clients wait in the kernel's queue, and are served when there is room; the server
/// can be stopped meanwhile.
fn no_more_children_run_than_are_allowed<T: Connected>() {
    const MOST: usize = 3;
    const CLIENTS: usize = 10;
    let host = host_forking::<T>(|server| server.max_children(MOST).grace(PATIENCE));
    let handle = host.server.handle();
    let mut clients: VecDeque<_> = (0..CLIENTS).map(|_| host.client()).collect();
    for client in &clients {
        client.send("hello\n");
    }
    for client in clients.iter().take(MOST) {
        assert_eq!(client.line(), "hello\n");
    }
    for served in MOST..CLIENTS {
        assert_eq!(handle.stats().accepted as usize, served);
        assert_eq!(host.server.active_children().len(), MOST);
        // One is allowed to leave, and the next comes in.
        let client = clients.pop_front().unwrap();
        client.finish();
        client.expect_end();
        assert_eq!(clients[MOST - 1].line(), "hello\n");
    }
    let waiting = host.client();
    handle.shutdown();
    assert!(handle.wait(PATIENCE), "the limit keeps it from stopping");
    let stats = handle.stats();
    assert_eq!(
        (stats.accepted, stats.active),
        (CLIENTS as u64, MOST as u64)
    );
    drop(waiting);
    for client in clients {
        client.finish();
        client.expect_end();
    }
    let report = host.stop();
    assert_eq!((report.interrupted, report.abandoned), (0, 0));
    assert_eq!(handle.stats().completed as usize, CLIENTS);
}

/// In Python there is no limit then.
fn handle_request_forks_no_more_children_than_are_allowed<T: Connected>() {
    let dir = TempDir::new();
    let service = Hooks::<T::Request>::echo();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), service).unwrap();
    let server = server.strategy(forking()).max_children(1).grace(PATIENCE);
    let first = T::connect(server.server_address());
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(first.ask("hello\n"), "hello\n");

    let second = T::connect(server.server_address());
    second.send("hello\n");
    let server = server.handle_request_timeout(Duration::from_millis(20));
    assert_eq!(server.handle_request().unwrap(), Handled::Timeout);
    assert_eq!((server.stats().accepted, server.stats().active), (1, 1));
    let server = Arc::new(server.handle_request_timeout(PATIENCE));
    let waiting = thread::spawn({
        let server = Arc::clone(&server);
        move || server.handle_request()
    });
    server.shutdown();
    let handled = in_time(|| waiting.join()).unwrap();
    assert_eq!(handled.unwrap(), Handled::Shutdown);

    first.finish();
    first.expect_end();
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(second.line(), "hello\n");
    assert_eq!(server.active_children().len(), 1);
    second.finish();
    second.expect_end();
    let server = Arc::into_inner(server).unwrap();
    let handle = server.handle();
    in_time(|| server.server_close());
    assert_eq!(handle.stats().completed, 2);
}

/// In Python they are zombies until the next turn of the loop.
fn children_are_collected_while_nothing_happens<T: Reachable>() {
    let host = host_forking::<T>(|server| server.poll_interval(None));
    for completed in 1..=3 {
        let client = host.client();
        assert_eq!(client.ask("hello\n"), "hello\n");
        if T::KIND == RequestKind::Connection {
            client.finish();
        }
        eventually("the child is collected", || {
            host.server.stats().completed == completed
        });
        assert_eq!(host.server.active_children(), []);
    }
    host.stop();
}

fn children_go_on_by_themselves_if_so_wanted<T: Connected>() {
    let host = host_forking::<T>(|server| server.block_on_close(false));
    let handle = host.server.handle();
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    let report = host.stop();
    assert_eq!((report.running, report.interrupted), (1, 0));
    assert_eq!(client.ask("still there?\n"), "still there?\n");
    assert_eq!(handle.stats().active, 1);
    client.finish();
    client.expect_end();
    eventually("the child is collected", || handle.stats().active == 0);
    assert_eq!(handle.stats().completed, 1);
}

/// Fails as its client tells it to. Then `handle_error` says so, and fails too.
struct Failing;

impl<R: Request> Service<R> for Failing {
    type Handler = FailingHandler;

    fn request_handler(self: &Arc<Self>) -> FailingHandler {
        FailingHandler
    }

    fn handle_error(&self, request: &mut R, error: &HandlerError) {
        let _ = writeln!(request.sender(), "{error}");
        panic!("on purpose");
    }
}

struct FailingHandler;

impl<R: Request> RequestHandler<R> for FailingHandler {
    fn setup(&mut self, request: &mut R) -> Result {
        match request.fill_buf()? {
            b"setup\n" => Err("on purpose".into()),
            _ => Ok(()),
        }
    }

    fn handle(&mut self, request: &mut R) -> Result {
        let order = request.readline(100)?;
        match &*order {
            b"handle\n" => Err("on purpose".into()),
            b"panic\n" => panic!("on purpose"),
            b"exit\n" => std::process::exit(7),
            b"be killed\n" => Ok(raise(Signal::SIGKILL)?),
            _ => Ok(request.send_all(&order)?),
        }
    }

    fn finish(&mut self, _: &mut R) -> Result {
        Ok(())
    }
}

fn a_failure_in_a_child_costs_that_child<T: Reachable>() {
    expect_panics();
    let (exits, ended) = mpsc::channel();
    let host = host_with::<T, Sequential, _, _>(
        Failing,
        |options| options,
        |server| {
            server.strategy(forking().on_child_exit(move |exit| {
                let _ = exits.send((exit.code(), exit.signal()));
                panic!("on purpose");
            }))
        },
    );
    for (order, answer, exit) in [
        ("setup\n", "setup failed: on purpose\n", (Some(1), None)),
        ("handle\n", "handle failed: on purpose\n", (Some(1), None)),
        ("panic\n", "handle panicked: on purpose\n", (Some(1), None)),
        ("exit\n", "", (Some(7), None)),
        ("be killed\n", "", (None, Some(Signal::SIGKILL as i32))),
        ("hello\n", "hello\n", (Some(0), None)),
    ] {
        let client = host.client();
        client.send(order);
        if !answer.is_empty() {
            assert_eq!(client.line(), answer);
        }
        assert_eq!(next(&ended), exit, "{order}");
    }
    let handle = host.server.handle();
    host.stop();
    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.completed), (6, 1));
    assert_eq!((stats.failed, stats.active), (5, 0));
}

over_streams!(
    no_more_children_run_than_are_allowed,
    handle_request_forks_no_more_children_than_are_allowed,
    children_go_on_by_themselves_if_so_wanted,
);

over!([Tcp, Udp, UnixStream, UnixDatagram]
    children_are_collected_while_nothing_happens,
    a_failure_in_a_child_costs_that_child,
);
