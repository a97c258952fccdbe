//! Is_shutting_down.

use super::*;

/// A handler that works without reading or writing can see that it should come to an end.
fn a_handler_sees_that_the_server_is_closed<M: Strategy + Default>() {
    let (started, starts) = mpsc::channel();
    let (ended, ends) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let handle: ServerHandle = request.server().clone();
        let before = handle.is_shutting_down();
        let _ = started.send(());
        eventually("the server is closed", || handle.is_shutting_down());
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
    assert!(!next(&ends), "it seemed to be closed before");
    client.expect_end();
}

by_strategy!(a_handler_sees_that_the_server_is_closed,);
