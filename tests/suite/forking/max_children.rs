//! `max_children`.

use super::*;

#[test]
fn the_limit_is_that_of_python() {
    assert_eq!(Forking::DEFAULT_MAX_CHILDREN, 40);
}

/// At the limit, clients wait in the backlog, and are served when a child process has exited. A stop takes effect at
/// once.
fn no_more_children_run_than_are_allowed<T: Connected>() {
    const MAX_CHILDREN: usize = 3;
    const CLIENTS: usize = 10;
    let host = host_forking::<T>(|server| server.max_children(MAX_CHILDREN).grace_period(PATIENCE));
    let handle = host.server.handle();
    let mut clients: VecDeque<_> = (0..CLIENTS).map(|_| host.client()).collect();
    for client in &clients {
        client.send("hello\n");
    }
    for client in clients.iter().take(MAX_CHILDREN) {
        assert_eq!(client.line(), "hello\n");
    }
    for served in MAX_CHILDREN..CLIENTS {
        assert_eq!(handle.stats().accepted as usize, served);
        assert_eq!(host.server.active_children().len(), MAX_CHILDREN);
        // The exit of one child lets the server fork the next.
        let client = clients.pop_front().unwrap();
        client.finish();
        client.expect_end();
        assert_eq!(clients[MAX_CHILDREN - 1].line(), "hello\n");
    }
    let waiting = host.client();
    handle.shutdown();
    assert!(handle.wait(PATIENCE), "the limit prevents the stop");
    let stats = handle.stats();
    assert_eq!(
        (stats.accepted, stats.active),
        (CLIENTS as u64, MAX_CHILDREN as u64)
    );
    drop(waiting);
    for client in clients {
        client.finish();
        client.expect_end();
    }
    let report = host.stop();
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (0, 0));
    // The client in the backlog was served too.
    assert_eq!(handle.stats().completed as usize, CLIENTS + 1);
}

/// In Python, `handle_request` has no limit.
fn handle_request_forks_no_more_children_than_are_allowed<T: Connected>() {
    let dir = TempDir::new();
    let service = Hooks::<T::Request>::echo();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), service).unwrap();
    let server = server
        .strategy(forking())
        .max_children(1)
        .grace_period(PATIENCE);
    let first = T::connect(server.server_address());
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(first.ask("hello\n"), "hello\n");

    let second = T::connect(server.server_address());
    second.send("hello\n");
    let server = server.handle_request_timeout(Duration::from_millis(20));
    assert_eq!(server.handle_request().unwrap(), Handled::Timeout);
    assert_eq!((server.stats().accepted, server.stats().active), (1, 1));
    let server = Arc::new(server.handle_request_timeout(PATIENCE));
    let waiting = thread::spawn({
        let server = Arc::clone(&server);
        move || server.handle_request()
    });
    server.shutdown();
    let handled = in_time(|| waiting.join()).unwrap();
    assert_eq!(handled.unwrap(), Handled::Shutdown);

    first.finish();
    first.expect_end();
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(second.line(), "hello\n");
    assert_eq!(server.active_children().len(), 1);
    second.finish();
    second.expect_end();
    let server = Arc::into_inner(server).unwrap();
    let handle = server.handle();
    in_time(|| server.server_close());
    assert_eq!(handle.stats().completed, 2);
}

/// A strategy that wraps `Forking` without its `wait` rejects requests above the limit, and `handle_error` is called.
#[test]
fn the_limit_holds_without_the_wait_of_the_strategy() {
    apart(
        test_name!("the_limit_holds_without_the_wait_of_the_strategy"),
        || {
            struct Wrapped(Forking);
            impl Strategy for Wrapped {
                fn process_request(
                    &self,
                    job: socketserver::Job,
                ) -> Result<(), socketserver::Rejected> {
                    self.0.process_request(job)
                }
            }
            let (service, failures) = Hooks::<TcpRequest>::new(answer_pids).failures();
            let strategy = Wrapped(forking().max_children(1));
            let host = host_with::<Tcp, Sequential, _, _>(
                service,
                |options| options,
                // The strategy reaps no child process, so the stop would wait for all of the time.
                |server| {
                    server
                        .strategy(strategy)
                        .force_close_timeout(Duration::ZERO)
                },
            );
            let first = host.client();
            first.ask("?\n");
            host.client().expect_end();
            let failure = next(&failures);
            assert_eq!(failure.stage, Stage::ProcessRequest);
            assert!(failure.text.contains("children"), "{failure:?}");
            first.ask("?\n");
            first.finish();
            first.expect_end();
        },
    );
}

over_apart!([Tcp, UnixStream]

    no_more_children_run_than_are_allowed,
    handle_request_forks_no_more_children_than_are_allowed,
);
