//! Requests that a force-close does not end.

use super::*;

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
    let host = with_grace::<T, M, _>(SHORT, service);
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
    let service = Hooks::new({
        let gate = gate.clone();
        move |request: &mut T::Request| {
            match &*request.readline(100)? {
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
    // Long enough for the two requests that end by themselves.
    let grace = Duration::from_secs(1);
    let host = with_grace::<T, M, _>(grace, service);
    let clients = ["finishing", "finishing", "idle", "idle", "busy"].map(|role| {
        let client = host.client();
        client.send(format!("{role}\n"));
        client
    });
    let handle = host.server.handle();
    eventually("all are running", || handle.stats().active == 5);
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
