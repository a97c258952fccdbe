//! One stop for all servers of a group.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::*;

#[test]
fn a_handler_of_one_server_stops_all() {
    for strategy in strategies() {
        let udp = UdpServer::bind(own_loopback(), handler_fn(echo_or_stop)).unwrap();
        let group = ServerGroup::new()
            .add(tcp().strategy(strategy()))
            .add_named("udp", udp.strategy(strategy()))
            .spawn()
            .unwrap();
        let handle = group.handle();
        let client = connect_udp(&member(&handle, "udp"));
        assert_eq!(client.ask("stop\n"), "stop\n");
        let report = in_time(move || group.join()).unwrap();
        expect_reports_add_up(&report);
        assert_eq!(handle.phase(), Phase::Stopped);
        assert!(handle.wait(Duration::ZERO) && handle.is_shutting_down());
    }
}

#[test]
fn a_stop_before_the_start_is_remembered() {
    for by_member in [true, false] {
        let group = ServerGroup::new().add(tcp()).add(tcp());
        let handle = group.handle();
        match by_member {
            true => handle.members().nth(1).unwrap().1.shutdown(),
            false => group.shutdown(),
        }
        assert!(handle.is_shutting_down());
        let group = in_time(move || {
            group.serve_forever().unwrap();
            group
        });
        let report = stop_spawned(group, &handle);
        expect_reports_add_up(&report);
    }
}

/// The stop of [`a_stop_before_the_start_is_remembered`] is used up.
#[track_caller]
fn stop_spawned(group: ServerGroup, handle: &GroupHandle) -> GroupReport {
    let group = group.spawn().unwrap();
    for (_, server) in handle.members() {
        assert_eq!(connect(&server).ask("hello\n"), "hello\n");
    }
    stop(group)
}

/// A server that was stopped before it was added stops the group.
#[test]
fn a_stopped_member_stops_the_group() {
    let stopped = tcp();
    stopped.shutdown();
    let group = ServerGroup::new().add(tcp()).add(stopped);
    in_time(move || group.serve_forever()).unwrap();
}

#[test]
fn dropping_a_group_stops_it() {
    for running in [true, false] {
        let group = ServerGroup::new()
            .add(tcp().strategy(Threading::new()))
            .add(tcp());
        let handle = group.handle();
        if running {
            let group = group.spawn().unwrap();
            in_time(move || drop(group));
        } else {
            in_time(move || drop(group));
        }
        assert_eq!(handle.phase(), Phase::Stopped);
        for (_, server) in handle.members() {
            let address = server.server_address().socket_addr().unwrap();
            // Except on Linux, a process that another test starts keeps the port until its program begins.
            eventually("the port is free", || TcpListener::bind(address).is_ok());
        }
    }
}

/// `serve_forever` waits for the handler of one server while the grace period of the other one ends.
#[test]
fn a_short_grace_period_does_not_wait_for_a_long_one() {
    let group = ServerGroup::new()
        .add_named("long", tcp().grace_period(HOUR))
        .add_named(
            "short",
            tcp()
                .strategy(Threading::new())
                .grace_period(Duration::ZERO)
                .force_close_timeout(PATIENCE / 2),
        );
    let handle = group.handle();
    let long = connect(&member(&handle, "long"));
    let short = connect(&member(&handle, "short"));
    let served = thread::spawn(move || {
        group.serve_forever().unwrap();
        group.server_close()
    });
    for client in [&long, &short] {
        assert_eq!(client.ask("hello\n"), "hello\n");
        client.send("no end of line");
    }
    eventually("both handlers have the half line", || {
        let servers = handle.members().map(|member| member.1);
        let mut received = servers.map(|server| server.stats().bytes_received);
        received.all(|bytes| bytes == 20)
    });
    handle.shutdown();
    short.expect_end();
    long.send("\n");
    assert_eq!(long.line(), "no end of line\n");
    long.finish();
    let report = served.join().unwrap();
    let force_closed = report
        .members
        .iter()
        .map(|member| member.report.force_closed.len());
    assert!(force_closed.eq([0, 1]), "{report}");
}

/// Four servers, each with clients that stay connected, and one with a handler that never ends by itself.
#[test]
fn grace_periods_run_at_the_same_time() {
    const GRACE: Duration = Duration::from_millis(400);
    // Long, because on a busy machine a handler may notice late that its connection was force-closed.
    const TIMEOUT: Duration = Duration::from_secs(3);
    for spawned in [true, false] {
        let gate = Gate::default();
        let (started, starts) = mpsc::channel();
        let stuck = {
            let gate = gate.clone();
            Hooks::new(move |_: &mut TcpRequest| {
                let _ = started.send(());
                gate.pass();
                Ok(())
            })
        };
        let group = strategies()
            .into_iter()
            .fold(ServerGroup::new(), |group, strategy| {
                group.add(tcp().strategy(strategy()))
            });
        let group = group
            .grace_period(GRACE)
            .add_named("stuck", TcpServer::bind(LOOPBACK, stuck).unwrap())
            .force_close_timeout(TIMEOUT);
        let handle = group.handle();
        let (clients, running) = thread::scope(|scope| {
            let handle = &handle;
            let clients = scope.spawn(move || {
                let servers = handle.members().map(|member| member.1);
                let clients: Vec<_> = servers.map(|server| connect(&server)).collect();
                for client in &clients[..4] {
                    assert_eq!(client.ask("hello\n"), "hello\n");
                }
                next(&starts);
                handle.shutdown();
                (clients, Instant::now())
            });
            let report = match spawned {
                true => group.spawn().unwrap().join().unwrap(),
                false => {
                    group.serve_forever().unwrap();
                    group.server_close()
                }
            };
            let ended = Instant::now();
            let (clients, stopped) = clients.join().unwrap();
            let took = ended - stopped;
            assert!(took >= GRACE && took < 5 * GRACE + TIMEOUT, "{took:?}");
            (clients, report)
        });
        expect_reports_add_up(&running);
        let total = running.total();
        assert_eq!(
            (total.running, total.force_closed.len()),
            (5, 4),
            "{running}"
        );
        assert_eq!(running.members[4].report.abandoned.len(), 1);
        for client in &clients[..4] {
            client.expect_end();
        }
        gate.open();
        eventually("the abandoned handler ends", || handle.stats().active == 0);
    }
}

