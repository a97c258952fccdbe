//! Capacity that is used by a connection becomes free however the connection ends.

use super::*;

fn capacity_is_freed_however_connections_end<T: Connected + Stream, M: Strategy + Default>() {
    const CAP: usize = 2;
    expect_panics();
    let service = Hooks::new(|request: &mut T::Request| match &*request.readline(100)? {
        b"panic\n" => panic!("as planned"),
        b"fail\n" => Err("as planned".into()),
        b"" => Ok(()),
        line => {
            request.send_all(line)?;
            echo_lines(request)
        }
    });
    let verified = AtomicUsize::new(0);
    let service = service.on_verify(move |_| match verified.fetch_add(1, Ordering::SeqCst) % 7 {
        3 => false,
        5 => panic!("as planned"),
        _ => true,
    });
    let limits = |options: Options<_, _>| {
        let options = options.max_connections(CAP).max_per_client(CAP);
        options.accept_rate(1e6, 1000)
    };
    let host = start::<T, _, _>(M::default(), service, limits);
    let handle = host.server.handle();
    for _ in 0..10 {
        for end in ["panic\n", "fail\n", "", "reset", "hello\n"] {
            let client = host.client();
            if end == "reset" {
                client.socket().set_linger(Some(Duration::ZERO)).unwrap();
                continue;
            }
            let _ = client.try_send(end);
            let _ = client.socket().shutdown(std::net::Shutdown::Write);
            let _ = client.try_receive();
        }
        eventually("all connections have ended", || {
            let stats = handle.stats();
            stats.accepted > 0 && stats.active == 0
        });
    }
    adds_up(&handle);
    let capacity = at_once::<M>(CAP);
    // `verify_request` may reject some of these clients.
    let mut served = Vec::new();
    while served.len() < capacity {
        let client = host.client();
        if client.try_send("hello\n").is_ok() && client.try_receive().is_ok_and(|d| !d.is_empty()) {
            served.push(client);
        }
    }
    for client in &served {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    host.stop();
}

#[test]
fn a_thread_that_cannot_be_started_uses_no_capacity() {
    for cap in [1, 2] {
        let limits = |options: Options<_, _>| options.max_connections(cap).max_per_client(cap);
        // A stack of 64 TiB cannot be mapped.
        let strategy = Threading::new().stack_size(1 << 46);
        let (service, failures) = Hooks::echo().failures();
        let host = start::<Tcp, _, _>(strategy, service, limits);
        let handle = host.server.handle();
        for n in 1..=5 {
            host.client().expect_end();
            crate::support::net::next(&failures);
            eventually("the request has failed", || handle.stats().failed == n);
        }
        adds_up(&handle);
        host.stop();
    }
}

over_streams_by_strategy!(capacity_is_freed_however_connections_end);
