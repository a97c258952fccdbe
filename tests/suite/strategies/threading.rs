//! `Threading`.

use super::*;

fn every_client_of_a_threading_server_is_served_at_once<T: Connected>() {
    let (hooks, watched) = watched::<T::Request>();
    let host = host::<T, Threading, _>(hooks);
    let clients = [(); 20].map(|()| host.client());
    for client in clients.iter().rev() {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    assert_eq!(watched.most_at_once.load(Ordering::SeqCst), 20);
    let starts = clients.each_ref().map(|_| next(&watched.starts));
    let threads: BTreeSet<_> = starts.iter().map(|(_, name)| name.clone()).collect();
    let expected: BTreeSet<_> = (1..=20).map(|n| format!("socketserver-{n}")).collect();
    assert_eq!(threads, expected);
}

fn threads_are_reused<T: Connected>() {
    let (hooks, watched) = watched::<T::Request>();
    let strategy = Threading::new().max_threads(1).keep_alive(PATIENCE);
    let host = host_by::<T, _, _>(strategy, hooks);
    let mut threads = BTreeSet::new();
    for _ in 0..20 {
        assert_eq!(host.client().ask("hello\n"), "hello\n");
        threads.insert(next(&watched.starts).1);
    }
    assert_eq!(threads, BTreeSet::from(["socketserver-1".into()]));
}

fn with_no_keep_alive_every_request_has_a_new_thread<T: Connected>() {
    let (hooks, watched) = watched::<T::Request>();
    let host = host_by::<T, _, _>(Threading::new().keep_alive(Duration::ZERO), hooks);
    let handle = host.server.handle();
    let mut threads = BTreeSet::new();
    for n in 1..=10 {
        assert_eq!(host.client().ask("hello\n"), "hello\n");
        eventually("the request has ended", || {
            let stats = handle.stats();
            (stats.completed, stats.active) == (n, 0)
        });
        threads.insert(next(&watched.starts).1);
    }
    assert!(threads.len() > 1, "{threads:?}");
}

fn an_idle_thread_ends<T: Connected>() {
    let (hooks, ends) = watched_threads::<T::Request>();
    let strategy = Threading::new().keep_alive(Duration::from_millis(30));
    let host = host_by::<T, _, _>(strategy, hooks);
    let clients = [(); 10].map(|()| host.client());
    for client in &clients {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    drop(clients);
    for _ in 0..10 {
        next(&ends);
    }
    // The next request has a new thread.
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    next(&ends);
}

fn threads_that_are_kept_end_with_the_server<T: Reachable, M: Strategy + Default>() {
    let (hooks, ends) = watched_threads::<T::Request>();
    let host = host::<T, M, _>(hooks);
    for _ in 0..3 {
        assert_eq!(host.client().ask("hello\n"), "hello\n");
    }
    host.stop();
    // Only the threads still hold senders, so the channel is closed when all threads have ended.
    while ends.recv_timeout(PATIENCE).is_ok() {}
    assert_eq!(ends.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

/// At the limit, clients wait in the backlog, and are served when a thread is free.
fn no_more_threads_run_than_are_allowed<T: Connected>() {
    const MAX_THREADS: usize = 3;
    const CLIENTS: usize = 12;
    for keep_alive in [Duration::ZERO, PATIENCE] {
        let (hooks, watched) = watched::<T::Request>();
        let strategy = Threading::new()
            .max_threads(MAX_THREADS)
            .keep_alive(keep_alive);
        let host = host_by::<T, _, _>(strategy, hooks);
        let handle = host.server.handle();
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| host.client()).collect();
        for client in &clients {
            client.send("hello\n");
        }
        for _ in 0..MAX_THREADS {
            next(&watched.starts);
        }
        for served in MAX_THREADS..CLIENTS {
            assert_eq!(handle.stats().accepted as usize, served);
            // The end of one client frees a thread for the next.
            let client = clients.remove(0);
            assert_eq!(client.line(), "hello\n");
            client.finish();
            client.expect_end();
            next(&watched.starts);
        }
        for client in clients {
            assert_eq!(client.line(), "hello\n");
        }
        assert_eq!(watched.most_at_once.load(Ordering::SeqCst), MAX_THREADS);
    }
}

#[test]
fn a_thread_that_cannot_be_started_costs_that_request() {
    let (service, failures) = Hooks::<TcpRequest>::echo().failures();
    // No address space is large enough for such a stack.
    let host = host_by::<Tcp, _, _>(Threading::new().stack_size(1 << 46), service);
    for _ in 0..3 {
        host.client().expect_end();
        let failure = next(&failures);
        assert_eq!(failure.stage, Stage::ProcessRequest);
        assert!(failure.kind.is_some(), "{failure:?}");
    }
    let handle = host.server.handle();
    host.stop();
    assert_eq!((handle.stats().accepted, handle.stats().failed), (3, 3));
}

#[test]
fn a_pool_that_cannot_start_a_thread_rejects() {
    let (service, failures) = Hooks::<TcpRequest>::echo().failures();
    let host = host_by::<Tcp, _, _>(ThreadPool::new(2).stack_size(1 << 46), service);
    for _ in 0..5 {
        host.client().expect_end();
        assert_eq!(next(&failures).stage, Stage::ProcessRequest);
    }
    host.stop();
}

/// Size of the mapping that contains the current stack.
#[cfg(target_os = "linux")]
fn stack_size() -> usize {
    let here = 0;
    let here = &raw const here as usize;
    let maps = std::fs::read_to_string("/proc/thread-self/maps").unwrap();
    let sizes = maps.lines().filter_map(|line| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        let [start, end] = [start, end].map(|it| usize::from_str_radix(it, 16).unwrap());
        (start..end).contains(&here).then_some(end - start)
    });
    sizes.sum()
}

#[cfg(target_os = "linux")]
fn the_size_of_the_stacks_can_be_chosen<T: Reachable>() {
    const SIZE: usize = 64 << 20;
    let strategies: [Box<dyn Strategy>; 3] = [
        Box::new(Coroutines::new().stack_size(SIZE)),
        Box::new(Threading::new().stack_size(SIZE)),
        Box::new(ThreadPool::new(1).stack_size(SIZE)),
    ];
    for strategy in strategies {
        let service = Hooks::new(|request: &mut T::Request| {
            request.readline(100)?;
            let large = format!("{}\n", stack_size() >= SIZE);
            Ok(request.send_all(large.as_bytes())?)
        });
        let host = host_by::<T, _, _>(strategy, service);
        assert_eq!(host.client().ask("?\n"), "true\n");
    }
}

over_streams!(
    every_client_of_a_threading_server_is_served_at_once,
    threads_are_reused,
    with_no_keep_alive_every_request_has_a_new_thread,
    an_idle_thread_ends,
    no_more_threads_run_than_are_allowed,
);

everywhere!(threads_that_are_kept_end_with_the_server,);

#[cfg(target_os = "linux")]
over!([Tcp, Udp, UnixStream, UnixDatagram]
    the_size_of_the_stacks_can_be_chosen,
);
