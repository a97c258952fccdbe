//! `accept_rate`, and `max_per_client`.

use super::*;

const BURST: usize = 4;

fn a_burst_is_accepted_and_the_rest_waits<T: Connected + Stream, M: Strategy + Default>() {
    let limits = |options: Options<_, _>| options.accept_rate(1e-6, BURST as u32);
    let host = start::<T, _, _>(M::default(), LineEchoes, limits);
    let handle = host.server.handle();
    let clients: Vec<_> = (0..BURST + 5).map(|_| host.client()).collect();
    for client in &clients {
        client.send("hello\n");
    }
    for client in &clients[..BURST] {
        assert_eq!(client.rest(), b"hello\n");
    }
    eventually("the burst is served", || {
        handle.stats().completed == BURST as u64
    });
    let timeout = Some(Duration::from_millis(5));
    for client in &clients[BURST..] {
        client.socket().set_read_timeout(timeout).unwrap();
        let error = client.try_receive().unwrap_err();
        expect_nothing_arrived(&error);
    }
    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.rejected), (BURST as u64, 0));
    host.stop();
}

fn a_burst_is_accepted_and_the_rest_is_rejected<T: Connected + Stream, M: Strategy + Default>() {
    for policy in rejecting_policies() {
        let limits = |options: Options<_, _>| {
            let options = options.accept_rate(1e-6, BURST as u32);
            options.at_accept_rate(policy.clone())
        };
        let host = start::<T, _, _>(M::default(), LineEchoes, limits);
        let handle = host.server.handle();
        for _ in 0..BURST {
            let client = host.client();
            client.send("hello\n");
            assert_eq!(client.rest(), b"hello\n");
        }
        for n in 1..=5 {
            expect_rejection(&host, policy.clone());
            assert_eq!(handle.stats().rejected_by.accept_rate, n);
        }
        eventually("the burst is served", || {
            handle.stats().completed == BURST as u64
        });
        assert_eq!(handle.stats().rejected, 5);
        adds_up(&handle);
        host.stop();
    }
}

fn clients_that_wait_for_a_token_are_served_later<T: Connected + Stream, M: Strategy + Default>() {
    const PER_SECOND: u32 = 50;
    const LATER: u32 = 5;
    let started = Instant::now();
    let limits = |options: Options<_, _>| options.accept_rate(PER_SECOND.into(), BURST as u32);
    let host = start::<T, _, _>(M::default(), LineEchoes, limits);
    let handle = host.server.handle();
    let clients: Vec<_> = (0..BURST + LATER as usize).map(|_| host.client()).collect();
    for client in &clients {
        client.send("hello\n");
    }
    for client in &clients {
        assert_eq!(client.rest(), b"hello\n");
    }
    // Time in which the bucket gets `LATER` tokens.
    assert!(started.elapsed() >= Duration::from_secs(1) * LATER / PER_SECOND);
    assert_eq!(handle.stats().rejected, 0);
    host.stop();
}

#[test]
fn clients_rejected_by_another_limit_cost_no_token() {
    let limits = |options: Options<_, _>| {
        let options = options.max_per_client(1).max_connections(2);
        let options = options.at_max_connections(Rejection::Close);
        options.accept_rate(0.0, 3).at_accept_rate(Rejection::Reset)
    };
    let host = start::<Tcp, _, _>(Threading::new(), Hooks::echo(), limits);
    let handle = host.server.handle();
    let first = fill(&host, 1);
    for _ in 0..5 {
        host.client().expect_end();
    }
    let address = *host.server.server_address();
    let second = client_from("127.0.0.2", address);
    assert_eq!(second.ask("hello\n"), "hello\n");
    for _ in 0..5 {
        client_from("127.0.0.3", address).expect_end();
    }
    leave(first);
    eventually("the first has ended", || handle.stats().active == 1);
    let third = client_from("127.0.0.3", address);
    assert_eq!(third.ask("hello\n"), "hello\n");
    leave([second]);
    eventually("the second has ended", || handle.stats().active == 1);
    expect_rejected::<Tcp>(try_client_from("127.0.0.4", address), Rejection::Reset);
    let by = handle.stats().rejected_by;
    assert_eq!(
        (by.max_per_client, by.max_connections, by.accept_rate),
        (5, 5, 1)
    );
    adds_up(&handle);
    host.stop();
}

#[cfg(unix)]
#[test]
fn clients_have_their_own_shares() {
    for rejection in &rejections() {
        every_client_has_its_own_share(Threading::new(), rejection);
        every_client_has_its_own_share(ThreadPool::new(8), rejection);
        every_client_has_its_own_share(Coroutines::new().workers(1), rejection);
        every_client_has_its_own_share(Coroutines::new().workers(3), rejection);
    }
}

#[cfg(unix)]
#[test]
fn clients_without_an_address_have_no_share() {
    type UnixStream = socketserver::transport::UnixStream;
    let limits = |options: Options<_, _>| options.max_per_client(1);
    let host = start::<UnixStream, _, _>(Threading::new(), Hooks::echo(), limits);
    leave(fill(&host, 5));
    assert_eq!(host.server.handle().stats().rejected, 0);
    host.stop();
}

over_streams_by_strategy!(
    a_burst_is_accepted_and_the_rest_waits,
    a_burst_is_accepted_and_the_rest_is_rejected,
    clients_that_wait_for_a_token_are_served_later,
);
