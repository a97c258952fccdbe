//! Nothing is lost.

use super::*;

/// However connections end, there is as much room afterwards as before.
fn no_place_is_lost<T: Connected + Stream, M: Strategy + Default>() {
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
    let limit = |server: Server<T, _, _>| {
        let server = server.max_connections(CAP).max_per_client(CAP);
        server.accept_rate(1e6, 1000)
    };
    let host = start::<T, _, _>(M::default(), service, limit);
    let handle = host.server.handle();
    for _ in 0..10 {
        for how in ["panic\n", "fail\n", "", "reset", "hello\n"] {
            let client = host.client();
            if how == "reset" {
                client.socket().set_linger(Some(Duration::ZERO)).unwrap();
                continue;
            }
            let _ = client.try_send(how);
            let _ = client.socket().shutdown(std::net::Shutdown::Write);
            let _ = client.try_receive();
        }
        eventually("all are gone", || {
            let stats = handle.stats();
            stats.accepted > 0 && stats.active == 0
        });
    }
    adds_up(&handle);
    let places = at_once::<M>(CAP);
    // The first to be verified may be one that is turned away.
    let mut inside = Vec::new();
    while inside.len() < places {
        let client = host.client();
        if client.try_send("hello\n").is_ok() && client.try_receive().is_ok_and(|d| !d.is_empty()) {
            inside.push(client);
        }
    }
    for client in &inside {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    host.stop();
}

#[test]
fn a_thread_that_cannot_be_had_takes_no_place() {
    for cap in [1, 2] {
        let limit = |server: Server<Tcp, _, _>| server.max_connections(cap).max_per_client(cap);
        let strategy = Threading::new().stack_size(1 << 46);
        let (service, failures) = Hooks::echo().failures();
        let host = start::<Tcp, _, _>(strategy, service, limit);
        let handle = host.server.handle();
        for n in 1..=5 {
            host.client().expect_end();
            crate::support::net::next(&failures);
            eventually("it is gone", || handle.stats().failed == n);
        }
        adds_up(&handle);
        host.stop();
    }
}

over_streams_by_strategy!(no_place_is_lost,);
