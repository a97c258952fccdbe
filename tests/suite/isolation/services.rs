//! Services and errors that panic, in cases that `handlers` does not cover.

use std::fmt;
use std::sync::Arc;

use socketserver::transport::Tcp;
use socketserver::{HandlerError, Request, RequestHandler, Result, Service, Strategy, TcpRequest};

use super::assert_adds_up;
use crate::support::net::*;

/// Error whose `Display` panics.
#[derive(Debug)]
struct PanicsWhenShown;

impl fmt::Display for PanicsWhenShown {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose");
    }
}

impl std::error::Error for PanicsWhenShown {}

struct Handler;

impl RequestHandler<TcpRequest> for Handler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let line = request.readline(100)?;
        request.send_all(&line)?;
        match &line[..] {
            b"fail\n" => Err(Box::new(PanicsWhenShown)),
            _ => Ok(()),
        }
    }
}

/// Service with the default `handle_error`, which shows errors.
struct DefaultReport;

impl Service<TcpRequest> for DefaultReport {
    type Handler = Handler;

    fn request_handler(self: &Arc<Self>) -> Handler {
        Handler
    }
}

/// Service whose `handle_error` panics.
struct PanickingReport;

impl Service<TcpRequest> for PanickingReport {
    type Handler = Handler;

    fn request_handler(self: &Arc<Self>) -> Handler {
        Handler
    }

    fn handle_error(&self, request: &mut TcpRequest, _: &HandlerError) {
        let _ = request.send_all("sorry\n");
        panic!("on purpose");
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
    assert_adds_up(&report, &stats);
}

fn an_error_that_panics_when_it_is_shown_costs_its_request<M: Strategy + Default>() {
    one_fails::<M, _>(DefaultReport, "");
}

fn a_panic_in_handle_error_costs_its_request<M: Strategy + Default>() {
    one_fails::<M, _>(PanickingReport, "sorry\n");
}

by_strategy!(
    an_error_that_panics_when_it_is_shown_costs_its_request,
    a_panic_in_handle_error_costs_its_request,
);
