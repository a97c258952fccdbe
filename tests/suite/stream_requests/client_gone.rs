//! Clients that go while the handler neither reads nor writes.

use crate::support::kinds::{Kind, by_kind_here};

use super::*;

fn gone_is_seen(kind: Kind, go: impl FnOnce(&Client)) {
    let service = Hooks::new(|request: &mut TcpRequest| {
        let line = request.readline(100)?;
        assert!(!request.is_client_gone(), "before the client has gone");
        request.send_all(&line)?;
        socketserver::blocking(|| eventually("the client is gone", || request.is_client_gone()));
        // Nothing was consumed.
        assert_eq!(request.readline(100).unwrap_or_default().len() % 5, 0);
        Ok(())
    });
    let host = host_by::<Tcp, _, _>(kind.strategy(), service);
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    go(&client);
    leave(client, kind);
    let handle = host.server.handle();
    assert_eq!(host.stop().force_closed.len(), 0);
    assert_eq!(handle.stats().completed, 1);
}

/// Closes the client's socket. A forked child has a copy of it.
fn leave(client: Client, kind: Kind) {
    if kind == Kind::Forking {
        let _ = client.socket().shutdown(Shutdown::Both);
    }
}

fn a_close_is_seen(kind: Kind) {
    gone_is_seen(kind, |_| ());
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
by_kind_here!(a_close_is_seen_behind_unread_input);

/// Other systems report the end of the client's side only behind all input.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn a_close_is_seen_behind_unread_input(kind: Kind) {
    gone_is_seen(kind, |client| client.send("more\n"));
}

fn the_end_of_the_clients_side_is_seen(kind: Kind) {
    gone_is_seen(kind, |client| {
        client.finish();
        client.expect_end();
    });
}

fn a_reset_is_seen(kind: Kind) {
    gone_is_seen(kind, |client| {
        let now = Some(Duration::ZERO);
        client.socket().set_linger(now).unwrap();
    });
}

/// The work ends only if it is cancelled.
fn work_is_cancelled_when_the_client_goes(kind: Kind) {
    let service = Hooks::new(|request: &mut TcpRequest| {
        request.send_all("working\n")?;
        let gate = Gate::default();
        request.while_connected(|| gate.pass(), || gate.open());
        Ok(())
    });
    let host = host_by::<Tcp, _, _>(kind.strategy(), service);
    let clients: Vec<_> = (0..if kind.serves_several() { 3 } else { 1 })
        .map(|_| host.client())
        .collect();
    for client in clients {
        assert_eq!(client.line(), "working\n");
        leave(client, kind);
    }
    let report = host.stop();
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (0, 0));
}

/// Without the cancellation, the handler would be abandoned.
fn work_is_cancelled_when_the_server_force_closes(kind: Kind) {
    let service = Hooks::new(|request: &mut TcpRequest| {
        request.send_all("working\n")?;
        let gate = Gate::default();
        request.while_connected(|| gate.pass(), || gate.open());
        Ok(())
    });
    let host = host_with::<Tcp, socketserver::Sequential, _, _>(
        service,
        |options| options,
        |server| {
            server
                .strategy(kind.strategy())
                .grace_period(Duration::from_millis(50))
        },
    );
    let client = host.client();
    assert_eq!(client.line(), "working\n");
    let report = host.stop();
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (1, 0));
}

fn work_of_a_client_that_stays_is_not_cancelled(kind: Kind) {
    let service = Hooks::new(|request: &mut TcpRequest| {
        let line = request.readline(100)?;
        let answer = request.while_connected(|| line.to_ascii_uppercase(), || panic!("cancelled"));
        Ok(request.send_all(answer)?)
    });
    let host = host_by::<Tcp, _, _>(kind.strategy(), service);
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "HELLO\n");
    client.expect_end();
}

by_kind_here!(
    a_close_is_seen,
    the_end_of_the_clients_side_is_seen,
    a_reset_is_seen,
    work_is_cancelled_when_the_client_goes,
    work_is_cancelled_when_the_server_force_closes,
    work_of_a_client_that_stays_is_not_cancelled,
);

/// A panic of the work ends the watch, and is the panic of the handler.
#[test]
fn a_panic_of_the_work_ends_the_request() {
    expect_panics();
    let (service, failures) = Hooks::new(|request: &mut TcpRequest| {
        request.while_connected(|| panic!("expected"), || ());
        Ok(())
    })
    .failures();
    let host = host::<Tcp, Threading, _>(service);
    let client = host.client();
    client.expect_end();
    assert_eq!(next(&failures).text, "handle panicked: expected");
}

/// A datagram has no connection.
#[test]
fn the_client_of_a_datagram_is_never_gone() {
    let service = Hooks::new(|request: &mut socketserver::UdpRequest| {
        let is_gone = request.is_client_gone();
        let text = request.while_connected(|| format!("{is_gone}"), || ());
        assert!(request.wait_for_message()?);
        request.readline(100)?;
        assert!(!request.wait_for_message()?);
        Ok(request.send_all(text)?)
    });
    let host = host::<socketserver::transport::Udp, Threading, _>(service);
    let client = host.client();
    client.send("hello\n");
    assert_eq!(client.receive(), b"false");
}
