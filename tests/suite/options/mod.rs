//! Options of a server, as its sockets show them, and errors of binding.

mod addresses;
#[cfg(unix)]
mod advice;
mod backlog;
mod before_bind;
#[cfg(target_os = "linux")]
mod defer_accept;
mod errors;
mod from_listener;
#[cfg(target_os = "linux")]
mod programs;
mod reuse;
#[cfg(unix)]
mod socket_access;
#[cfg(unix)]
mod socket_file;

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket};
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
#[cfg(unix)]
use std::os::unix::net::{
    UnixDatagram as UnixDatagramSocket, UnixListener, UnixStream as UnixStreamSocket,
};
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[cfg(unix)]
use nix::libc;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use socketserver::transport::{Bind, FirstOf, FromListener, Inet, Tcp, Udp};
#[cfg(unix)]
use socketserver::transport::{UnixDatagram, UnixStream};
use socketserver::{
    Address, Error, Request, Sequential, Server, TcpRequest, TcpServer, Threading,
    ThreadingTcpServer, UdpRequest, UdpServer, UnixAddress,
};
#[cfg(unix)]
use socketserver::{UnixDatagramServer, UnixStreamServer};

use crate::support::net::*;

#[track_caller]
fn error_of<V>(result: Result<V, Error>) -> Error {
    match result {
        Ok(_) => panic!("no error"),
        Err(error) => error,
    }
}

#[track_caller]
fn expect_ok<V>(result: Result<V, Error>) {
    drop(result.unwrap());
}

#[track_caller]
fn kind_of(error: &Error) -> ErrorKind {
    error.io_error().unwrap().kind()
}

/// Runs `work` without the privileges of root, and restores them. The user of a process belongs to all of its
/// threads, so the test runs apart.
#[cfg(unix)]
#[allow(unsafe_code, reason = "the C library changes the user of all threads")]
fn without_privileges(work: impl FnOnce()) {
    // SAFETY: the functions have no preconditions.
    let set_user = |user| unsafe { libc::seteuid(user) };
    let user = rustix::process::geteuid().as_raw();
    assert_eq!(set_user(if user == 0 { 12_345 } else { user }), 0);
    work();
    assert_eq!(set_user(user), 0);
}
