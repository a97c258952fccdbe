//! Functions that the Rust servers of the pairs share. The Python equivalent is `pair.py`.
//!
//! The Rust file of a pair begins with `use crate::differential::server::*;`.

use std::env;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::PathBuf;

use nix::sys::signal::{SigHandler, Signal, signal};
use rustix::event::{PollFd, PollFlags};
use socket2::SockRef;
use socketserver::transport::{Tcp, Transport, Udp, UnixDatagram, UnixStream};

use crate::differential::play::LISTENING;
pub(crate) use crate::support::net::{LineEcho, echo_lines};
pub(crate) use socketserver::Address;
pub(crate) use socketserver::prelude::*;
pub(crate) use std::sync::Arc;
pub(crate) use std::time::Duration;

/// Environment variables that set the host, the path and the strategy of both servers.
pub(crate) const HOST: &str = "PAIR_HOST";
pub(crate) const PATH: &str = "PAIR_PATH";
pub(crate) const STRATEGY: &str = "PAIR_STRATEGY";

/// Returns whether this process was started as the server of a pair.
pub(crate) fn is_server_process() -> bool {
    env::var_os(HOST).is_some()
}

/// Runs `serve` as if it were the `main` function of the process.
pub(crate) fn run(serve: impl FnOnce() -> Result) -> ! {
    restore_ctrl_c();
    // The test harness has printed the beginning of a line.
    println!();
    std::process::exit(match serve() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("Error: {error:?}");
            1
        }
    })
}

/// Restores the default action of SIGINT, because a process that was started in the background may ignore
/// it.
#[allow(unsafe_code)]
fn restore_ctrl_c() {
    // SAFETY: no function is installed that could run in signal context.
    unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }.expect("SIGINT has a default action");
}

/// Address to which a TCP or UDP server binds.
pub(crate) fn host() -> (String, u16) {
    (env::var(HOST).expect("the harness sets it"), 0)
}

/// Path to which a Unix server binds.
pub(crate) fn path() -> PathBuf {
    env::var_os(PATH).expect("the harness sets it").into()
}

/// Prints kind and address of the server. Has to be called once, before any other output.
pub(crate) fn announce<T: Named, S: Service<T::Request>, M: Strategy>(server: &Server<T, S, M>) {
    println!("{LISTENING}{} {}", T::NAME, server.server_address());
}

/// Serves until SIGTERM, SIGINT or SIGHUP.
pub(crate) fn serve<T: Named, S: Service<T::Request>, M: Strategy>(
    server: Server<T, S, M>,
) -> Result {
    if env::var_os(STRATEGY).is_some() {
        serve_until_signal(server.strategy(strategy()))
    } else {
        serve_until_signal(server)
    }
}

fn serve_until_signal<T: Named, S: Service<T::Request>, M: Strategy>(
    server: Server<T, S, M>,
) -> Result {
    server.shutdown_on_ctrl_c()?;
    announce(&server);
    server.serve_forever()?;
    Ok(())
}

/// Strategy that the harness sets.
pub(crate) fn strategy() -> Box<dyn Strategy> {
    match env::var(STRATEGY).as_deref() {
        Ok("plain") => Box::new(Sequential),
        Ok("threading") => Box::new(Threading::new()),
        Ok("pool") => Box::new(ThreadPool::new(4)),
        Ok("forking") => Box::new(forking()),
        other => panic!("unknown strategy: {other:?}"),
    }
}

/// `Forking` in a process that has another thread: the one of the test harness.
#[allow(unsafe_code)]
pub(crate) fn forking() -> Forking {
    // SAFETY: the other thread waits for the end of the test, and holds no lock meanwhile.
    unsafe { Forking::new_unchecked() }
}

/// Receives at most `size` bytes and leaves the rest in the kernel. The methods of a request would read
/// ahead.
pub(crate) fn recv_past_the_buffer(socket: impl AsFd, size: usize) -> Result {
    // On macOS, the socket is in non-blocking mode.
    let readable = PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN);
    rustix::event::poll(&mut [readable], None)?;
    let socket = SockRef::from(&socket);
    let mut data = vec![MaybeUninit::uninit(); size];
    socket.recv(&mut data)?;
    Ok(())
}

/// Name of a transport in the line that announces a server.
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
