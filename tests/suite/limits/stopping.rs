//! Stops of servers at a limit.

use super::*;

/// Stops a server, which has to take far less time than any wait for a limit would.
#[track_caller]
fn expect_quick_stop<T: Connected, S: Service<T::Request>, M: Strategy>(host: Host<T, S, M>) {
    let started = Instant::now();
    host.stop();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(8), "the stop took {took:?}");
}

fn a_stop_ends_the_wait_for_capacity<T: Connected + Stream, M: Strategy + Default>() {
    for policy in [
        OverloadPolicy::Wait,
        OverloadPolicy::WaitAtMost(4 * PATIENCE),
    ] {
        let limits = |options: Options<_, _>| options.max_connections(2).at_max_connections(policy);
        let host = start::<T, _, _>(M::default(), Hooks::<T::Request>::echo(), limits);
        let handle = host.server.handle();
        let clients: Vec<_> = (0..6).map(|_| host.client()).collect();
        let limit = at_once::<M>(2) as u64;
        eventually("the limit is reached", || handle.stats().active == limit);
        expect_quick_stop(host);
        drop(clients);
    }
}

fn a_stop_ends_the_wait_for_a_token<T: Connected + Stream, M: Strategy + Default>() {
    for policy in [
        OverloadPolicy::Wait,
        OverloadPolicy::WaitAtMost(4 * PATIENCE),
    ] {
        let limits = |options: Options<_, _>| options.accept_rate(0.001, 1).at_accept_rate(policy);
        let host = start::<T, _, _>(M::default(), LineEchoes, limits);
        let handle = host.server.handle();
        let clients: Vec<_> = (0..3).map(|_| host.client()).collect();
        clients[0].send("hello\n");
        assert_eq!(clients[0].rest(), b"hello\n");
        eventually("the connection has ended", || handle.stats().active == 0);
        assert_eq!(handle.stats().accepted, 1);
        expect_quick_stop(host);
    }
}

/// Limits apply to the connections in the backlog of a server that is being closed.
fn limits_apply_to_the_backlog_when_closing<T: Connected + Stream, M: Strategy + Default>() {
    const CAP: usize = 2;
    const CLIENTS: usize = 4 * CAP;
    let limits = |options: Options<_, _>| {
        let options = options.max_connections(CAP);
        options.accept_rate(1e-6, CLIENTS as u32)
    };
    let host = start_with::<T, _, _>(M::default(), LineEchoes, limits, |server| {
        server.grace_period(PATIENCE)
    });
    let handle = host.server.handle();
    let watch = Watch::start(handle.clone(), CAP);
    // One client more than there are tokens.
    let clients: Vec<_> = (0..=CLIENTS).map(|_| host.client()).collect();
    let limit = at_once::<M>(CAP) as u64;
    eventually("the limit is reached", || handle.stats().active == limit);
    thread::scope(|scope| {
        scope.spawn(|| host.stop());
        eventually("the stop is requested", || handle.is_shutting_down());
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
    a_stop_ends_the_wait_for_capacity,
    limits_apply_to_the_backlog_when_closing,
);
