//! Requests that lose their client: they are counted apart from failures, and not reported.

use std::fs;
use std::io::{self, Read};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::{UnixDatagram as UnixDatagramSocket, UnixListener};
use std::sync::Mutex;
use std::time::Duration;

use socket2::SockRef;
#[cfg(unix)]
use socketserver::UnixDatagramRequest;
use socketserver::transport::Tcp;
#[cfg(unix)]
use socketserver::transport::UnixDatagram;
use socketserver::{
    DisconnectKind, Request, Sender, Sequential, ServerHandle, Stage, Strategy, TcpRequest,
    Threading, TimeoutKind,
};

use crate::support::alone::{apart, test_name};
use crate::support::net::*;

by_strategy!(
    a_reset_while_reading,
    a_reset_while_writing,
    a_client_that_ends_in_a_message,
);

#[cfg(target_os = "linux")]
by_strategy!(
    a_client_that_takes_no_data_while_writing,
    a_client_that_takes_no_data_while_reading,
);

/// Checks that the only request has lost its client in this way.
#[track_caller]
fn expect_disconnected(server: &ServerHandle, failure: &Failure, kind: DisconnectKind) {
    assert_eq!(failure.disconnect_kind, Some(kind), "{failure:?}");
    eventually("the request has ended", || server.stats().active == 0);
    let stats = server.stats();
    assert_eq!((stats.accepted, stats.disconnected), (1, 1), "{stats:?}");
    assert_eq!(stats.failed, 0, "{stats:?}");
}

