//! Groups of servers with one life cycle.

mod broken;
mod limits;
#[cfg(unix)]
mod processes;
mod stop;
mod strategies;

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use socketserver::{
    Coroutines, Error, GroupHandle, GroupReport, Phase, Rejection, Request, RunningGroup,
    Sequential, ServerGroup, ServerHandle, Service, Strategy, TcpRequest, TcpServer, ThreadPool,
    Threading, ThreadingTcpServer, UdpServer, handler_fn,
};

use crate::support::net::*;

/// A grace period for tests in which it expires.
const SHORT: Duration = Duration::from_millis(50);

const HOUR: Duration = Duration::from_secs(3600);

/// The strategies that need no child processes.
fn strategies() -> [fn() -> Box<dyn Strategy>; 4] {
    [
        || Box::new(Sequential),
        || Box::new(Threading::new()),
        || Box::new(ThreadPool::new(2)),
        || Box::new(Coroutines::new().workers(2)),
    ]
}

/// Echoes lines. `stop` stops the group, by the handle of the own server; `await` waits for a stop.
fn echo_or_stop<R: Request>(request: &mut R) -> socketserver::Result {
    while let Some(line) = request.next_line(10_000)? {
        request.send_all(&line)?;
        if line == b"stop\n" {
            request.server().shutdown();
        }
        if line == b"await\n" && request.server().wait_for_stop(PATIENCE) {
            request.send_all("stopping\n")?;
        }
    }
    Ok(())
}

fn tcp() -> TcpServer<impl Service<TcpRequest>> {
    TcpServer::bind(own_loopback(), handler_fn(echo_or_stop)).unwrap()
}

/// Connects to a TCP server.
#[track_caller]
fn connect(server: &ServerHandle) -> Client {
    let address = server.server_address().socket_addr().unwrap();
    Client::new(TcpStream::connect(address).unwrap())
}

/// Makes a client of a UDP server.
#[track_caller]
fn connect_udp(server: &ServerHandle) -> Client {
    let client = UdpSocket::bind(LOOPBACK).unwrap();
    let address = server.server_address().socket_addr().unwrap();
    client.connect(address).unwrap();
    Client::new(client)
}

#[track_caller]
fn member(handle: &GroupHandle, name: &str) -> ServerHandle {
    handle.member(name).unwrap()
}

#[track_caller]
fn stop(group: RunningGroup) -> GroupReport {
    in_time(move || group.stop()).unwrap()
}

/// Checks that each report of a group, and their sum, add up.
#[track_caller]
fn expect_reports_add_up(report: &GroupReport) {
    let mut accepted = 0;
    for member in &report.members {
        accepted += member.report.running + member.report.accepted;
        expect_adds_up(&member.report);
    }
    let total = report.total();
    assert_eq!(total.running + total.accepted, accepted);
    expect_adds_up(&total);
    assert_eq!(total.took, report.took());
}

#[track_caller]
fn expect_adds_up(report: &socketserver::DrainReport) {
    let by_themselves = report.completed + report.failed + report.disconnected;
    let listed = report.force_closed.len() + report.abandoned.len();
    let ended = by_themselves + report.rejected + report.dropped + listed;
    assert_eq!(report.running + report.accepted, ended, "{report}");
}
