//! `is_shutting_down`.

use super::*;

/// A handler that neither reads nor writes can poll for the stop.
fn a_handler_sees_that_the_server_is_closed<M: Strategy + Default>() {
    let (started, starts) = mpsc::channel();
    let (ended, ends) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let handle: ServerHandle = request.server().clone();
        let before = handle.is_shutting_down();
        let _ = started.send(());
        eventually("a stop was requested", || handle.is_shutting_down());
        let _ = ended.send(before);
        Ok(())
    });
    let host = host_with::<Tcp, M, _, _>(
        service,
        |options| options,
        |server| server.grace_period(PATIENCE),
    );
    let client = host.client();
    next(&starts);
    let report = host.stop();
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (0, 0));
    assert!(!next(&ends), "the stop was visible too early");
    client.expect_end();
}

by_strategy!(a_handler_sees_that_the_server_is_closed,);
