//! Errors as `handle_error` receives them.

use super::*;

#[test]
fn handle_error_can_still_answer() {
    let service = Hooks::new(|request: &mut TcpRequest| {
        request.readline(100)?;
        Err("this is broken".into())
    })
    .on_error(|request, error| {
        let answer = format!("500 {}\n", error.error().unwrap());
        request.send_all(answer.as_bytes()).unwrap();
    });
    let host = host::<Tcp, Threading, _>(service);
    let client = host.client();
    client.send("?\n");
    assert_eq!(client.rest(), b"500 this is broken\n");
}

#[test]
fn an_error_is_reported_with_its_type_and_its_causes() {
    check_error(
        || Err(Outer(io::Error::other("inner")).into()),
        |error| {
            assert_eq!(error.stage(), Stage::Handle);
            let outer = error.error().unwrap();
            assert_eq!(
                outer.downcast_ref::<Outer>().unwrap().0.to_string(),
                "inner"
            );
            assert_eq!(StdError::source(error).unwrap().to_string(), "outer");
            assert_eq!(error.panic_message(), None);
            assert!(error.context().is_none());
            assert!(!error.is_disconnect() && !error.is_timeout());
            assert_eq!(error.to_string(), "handle failed: outer\ncaused by: inner");
        },
    );
}

#[test]
fn a_text_is_an_error_too() {
    check_error(
        || Err("just a text".into()),
        |error| assert_eq!(error.to_string(), "handle failed: just a text"),
    );
}

#[test]
fn a_panic_is_reported_with_its_message() {
    check_error(
        || panic!("no {}", "way"),
        |error| {
            assert_eq!(error.panic_message(), Some("no way"));
            assert!(error.error().is_none() && StdError::source(error).is_none());
            assert!(!error.is_disconnect() && !error.is_timeout());
            assert_eq!(error.to_string(), "handle panicked: no way");
        },
    );
    check_error(
        || panic_any(7),
        |error| assert_eq!(error.panic_message(), Some("(a payload that is not text)")),
    );
}

#[test]
fn timeouts_are_recognised_behind_other_errors_and_ends_of_other_files_are_no_disconnects() {
    check_error(
        || Err(Outer(ErrorKind::TimedOut.into()).into()),
        |error| assert!(error.is_timeout() && !error.is_disconnect()),
    );
    // Errors of a file or of another connection are no disconnect of the client.
    check_error(
        || Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
        |error| assert!(!error.is_disconnect()),
    );
    check_error(
        || Err(Outer(ErrorKind::ConnectionReset.into()).into()),
        |error| assert!(!error.is_disconnect() && !error.is_timeout()),
    );
}

#[test]
fn the_first_error_is_the_context_of_the_second() {
    struct FailsTwice;
    impl RequestHandler<TcpRequest> for FailsTwice {
        fn handle(&mut self, _: &mut TcpRequest) -> Result {
            Err("the first".into())
        }
        fn finish(&mut self, _: &mut TcpRequest) -> Result {
            Err("the second".into())
        }
    }
    struct Reporting(mpsc::Sender<Vec<(Stage, String)>>);
    impl Service<TcpRequest> for Reporting {
        type Handler = FailsTwice;
        fn request_handler(self: &Arc<Self>) -> FailsTwice {
            FailsTwice
        }
        fn handle_error(&self, _: &mut TcpRequest, error: &HandlerError) {
            let errors = std::iter::successors(Some(error), |error| error.context());
            let reported = errors.map(|it| (it.stage(), it.error().unwrap().to_string()));
            let _ = self.0.send(reported.collect());
        }
    }
    let (sender, receiver) = mpsc::channel();
    let server = ThreadingTcpServer::bind(LOOPBACK, Reporting(sender)).unwrap();
    let server = server.spawn().unwrap();
    Tcp::connect(server.server_address()).expect_end();
    let expected = [(Stage::Finish, "the second"), (Stage::Handle, "the first")];
    assert_eq!(
        next(&receiver),
        expected.map(|(stage, text)| (stage, text.into()))
    );
}
