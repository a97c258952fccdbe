//! What the peers in Rust share, as `c/peer.h` is what those in C share.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::socket::{Backlog, SockaddrIn, getsockname, listen, setsockopt, sockopt};

/// How much a peer asks for in one read.
pub const BUFFER_SIZE: usize = 64 * 1024;

/// Sets up a listening socket as every peer has it, and tells the runner where it is.
pub fn announce(listener: &impl AsFd) -> io::Result<()> {
    // A runner that is killed cannot clean up; the kernel then does.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // Again: each library has listened with a backlog of its own choice.
    listen(&listener.as_fd(), Backlog::MAXALLOWABLE)?;
    // Connections inherit it: small replies never wait for an acknowledgement.
    setsockopt(listener, sockopt::TcpNoDelay, &true)?;
    let address: SockaddrIn = getsockname(listener.as_fd().as_raw_fd())?;
    println!("listening on {address}");
    Ok(())
}

/// The only argument: how many threads run the tasks or coroutines.
pub fn workers() -> usize {
    let argument = std::env::args().nth(1);
    argument
        .and_then(|workers| workers.parse().ok())
        .expect("usage: PROGRAM WORKERS")
}
