//! Closing a server that has child processes.

use super::*;

fn closing_waits_for_children<T: Connected>() {
    let host = host_by::<T, _, _>(forking(), handler_fn(answer_pids::<T::Request>));
    let client = host.client();
    let child = client.ask("?\n");
    let handle = host.server.handle();
    let stopping = thread::spawn(move || host.stop());
    assert!(handle.wait(PATIENCE));
    eventually("a stop was requested", || handle.is_shutting_down());
    assert_eq!(client.ask("?\n"), child);
    client.finish();
    client.expect_end();
    let report = stopping.join().unwrap();
    assert_eq!((report.running, report.force_closed.len()), (1, 0));
    assert_eq!((handle.stats().completed, handle.stats().active), (1, 0));
}

fn children_that_outlast_the_grace_period_get_a_sigterm<T: Connected>() {
    let (forking, ends) = watched();
    let service = handler_fn(answer_pids::<T::Request>);
    let host = host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| {
            server
                .strategy(forking)
                .grace_period(Duration::from_millis(20))
        },
    );
    let client = host.client();
    client.ask("?\n");
    let handle = host.server.handle();
    let report = host.stop();
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (1, 0));
    assert_eq!(next(&ends).signal(), Some(Signal::SIGTERM as i32));
    assert_eq!((handle.stats().force_closed, handle.stats().active), (1, 0));
    client.expect_end();
}

#[test]
fn children_that_ignore_the_sigterm_are_killed() {
    apart(
        test_name!("children_that_ignore_the_sigterm_are_killed"),
        || {
            let (forking, ends) = watched();
            let ignores_sigterm = |request: &mut TcpRequest| {
                // SAFETY: ignoring runs no code in signal context.
                unsafe { signal(Signal::SIGTERM, SigHandler::SigIgn) }?;
                answer_pids(request)
            };
            let host = host_with::<Tcp, Sequential, _, _>(
                handler_fn(ignores_sigterm),
                |options| options,
                |server| {
                    server
                        .strategy(forking)
                        .grace_period(Duration::from_millis(20))
                        // SIGKILL follows within this time.
                        .force_close_timeout(Duration::from_secs(3))
                },
            );
            let client = host.client();
            client.ask("?\n");
            let started = Instant::now();
            let report = host.stop();
            assert!(started.elapsed() < PATIENCE);
            assert_eq!((report.force_closed.len(), report.abandoned.len()), (1, 0));
            assert_eq!(next(&ends).signal(), Some(Signal::SIGKILL as i32));
        },
    );
}

over_apart!([Tcp, UnixStream]

    closing_waits_for_children,
    children_that_outlast_the_grace_period_get_a_sigterm,
);
