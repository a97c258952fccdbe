//! Lingering: the server reads on after an answer, so that the answer reaches a client that is still sending.

use std::io::ErrorKind;
use std::time::Duration;

use socketserver::{Activity, Request, Strategy};

use crate::support::alone::{apart, test_name};
#[cfg(unix)]
use crate::support::census::processor_time;
use crate::support::net::*;

const SHORT: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_secs(3600);

/// Answers before it has read the whole request.
fn answers_early<R: Request>() -> Hooks<R> {
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

/// The request is larger than the socket buffers, so that the client is still sending when the handler ends.
fn a_client_that_is_still_sending_gets_its_answer<T, M>()
where
    T: Connected + socketserver::transport::Stream,
    M: Strategy + Default,
{
    let host = lingering::<T, M>(HOUR, answers_early());
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

/// The connection of a client that neither sends nor closes is closed when the time expires.
fn lingering_ends_after_its_time<T, M>()
where
    T: Connected + socketserver::transport::Stream,
    M: Strategy + Default,
{
    let host = lingering::<T, M>(SHORT, answers_early());
    let client = host.client();
    client.send("hello, and more than ten bytes\n");
    assert_eq!(client.rest(), b"that is too much\n");
    assert!(host.server.handle().wait_until_idle(PATIENCE));
    // The first write to a closed connection can succeed; the next one fails.
    eventually("the client cannot send", || client.try_send("?").is_err());
}

/// A stop ends the lingering, and the report counts the request as completed.
fn a_stop_ends_lingering<T, M>()
where
    T: Connected + socketserver::transport::Stream,
    M: Strategy + Default,
{
    let host = lingering::<T, M>(HOUR, answers_early());
    let handle = host.server.handle();
    let client = host.client();
    client.send("hello\n");
    assert_eq!(client.rest(), b"that is too much\n");
    eventually("the request lingers", || {
        handle
            .requests()
            .iter()
            .any(|request| request.activity() == Activity::Lingering)
    });
    let report = host.stop();
    assert_eq!(
        (report.completed, report.force_closed.len()),
        (1, 0),
        "{report}"
    );
    assert_eq!(report.abandoned.len(), 0);
}

over_streams_by_strategy!(
    a_client_that_is_still_sending_gets_its_answer,
    lingering_ends_after_its_time,
    a_stop_ends_lingering,
);

/// A handler that never reads leaves a coroutine's attempts to receive the first bytes unfinished.
#[cfg(unix)]
#[test]
fn a_lingering_coroutine_that_has_read_nothing_uses_no_processor() {
    let test = test_name!("a_lingering_coroutine_that_has_read_nothing_uses_no_processor");
    apart(test, || {
        let silent = Hooks::new(|_| Ok(()));
        let host =
            lingering::<socketserver::transport::Tcp, socketserver::Coroutines>(HOUR, silent);
        let handle = host.server.handle();
        let _client = host.client();
        eventually("the request lingers", || {
            let requests = handle.requests();
            let mut activities = requests.iter().map(|request| request.activity());
            activities.any(|activity| activity == Activity::Lingering)
        });
        let before = processor_time();
        std::thread::sleep(10 * SHORT);
        let used = processor_time() - before;
        assert!(used < 3 * SHORT, "{used:?} of {:?}", 10 * SHORT);
    });
}

/// Without lingering, the kernel resets the connection of a client that is still sending.
#[test]
fn without_lingering_a_client_that_is_still_sending_may_be_reset() {
    let host = host::<socketserver::transport::Tcp, socketserver::Threading, _>(answers_early());
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