/// A stop that is requested twice leaves idle clients the lame-duck time.
#[test]
fn a_lame_duck_serves_on() {
    let (waiting, waits) = mpsc::channel();
    let echo = handler_fn(move |request: &mut TcpRequest| {
        loop {
            let _ = waiting.send(());
            if !request.wait_for_message()? {
                return Ok(());
            }
            let line = request.readline(100)?;
            request.send_all(line)?;
        }
    });
    let group = ServerGroup::new()
        .lame_duck(HOUR)
        .add(ThreadingTcpServer::bind(LOOPBACK, echo.clone()).unwrap())
        .add(ThreadingTcpServer::bind(LOOPBACK, echo).unwrap())
        .spawn()
        .unwrap();
    let handle = group.handle();
    let clients: Vec<_> = handle.members().map(|member| connect(&member.1)).collect();
    for client in &clients {
        next(&waits);
        assert_eq!(client.ask("hello\n"), "hello\n");
        next(&waits);
    }
    handle.shutdown();
    handle.shutdown();
    assert_eq!(handle.phase(), Phase::LameDuck);
    assert!(handle.is_shutting_down() && !handle.is_ready());
    for client in &clients {
        assert_eq!(client.ask("still there\n"), "still there\n");
        client.finish();
        client.expect_end();
    }
    for (_, server) in handle.members() {
        assert_eq!(connect(&server).ask("new\n"), "new\n");
    }
    // The lame-duck time is an hour, and `drop` would wait for it.
    std::mem::forget(group);
}

/// Clients send and leave while the group stops. Every request is in one report, whatever became of it.
#[test]
fn counts_are_kept_under_load() {
    let udp = UdpServer::bind(own_loopback(), handler_fn(echo_or_stop)).unwrap();
    let group = strategies()
        .into_iter()
        .fold(ServerGroup::new(), |group, strategy| {
            group.add(tcp().strategy(strategy()))
        });
    let group = group
        .add_named("udp", udp)
        .grace_period(SHORT)
        .force_close_timeout(PATIENCE / 2)
        .spawn()
        .unwrap();
    let handle = group.handle();
    let servers: Vec<_> = handle.members().map(|member| member.1).collect();
    let ends = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    let report = thread::scope(|scope| {
        for (number, server) in servers.iter().enumerate() {
            let (ends, answered) = (&ends, &answered);
            scope.spawn(move || {
                let address = server.server_address().socket_addr().unwrap();
                while !ends.load(Ordering::SeqCst) {
                    let Ok(client) = (match number {
                        4 => Ok(connect_udp(server)),
                        _ => TcpStream::connect_timeout(&address, SHORT).map(Client::new),
                    }) else {
                        continue;
                    };
                    client.socket().set_read_timeout(Some(SHORT)).unwrap();
                    let sent = client.try_send("hello\n").is_ok();
                    if sent && client.try_receive().is_ok_and(|data| data == b"hello\n") {
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        eventually("all are under load", || {
            servers.iter().all(|server| server.stats().completed >= 5)
        });
        let report = in_time(move || group.stop());
        ends.store(true, Ordering::SeqCst);
        report.unwrap()
    });
    expect_reports_add_up(&report);
    let stats = handle.stats();
    assert_eq!(stats.active, 0);
    let by_themselves = stats.completed + stats.failed + stats.disconnected;
    let ended = by_themselves + stats.force_closed + stats.rejected + stats.dropped;
    assert_eq!(stats.accepted, ended);
    assert!(stats.accepted >= answered.load(Ordering::SeqCst));
}

/// The handler is abandoned, because it would wait for itself; the other server is closed in order.
#[test]
fn a_handler_can_close_its_group() {
    use std::sync::Mutex;

    let slot: Arc<Mutex<Option<RunningGroup>>> = Arc::default();
    let (reports, received) = mpsc::channel();
    let closing = {
        let slot = Arc::clone(&slot);
        Hooks::new(move |request: &mut TcpRequest| {
            request.readline(100)?;
            let group = slot.lock().unwrap().take().ok_or("taken twice")?;
            let _ = reports.send(group.stop());
            Ok(())
        })
    };
    let group = ServerGroup::new()
        .add_named("closing", TcpServer::bind(LOOPBACK, closing).unwrap())
        .add_named("other", tcp());
    let handle = group.handle();
    *slot.lock().unwrap() = Some(group.spawn().unwrap());
    let other = connect(&member(&handle, "other"));
    assert_eq!(other.ask("hello\n"), "hello\n");
    other.finish();
    other.expect_end();
    connect(&member(&handle, "closing")).send("now\n");
    let report = next(&received).unwrap();
    assert_eq!(report.members[0].report.abandoned.len(), 1);
    assert_eq!(report.members[1].report.abandoned.len(), 0);
    // The abandoned loop closes its server once more.
    eventually("all are stopped", || handle.phase() == Phase::Stopped);
}
