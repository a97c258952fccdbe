//! One accept loop at a time.

use super::*;

fn a_server_that_serves_cannot_serve_twice<T: Reachable, M: Strategy + Default>() {
    let (server, _dir) = bound::<T, M, _>(echo_or_stop());
    let run = Run::of(&server);
    assert_eq!(
        T::connect(server.server_address()).ask("hello\n"),
        "hello\n"
    );
    assert!(matches!(server.serve_forever(), Err(Error::AlreadyServing)));
    assert!(matches!(
        server.handle_request(),
        Err(Error::AlreadyServing)
    ));
    // The errors do not disturb the first run.
    assert_eq!(T::connect(server.server_address()).ask("stop\n"), "stop\n");
    run.end();
    let run = Run::of(&server);
    assert_eq!(T::connect(server.server_address()).ask("stop\n"), "stop\n");
    run.end();
}

everywhere!(a_server_that_serves_cannot_serve_twice,);

#[test]
fn a_handler_cannot_serve_its_own_server() {
    type Itself = Server<Tcp, Hooks<TcpRequest>, Sequential>;
    let itself: Arc<OnceLock<Weak<Itself>>> = Arc::default();
    let service = Hooks::new({
        let itself = Arc::clone(&itself);
        move |request: &mut TcpRequest| {
            let server = itself.get().and_then(Weak::upgrade).unwrap();
            request.server().shutdown();
            Ok(server.serve_forever()?)
        }
    });
    let (service, failures) = service.failures();
    let server = Arc::new(TcpServer::bind(LOOPBACK, service).unwrap());
    itself.set(Arc::downgrade(&server)).unwrap();
    let run = Run::of(&server);
    Tcp::connect(server.server_address()).expect_end();
    let expected = format!("handle failed: {}", Error::AlreadyServing);
    assert_eq!(next(&failures).text, expected);
    run.end();
}