fn reset(client: &Client) {
    let socket = client.socket();
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

fn a_reset_while_reading<M: Strategy + Default>() {
    let (service, failures) = Hooks::<TcpRequest>::echo().failures();
    let host = host::<Tcp, M, _>(service);
    let client = host.client();
    client.ask("hello\n");
    reset(&client);
    drop(client);
    let handle = host.server.handle();
    expect_disconnected(&handle, &next(&failures), DisconnectKind::Reset);
}

fn a_reset_while_writing<M: Strategy + Default>() {
    let (service, failures) = Hooks::new(|request: &mut TcpRequest| {
        request.readline(10)?;
        loop {
            request.send_all([b'.'; 10_000])?;
        }
    })
    .failures();
    let host = host::<Tcp, M, _>(service);
    let client = host.client();
    client.send("hello\n");
    client.exactly(10);
    drop(client);
    let failure = next(&failures);
    // `EPIPE`, if the reset was noticed before this write.
    assert!(failure.is_disconnect, "{failure:?}");
    let handle = host.server.handle();
    let kind = failure.disconnect_kind.unwrap();
    expect_disconnected(&handle, &failure, kind);
}

fn a_client_that_ends_in_a_message<M: Strategy + Default>() {
    let (service, failures) =
        Hooks::new(|request: &mut TcpRequest| Ok(request.read_exact(&mut [0; 10])?)).failures();
    let host = host::<Tcp, M, _>(service);
    let client = host.client();
    client.send("123");
    client.finish();
    let handle = host.server.handle();
    expect_disconnected(&handle, &next(&failures), DisconnectKind::Closed);
}

// ---- the system gives the connection up ----

/// More than the buffers of a connection take.
const TOO_MUCH: usize = 1 << 25;

/// Starts a server with timeouts that do not expire, and connects a client that does not read. The kernel
/// gives the connection up with `ETIMEDOUT`, because the client has not acknowledged data in time.
#[cfg(target_os = "linux")]
fn expect_given_up<M: Strategy + Default>(handle: fn(&mut TcpRequest) -> io::Result<()>) {
    let (service, failures) = Hooks::new(move |request: &mut TcpRequest| {
        let socket = SockRef::from(request.socket());
        socket.set_tcp_user_timeout(Some(Duration::from_millis(100)))?;
        Ok(handle(request)?)
    })
    .failures();
    let host = host_with::<Tcp, M, _, _>(
        service,
        |options| options.timeout(PATIENCE).idle_timeout(PATIENCE),
        |server| server,
    );
    let _client = host.client();
    let failure = next(&failures);
    assert!(failure.text.contains("os error"), "{failure:?}");
    // As in Python, where it is a `TimeoutError`.
    assert!(failure.is_timeout);
    let handle = host.server.handle();
    expect_disconnected(&handle, &failure, DisconnectKind::TimedOut);
    let stats = handle.stats();
    assert_eq!(
        stats.timeouts,
        Default::default(),
        "no timeout of the server"
    );
}

#[cfg(target_os = "linux")]
fn a_client_that_takes_no_data_while_writing<M: Strategy + Default>() {
    expect_given_up::<M>(|request| request.send_all(vec![b'.'; TOO_MUCH]));
}

#[cfg(target_os = "linux")]
fn a_client_that_takes_no_data_while_reading<M: Strategy + Default>() {
    expect_given_up::<M>(|request| {
        let socket = request.socket().try_clone()?;
        socket.set_nonblocking(true)?;
        loop {
            match (&socket).write_some() {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The kernel has given the connection up already.
                Err(error) => return Err(error),
            }
        }
        socket.set_nonblocking(false)?;
        request.read_exact(&mut [0; 1])
    });
}

trait WriteSome {
    fn write_some(self) -> io::Result<usize>;
}

impl WriteSome for &TcpStream {
    fn write_some(mut self) -> io::Result<usize> {
        io::Write::write(&mut self, &[b'.'; 100_000])
    }
}

#[test]
fn a_timeout_of_the_server_is_no_disconnect() {
    let (service, failures) =
        Hooks::new(|request: &mut TcpRequest| Ok(request.readline(10).map(drop)?)).failures();
    let host = host_with::<Tcp, Threading, _, _>(
        service,
        |options| options.read_timeout(Duration::from_millis(10)),
        |server| server,
    );
    let client = host.client();
    let failure = next(&failures);
    assert!(failure.is_timeout && !failure.is_disconnect, "{failure:?}");
    client.expect_end();
    let handle = host.server.handle();
    host.stop();
    let stats = handle.stats();
    assert_eq!((stats.failed, stats.disconnected), (1, 0));
    assert_eq!(stats.timeouts.read, 1, "{:?}", TimeoutKind::Read);
}

// ---- senders ----

/// A handler that returns the error of another client has failed.
#[test]
fn the_client_of_a_sender_is_another_one() {
    for within in [false, true] {
        let first: Mutex<Option<Sender>> = Mutex::default();
        let gate = Gate::default();
        let opened = gate.clone();
        let (service, failures) = Hooks::new(move |request: &mut TcpRequest| {
            let other = first.lock().unwrap().replace(request.sender());
            request.send_all("hello\n")?;
            let Some(other) = other else {
                opened.pass();
                return Ok(());
            };
            request.readline(10)?;
            loop {
                let sent = match within {
                    false => other.send_all([b'.'; 1000]),
                    true => other.send_all_within([b'.'; 1000], PATIENCE),
                };
                if let Err(error) = &sent {
                    assert!(DisconnectKind::of(error).is_some(), "{error:?}");
                }
                sent?;
            }
        })
        .failures();
        let host = host::<Tcp, Threading, _>(service);
        let other = host.client();
        other.line();
        let client = host.client();
        client.line();
        reset(&other);
        drop(other);
        client.send("go\n");
        let failure = next(&failures);
        assert_eq!(failure.disconnect_kind, None, "{failure:?}");
        assert!(failure.kind.is_some(), "{failure:?}");
        gate.open();
        let handle = host.server.handle();
        host.stop();
        let stats = handle.stats();
        assert_eq!((stats.failed, stats.disconnected), (1, 0));
    }
}

// ---- datagrams ----

/// Serves one datagram of a Unix client, which leaves before the reply.
#[cfg(unix)]
#[track_caller]
fn expect_lost_reply(explicit: bool, leave: fn(UnixDatagramSocket, &std::path::Path)) {
    let gate = Gate::default();
    let left = gate.clone();
    let (service, failures) = Hooks::new(move |request: &mut UnixDatagramRequest| {
        left.pass();
        match explicit {
            true => Ok(request.send_to(b"hello", request.client_address())?),
            false => Ok(request.send_all("hello")?),
        }
    })
    .failures();
    let host = host::<UnixDatagram, Sequential, _>(service);
    let dir = TempDir::new();
    let path = dir.socket();
    let client = UnixDatagramSocket::bind(&path).unwrap();
    let server = host.server.server_address().as_path().unwrap();
    client.send_to(b"?", server).unwrap();
    leave(client, &path);
    gate.open();
    let failure = next(&failures);
    let stage = if explicit {
        Stage::Handle
    } else {
        Stage::Reply
    };
    assert_eq!(failure.stage, stage);
    let handle = host.server.handle();
    expect_disconnected(&handle, &failure, DisconnectKind::Closed);
}

#[cfg(unix)]
#[test]
fn a_unix_client_that_has_closed_its_socket() {
    // A program that another test starts has copies of all sockets until it executes.
    let test = test_name!("a_unix_client_that_has_closed_its_socket");
    apart(test, || {
        for explicit in [false, true] {
            expect_lost_reply(explicit, |client, _| drop(client));
        }
    });
}

#[cfg(unix)]
#[test]
fn a_unix_client_that_has_removed_its_socket() {
    for explicit in [false, true] {
        expect_lost_reply(explicit, |client, path| {
            drop(client);
            fs::remove_file(path).unwrap();
        });
    }
}

#[cfg(unix)]
#[test]
fn a_unix_client_whose_path_belongs_to_another_program() {
    expect_lost_reply(false, |client, path| {
        drop(client);
        fs::remove_file(path).unwrap();
        // The listener is leaked, so that it exists when the reply is sent.
        std::mem::forget(UnixListener::bind(path).unwrap());
    });
}

#[cfg(unix)]
#[test]
fn a_reply_that_is_too_long_is_a_failure() {
    let (service, failures) =
        Hooks::new(|request: &mut UnixDatagramRequest| Ok(request.send_all(vec![b'.'; 1 << 24])?))
            .failures();
    let host = host::<UnixDatagram, Sequential, _>(service);
    host.client().send("?");
    assert!(!next(&failures).is_disconnect);
    let handle = host.server.handle();
    eventually("the request has ended", || handle.stats().failed == 1);
    assert_eq!(handle.stats().disconnected, 0);
}

// ---- child processes ----

#[cfg(unix)]
#[test]
fn a_child_exits_with_a_code_of_its_own() {
    apart(test_name!("a_child_exits_with_a_code_of_its_own"), || {
        let (ended, ends) = std::sync::mpsc::channel();
        let forking = forking().on_child_exit(move |exit| {
            let _ = ended.send(exit.code());
        });
        let service = Hooks::new(|request: &mut TcpRequest| Ok(request.read_exact(&mut [0; 10])?));
        let host = host_by::<Tcp, _, _>(forking, service);
        let client = host.client();
        client.send("123");
        client.finish();
        assert_eq!(next(&ends), Some(141));
        let handle = host.server.handle();
        host.stop();
        let stats = handle.stats();
        assert_eq!((stats.failed, stats.disconnected), (0, 1));
    });
}
