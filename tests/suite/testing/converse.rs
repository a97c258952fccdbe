//! `converse`, one request on given bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use socketserver::testing::{ConverseRequest, converse};
use socketserver::{
    HandlerError, Request, RequestHandler, Service, Stage, TcpRequest, UdpRequest, handler_fn,
};
#[cfg(unix)]
use socketserver::{UnixDatagramRequest, UnixStreamRequest};

use super::*;

/// Makes a `#[test]` of each generic function for each type of request.
macro_rules! over_requests {
    ($($check:ident),*) => {
        $(mod $check {
            #[test]
            fn tcp() {
                super::$check::<super::TcpRequest>();
            }
            #[test]
            fn udp() {
                super::$check::<super::UdpRequest>();
            }
            #[cfg(unix)]
            #[test]
            fn unix_stream() {
                super::$check::<super::UnixStreamRequest>();
            }
            #[cfg(unix)]
            #[test]
            fn unix_datagram() {
                super::$check::<super::UnixDatagramRequest>();
            }
        })*
    };
}

fn a_handler_answers<R: ConverseRequest>() {
    assert_eq!(
        converse::<R, _>(|| LineEcho, "hello\n").unwrap(),
        b"hello\n"
    );
    let silent = handler_fn(|_: &mut R| Ok(()));
    assert_eq!(converse(silent, "hello\n").unwrap(), b"");
    let echo = handler_fn(|request: &mut R| bracket_reads(request));
    assert_eq!(converse(echo, "").unwrap(), b"", "no input");
}

fn an_error_comes_back<R: ConverseRequest>() {
    let fail = handler_fn(|request: &mut R| {
        request.send_all("par")?;
        Err("the disk is full".into())
    });
    let failed = converse(fail, "x").unwrap_err();
    assert_eq!(failed.error.stage(), Stage::Handle);
    let text = failed.error.to_string();
    assert_eq!(text, "handle failed: the disk is full");
    assert!(format!("{failed:?}").starts_with(&text));

    expect_panics();
    let fail = handler_fn(|_: &mut R| panic!("no way"));
    let failed = converse(fail, "x").unwrap_err();
    assert_eq!(failed.error.panic_message(), Some("no way"));
    assert_eq!(failed.answer, b"");
}

over_requests!(a_handler_answers, an_error_comes_back);

#[test]
fn the_answer_before_an_error_is_kept() {
    let fail = handler_fn(|request: &mut TcpRequest| {
        request.send_all("par")?;
        request.read_exactly(2)?;
        Ok(())
    });
    let failed = converse(fail, "x").unwrap_err();
    assert_eq!(failed.answer, b"par");
    assert!(failed.error.is_disconnect(), "{failed}");
}

#[test]
fn the_reply_of_a_datagram_that_fails_is_not_sent() {
    let fail = handler_fn(|request: &mut UdpRequest| {
        request.send_all("lost")?;
        request.send_to(b"sent", request.client_address())?;
        Err("bad".into())
    });
    let failed = converse(fail, "x").unwrap_err();
    assert_eq!(failed.answer, b"sent");
}

#[test]
fn large_input_and_large_answers_pass_each_other() {
    let input = vec![b'x'; 5 << 20];
    let echo = handler_fn(|request: &mut TcpRequest| {
        loop {
            let data = request.recv(1 << 16)?;
            if data.is_empty() {
                return Ok(());
            }
            request.send_all(data)?;
        }
    });
    assert_eq!(converse(echo, &input).unwrap().len(), input.len());

    let ignore = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("no\n")?));
    assert_eq!(converse(ignore, &input).unwrap(), b"no\n", "unread input");
}

/// Counts calls of its hooks.
#[derive(Default)]
struct Counting {
    rejects: bool,
    made: AtomicU32,
    errors: AtomicU32,
}

impl Service<TcpRequest> for Counting {
    type Handler = Failing;

    fn request_handler(self: &Arc<Self>) -> Failing {
        self.made.fetch_add(1, Ordering::Relaxed);
        Failing
    }

    fn verify_request(&self, _: &TcpRequest) -> bool {
        !self.rejects
    }

    fn handle_error(&self, request: &mut TcpRequest, _: &HandlerError) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        let _ = request.send_all("sorry\n");
    }
}

struct Failing;

impl RequestHandler<TcpRequest> for Failing {
    fn handle(&mut self, _: &mut TcpRequest) -> Result {
        Err("bad".into())
    }
}

#[test]
fn hooks_run_and_the_state_can_be_seen() {
    let service = Arc::new(Counting::default());
    let failed = converse(Arc::clone(&service), "x").unwrap_err();
    assert_eq!(failed.answer, b"sorry\n");
    assert_eq!(service.made.load(Ordering::Relaxed), 1);
    assert_eq!(service.errors.load(Ordering::Relaxed), 1);
}

#[test]
fn a_rejected_request_has_no_answer() {
    let service = Arc::new(Counting {
        rejects: true,
        ..Counting::default()
    });
    assert_eq!(converse(Arc::clone(&service), "x").unwrap(), b"");
    assert_eq!(service.made.load(Ordering::Relaxed), 0);
}

#[test]
fn a_panic_of_verify_request_comes_back() {
    expect_panics();
    let service = Hooks::<TcpRequest>::echo().on_verify(|_| panic!("no way"));
    let failed = converse(service, "x").unwrap_err();
    assert_eq!(failed.error.stage(), Stage::VerifyRequest);
    assert_eq!(failed.error.panic_message(), Some("no way"));
}
