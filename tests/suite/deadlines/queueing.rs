//! Timeouts of requests in the queue of a pool.

use super::*;

/// The first-byte timeout begins when the connection is accepted. Input that arrives while the request is
/// queued is in time, although the handler reads it later.
fn a_first_byte_in_time_counts_for_a_queued_request<T: Timed>() {
    let gate = Gate::default();
    let (hooks, reported) = reported(Hooks::new({
        let gate = gate.clone();
        move |request: &mut T::Request| {
            gate.pass();
            echo_lines(request)
        }
    }));
    let host = host_with::<T, Sequential, _, _>(hooks, only(TimeoutKind::FirstByte), |server| {
        server.strategy(ThreadPool::new(1).queue_size(5))
    });
    let clients = [host.client(), host.client(), host.client()];
    let handle = host.server.handle();
    eventually("all connections are accepted", || {
        handle.stats().accepted == 3
    });
    // The handlers have not read yet.
    clients[0].send("one\n");
    clients[1].send("two\n");
    thread::sleep(PAUSE);
    gate.open();
    for (client, line) in clients.iter().zip(["one\n", "two\n"]) {
        assert_eq!(client.line(), line);
        client.finish();
        client.expect_end();
    }
    clients[2].expect_end();
    assert_eq!(next(&reported).kind, Some(TimeoutKind::FirstByte));
}

over_streams!(a_first_byte_in_time_counts_for_a_queued_request,);
