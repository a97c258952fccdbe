//! Code shared by the peers in Rust. The C peers share `c/peer.h`.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::socket::{Backlog, SockaddrIn, getsockname, listen, setsockopt, sockopt};

/// Read size of every peer, in bytes.
pub const BUFFER_SIZE: usize = 64 * 1024;

/// Sets the listener's options, the same for every peer, and prints the address for the runner.
pub fn announce(listener: &impl AsFd) -> io::Result<()> {
    // The kernel kills this process when the runner is killed.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // Listens again, because each library has its own default backlog.
    listen(&listener.as_fd(), Backlog::MAXALLOWABLE)?;
    // Accepted connections inherit the option. Without it, small replies wait for an acknowledgement.
    setsockopt(listener, sockopt::TcpNoDelay, &true)?;
    let address: SockaddrIn = getsockname(listener.as_fd().as_raw_fd())?;
    println!("listening on {address}");
    Ok(())
}

/// Number of threads that run tasks or coroutines: the only argument.
pub fn workers() -> usize {
    let argument = std::env::args().nth(1);
    argument
        .and_then(|workers| workers.parse().ok())
        .expect("usage: PROGRAM WORKERS")
}
