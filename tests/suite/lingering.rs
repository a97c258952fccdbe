//! What a client is told while it still sends arrives, if the server lingers.

use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use socketserver::{Activity, Request, Strategy};

use crate::support::net::*;

const SHORT: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_secs(3600);

/// Answers before it has read everything, as one does who has read enough.
fn impatient<R: Request>() -> Hooks<R> {
    Hooks::new(|request: &mut R| {
        request.recv(10)?;
        Ok(request.send_all("that is too much\n")?)
    })
}

fn lingering<T, M>(time: Duration, service: Hooks<T::Request>) -> Host<T, Hooks<T::Request>, M>
where
    T: Connected + socketserver::transport::Stream,
    M: Strategy + Default,
{
    host_with::<T, M, _, _>(
        service,
        |options| options.linger(time),
        |server| server.grace_period(SHORT),
    )
}

/// More than the kernel takes, so that the client is still sending when the connection would be closed.
fn a_client_that_is_still_sending_gets_its_answer<T, M>()
where
    T: Connected + socketserver::transport::Stream,
    M: Strategy + Default,
{
    let host = lingering::<T, M>(HOUR, impatient());
    for _ in 0..5 {
        let client = host.client();
        for _ in 0..300 {
            client.send(vec![b'x'; 64 * 1024]);
        }
        client.finish();
        assert_eq!(client.rest(), b"that is too much\n");
    }
    let handle = host.server.handle();
    assert!(handle.wait_until_idle(PATIENCE));
    assert_eq!(handle.stats().completed, 5);
}

/// One that neither ends nor sends is let go when the time is over.
fn a_client_that_stays_is_waited_for_no_longer_than_that<T, M>()
where
    T: Connected + socketserver::transport::Stream,
    M: Strategy + Default,
{
    let host = lingering::<T, M>(SHORT, impatient());
    let client = host.client();
    client.send("hello, and more than ten bytes\n");
    assert_eq!(client.rest(), b"that is too much\n");
    assert!(host.server.handle().wait_until_idle(PATIENCE));
    // It is closed now: who writes to it learns that, at the latest the second time.
    let mut gone = || client.try_send("?").is_err();
    eventually_true(&mut gone);
}

fn eventually_true(condition: &mut impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
}

/// And a stop does not wait longer than ever, and says for whom it waits.
fn a_stop_ends_it<T, M>()
where
    T: Connected + socketserver::transport::Stream,
    M: Strategy + Default,
{
    let host = lingering::<T, M>(HOUR, impatient());
    let handle = host.server.handle();
    let client = host.client();
    client.send("hello\n");
    assert_eq!(client.rest(), b"that is too much\n");
    eventually("it lingers", || {
        handle
            .requests()
            .iter()
            .any(|request| request.activity() == Activity::Lingering)
    });
    let report = host.stop();
    // It had been served.
    assert_eq!(
        (report.completed, report.force_closed.len()),
        (1, 0),
        "{report}"
    );
    assert_eq!(report.abandoned.len(), 0);
}

over_streams_by_strategy!(
    a_client_that_is_still_sending_gets_its_answer,
    a_client_that_stays_is_waited_for_no_longer_than_that,
    a_stop_ends_it,
);

/// What it is good for: without it, who still sends is reset.
#[test]
fn without_lingering_a_client_that_is_still_sending_may_be_reset() {
    let host = host::<socketserver::transport::Tcp, socketserver::Threading, _>(impatient());
    let client = host.client();
    let mut sent = Ok(());
    for _ in 0..300 {
        sent = client.try_send(vec![b'x'; 64 * 1024]);
        if sent.is_err() {
            break;
        }
    }
    let error = sent.unwrap_err().kind();
    assert!(
        matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{error:?}"
    );
}
