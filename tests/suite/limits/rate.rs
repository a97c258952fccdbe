//! How fast.

use super::*;

const BURST: usize = 4;

fn a_burst_is_taken_in_and_the_rest_waits<T: Connected + Stream, M: Strategy + Default>() {
    let limit = |server: Server<_, _, _>| server.accept_rate(1e-6, BURST as u32);
    let host = start::<T, _, _>(M::default(), LineEchoes, limit);
    let handle = host.server.handle();
    let clients: Vec<_> = (0..BURST + 5).map(|_| host.client()).collect();
    for client in &clients {
        client.send("hello\n");
    }
    for client in &clients[..BURST] {
        assert_eq!(client.rest(), b"hello\n");
    }
    eventually("they are gone", || handle.stats().completed == BURST as u64);
    let nothing = Some(Duration::from_millis(5));
    for client in &clients[BURST..] {
        client.socket().set_read_timeout(nothing).unwrap();
        let error = client.try_receive().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.rejected), (BURST as u64, 0));
    host.stop();
}

fn a_burst_is_taken_in_and_the_rest_is_turned_away<T: Connected + Stream, M: Strategy + Default>() {
    for policy in policies() {
        let limit = |server: Server<_, _, _>| {
            let server = server.accept_rate(1e-6, BURST as u32);
            server.at_accept_rate(policy.clone())
        };
        let host = start::<T, _, _>(M::default(), LineEchoes, limit);
        let handle = host.server.handle();
        for _ in 0..BURST {
            let client = host.client();
            client.send("hello\n");
            assert_eq!(client.rest(), b"hello\n");
        }
        for n in 1..=5 {
            expect_turned_away::<T>(&host.client(), &policy);
            assert_eq!(handle.stats().rejected_by.accept_rate, n);
        }
        eventually("they are gone", || handle.stats().completed == BURST as u64);
        assert_eq!(handle.stats().rejected, 5);
        adds_up(&handle);
        host.stop();
    }
}

fn those_who_wait_for_a_token_are_served_later<T: Connected + Stream, M: Strategy + Default>() {
    const PER_SECOND: u32 = 50;
    const LATER: u32 = 5;
    let started = Instant::now();
    let limit = |server: Server<_, _, _>| server.accept_rate(PER_SECOND.into(), BURST as u32);
    let host = start::<T, _, _>(M::default(), LineEchoes, limit);
    let handle = host.server.handle();
    let clients: Vec<_> = (0..BURST + LATER as usize).map(|_| host.client()).collect();
    for client in &clients {
        client.send("hello\n");
    }
    for client in &clients {
        assert_eq!(client.rest(), b"hello\n");
    }
    // As many tokens as that do not come any faster.
    assert!(started.elapsed() >= Duration::from_secs(1) * LATER / PER_SECOND);
    assert_eq!(handle.stats().rejected, 0);
    host.stop();
}

/// Those who are turned away by another limit cost no token.
#[test]
fn a_token_is_for_those_who_are_let_in() {
    let limit = |server: Server<_, _, _>| {
        let server = server.max_per_client(1).max_connections(2);
        let server = server.at_max_connections(Rejection::Close);
        server.accept_rate(0.0, 3).at_accept_rate(Rejection::Reset)
    };
    let host = start::<Tcp, _, _>(Threading::new(), Hooks::echo(), limit);
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
    eventually("it is gone", || handle.stats().active == 1);
    let third = client_from("127.0.0.3", address);
    assert_eq!(third.ask("hello\n"), "hello\n");
    leave([second]);
    eventually("it is gone", || handle.stats().active == 1);
    expect_turned_away::<Tcp>(&client_from("127.0.0.4", address), &Rejection::Reset);
    let by = handle.stats().rejected_by;
    assert_eq!(
        (by.max_per_client, by.max_connections, by.accept_rate),
        (5, 5, 1)
    );
    adds_up(&handle);
    host.stop();
}

#[test]
fn clients_have_their_own_shares() {
    let mut policies = policies().to_vec();
    policies.push(OverloadPolicy::Wait);
    for policy in &policies {
        every_client_has_its_own_share(Threading::new(), policy);
        every_client_has_its_own_share(ThreadPool::new(8), policy);
        every_client_has_its_own_share(Coroutines::new().workers(1), policy);
        every_client_has_its_own_share(Coroutines::new().workers(3), policy);
    }
}

#[test]
fn clients_without_an_address_have_no_share() {
    type UnixStream = socketserver::transport::UnixStream;
    let limit = |server: Server<_, _, _>| server.max_per_client(1);
    let host = start::<UnixStream, _, _>(Threading::new(), Hooks::echo(), limit);
    leave(fill(&host, 5));
    assert_eq!(host.server.handle().stats().rejected, 0);
    host.stop();
}

over_streams_by_strategy!(
    a_burst_is_taken_in_and_the_rest_waits,
    a_burst_is_taken_in_and_the_rest_is_turned_away,
    those_who_wait_for_a_token_are_served_later,
);
