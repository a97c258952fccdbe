//! `service_actions`.

use super::*;

fn service_actions_follow_each_request<T: Reachable, M: Strategy + Default>() {
    let (actions, acted) = mpsc::channel();
    let service = echo_or_stop::<T::Request>().on_actions(move || {
        let _ = actions.send(());
    });
    let host = host_with::<T, M, _, _>(
        service,
        |options| options,
        |server| server.poll_interval(None),
    );
    for _ in 0..3 {
        acted.try_iter().for_each(drop);
        assert_eq!(host.client().ask("hello\n"), "hello\n");
        next(&acted);
    }
}

fn service_actions_are_called_while_the_server_is_idle<T: Reachable, M: Strategy + Default>() {
    const INTERVAL: Duration = Duration::from_millis(20);
    let (actions, acted) = mpsc::channel();
    let service = echo_or_stop::<T::Request>().on_actions(move || {
        let _ = actions.send(Instant::now());
    });
    let host = host_with::<T, M, _, _>(
        service,
        |options| options,
        |server| server.poll_interval(INTERVAL),
    );
    let times = [(); 4].map(|()| next(&acted));
    // The calls are not more frequent than the interval. The first pause may be shorter.
    assert!(times[3] - times[0] >= 2 * INTERVAL, "{times:?}");
    host.stop();
}

everywhere!(
    service_actions_follow_each_request,
    service_actions_are_called_while_the_server_is_idle,
);

/// As in Python.
#[test]
fn service_actions_are_not_called_by_handle_request() {
    let (actions, acted) = mpsc::channel();
    let service = echo_or_stop::<TcpRequest>().on_actions(move || actions.send(()).unwrap());
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let client = Tcp::connect(server.server_address());
    client.send("hello\n");
    server.handle_request().unwrap();
    assert_eq!(client.line(), "hello\n");
    assert_eq!(acted.try_iter().count(), 0);
}
