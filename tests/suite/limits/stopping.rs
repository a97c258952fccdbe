//! The end.

use super::*;

/// Stops a server in which nothing but a limit is waited for: at once, and no time of that limit is near.
#[track_caller]
fn expect_quick_stop<T: Connected, S: Service<T::Request>, M: Strategy>(host: Host<T, S, M>) {
    let started = Instant::now();
    host.stop();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(8), "it took {took:?}");
}

fn a_stop_ends_the_wait_for_a_place<T: Connected + Stream, M: Strategy + Default>() {
    for policy in [
        OverloadPolicy::Wait,
        OverloadPolicy::WaitAtMost(4 * PATIENCE),
    ] {
        let limit = |server: Server<_, _, _>| server.max_connections(2).at_max_connections(policy);
        let host = start::<T, _, _>(M::default(), Hooks::<T::Request>::echo(), limit);
        let handle = host.server.handle();
        let clients: Vec<_> = (0..6).map(|_| host.client()).collect();
        let inside = at_once::<M>(2) as u64;
        eventually("it is full", || handle.stats().active == inside);
        expect_quick_stop(host);
        drop(clients);
    }
}

fn a_stop_ends_the_wait_for_a_token<T: Connected + Stream, M: Strategy + Default>() {
    for policy in [
        OverloadPolicy::Wait,
        OverloadPolicy::WaitAtMost(4 * PATIENCE),
    ] {
        let limit = |server: Server<_, _, _>| server.accept_rate(0.001, 1).at_accept_rate(policy);
        let host = start::<T, _, _>(M::default(), LineEchoes, limit);
        let handle = host.server.handle();
        let clients: Vec<_> = (0..3).map(|_| host.client()).collect();
        clients[0].send("hello\n");
        assert_eq!(clients[0].rest(), b"hello\n");
        eventually("it is gone", || handle.stats().active == 0);
        assert_eq!(handle.stats().accepted, 1);
        expect_quick_stop(host);
    }
}

/// Closing takes in those who wait, by the same rules.
fn those_in_the_queue_are_served_at_the_end_as_ever<
    T: Connected + Stream,
    M: Strategy + Default,
>() {
    const CAP: usize = 2;
    const CLIENTS: usize = 4 * CAP;
    let limit = |server: Server<_, _, _>| {
        let server = server.grace_period(PATIENCE).max_connections(CAP);
        server.accept_rate(1e-6, CLIENTS as u32)
    };
    let host = start::<T, _, _>(M::default(), LineEchoes, limit);
    let handle = host.server.handle();
    let watch = Watch::over(handle.clone(), CAP);
    // One more than there are tokens.
    let clients: Vec<_> = (0..=CLIENTS).map(|_| host.client()).collect();
    let inside = at_once::<M>(CAP) as u64;
    eventually("it is full", || handle.stats().active == inside);
    thread::scope(|scope| {
        scope.spawn(|| host.stop());
        eventually("it is stopped", || handle.is_shutting_down());
        for client in &clients[..CLIENTS] {
            client.send("hello\n");
        }
        for client in &clients[..CLIENTS] {
            assert_eq!(client.rest(), b"hello\n");
        }
        clients[CLIENTS].expect_end();
    });
    watch.end();
    let stats = handle.stats();
    assert_eq!(stats.completed, CLIENTS as u64);
    assert_eq!((stats.rejected, stats.rejected_by.closing), (1, 1));
    adds_up(&handle);
}

over_streams_by_strategy!(
    a_stop_ends_the_wait_for_a_token,
    a_stop_ends_the_wait_for_a_place,
    those_in_the_queue_are_served_at_the_end_as_ever,
);
