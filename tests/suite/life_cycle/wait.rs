//! `wait`.

use super::*;

fn wait_reports_whether_the_loop_has_left<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(echo_or_stop());
    let handle = server.handle();
    assert!(handle.wait(Duration::ZERO), "the server does not serve yet");
    assert!(handle.wait(None));
    let run = Run::of(&server);
    assert_eq!(
        T::connect(server.server_address()).ask("hello\n"),
        "hello\n"
    );
    assert!(!handle.wait(Duration::ZERO));
    let start = Instant::now();
    assert!(!handle.wait(Duration::from_millis(30)));
    assert!(start.elapsed() >= Duration::from_millis(30));
    handle.shutdown();
    assert!(handle.wait(PATIENCE));
    assert!(handle.wait(None));
    run.end();
}

/// In a handler that runs in the accept loop, the wait would be for itself, so `wait` returns `false` at once.
fn a_handler_can_stop_its_server_and_wait<T: Reachable, M: Strategy + Default>() {
    let (waits, waited) = mpsc::channel();
    let (server, _dir) = bound::<T, M, _>(Hooks::new(move |request: &mut T::Request| {
        request.readline(100)?;
        let handle = request.server().clone();
        handle.shutdown();
        waits.send((thread::current().id(), handle.wait(PATIENCE)))?;
        Ok(())
    }));
    let run = Run::of(&server);
    let loop_thread = run.0.thread().id();
    T::connect(server.server_address()).send("?\n");
    let (thread, has_left) = next(&waited);
    if thread == loop_thread {
        assert!(!has_left);
    }
    run.end();
}

everywhere!(
    wait_reports_whether_the_loop_has_left,
    a_handler_can_stop_its_server_and_wait,
);
