//! Servers of different transports and strategies in one group.

use super::*;

#[test]
fn every_mix_of_strategies_serves_and_stops() {
    for stream in strategies() {
        for datagram in strategies() {
            let udp = UdpServer::bind(own_loopback(), handler_fn(echo_or_stop)).unwrap();
            let group = ServerGroup::new()
                .grace_period(SHORT)
                .force_close_timeout(PATIENCE / 2)
                .add_named("tcp", tcp().strategy(stream()))
                .add_named("udp", udp.strategy(datagram()))
                .spawn()
                .unwrap();
            let handle = group.handle();
            assert!(handle.is_ready());
            assert_eq!(handle.phase(), Phase::Serving);
            let clients = [
                connect(&member(&handle, "tcp")),
                connect_udp(&member(&handle, "udp")),
            ];
            for client in &clients {
                assert_eq!(client.ask("hello\n"), "hello\n");
            }
            // The handler of the connection waits in its accept loop, or elsewhere.
            let report = stop(group);
            expect_reports_add_up(&report);
            assert_eq!(report.members[0].report.running, 1);
            assert_eq!(handle.phase(), Phase::Stopped);
            let stats = handle.stats();
            assert_eq!((stats.accepted, stats.active), (2, 0));
            assert_eq!(member(&handle, "udp").stats().completed, 1);
        }
    }
}

#[test]
fn names_are_addresses_unless_they_are_given() {
    let tcp = tcp();
    let address = *tcp.server_address();
    let udp = UdpServer::bind(LOOPBACK, handler_fn(echo_or_stop)).unwrap();
    let datagrams = *udp.server_address();
    let group = ServerGroup::new()
        .add(tcp)
        .add(udp)
        .add_named("admin\n", self::tcp());
    let names: Vec<_> = group.members().map(|member| member.0.to_owned()).collect();
    let expected = [
        address.to_string(),
        format!("{datagrams} (datagrams)"),
        "admin\n".to_owned(),
    ];
    assert_eq!(names, expected);
    let report = group.server_close();
    let text = report.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with(&format!("{address}: stopped in ")));
    assert!(lines[2].starts_with("admin\\n: stopped in "), "{text}");
    assert_eq!(report.members[0].address.socket_addr(), Some(address));
}

/// A handle that was taken from the empty group knows the servers that were added since.
#[test]
fn a_group_grows() {
    let group = ServerGroup::new();
    let handle = group.handle();
    assert!(!handle.is_ready() && !handle.is_shutting_down());
    assert!(matches!(group.serve_forever(), Err(Error::EmptyGroup)));
    assert!(matches!(group.shutdown_on_ctrl_c(), Err(Error::EmptyGroup)));
    let group = group.add(tcp());
    assert_eq!(handle.phase(), Phase::Bound);
    let group = group.add(tcp()).spawn().unwrap();
    assert!(handle.is_ready());
    assert_eq!(handle.members().count(), 2);
    for (_, server) in handle.members() {
        assert_eq!(connect(&server).ask("hello\n"), "hello\n");
    }
    assert!(handle.wait_until_idle(PATIENCE));
    assert_eq!(handle.stats().completed, 2);
    assert!(handle.requests().is_empty());
    stop(group);
}

/// Panics of handlers cost their requests, and reach no other server of the group.
#[test]
fn handlers_panic_beside_others() {
    expect_panics();
    let panicking = || {
        Hooks::new(|request: &mut TcpRequest| {
            request.readline(100)?;
            panic!("on purpose")
        })
    };
    for strategy in strategies() {
        let broken = TcpServer::bind(LOOPBACK, panicking()).unwrap();
        let group = ServerGroup::new()
            .add_named("broken", broken.strategy(strategy()))
            .add_named("sound", tcp().strategy(strategy()))
            .spawn()
            .unwrap();
        let handle = group.handle();
        for _ in 0..3 {
            let client = connect(&member(&handle, "broken"));
            client.send("?\n");
            client.expect_end();
            let client = connect(&member(&handle, "sound"));
            assert_eq!(client.ask("hello\n"), "hello\n");
            client.finish();
            client.expect_end();
        }
        assert!(handle.wait_until_idle(PATIENCE));
        let report = stop(group);
        assert!(report.members.iter().all(|member| member.error.is_none()));
        let outcomes = |name| {
            let stats = member(&handle, name).stats();
            (stats.completed, stats.failed)
        };
        assert_eq!((outcomes("broken"), outcomes("sound")), ((0, 3), (3, 0)));
    }
}

/// As for one server, the group's sockets stay open between two calls.
#[test]
fn a_group_serves_again() {
    for strategy in strategies() {
        let group = ServerGroup::new()
            .add(tcp().strategy(strategy()))
            .add(tcp());
        let handle = group.handle();
        let group = (0..3).fold(group, |group, round| {
            let (stopping, _) = if round % 2 == 0 { (0, 1) } else { (1, 0) };
            let server = handle.members().nth(stopping).unwrap().1;
            let client = connect(&server);
            client.send("stop\n");
            client.finish();
            let (group, served) = in_time(move || {
                let served = group.serve_forever();
                (group, served)
            });
            served.unwrap();
            assert_eq!(client.rest(), b"stop\n");
            assert_eq!(handle.phase(), Phase::Bound);
            // Too late: does not end the next run.
            handle.shutdown();
            group
        });
        assert!(handle.wait_until_idle(PATIENCE));
        assert_eq!(handle.stats().completed, 3);
        expect_reports_add_up(&in_time(move || group.server_close()));
    }
}
