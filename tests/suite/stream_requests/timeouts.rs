//! Timeouts.

use super::*;

const SOON: Duration = Duration::from_millis(60);

/// The kernel counts in ticks, of which the first may be over already.
const HARDLY_SOON: Duration = Duration::from_millis(40);

fn a_read_that_timed_out_can_be_repeated<T: Connected>() {
    let (told, go_on) = mpsc::channel();
    let (first, took, second) = one_conversation::<T, _>(
        move |request| {
            request.set_timeout(Some(SOON)).unwrap();
            let start = Instant::now();
            let first = request.readline(100).map_err(|error| error.kind());
            let took = start.elapsed();
            request.set_timeout(None).unwrap();
            told.send(()).unwrap();
            (first, took, request.readline(100).unwrap())
        },
        |client| {
            next(&go_on);
            client.send("late\n");
            client.expect_end();
        },
    );
    assert_eq!(first, Err(ErrorKind::TimedOut));
    assert!(took >= HARDLY_SOON, "{took:?}");
    assert_eq!(second, b"late\n");
}

fn a_write_times_out_and_the_request_stays_usable<T: Connected>() {
    let (told, go_on) = mpsc::channel();
    let sent = one_conversation::<T, _>(
        move |request| {
            request.set_timeout(Some(SOON)).unwrap();
            let timed_out = loop {
                if let Err(error) = request.send_all([b'.'; 10_000]) {
                    break error.kind();
                }
            };
            told.send(()).unwrap();
            request.set_timeout(Some(PATIENCE)).unwrap();
            request.send_all(b"!").unwrap();
            (timed_out, request.readline(100).unwrap())
        },
        |client| {
            next(&go_on);
            client.send("still here\n");
            let received = client.rest();
            assert!(received.ends_with(b".!"), "{} bytes", received.len());
        },
    );
    assert_eq!(sent, (ErrorKind::TimedOut, b"still here\n".to_vec()));
}

/// As `sendall` in Python: a client that reads a little now and then does not begin it anew.
fn a_write_has_one_timeout_for_all_of_its_data<T: Connected>() {
    let (told, timed_out) = mpsc::channel();
    one_conversation::<T, _>(
        move |request| {
            request.set_timeout(Some(SOON)).unwrap();
            let sent = request.send_all(vec![0; 1 << 28]);
            told.send(sent.map_err(|error| error.kind())).unwrap();
        },
        |client| {
            let start = Instant::now();
            let sent = loop {
                client.exactly(4096);
                match timed_out.recv_timeout(Duration::from_millis(1)) {
                    Ok(sent) => break sent,
                    Err(_) => assert!(start.elapsed() < PATIENCE, "it sends and sends"),
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
    let host = host_with::<T, Threading, _, _>(hooks, |options| options.timeout(SOON), |it| it);
    let start = Instant::now();
    let client = host.client();
    client.expect_end();
    assert!(start.elapsed() >= HARDLY_SOON);
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

/// And not accepted there, to end the server with the first client.
fn a_timeout_of_zero_is_rejected_when_binding<T: Reachable>() {
    let dir = TempDir::new();
    let options = Server::<T, _, Threading>::options().timeout(Duration::ZERO);
    match T::bind(&dir, options, || LineEcho) {
        Err(Error::Bind { source, .. }) => assert_eq!(source.kind(), ErrorKind::InvalidInput),
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("it was accepted"),
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
