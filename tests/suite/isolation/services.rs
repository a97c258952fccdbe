//! Services and errors that panic, where `handlers` does not look.

use std::fmt;
use std::sync::Arc;

use socketserver::transport::Tcp;
use socketserver::{HandlerError, Request, RequestHandler, Result, Service, Strategy, TcpRequest};

use super::adds_up;
use crate::support::net::*;

/// Panics whenever it is shown.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("told not to be shown");
    }
}

impl std::error::Error for Unspeakable {}

struct Handler;

impl RequestHandler<TcpRequest> for Handler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let line = request.readline(100)?;
        request.send_all(&line)?;
        match &line[..] {
            b"fail\n" => Err(Box::new(Unspeakable)),
            _ => Ok(()),
        }
    }
}

/// Tells of errors as services do by default, by showing them.
struct Plain;

impl Service<TcpRequest> for Plain {
    type Handler = Handler;

    fn request_handler(self: &Arc<Self>) -> Handler {
        Handler
    }
}

/// Panics while it tells.
struct Telling;

impl Service<TcpRequest> for Telling {
    type Handler = Handler;

    fn request_handler(self: &Arc<Self>) -> Handler {
        Handler
    }

    fn handle_error(&self, request: &mut TcpRequest, _: &HandlerError) {
        let _ = request.send_all("sorry\n");
        panic!("told to");
    }
}

fn one_fails<M: Strategy + Default, S: Service<TcpRequest>>(service: S, apology: &str) {
    expect_panics();
    let host = host::<Tcp, M, _>(service);
    let handle = host.server.handle();
    for (line, more) in [("fail\n", apology), ("go on\n", "")] {
        let client = host.client();
        client.send(line);
        assert_eq!(client.rest(), format!("{line}{more}").as_bytes());
    }
    let report = host.stop();
    let stats = handle.stats();
    assert_eq!((stats.failed, stats.completed), (1, 1));
    adds_up(&report, &stats);
}

fn an_error_that_panics_when_it_is_shown_costs_its_request<M: Strategy + Default>() {
    one_fails::<M, _>(Plain, "");
}

fn a_panic_in_handle_error_costs_its_request<M: Strategy + Default>() {
    one_fails::<M, _>(Telling, "sorry\n");
}

by_strategy!(
    an_error_that_panics_when_it_is_shown_costs_its_request,
    a_panic_in_handle_error_costs_its_request,
);
