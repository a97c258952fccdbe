//! The wait for running requests.

use super::*;

/// The handler ends only after it has seen the stop.
fn a_running_request_is_waited_for<T: Reachable, M: Strategy + Default>() {
    let (started, starts) = mpsc::channel();
    let service = Hooks::new(move |request: &mut T::Request| {
        let line = request.readline(100)?;
        let _ = started.send(());
        let handle = request.server().clone();
        eventually("a stop was requested", || handle.is_shutting_down());
        request.send_all(&line)?;
        Ok(())
    });
    let host = with_grace::<T, M, _>(PATIENCE, service);
    let client = host.client();
    client.send("hello\n");
    next(&starts);
    let handle = host.server.handle();
    let report = host.stop();
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (0, 0));
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

/// The listener is closed while the last requests are still running.
fn a_server_that_is_closing_does_not_listen<T: Connected, M: Strategy + Default>() {
    let (addresses, address) = mpsc::channel::<T::Address>();
    let address = Mutex::new(address);
    let service = Hooks::new(move |request: &mut T::Request| {
        // The connections that `T::try_connect` below makes send nothing.
        if request.readline(100)?.is_empty() {
            return Ok(());
        }
        socketserver::blocking(|| {
            let address = next(&address.lock().unwrap());
            eventually("the listener is closed", || {
                T::try_connect(&address).is_err()
            });
        });
        request.send_all(b"not listening\n")?;
        Ok(())
    });
    let host = with_grace::<T, M, _>(PATIENCE, service);
    let client = host.client();
    client.send("the first\n");
    let handle = host.server.handle();
    eventually("the request is running", || handle.stats().accepted == 1);
    addresses
        .send(host.server.server_address().clone())
        .unwrap();
    let report = host.stop();
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (0, 0));
    assert_eq!(client.rest(), b"not listening\n");
}

fn a_grace_period_without_limit_is_waited_for<T: Connected, M: Strategy + Default>() {
    let host = with_grace::<T, M, _>(Duration::MAX, Hooks::<T::Request>::echo());
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    let handle = host.server.handle();
    let stopped = thread::spawn(move || host.stop());
    eventually("a stop was requested", || handle.is_shutting_down());
    // The request is not force-closed. Python waits without limit too.
    assert_eq!(client.ask("still there?\n"), "still there?\n");
    drop(client);
    let report = stopped.join().unwrap();
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (0, 0));
}

over_streams_by_strategy!(a_grace_period_without_limit_is_waited_for,);

// Not for `Sequential`: its accept loop runs the handler, so the listener stays open while a request is
// running.
in_threads!(a_server_that_is_closing_does_not_listen,);

/// As in Python, clients that were not accepted are reset, and the others are awaited without a limit.
#[test]
fn stop_as_python_resets_the_backlog_and_waits_for_the_rest() {
    use std::io::{self, Read as _, Write as _};
    use std::net::TcpStream;

    let service = Hooks::new(|request: &mut TcpRequest| {
        request.server().shutdown();
        let line = request.readline(100)?;
        Ok(request.send_all(line)?)
    });
    let server = ThreadingTcpServer::bind(LOOPBACK, service).unwrap();
    let server = server
        .grace_period(Duration::ZERO)
        .lame_duck(Duration::MAX)
        .block_on_close(false)
        .stop_as_python();
    let mut accepted = TcpStream::connect(server.server_address()).unwrap();
    server.serve_forever().unwrap();
    let mut waiting = TcpStream::connect(server.server_address()).unwrap();
    let closed = thread::spawn(move || server.server_close());
    let error = waiting.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(!closed.is_finished());
    accepted.write_all(b"hello\n").unwrap();
    let report = closed.join().unwrap();
    assert_eq!((report.completed, report.force_closed.len()), (1, 0));
    assert_eq!(io::read_to_string(accepted).unwrap(), "hello\n");
}
