//! Requests that a force-close does not end.

use super::*;

/// Starts a server that stops within these times.
fn with_times<T, M, S>(
    grace_period: Duration,
    force_close_timeout: Duration,
    service: S,
) -> Host<T, S, M>
where
    T: Reachable,
    M: Strategy + Default,
    S: Service<T::Request>,
{
    host_with::<T, M, _, _>(
        service,
        |options| options,
        |server| {
            let server = server.grace_period(grace_period);
            server.force_close_timeout(force_close_timeout)
        },
    )
}

/// The handler neither reads nor writes, so a force-close does not reach it.
fn a_handler_that_computes_is_abandoned_and_reported<T, M>()
where
    T: Reachable,
    M: Strategy + Default,
{
    let (started, starts) = mpsc::channel();
    let (ended, ends) = mpsc::channel();
    let gate = Gate::default();
    let service = Hooks::new({
        let gate = gate.clone();
        move |_: &mut T::Request| {
            let _ = started.send(());
            gate.pass();
            let _ = ended.send(());
            Ok(())
        }
    });
    let host = with_times::<T, M, _>(SHORT, SHORT, service);
    host.client().send("?\n");
    next(&starts);
    let handle = host.server.handle();
    let start = Instant::now();
    let report = host.stop();
    assert_eq!((report.running, report.abandoned.len()), (1, 1));
    assert!(start.elapsed() >= SHORT);
    assert_eq!(handle.stats().active, 1);
    assert!(handle.is_shutting_down(), "the handler cannot see the stop");
    // The abandoned handler continues to its end.
    gate.open();
    next(&ends);
    eventually("the request has ended", || handle.stats().active == 0);
}

everywhere!(a_handler_that_computes_is_abandoned_and_reported,);

/// Two requests end by themselves, two are force-closed, and one is abandoned.
fn the_report_distinguishes_the_outcomes<T: Connected, M: Strategy + Default>() {
    let gate = Gate::default();
    let (started, starts) = mpsc::channel();
    let service = Hooks::new({
        let gate = gate.clone();
        move |request: &mut T::Request| {
            let line = request.readline(100)?;
            let _ = started.send(());
            match &*line {
                b"finishing\n" => {
                    let handle = request.server().clone();
                    socketserver::blocking(|| {
                        eventually("a stop was requested", || handle.is_shutting_down());
                    });
                }
                b"idle\n" => drop(request.readline(100)?),
                _ => socketserver::blocking(|| gate.pass()),
            }
            Ok(())
        }
    });
    // Long enough for the two requests that end by themselves, and for the two that are force-closed.
    let time = Duration::from_secs(2);
    let host = with_times::<T, M, _>(time, time, service);
    let clients = ["finishing", "finishing", "idle", "idle", "busy"].map(|role| {
        let client = host.client();
        client.send(format!("{role}\n"));
        client
    });
    let handle = host.server.handle();
    for _ in &clients {
        next(&starts);
    }
    eventually("two handlers read", || {
        let reads = |request: &RequestInfo| request.activity() == Activity::Reading;
        let requests = handle.requests();
        requests.iter().filter(|request| reads(request)).count() == 2
    });
    let report = host.stop();
    assert_eq!(
        (report.running, report.completed, report.accepted),
        (5, 2, 0)
    );
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (2, 1));
    let activities = |requests: &[RequestInfo]| -> Vec<_> {
        let activity = requests.iter().map(RequestInfo::activity);
        activity.collect()
    };
    assert_eq!(activities(&report.force_closed), [Activity::Reading; 2]);
    assert_eq!(activities(&report.abandoned), [Activity::Running]);
    assert_eq!(report.abandoned[0].bytes_received(), 5);
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.active), (2, 1));
    gate.open();
    drop(clients);
}

in_threads!(the_report_distinguishes_the_outcomes,);

/// Starts a server that disconnects its clients at once when it stops, and then waits for their handlers.
fn cut_at_once<S: Service<TcpRequest>>(
    force_close_timeout: Duration,
    service: S,
) -> Host<Tcp, S, Threading> {
    with_times(Duration::ZERO, force_close_timeout, service)
}

/// A program that stops the server and goes on: no time for the handler.
#[test]
fn with_zero_times_a_stop_abandons_at_once() {
    let gate = Gate::default();
    let blocked = gate.clone();
    let (started, starts) = mpsc::channel();
    let service = Hooks::new(move |_: &mut TcpRequest| {
        let _ = started.send(());
        blocked.pass();
        Ok(())
    });
    let host = cut_at_once(Duration::ZERO, service);
    let _client = host.client();
    next(&starts);
    assert_eq!(numbers(host.stop()), (1, 0, 1));
    gate.open();
}

/// A program that waits for a running callback: the client is cut at once, the handler has all the time it needs.
#[test]
fn without_a_force_close_timeout_a_stop_waits_for_the_handler() {
    let service = Hooks::new(|request: &mut TcpRequest| {
        request.send_all("working\n")?;
        // Ends by the force-close.
        assert!(request.recv(1).is_err());
        // Longer than the default of the timeout.
        thread::sleep(Duration::from_millis(1200));
        Ok(())
    });
    let host = cut_at_once(Duration::MAX, service);
    let client = host.client();
    assert_eq!(client.line(), "working\n");
    assert_eq!(numbers(host.stop()), (1, 1, 0));
}

/// Servers that are told to stop before the first is dropped share the time of their grace periods.
#[test]
fn grace_periods_that_begin_together_end_together() {
    let idle = || {
        let service = Hooks::new(|request: &mut TcpRequest| Ok(request.recv(1).map(drop)?));
        with_grace::<Tcp, Threading, _>(Duration::from_secs(1), service)
    };
    let hosts: Vec<_> = (0..10).map(|_| idle()).collect();
    let clients: Vec<_> = hosts.iter().map(|host| host.client()).collect();
    for host in &hosts {
        let handle = host.server.handle();
        eventually("the client is accepted", || handle.stats().active == 1);
    }
    let started = Instant::now();
    hosts.iter().for_each(|host| host.server.shutdown());
    drop(hosts);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(9), "{took:?}");
    drop(clients);
}
