//! The request timeout, which covers the whole request.

use super::*;

fn a_client_that_sends_a_byte_at_a_time_times_out<T: Timed, M: Strategy + Default>() {
    let (sender, ends) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        let read = kind_of(request.readline(1 << 20));
        let start = Instant::now();
        let after = (kind_of(request.recv(10)), kind_of(request.send_all("!")));
        // After the request timeout, reads and writes fail at once. The elapsed time shows it.
        sender.send((read, after, start.elapsed()))?;
        Ok(())
    });
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Request), |server| server);
    let client = host.client();
    let start = Instant::now();
    let (read, after, took) = loop {
        // Fails after the server has closed the connection.
        let _ = client.try_send(".");
        match ends.recv_timeout(Duration::from_millis(2)) {
            Ok(ends) => break ends,
            Err(_) => assert!(start.elapsed() < PATIENCE, "the request did not time out"),
        }
    };
    let request = Some(TimeoutKind::Request);
    assert_eq!((read, after), (request, (request, request)));
    assert!(took < PATIENCE, "{took:?}");
    let handle = host.server.handle();
    drop(client);
    host.stop();
    // Three calls failed, but the timeout is counted once.
    assert_eq!(all_counted(&handle.stats()), [(TimeoutKind::Request, 1)]);
}

fn a_client_that_reads_a_little_at_a_time_times_out<T: Timed, M: Strategy + Default>() {
    for kind in [TimeoutKind::Request, TimeoutKind::Write] {
        for size in [1 << 12, 1 << 20, 1 << 28] {
            // A write timeout applies to each write alone, and short writes are in time.
            if kind == TimeoutKind::Write && size < 1 << 28 {
                continue;
            }
            let (sender, ends) = mpsc::channel();
            let hooks = Hooks::new(move |request: &mut T::Request| {
                let data = vec![0; size];
                let end = loop {
                    if let Some(kind) = kind_of(request.send_all(&data)) {
                        break kind;
                    }
                };
                sender.send(end)?;
                Ok(())
            });
            let host = host_with::<T, M, _, _>(hooks, only(kind), |server| server);
            let client = host.client();
            let start = Instant::now();
            let end = loop {
                // Reads less, or nothing, after the server has closed the connection.
                let _ = (&*client.socket()).read(&mut [0; 4096]);
                match ends.recv_timeout(Duration::from_millis(1)) {
                    Ok(end) => break end,
                    Err(_) => assert!(start.elapsed() < PATIENCE, "the request did not time out"),
                }
            };
            assert_eq!(end, kind, "{size}");
        }
    }
}

/// The timeout of the socket is a quarter of the request timeout and expires during the pause.
fn the_request_timeout_does_not_expire_too_early<T: Timed, M: Strategy + Default>() {
    let hooks = Hooks::<T::Request>::echo();
    let whole = |options| with_timeout(options, TimeoutKind::Request, 40 * SOON);
    let host = host_with::<T, M, _, _>(hooks, whole, |server| server);
    let client = host.client();
    thread::sleep(11 * SOON);
    assert_eq!(client.ask("in time\n"), "in time\n");
}

over_streams_by_strategy!(
    a_client_that_sends_a_byte_at_a_time_times_out,
    a_client_that_reads_a_little_at_a_time_times_out,
    the_request_timeout_does_not_expire_too_early,
);
