//! Connections whose handlers wait for the client's next message when a stop is requested.

use crate::support::kinds::{Kind, by_kind_here};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// Answers lines until no message follows.
fn answer_messages<R: Request>(request: &mut R) -> socketserver::Result {
    while request.wait_for_message()? {
        let line = request.readline(100)?;
        request.send_all(&line)?;
    }
    Ok(())
}

fn patient<M: Strategy>(
    strategy: M,
    service: Hooks<TcpRequest>,
) -> Host<Tcp, Hooks<TcpRequest>, M> {
    host_with::<Tcp, Sequential, _, _>(
        service,
        |options| options,
        |server| server.strategy(strategy).grace_period(HOUR),
    )
}

/// The grace period is an hour.
fn a_stop_ends_idle_connections_at_once(kind: Kind) {
    let host = patient(kind.strategy(), Hooks::new(answer_messages));
    let clients: Vec<_> = (0..if kind.serves_several() { 3 } else { 1 })
        .map(|_| host.client())
        .collect();
    for client in &clients {
        assert_eq!(client.ask("hello\n"), "hello\n");
        assert_eq!(client.ask("again\n"), "again\n");
    }
    let report = host.stop();
    assert_eq!(report.completed, clients.len(), "{report}");
    assert_eq!(numbers(report), (clients.len(), 0, 0));
    clients.iter().for_each(Client::expect_end);
}

/// The handler works on the first message when the stop is requested. The second has arrived by then.
fn messages_that_have_arrived_are_answered<M: Strategy + Default>() {
    let service = Hooks::new(|request: &mut TcpRequest| {
        while request.wait_for_message()? {
            let line = request.readline(100)?;
            request.send_all(&line)?;
            if line == b"first\n" {
                // The answer comes before the second message, which is not in the read buffer.
                let handle = request.server().clone();
                socketserver::blocking(|| eventually("a stop", || handle.is_shutting_down()));
            }
        }
        Ok(())
    });
    let host = patient(M::default(), service);
    let client = host.client();
    assert_eq!(client.ask("first\n"), "first\n");
    client.send("second\n");
    let report = host.stop();
    assert_eq!((report.completed, report.force_closed.len()), (1, 0));
    assert_eq!(client.line(), "second\n");
    client.expect_end();
}

/// A message of which a part has arrived is waited for, because the connection is not idle.
fn the_rest_of_a_message_is_waited_for<M: Strategy + Default>() {
    let (received, parts) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        while request.wait_for_message()? {
            let _ = received.send(());
            let line = request.readline(100)?;
            request.send_all(&line)?;
        }
        Ok(())
    });
    let host = patient(M::default(), service);
    let client = host.client();
    client.send("one mess");
    next(&parts);
    let handle = host.server.handle();
    let stopping = thread::spawn(move || host.stop());
    eventually("a stop", || handle.is_shutting_down());
    assert_eq!(client.ask("age\n"), "one message\n");
    client.expect_end();
    let report = in_time(|| stopping.join()).unwrap();
    assert_eq!((report.completed, report.force_closed.len()), (1, 0));
}

/// The handler reads on although it was told that no message follows.
fn reads_after_the_end_fail(kind: Kind) {
    let service = Hooks::new(|request: &mut TcpRequest| {
        while request.wait_for_message()? {
            let line = request.readline(100)?;
            request.send_all(&line)?;
        }
        let error = request.recv(1).map(|_| "no error").unwrap_err();
        let text = if socketserver::ShuttingDown::is_cause_of(&error) {
            "shutting down\n"
        } else {
            "another error\n"
        };
        Ok(request.send_all(text)?)
    });
    let host = patient(kind.strategy(), service);
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    let report = host.stop();
    assert_eq!(report.completed, 1);
    assert_eq!(client.line(), "shutting down\n");
    client.expect_end();
}

by_kind_here!(
    a_stop_ends_idle_connections_at_once,
    reads_after_the_end_fail,
);

// The handlers of these use what a child process does not share with the test.
by_strategy!(
    the_rest_of_a_message_is_waited_for,
    messages_that_have_arrived_are_answered,
);

/// A lame duck serves as before.
#[test]
fn a_lame_duck_keeps_idle_connections() {
    let host = host_with::<Tcp, Threading, _, _>(
        Hooks::new(answer_messages),
        |options| options,
        |server| server.lame_duck(SHORT).grace_period(HOUR),
    );
    let client = host.client();
    let handle = host.server.handle();
    assert_eq!(client.ask("hello\n"), "hello\n");
    eventually("the connection is idle", || {
        let requests = handle.requests();
        requests
            .iter()
            .all(|request| request.activity() == Activity::Idle)
    });
    handle.shutdown();
    // Ends after the lame-duck time, and neither before nor by the grace period.
    client.expect_end();
    assert!(!handle.is_ready() && handle.phase() != socketserver::Phase::LameDuck);
    assert_eq!(numbers(host.stop()), (1, 0, 0));
}

/// `wait_for_message` is a read: its timeouts apply, also in a child process.
fn an_idle_timeout_expires(kind: Kind) {
    let host = host_with::<Tcp, Sequential, _, _>(
        Hooks::new(answer_messages),
        |options| options.read_timeout(SHORT).idle_timeout(2 * SHORT),
        |server| server.strategy(kind.strategy()).grace_period(HOUR),
    );
    // The connection of a client that is late ends without an answer.
    let ask = || {
        let client = host.client();
        let answer = client
            .try_send("hello\n")
            .and_then(|()| client.try_receive());
        let is_answered = answer.is_ok_and(|answer| answer == b"hello\n");
        is_answered.then_some(client)
    };
    let client = up_to_ten(ask, Option::is_some).pop().flatten();
    client.expect("a client is answered").expect_end();
    host.stop();
}

by_kind_here!(an_idle_timeout_expires);

fn the_end_of_the_stream_is_the_end<T: Connected, M: Strategy + Default>() {
    let host = host::<T, M, _>(Hooks::new(answer_messages));
    let client = host.client();
    client.send("one\ntwo\nthree");
    client.finish();
    assert_eq!(client.rest(), b"one\ntwo\nthree");
}

over_streams_by_strategy!(the_end_of_the_stream_is_the_end);
