//! Requests that are force-closed, and connections in the backlog.

use super::*;

/// Serves one client whose handler waits by `wait` without end, stops the server by `stop`, and checks that the
/// request is force-closed.
fn expect_force_close<T: Connected, M: Strategy + Default>(
    wait: fn(&mut T::Request) -> socketserver::Result,
    stop: impl FnOnce(Host<T, Hooks<T::Request>, M>),
) {
    let (started, starts) = mpsc::channel();
    let (service, failures) = Hooks::new(move |request: &mut T::Request| {
        let _ = started.send(());
        wait(request)
    })
    .failures();
    let host = with_grace::<T, M, _>(SHORT, service);
    let handle = host.server.handle();
    let client = host.client();
    next(&starts);
    let start = Instant::now();
    stop(host);
    assert!(start.elapsed() >= SHORT, "after {:?}", start.elapsed());
    let failure = next(&failures);
    assert!(
        failure.shutting_down && failure.is_disconnect,
        "{failure:?}"
    );
    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.active), (1, 0));
    drop(client);
}

fn waits_to_read<R: Request>(request: &mut R) -> socketserver::Result {
    request.readline(100)?;
    Err("the client sent something".into())
}

fn waits_to_write<R: Request>(request: &mut R) -> socketserver::Result {
    loop {
        request.send_all([0; 10_000])?;
    }
}

/// The report counts the request also under `Sequential`, where it is force-closed before `server_close`, because
/// the accept loop runs the handler.
fn a_request_that_outlasts_the_grace_period_is_force_closed<T: Connected, M: Strategy + Default>() {
    for wait in [waits_to_read, waits_to_write] {
        expect_force_close::<T, M>(wait, |host| {
            let handle = host.server.handle();
            assert_eq!(numbers(host.stop()), (1, 1, 0));
            assert_eq!(handle.stats().force_closed, 1);
        });
    }
}

fn dropping_the_server_force_closes_too<T: Connected, M: Strategy + Default>() {
    expect_force_close::<T, M>(waits_to_read, |host| in_time(|| drop(host.server)));
}

/// Connections in the queue of a `ThreadPool` are accepted, but have no thread yet.
fn clients_in_the_queue_of_a_pool_are_force_closed<T: Connected>() {
    let (service, failures) = Hooks::new(waits_to_read::<T::Request>).failures();
    let host = host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| {
            server
                .grace_period(SHORT)
                .strategy(ThreadPool::new(1).queue_size(4))
        },
    );
    let clients = [(); 4].map(|()| host.client());
    let handle = host.server.handle();
    eventually("all clients are accepted", || handle.stats().accepted == 4);
    assert_eq!(numbers(host.stop()), (4, 4, 0));
    for client in clients {
        assert!(next(&failures).shutting_down);
        client.expect_end();
    }
}

/// Connections in the backlog are served until the grace period ends. The others are shut down before they are
/// closed.
fn clients_that_were_not_accepted_yet_are_not_lost<T: Connected>() {
    let close = |grace| {
        let dir = TempDir::new();
        let server = T::bind::<_, Sequential>(&dir, Server::options(), || LineEcho).unwrap();
        let server = server.grace_period(grace).force_close_timeout(PATIENCE / 2);
        let clients = [(); 5].map(|()| T::connect(server.server_address()));
        clients[0].send("hello\n");
        (in_time(|| server.server_close()), clients)
    };
    // A grace period that ends before the second client is served does not count.
    for grace in [SHORT, 10 * SHORT, 100 * SHORT] {
        let (report, clients) = close(grace);
        let force_closed = report.force_closed.len();
        assert_eq!((report.running, report.accepted), (0, 5));
        assert_eq!(report.completed + report.rejected + force_closed, 5);
        for client in &clients[1..] {
            client.expect_end();
        }
        if report.completed == 1 && force_closed == 1 {
            assert_eq!(clients[0].rest(), b"hello\n");
            return;
        }
    }
    panic!("the second client is never served");
}

/// With `TCP_DEFER_ACCEPT`, a handshake completes only when the client sends data. This makes the moment between
/// SYN and accept, which every connection has, as long as the test needs.
#[cfg(target_os = "linux")]
#[test]
fn a_client_whose_handshake_is_under_way_is_not_lost() {
    let ((started, starts), (permit, permits)) = (mpsc::channel(), mpsc::channel());
    let permits = Mutex::new(permits);
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let line = request.readline(100)?;
        let _ = started.send(());
        next(&permits.lock().unwrap());
        Ok(request.send_all(&line)?)
    });
    let options = TcpServer::options().defer_accept(PATIENCE);
    let server = options
        .bind(LOOPBACK, service)
        .unwrap()
        .grace_period(PATIENCE);
    let listener = server.as_fd().try_clone_to_owned().unwrap();
    let [first, second] = [(); 2].map(|()| Tcp::connect(server.server_address()));
    first.send("hello\n");
    let closing = thread::spawn(move || server.server_close());
    next(&starts);
    // The server admits no new connections, and the first request holds up the thread that serves the backlog.
    second.send("too\n");
    eventually("the second is in the backlog", || {
        let mut listener = [PollFd::new(&listener, PollFlags::IN)];
        poll(&mut listener, Some(&Timespec::default())).unwrap() > 0
    });
    permit.send(()).unwrap();
    permit.send(()).unwrap();
    assert_eq!(first.rest(), b"hello\n");
    assert_eq!(second.rest(), b"too\n");
    let report = in_time(|| closing.join().unwrap());
    assert_eq!((report.accepted, report.completed), (2, 2));
}

