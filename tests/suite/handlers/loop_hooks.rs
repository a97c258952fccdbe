//! Hooks of the accept loop.

use super::*;

#[test]
fn a_panic_in_service_actions_ends_nothing() {
    expect_panics();
    let (calls, called) = mpsc::channel();
    let service = Hooks::<TcpRequest>::echo().on_actions(move || {
        let _ = calls.send(());
        panic!("on purpose");
    });
    let host = host_with::<Tcp, Sequential, _, _>(
        service,
        |options| options,
        |server| server.poll_interval(Duration::from_millis(1)),
    );
    for _ in 0..3 {
        next(&called);
        assert_eq!(host.client().ask("hello\n"), "hello\n");
    }
}

#[test]
fn a_panic_in_handle_timeout_ends_nothing() {
    let service = Hooks::<TcpRequest>::echo().on_timeout(|| panic_any("on purpose"));
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let server = server.handle_request_timeout(Duration::ZERO);
    // On a thread whose panics are expected.
    expect_panics();
    let named = std::thread::Builder::new().name("socketserver-test".into());
    let handled = named.spawn(move || [server.handle_request(), server.handle_request()]);
    for handled in handled.unwrap().join().unwrap() {
        assert_eq!(handled.unwrap(), Handled::Timeout);
    }
}
