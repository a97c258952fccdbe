//! Stopping a server without free capacity.

use super::*;

/// All threads are busy and clients wait in all queues. A stop takes effect at once.
fn a_full_server_can_be_stopped<T: Connected>() {
    let strategies: [fn() -> Box<dyn Strategy>; 3] = [
        || Box::new(Coroutines::new().workers(1).max_coroutines(1)),
        || Box::new(Threading::new().max_threads(1)),
        || Box::new(ThreadPool::new(1).queue_size(1)),
    ];
    for strategy in strategies {
        let (hooks, watched) = watched::<T::Request>();
        let host = host_with::<T, Sequential, _, _>(
            hooks,
            |options| options,
            |server| {
                let server = server.strategy(strategy());
                server.poll_interval(None).grace_period(PATIENCE)
            },
        );
        let running = host.client();
        next(&watched.starts);
        let waiting = [(); 5].map(|()| host.client());
        assert_eq!(running.ask("hello\n"), "hello\n");
        let handle = host.server.handle();
        handle.shutdown();
        assert!(handle.wait(PATIENCE), "the loop has not left");
        // The loop has left although the handler is still running.
        assert_eq!(running.ask("hello\n"), "hello\n");
        drop((running, waiting));
        host.stop();
    }
}

over!([Udp, UnixDatagram]
    a_full_server_of_datagrams_can_be_stopped,
);

/// Waiting handlers occupy all threads.
fn a_full_server_of_datagrams_can_be_stopped<T: Reachable>() {
    let (started, starts) = mpsc::channel();
    let gate = Gate::default();
    let hooks = Hooks::new({
        let gate = gate.clone();
        move |_: &mut T::Request| {
            let _ = started.send(());
            gate.pass();
            Ok(())
        }
    });
    let host = host_by::<T, _, _>(Threading::new().max_threads(2), hooks);
    for _ in 0..5 {
        host.client().send("?");
    }
    next(&starts);
    next(&starts);
    let handle = host.server.handle();
    handle.shutdown();
    assert!(handle.wait(PATIENCE), "the loop has not left");
    assert_eq!(handle.stats().accepted, 2);
    gate.open();
    host.stop();
}

over_streams!(a_full_server_can_be_stopped,);
