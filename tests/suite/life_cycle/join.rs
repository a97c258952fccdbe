//! `join` waits for a stop, and then ends in bounded time.

use super::*;

fn join_returns_after_a_stop<T: Reachable, M: Strategy + Default>() {
    let host = host::<T, M, _>(Hooks::echo());
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    drop(client);
    let handle = host.server.handle();
    let Host { server, .. } = host;
    let joined = thread::spawn(move || server.join());
    assert!(!joined.is_finished());
    handle.shutdown();
    in_time(|| joined.join()).unwrap().unwrap();
    assert_eq!(handle.phase(), Phase::Stopped);
}

everywhere!(join_returns_after_a_stop);

/// The handler neither reads nor writes, and runs in the accept loop.
#[test]
fn join_abandons_a_handler_in_the_accept_loop() {
    let gate = Gate::default();
    let blocked = gate.clone();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        request.server().shutdown();
        blocked.pass();
        Ok(())
    });
    let host = host_with::<Tcp, Sequential, _, _>(
        service,
        |options| options,
        |server| {
            let server = server.grace_period(Duration::from_millis(50));
            server.force_close_timeout(Duration::from_millis(50))
        },
    );
    let _client = host.client();
    let Host { server, .. } = host;
    let report = in_time(|| server.join()).unwrap();
    assert_eq!(report.abandoned.len(), 1, "{report}");
    gate.open();
}

/// A lame duck still serves, so that `join` waits for its end.
#[test]
fn join_waits_for_the_end_of_the_lame_duck() {
    let host = host_with::<Tcp, Threading, _, _>(
        Hooks::echo(),
        |options| options,
        |server| server.lame_duck(HOUR),
    );
    let handle = host.server.handle();
    handle.shutdown();
    let state = host.server.handle();
    assert_eq!(state.phase(), Phase::LameDuck);
    let Host { server, .. } = host;
    let joined = thread::spawn(move || server.join());
    assert!(!handle.wait(Duration::from_millis(20)));
    assert!(!joined.is_finished());
}
