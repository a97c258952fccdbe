//! What is cut off.

use super::*;

/// Has one client whose handler waits by `wait` for what never comes, stops the server by `stop`,
/// and checks that the handler is cut off.
fn is_cut_off<T: Connected, M: Strategy + Default>(
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
    Err("the client said something".into())
}

fn waits_to_write<R: Request>(request: &mut R) -> socketserver::Result {
    loop {
        request.send_all([0; 10_000])?;
    }
}

/// The report says so too where the loop could not have left otherwise, so that it was done before
/// the server was closed.
fn a_client_that_keeps_the_server_is_cut_off<T: Connected, M: Strategy + Default>() {
    for wait in [waits_to_read, waits_to_write] {
        is_cut_off::<T, M>(wait, |host| {
            let handle = host.server.handle();
            assert_eq!(numbers(host.stop()), (1, 1, 0));
            assert_eq!(handle.stats().force_closed, 1);
        });
    }
}

fn dropping_the_server_cuts_off_too<T: Connected, M: Strategy + Default>() {
    is_cut_off::<T, M>(waits_to_read, |host| in_time(|| drop(host.server)));
}

/// Connections that a pool has accepted and not come to yet are closed as well.
fn clients_in_the_queue_are_closed<T: Connected>() {
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
    eventually("all are accepted", || handle.stats().accepted == 4);
    assert_eq!(numbers(host.stop()), (4, 4, 0));
    for client in clients {
        assert!(next(&failures).shutting_down);
        client.expect_end();
    }
}

/// Those that nobody has accepted are served, as long as the grace period lasts; the others get an orderly
/// end.
fn clients_that_were_not_accepted_yet_are_not_lost<T: Connected>() {
    let dir = TempDir::new();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), || LineEcho).unwrap();
    let server = server.grace_period(SHORT);
    let clients = [(); 5].map(|()| T::connect(server.server_address()));
    clients[0].send("hello\n");
    let report = in_time(|| server.server_close());
    assert_eq!((report.running, report.accepted), (0, 5));
    assert_eq!((report.completed, report.rejected), (1, 3));
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (1, 0));
    assert_eq!(clients[0].rest(), b"hello\n");
    for client in &clients[1..] {
        client.expect_end();
    }
}

/// The kernel waits for what completes its handshake, as it does with every client for a moment: only
/// that this one, which has the server wait for its first words, can take its time.
#[test]
fn a_client_whose_handshake_is_under_way_is_not_lost() {
    let ((started, starts), (go, goes)) = (mpsc::channel(), mpsc::channel());
    let goes = Mutex::new(goes);
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let line = request.readline(100)?;
        let _ = started.send(());
        next(&goes.lock().unwrap());
        Ok(request.send_all(&line)?)
    });
    let options = TcpServer::options().defer_accept(PATIENCE);
    let server = options
        .bind(LOOPBACK, service)
        .unwrap()
        .grace_period(PATIENCE);
    let queue = server.as_fd().try_clone_to_owned().unwrap();
    let [first, second] = [(); 2].map(|()| Tcp::connect(server.server_address()));
    first.send("hello\n");
    let closing = thread::spawn(move || server.server_close());
    next(&starts);
    // The door is closed, and the first client keeps the one who looks after the queue.
    second.send("too\n");
    eventually("the second is in the queue", || {
        let mut queue = [PollFd::new(&queue, PollFlags::IN)];
        poll(&mut queue, Some(&Timespec::default())).unwrap() > 0
    });
    go.send(()).unwrap();
    go.send(()).unwrap();
    assert_eq!(first.rest(), b"hello\n");
    assert_eq!(second.rest(), b"too\n");
    let report = in_time(|| closing.join().unwrap());
    assert_eq!((report.accepted, report.completed), (2, 2));
}

fn clients_that_were_not_accepted_yet_can_be_refused<T: Connected, M: Strategy + Default>() {
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

/// The system closes these, and not always in order: a reset, or the end.
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

over_streams!(
    clients_in_the_queue_are_closed,
    clients_that_were_not_accepted_yet_are_not_lost,
    clients_that_were_not_accepted_yet_can_be_left,
);

over_streams_by_strategy!(
    a_client_that_keeps_the_server_is_cut_off,
    dropping_the_server_cuts_off_too,
    clients_that_were_not_accepted_yet_can_be_refused,
);

/// The loop of a sequential server cannot leave before its handler has ended, and nobody closes
/// the server here: the stop alone has to see to it.
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
        eventually("it is accepted", || handle.stats().accepted > before);
        let start = Instant::now();
        handle.shutdown();
        in_time(|| serving.join()).unwrap().unwrap();
        assert!(start.elapsed() >= SHORT);
        assert!(next(&failures).shutting_down);
        client.expect_end();
    }
}

over_streams!(an_idle_client_does_not_hold_up_a_shutdown,);

/// A request that another thread has does not hold up the loop, even while the strategy that gave it
/// to that thread does.
#[test]
fn a_request_that_was_handed_over_is_not_cut_for_the_loops_sake() {
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
    let cut = client.try_receive().unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::WouldBlock, "it was cut");
    assert_eq!(client.ask("still there?\n"), "still there?\n");
    gate.open();
    client.finish();
    client.expect_end();
    eventually("the request is over", || host.server.stats().active == 0);
    assert_eq!(host.stop().force_closed.len(), 0);
}
