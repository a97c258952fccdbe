//! Servers inside of handlers.

use super::*;

#[test]
fn a_handler_can_run_another_server() {
    let service = Hooks::new(|request: &mut TcpRequest| {
        let how = request.readline(100)?;
        let echo = Hooks::<TcpRequest>::echo();
        let inner = Server::<Tcp, _, Coroutines>::bind(LOOPBACK, echo)?;
        let inner = inner.strategy(Coroutines::new().workers(2));
        let client = Tcp::connect(inner.server_address());
        client.send("hello\n");
        client.finish();
        if how == b"once\n" {
            // Runs the accept loop of the inner server inside of this coroutine.
            assert_eq!(inner.handle_request()?, Handled::Request);
            drop(inner);
        } else {
            let inner = inner.spawn()?;
            sleep(Duration::from_millis(1));
            assert_eq!(inner.stop()?.abandoned.len(), 0);
        }
        Ok(request.send_all(client.rest())?)
    });
    let host = start::<Tcp, _>(one_worker(), service);
    let other = host.client();
    for how in ["once\n", "spawn\n", "once\n"] {
        let client = host.client();
        client.send(how);
        let answer = client.rest();
        // An inner server that is stopped early may not have accepted its client.
        assert!(answer == b"hello\n" || how == "spawn\n", "{how}");
    }
    other.send("once\n");
    assert_eq!(other.rest(), b"hello\n");
    assert_eq!(host.server.stats().failed, 0);
    host.stop();
}
