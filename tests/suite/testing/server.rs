//! `TestServer`, the guard of a test.

use std::sync::mpsc;
use std::time::Duration;

use socketserver::testing::{TestServer, wait_until};
use socketserver::transport::Tcp;
#[cfg(unix)]
use socketserver::transport::UnixStream;
use socketserver::{Coroutines, Request, Sequential, Strategy, Threading};

use super::*;
use crate::support::alone::{apart, test_name};

fn a_request_that_fails_fails_the_test<M: Strategy + Default>() {
    expect_panics();
    let dir = TempDir::new();
    let serve_badly = || {
        let handle = |request: &mut _| {
            let line = Request::readline(request, 100)?;
            assert_ne!(line, b"panic\n", "a bad line");
            Err("the disk is full".into())
        };
        TestServer::start(bind::<Tcp, M>(&dir, handle))
    };

    let server = serve_badly();
    server.client().send_all("x\n").unwrap();
    let message = panic_of(|| drop(server));
    assert_eq!(
        message,
        "1 request failed, expected 0: handle failed: the disk is full"
    );

    let server = serve_badly();
    for line in ["panic\n", "x\n"] {
        let mut client = server.client();
        client.send_all(line).unwrap();
        assert_eq!(client.rest().unwrap(), b"");
    }
    let message = panic_of(|| server.stop());
    assert!(message.starts_with("2 requests failed, expected 0\n- handle panicked: "));
    assert!(message.contains("a bad line"), "{message}");

    let server = serve_badly();
    server.expect_failures(1);
    server.client().send_all("x\n").unwrap();
    let report = server.stop();
    assert!(report.abandoned.is_empty());
}

by_strategy!(a_request_that_fails_fails_the_test);

#[cfg(unix)]
#[test]
fn a_request_that_fails_in_a_child_process_fails_the_test() {
    apart(
        test_name!("a_request_that_fails_in_a_child_process_fails_the_test"),
        || {
            let dir = TempDir::new();
            let server = bind::<Tcp, Sequential>(&dir, |_| Err("bad".into()));
            let server = TestServer::start(server.strategy(forking()));
            assert_eq!(server.client().rest().unwrap(), b"");
            let message = panic_of(|| drop(server));
            assert!(
                message.starts_with("1 request failed, expected 0 (in child"),
                "{message}"
            );
        },
    );
}

#[test]
fn a_missing_failure_fails_the_test() {
    let dir = TempDir::new();
    let server = TestServer::start(bind::<Tcp, Sequential>(&dir, bracket_reads));
    server.expect_failures(1);
    let message = panic_of(|| drop(server));
    assert_eq!(message, "0 requests failed, expected 1");
}

#[test]
fn a_client_that_disconnects_is_no_failure() {
    let dir = TempDir::new();
    let server = TestServer::start(bind::<Tcp, Threading>(&dir, bracket_reads));
    let mut client = server.client();
    client.send_all("x").unwrap();
    assert_eq!(client.recv().unwrap(), b"[x]");
    client.reset().unwrap();
    let handle = server.handle();
    wait_until("the reset is noticed", || handle.stats().disconnected == 1);
    server.stop();
}

#[test]
fn a_request_that_does_not_end_fails_the_test() {
    let dir = TempDir::new();
    let gate = Gate::default();
    let pass = gate.clone();
    let (started, starts) = mpsc::channel();
    let server = bind::<Tcp, Threading>(&dir, move |_| {
        started.send(())?;
        pass.pass();
        Ok(())
    });
    let server = TestServer::start(
        server
            .grace_period(Duration::ZERO)
            .force_close_timeout(Duration::from_millis(10)),
    );
    let _client = server.client();
    next(&starts);
    let message = panic_of(|| drop(server));
    gate.open();
    assert!(
        message.starts_with("not all requests have ended"),
        "{message}"
    );
    assert!(message.contains("1 abandoned"), "{message}");
}

#[test]
fn a_test_that_fails_keeps_its_own_message() {
    let dir = TempDir::new();
    let server = TestServer::start(bind::<Tcp, Threading>(&dir, |_| Err("bad".into())));
    let message = panic_of(|| {
        let server = server;
        assert_eq!(server.client().rest().unwrap(), b"");
        panic!("the test's own");
    });
    assert_eq!(message, "the test's own");
}

#[cfg(unix)]
#[test]
fn the_server_is_there_behind_the_guard() {
    let dir = TempDir::new();
    let server = TestServer::start(bind::<UnixStream, Coroutines>(&dir, bracket_reads));
    assert!(server.handle().is_ready());
    let mut client = server.client();
    client.send_all("x").unwrap();
    assert_eq!(client.recv().unwrap(), b"[x]");
    let requests = server.handle().requests();
    assert_eq!(requests[0].client_address(), client.local_address());
    client.finish().unwrap();
    client.rest().unwrap();
    server.stop();
}

#[test]
fn a_wait_ends_when_the_condition_holds() {
    let mut looks = 0;
    wait_until("three looks", || {
        looks += 1;
        looks == 3
    });
    assert_eq!(looks, 3);
}
