//! Sends all data back, over TCP and UDP, on one port number. One handler serves both transports, and you
//! choose the strategy.
//!
//! Start the server in one terminal (`--help` lists the options):
//!
//! ```text
//! $ cargo run --example echo_server -- --strategy threading
//! listening on 127.0.0.1:6969
//! TCP: nc 127.0.0.1 6969     or  cargo run --example tcp_echo_client 127.0.0.1:6969 hello
//! UDP: nc -u 127.0.0.1 6969  or  cargo run --example udp_echo_client 127.0.0.1:6969 hello
//! ```
//!
//! Start a client in as many other terminals as you like:
//!
//! ```text
//! $ nc 127.0.0.1 6969
//! hello
//! hello
//! ```
//!
//! Ctrl-C stops the server. It waits for open connections, but at most two seconds. A second Ctrl-C ends
//! it at once. The server lists the connections that it had to force-close, and ends with:
//!
//! ```text
//! served 3 connections and 2 datagrams, 0 failed, 1 force-closed
//! drained: 1 completed, 0 failed, 0 disconnected, 0 rejected, 1 force-closed, 0 abandoned
//! ```
//!
//! With `--listen`, the server has other listeners, each in the way that its scheme says:
//!
//! ```text
//! $ cargo run --features tls --example echo_server -- --tls-cert cert.pem --tls-key key.pem \
//!       --listen tcp://127.0.0.1:7000 --listen tls://127.0.0.1:7443 --listen unix:/tmp/echo.sock
//! listening on tcp://127.0.0.1:7000
//! listening on tls://127.0.0.1:7443
//! listening on unix:/tmp/echo.sock
//! ```
//!
//! A certificate for trying:
//!
//! ```text
//! $ openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
//!       -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
//!       -keyout key.pem -out cert.pem
//! ```
//!
//! Things to try:
//!
//! - two clients at once with `--strategy sequential`;
//! - a hundred clients with `--strategy coroutines --workers 1`;
//! - `--ctime`, and the client of the tutorial (`binary_tcp_client_v2`);
//! - Ctrl-C while a client is connected;
//! - a second client with `--max-connections 1`;
//! - a client that sends nothing with `--timeout 5`;
//! - `--deny 127.0.0.1`, and a client on this machine;
//! - with `--features proxy-protocol`, HAProxy in front and `--proxy-protocol 127.0.0.1`.

mod common;
#[path = "echo_server/listeners.rs"]
mod listeners;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use socketserver::prelude::*;

use crate::listeners::{Listen, Listeners};

/// Sends received data back, over TCP and UDP
#[derive(Parser)]
struct Arguments {
    /// Where requests run
    #[arg(long, value_enum, default_value_t = StrategyName::Threading)]
    strategy: StrategyName,
    /// Number of threads for `thread-pool` (default 8) and `coroutines` (default one per processor)
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Port for both TCP and UDP; with 0 the kernel picks a free port
    #[arg(long, default_value_t = 6969)]
    port: u16,
    /// Listener: tcp://ADDRESS, udp://ADDRESS, tls://ADDRESS or unix:PATH; several are possible, and `--host` and
    /// `--port` have no effect then
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["host", "port"])]
    listen: Vec<Listen>,
    /// PEM file with the certificate for tls://
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the private key for tls://
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Network of proxies: connections from there to tcp:// and tls:// must begin with the header of the PROXY
    /// protocol
    #[arg(long, value_name = "NETWORK")]
    proxy_protocol: Vec<String>,
    /// Network of clients that are served; all others are not then
    #[arg(long, value_name = "NETWORK")]
    allow: Vec<String>,
    /// Network of clients that are not served
    #[arg(long, value_name = "NETWORK")]
    deny: Vec<String>,
    /// Answer `[data]` and the time instead of the data alone
    #[arg(long)]
    ctime: bool,
    /// Number of connections that may be open at the same time; others wait in the backlog
    #[arg(long)]
    max_connections: Option<NonZeroUsize>,
    /// Seconds that one read or write may wait for the client, for example 2.5
    #[arg(long, value_parser = seconds)]
    timeout: Option<Duration>,
    /// Seconds that Ctrl-C waits for open connections before it force-closes them, for example 0.5
    #[arg(long, default_value = "2", value_parser = seconds)]
    grace: Duration,
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[derive(Clone, Copy, ValueEnum)]
enum StrategyName {
    /// One after another
    Sequential,
    /// Each on a thread of its own
    Threading,
    /// Each on one of a few threads
    ThreadPool,
    /// Each in a process of its own
    #[cfg(unix)]
    Forking,
    /// Each in a coroutine of its own, many of them on one thread
    Coroutines,
}

