//! What the Rust servers of the pairs have in common: the twin of `pair.py`.
//!
//! A pair's file begins with `use crate::differential::server::*;`.

use std::env;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::PathBuf;

use nix::sys::signal::{SigHandler, Signal, signal};
use socket2::SockRef;
use socketserver::transport::{Tcp, Transport, Udp, UnixDatagram, UnixStream};

use crate::differential::play::LISTENING;
pub(crate) use crate::support::net::{LineEcho, echo_lines};
pub(crate) use socketserver::Address;
pub(crate) use socketserver::prelude::*;
pub(crate) use std::sync::Arc;
pub(crate) use std::time::Duration;

/// The variables that tell both servers where to be, and how to run requests.
pub(crate) const HOST: &str = "PAIR_HOST";
pub(crate) const PATH: &str = "PAIR_PATH";
pub(crate) const STRATEGY: &str = "PAIR_STRATEGY";

/// Whether this process was started to be a server.
pub(crate) fn is_wanted() -> bool {
    env::var_os(HOST).is_some()
}

/// Is the server, as if `serve` were the program's `main`.
pub(crate) fn run(serve: impl FnOnce() -> Result) -> ! {
    heed_ctrl_c();
    // The test harness has begun a line.
    println!();
    std::process::exit(match serve() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("Error: {error:?}");
            1
        }
    })
}

/// A process that was started in the background may have been told to ignore Ctrl-C.
#[allow(unsafe_code)]
fn heed_ctrl_c() {
    // SAFETY: this installs no function that could be called in a signal handler.
    unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }.expect("SIGINT can be received");
}

/// Where a TCP or UDP server should bind.
pub(crate) fn host() -> (String, u16) {
    (env::var(HOST).expect("the harness sets it"), 0)
}

/// Where a Unix server should bind.
pub(crate) fn path() -> PathBuf {
    env::var_os(PATH).expect("the harness sets it").into()
}

/// Says where the server is; needed once, before anything else is printed.
pub(crate) fn announce<T: Named, S: Service<T::Request>, M: Strategy>(server: &Server<T, S, M>) {
    println!("{LISTENING}{} {}", T::NAME, server.server_address());
}

/// Serves until SIGTERM, or another signal.
pub(crate) fn serve<T: Named, S: Service<T::Request>, M: Strategy>(
    server: Server<T, S, M>,
) -> Result {
    if env::var_os(STRATEGY).is_some() {
        serve_as_it_is(server.strategy(strategy()))
    } else {
        serve_as_it_is(server)
    }
}

fn serve_as_it_is<T: Named, S: Service<T::Request>, M: Strategy>(
    server: Server<T, S, M>,
) -> Result {
    server.shutdown_on_ctrl_c()?;
    announce(&server);
    server.serve_forever()?;
    Ok(())
}

/// The strategy that the harness wants.
pub(crate) fn strategy() -> Box<dyn Strategy> {
    match env::var(STRATEGY).as_deref() {
        Ok("plain") => Box::new(Sequential),
        Ok("threading") => Box::new(Threading::new()),
        Ok("pool") => Box::new(ThreadPool::new(4)),
        Ok("forking") => Box::new(forking()),
        other => panic!("there is no strategy {other:?}"),
    }
}

/// Forks, though there is another thread: that of the test harness.
#[allow(unsafe_code)]
pub(crate) fn forking() -> Forking {
    // SAFETY: that thread waits for the end of the test, and holds no lock meanwhile.
    unsafe { Forking::new_unchecked() }
}

/// What a handler does that leaves the rest in the kernel: a request reads ahead.
pub(crate) fn recv_past_the_buffer(socket: impl AsFd, size: usize) -> Result {
    let socket = SockRef::from(&socket);
    let mut data = vec![MaybeUninit::uninit(); size];
    socket.recv(&mut data)?;
    Ok(())
}

/// The transports, by the names that the harness knows them by.
pub(crate) trait Named: Transport {
    const NAME: &str;
}

impl Named for Tcp {
    const NAME: &str = "tcp";
}

impl Named for Udp {
    const NAME: &str = "udp";
}

impl Named for UnixStream {
    const NAME: &str = "unix";
}

impl Named for UnixDatagram {
    const NAME: &str = "unixgram";
}
