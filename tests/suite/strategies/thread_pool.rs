//! `ThreadPool`.

use super::*;

/// A pool of 30 has three threads after three requests.
fn a_pool_starts_its_threads_one_by_one<T: Connected>() {
    let (hooks, watched) = watched::<T::Request>();
    let host = host_by::<T, _, _>(ThreadPool::new(30), hooks);
    let clients = [(); 3].map(|()| host.client());
    for client in &clients {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    let threads: BTreeSet<_> = clients.iter().map(|_| next(&watched.starts).1).collect();
    let expected: BTreeSet<_> = (1..=3).map(|n| format!("socketserver-{n}")).collect();
    assert_eq!(threads, expected);
}

/// The number of running requests is limited, and so is the queue. Further connections wait in the backlog.
fn a_pool_serves_as_many_at_once_as_it_has_threads<T: Connected>() {
    const THREADS: usize = 3;
    const QUEUE: usize = 2;
    const CLIENTS: usize = 15;
    let most_active = Arc::new(AtomicUsize::new(0));
    let (hooks, watched) = watched::<T::Request>();
    let hooks = Hooks::new({
        let most_active = Arc::clone(&most_active);
        let hooks = Arc::new(hooks);
        move |request: &mut T::Request| {
            let active = request.server().stats().active as usize;
            most_active.fetch_max(active, Ordering::SeqCst);
            let mut handler = hooks.request_handler();
            socketserver::RequestHandler::handle(&mut handler, request)
        }
    });
    let host = host_by::<T, _, _>(ThreadPool::new(THREADS).queue_size(QUEUE), hooks);
    let clients = [(); CLIENTS].map(|()| host.client());
    for client in &clients {
        client.send("hello\n");
    }
    for client in clients {
        assert_eq!(client.line(), "hello\n");
        client.finish();
        client.expect_end();
    }
    assert!(watched.most_at_once.load(Ordering::SeqCst) <= THREADS);
    let most_active = most_active.load(Ordering::SeqCst);
    assert!(
        most_active <= THREADS + QUEUE,
        "{most_active} were accepted"
    );
    assert_eq!(host.server.stats().accepted as usize, CLIENTS);
    let names: BTreeSet<_> = watched.starts.try_iter().map(|(_, name)| name).collect();
    let expected: BTreeSet<_> = (1..=THREADS).map(|n| format!("socketserver-{n}")).collect();
    assert!(names.is_subset(&expected), "{names:?}");
}

fn an_overloaded_pool_can_reject_with_a_message<T: Connected + Stream>() {
    for message in [&b"503 busy\n"[..], b""] {
        let (hooks, watched) = watched::<T::Request>();
        let host = host_with::<T, Sequential, _, _>(
            hooks,
            |options| {
                options
                    .max_connections(1 + 1)
                    .at_max_connections(Rejection::message(message))
            },
            |server| server.strategy(ThreadPool::new(1).queue_size(1)),
        );
        let handle = host.server.handle();
        let running = host.client();
        next(&watched.starts);
        let waiting = host.client();
        eventually("the second client is queued", || handle.stats().active == 2);
        for rejected in 1..=5 {
            assert_eq!(host.client().rest(), message);
            eventually("the rejection is counted", || {
                handle.stats().rejected == rejected
            });
        }
        assert_eq!(running.ask("hello\n"), "hello\n");
        drop(running);
        assert_eq!(waiting.ask("hello\n"), "hello\n");
        let stats = handle.stats();
        assert_eq!((stats.accepted, stats.rejected, stats.failed), (7, 5, 0));
    }
}

/// Clients up to the number of threads and queue places are served, even if they connect at the same moment.
fn a_burst_within_the_capacity_is_not_rejected<T: Connected + Stream>() {
    const THREADS: usize = 6;
    const QUEUE: usize = 2;
    for _ in 0..50 {
        // The clients connect before the server serves, so that it finds all of them at once.
        let dir = TempDir::new();
        let service = Hooks::<T::Request>::echo();
        let options = Server::options()
            .max_connections(THREADS + QUEUE)
            .at_max_connections(Rejection::message("rejected\n"));
        let server = T::bind::<_, Sequential>(&dir, options, service).unwrap();
        let clients = [(); THREADS + QUEUE].map(|()| T::connect(server.server_address()));
        let strategy = ThreadPool::new(THREADS).queue_size(QUEUE);
        let server = server.strategy(strategy).spawn().unwrap();
        for client in clients {
            // The send fails if the client was rejected; `line` reports that.
            let _ = client.try_send("hello\n");
            assert_eq!(client.line(), "hello\n");
            // Frees the thread for a client in the queue.
            drop(client);
        }
        drop(server);
    }
}

/// Each thread receives datagrams itself, so all threads can handle one at the same time. A few threads all wait on
/// the socket; of many threads, each datagram wakes one.
fn a_pool_handles_datagrams_in_all_its_threads_at_once<T: Reachable>() {
    for threads in [4, 12] {
        let together = Rendezvous::new(threads);
        let host = host_by::<T, _, _>(
            ThreadPool::new(threads),
            Hooks::new(move |request: &mut T::Request| {
                let met = together.wait();
                let thread = thread::current();
                let name = thread.name().unwrap_or_default();
                Ok(request.send_all(format!("{name} {met}").as_bytes())?)
            }),
        );
        let clients: Vec<_> = (0..threads).map(|_| host.client()).collect();
        for client in &clients {
            client.send("?");
        }
        let answers = clients.iter().map(|client| client.receive());
        let answers: BTreeSet<_> = answers.map(|it| String::from_utf8(it).unwrap()).collect();
        let expected = (1..=threads).map(|n| format!("socketserver-{n} true"));
        assert_eq!(answers, expected.collect());
    }
}

over!([Udp, UnixDatagram]
    a_pool_handles_datagrams_in_all_its_threads_at_once,
);

over_streams!(
    a_pool_starts_its_threads_one_by_one,
    a_pool_serves_as_many_at_once_as_it_has_threads,
    an_overloaded_pool_can_reject_with_a_message,
    a_burst_within_the_capacity_is_not_rejected,
);
