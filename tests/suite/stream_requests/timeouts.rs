//! Timeouts.

use super::*;

const TIMEOUT: Duration = Duration::from_millis(60);

/// Shorter than the timeout, because the kernel counts whole ticks, and the first tick may have begun before.
const MIN_ELAPSED: Duration = Duration::from_millis(40);

fn a_read_that_timed_out_can_be_repeated<T: Connected>() {
    let (timed_out, timeouts) = mpsc::channel();
    let (first, took, second) = one_conversation::<T, _>(
        move |request| {
            request.set_timeout(Some(TIMEOUT)).unwrap();
            let start = Instant::now();
            let first = request.readline(100).map_err(|error| error.kind());
            let took = start.elapsed();
            request.set_timeout(None).unwrap();
            timed_out.send(()).unwrap();
            (first, took, request.readline(100).unwrap())
        },
        |client| {
            next(&timeouts);
            client.send("late\n");
            client.expect_end();
        },
    );
    assert_eq!(first, Err(ErrorKind::TimedOut));
    assert!(took >= MIN_ELAPSED, "{took:?}");
    assert_eq!(second, b"late\n");
}

fn a_write_times_out_and_the_request_stays_usable<T: Connected>() {
    let (timed_out, timeouts) = mpsc::channel();
    let sent = one_conversation::<T, _>(
        move |request| {
            request.set_timeout(Some(TIMEOUT)).unwrap();
            let error = loop {
                if let Err(error) = request.send_all([b'.'; 10_000]) {
                    break error.kind();
                }
            };
            timed_out.send(()).unwrap();
            request.set_timeout(Some(PATIENCE)).unwrap();
            request.send_all(b"!").unwrap();
            (error, request.readline(100).unwrap())
        },
        |client| {
            next(&timeouts);
            client.send("still here\n");
            let received = client.rest();
            assert!(received.ends_with(b".!"), "{} bytes", received.len());
        },
    );
    assert_eq!(sent, (ErrorKind::TimedOut, b"still here\n".to_vec()));
}

/// As with `sendall` in Python. A client that reads a little at a time does not restart the timeout.
fn a_write_has_one_timeout_for_all_of_its_data<T: Connected>() {
    let (results, timed_out) = mpsc::channel();
    one_conversation::<T, _>(
        move |request| {
            request.set_timeout(Some(TIMEOUT)).unwrap();
            let sent = request.send_all(vec![0; 1 << 28]);
            results.send(sent.map_err(|error| error.kind())).unwrap();
        },
        |client| {
            let start = Instant::now();
            let sent = loop {
                client.exactly(4096);
                match timed_out.recv_timeout(Duration::from_millis(1)) {
                    Ok(sent) => break sent,
                    Err(_) => assert!(start.elapsed() < PATIENCE, "the write does not time out"),
                }
            };
            assert_eq!(sent, Err(ErrorKind::TimedOut));
        },
    );
}

fn a_timeout_can_be_an_option_of_the_server<T: Connected>() {
    let (hooks, failures) = Hooks::new(|request: &mut T::Request| {
        request.readline(100)?;
        Ok(())
    })
    .failures();
    let host =
        host_with::<T, Threading, _, _>(hooks, |options| options.timeout(TIMEOUT), |server| server);
    let start = Instant::now();
    let client = host.client();
    client.expect_end();
    assert!(start.elapsed() >= MIN_ELAPSED);
    let failure = next(&failures);
    assert!(failure.is_timeout && !failure.is_disconnect, "{failure:?}");
    assert_eq!(failure.kind, Some(ErrorKind::TimedOut));
}

fn a_timeout_of_zero_is_rejected_by_a_request<T: Connected>() {
    let (kind, line) = one_conversation::<T, _>(
        |request| {
            let zero = request.set_timeout(Some(Duration::ZERO));
            (zero.unwrap_err().kind(), request.readline(100).unwrap())
        },
        |client| {
            client.send("hello\n");
            client.expect_end();
        },
    );
    assert_eq!((kind, &*line), (ErrorKind::InvalidInput, &b"hello\n"[..]));
}

/// The error is returned by `bind`, not only when the first connection is accepted.
fn a_timeout_of_zero_is_rejected_when_binding<T: Reachable>() {
    let dir = TempDir::new();
    let options = Server::<T, _, Threading>::options().timeout(Duration::ZERO);
    match T::bind(&dir, options, || LineEcho) {
        Err(Error::Bind { source, .. }) => assert_eq!(source.kind(), ErrorKind::InvalidInput),
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("a timeout of zero was accepted"),
    }
}

over!([Tcp, UnixStream, UnixDatagram]
    a_timeout_of_zero_is_rejected_when_binding,
);

over_streams!(
    a_read_that_timed_out_can_be_repeated,
    a_write_times_out_and_the_request_stays_usable,
    a_write_has_one_timeout_for_all_of_its_data,
    a_timeout_can_be_an_option_of_the_server,
    a_timeout_of_zero_is_rejected_by_a_request,
);