impl Arguments {
    /// Makes the strategy for one of the two servers.
    fn strategy(&self) -> Box<dyn Strategy> {
        let workers = self.workers.map(usize::from);
        match (self.strategy, workers) {
            (StrategyName::ThreadPool, _) => Box::new(ThreadPool::new(workers.unwrap_or(8))),
            (StrategyName::Coroutines, None) => Box::new(Coroutines::new()),
            (StrategyName::Coroutines, Some(workers)) => {
                Box::new(Coroutines::new().workers(workers))
            }
            (_, Some(_)) => Self::command()
                .error(
                    ErrorKind::ArgumentConflict,
                    "--workers is for --strategy thread-pool and --strategy coroutines",
                )
                .exit(),
            (StrategyName::Sequential, None) => Box::new(Sequential),
            (StrategyName::Threading, None) => Box::new(Threading::new()),
            #[cfg(unix)]
            (StrategyName::Forking, None) => Box::new(Forking::new()),
        }
    }
}

/// Both what makes the handlers, for every kind of listener, and the handler.
#[derive(Clone, Copy)]
pub(crate) struct Echo {
    ctime: bool,
}

impl<R: Request> Service<R> for Echo {
    type Handler = Self;

    fn request_handler(self: &Arc<Self>) -> Self {
        **self
    }
}

impl<R: Request> RequestHandler<R> for Echo {
    fn handle(&mut self, request: &mut R) -> Result {
        loop {
            // Receives what a connection has sent so far, or the one datagram. Empty at the end.
            let data = request.recv(64 * 1024)?;
            if data.is_empty() {
                return Ok(());
            }
            match self.ctime {
                true => request.send_all(common::with_ctime(&data))?,
                false => request.send_all(&data)?,
            }
        }
    }
}

fn main() -> Result {
    let arguments = Arguments::parse();
    let ctime = arguments.ctime;
    let listeners = Listeners::bind(&arguments, Echo { ctime })?;
    let group = &listeners.group;
    group.shutdown_on_ctrl_c()?;
    match arguments.listen.is_empty() {
        true => print_usage(&listeners.addresses[0])?,
        false => {
            for address in &listeners.addresses {
                writeln!(io::stdout(), "listening on {address}")?;
            }
        }
    }
    group.serve_forever()?; // until Ctrl-C stops all

    // Ignores write errors from here on, because the reader of standard output may be gone.
    let open = listeners.connections().active;
    if open > 0 {
        let open = count(open, "open connection");
        let _ = writeln!(
            io::stdout(),
            "waiting for {open}; press Ctrl-C again to end at once"
        );
    }
    let (summary, report) = listeners.close();
    let mut out = io::stdout().lock();
    for request in &report.force_closed {
        let _ = writeln!(out, "force-closed: {request}");
    }
    for request in &report.abandoned {
        let _ = writeln!(out, "abandoned: {request}");
    }
    let _ = writeln!(out, "{summary}\n{}", drained(&report));
    Ok(())
}

/// Summarizes the outcome of the requests that were running or waiting when the stop began.
fn drained(report: &DrainReport) -> String {
    format!(
        "drained: {} completed, {} failed, {} disconnected, {} rejected, {} force-closed, {} abandoned",
        report.completed,
        report.failed,
        report.disconnected,
        report.rejected + report.dropped,
        report.force_closed.len(),
        report.abandoned.len(),
    )
}

fn print_usage(address: &str) -> Result {
    let address: SocketAddr = address.parse()?;
    let (host, port) = (address.ip(), address.port());
    let mut out = io::stdout();
    writeln!(out, "listening on {address}")?;
    let client = "cargo run --example";
    writeln!(
        out,
        "TCP: nc {host} {port}     or  {client} tcp_echo_client {address} hello"
    )?;
    writeln!(
        out,
        "UDP: nc -u {host} {port}  or  {client} udp_echo_client {address} hello"
    )?;
    Ok(())
}

/// Formats a number and its noun: `1 datagram`, `2 datagrams`.
fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
