//! Services as factories of handlers.

use super::*;

/// Answers with the number of requests that this handler has handled.
#[derive(Default)]
struct Counting {
    handled: usize,
}

impl<R: Request> RequestHandler<R> for Counting {
    fn handle(&mut self, request: &mut R) -> Result {
        request.readline(100)?;
        self.handled += 1;
        request.send_all(format!("{}\n", self.handled).as_bytes())?;
        Ok(())
    }
}

fn each_request_has_a_fresh_handler<T: Reachable, M: Strategy + Default>() {
    let host = host::<T, M, _>(Counting::default);
    for _ in 0..5 {
        assert_eq!(host.client().ask("?\n"), "1\n");
    }
}

everywhere!(each_request_has_a_fresh_handler,);

/// Returns the answer of a server that has this service.
fn answer_of<S: Service<TcpRequest>>(service: S) -> String {
    host::<Tcp, Threading, _>(service).client().ask("hello\n")
}

#[test]
fn functions_and_closures_that_make_handlers_are_services() {
    struct Greeter {
        greeting: Arc<str>,
    }
    impl RequestHandler<TcpRequest> for Greeter {
        fn handle(&mut self, request: &mut TcpRequest) -> Result {
            request.readline(100)?;
            Ok(request.send_all(self.greeting.as_bytes())?)
        }
    }
    fn greeter() -> Greeter {
        let greeting = "from a function\n".into();
        Greeter { greeting }
    }
    let greeting: Arc<str> = "from a closure\n".into();
    let closure = move || Greeter {
        greeting: Arc::clone(&greeting),
    };
    assert_eq!(answer_of(|| LineEcho), "hello\n");
    assert_eq!(answer_of(LineEcho::default), "hello\n");
    assert_eq!(answer_of(greeter), "from a function\n");
    assert_eq!(answer_of(closure), "from a closure\n");
}

#[test]
fn a_function_is_a_service_by_handler_fn() {
    fn shout(request: &mut TcpRequest) -> Result {
        let line = request.readline(100)?.to_ascii_uppercase();
        Ok(request.send_all(&line)?)
    }
    let visits = AtomicUsize::new(0);
    let count = handler_fn(move |request: &mut TcpRequest| {
        request.readline(100)?;
        let visit = visits.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(request.send_all(format!("visit {visit}\n").as_bytes())?)
    });
    assert_eq!(answer_of(handler_fn(shout)), "HELLO\n");
    let host = host::<Tcp, Threading, _>(count);
    for visit in 1..=3 {
        assert_eq!(host.client().ask("\n"), format!("visit {visit}\n"));
    }
}

#[test]
fn a_service_can_reject_by_address() {
    let verified = Arc::new(Mutex::new(Vec::new()));
    let service = Hooks::<TcpRequest>::echo().on_verify({
        let verified = Arc::clone(&verified);
        move |request| {
            let mut verified = verified.lock().unwrap();
            verified.push(*request.client_address());
            verified.len() != 2
        }
    });
    let host = host::<Tcp, Threading, _>(service);
    let clients = [(); 3].map(|()| host.client());
    assert_eq!(clients[0].ask("one\n"), "one\n");
    clients[1].expect_end();
    assert_eq!(clients[2].ask("three\n"), "three\n");
    let addresses = clients.map(|client| client.socket().local_addr().unwrap().as_socket());
    assert_eq!(
        verified.lock().unwrap().as_slice(),
        addresses.map(Option::unwrap)
    );
    assert_eq!(host.server.stats().rejected, 1);
}