fn clients_that_were_not_accepted_yet_can_be_rejected<T: Connected, M: Strategy + Default>() {
    let dir = TempDir::new();
    let server = T::bind::<_, M>(&dir, Server::options(), || LineEcho).unwrap();
    let server = server.backlog_policy(BacklogPolicy::Reject(Rejection::Message(
        b"come back later\n".into(),
    )));
    let clients = [(); 5].map(|()| T::connect(server.server_address()));
    clients[0].send("hello\n");
    let handle = server.handle();
    let report = in_time(|| server.server_close());
    assert_eq!((report.accepted, report.rejected), (5, 5));
    assert_eq!(handle.stats().rejected_by.closing, 5);
    for client in &clients {
        assert_eq!(client.rest(), b"come back later\n");
    }
}

/// The kernel closes the connections in the backlog, with a reset or with an orderly end.
fn clients_that_were_not_accepted_yet_can_be_left<T: Connected>() {
    let dir = TempDir::new();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), || LineEcho).unwrap();
    let server = server.backlog_policy(BacklogPolicy::Leave);
    let clients = [(); 4].map(|()| T::connect(server.server_address()));
    let report = in_time(|| server.server_close());
    assert_eq!(report.accepted, 0);
    for client in clients {
        match client.try_receive() {
            Ok(data) => assert!(data.is_empty()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

/// A child process has a copy for a moment after its fork, and another program until it begins.
#[cfg(target_os = "linux")]
#[test]
fn a_copy_of_the_socket_does_not_listen() {
    fn close<T: Connected>(server: Server<T, impl Service<T::Request>, Sequential>) {
        let address = server.server_address().clone();
        let copy = server.as_fd().try_clone_to_owned().unwrap();
        in_time(|| server.server_close());
        let refused = T::try_connect(&address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        drop(copy);
    }

    let dir = TempDir::new();
    let bind_unix = |options| UnixStream::bind::<_, Sequential>(&dir, options, || LineEcho);
    close(bind_unix(Server::options()).unwrap());
    let server = TcpServer::bind(own_loopback(), || LineEcho).unwrap();
    let address = *server.server_address();
    let copy = server.as_fd().try_clone_to_owned().unwrap();
    close(server);
    close(TcpServer::bind(address, || LineEcho).unwrap());
    drop(copy);
}

over_streams!(
    clients_in_the_queue_of_a_pool_are_force_closed,
    clients_that_were_not_accepted_yet_are_not_lost,
    clients_that_were_not_accepted_yet_can_be_left,
);

over_streams_by_strategy!(
    a_request_that_outlasts_the_grace_period_is_force_closed,
    dropping_the_server_force_closes_too,
    clients_that_were_not_accepted_yet_can_be_rejected,
);

/// The accept loop of a sequential server cannot leave before its handler has ended. The server is not closed
/// here, so the stop alone has to force-close the request.
fn an_idle_client_does_not_hold_up_a_shutdown<T: Connected>() {
    let (service, failures) = Hooks::new(waits_to_read::<T::Request>).failures();
    let dir = TempDir::new();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), service).unwrap();
    let server = Arc::new(server.grace_period(SHORT));
    let handle = server.handle();
    for _ in 0..3 {
        let serving = thread::spawn({
            let server = Arc::clone(&server);
            move || server.serve_forever()
        });
        let before = handle.stats().accepted;
        let client = T::connect(server.server_address());
        eventually("the client is accepted", || {
            handle.stats().accepted > before
        });
        let start = Instant::now();
        handle.shutdown();
        in_time(|| serving.join()).unwrap().unwrap();
        assert!(start.elapsed() >= SHORT);
        assert!(next(&failures).shutting_down);
        client.expect_end();
    }
}

over_streams!(an_idle_client_does_not_hold_up_a_shutdown,);

/// The accept loop is held up by the strategy, not by the request, which runs on another thread.
#[test]
fn a_request_of_another_thread_is_not_force_closed_to_free_the_loop() {
    struct SlowToReturn(Gate);
    impl Strategy for SlowToReturn {
        fn process_request(&self, job: Job) -> Result<(), Rejected> {
            thread::spawn(|| job.run());
            self.0.pass();
            Ok(())
        }
    }
    let gate = Gate::default();
    let strategy = SlowToReturn(gate.clone());
    let host = host_with::<Tcp, Sequential, _, _>(
        Hooks::<TcpRequest>::echo(),
        |options| options,
        |server| server.strategy(strategy).grace_period(Duration::ZERO),
    );
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    host.server.shutdown();
    client.socket().set_read_timeout(Some(SHORT)).unwrap();
    let error = client.try_receive().unwrap_err();
    expect_nothing_arrived(&error);
    client.socket().set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(client.ask("still there?\n"), "still there?\n");
    gate.open();
    client.finish();
    client.expect_end();
    eventually("the request has ended", || host.server.stats().active == 0);
    assert_eq!(host.stop().force_closed.len(), 0);
}
