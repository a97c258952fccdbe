//! Servers, clients and waiting, for tests that talk over the loopback interface.
//!
//! Nothing here waits without a limit: what does not come within [`PATIENCE`] fails the test.

mod clients;
mod matrix;
mod places;
mod servers;
mod services;
mod transports;
mod waiting;

use std::any::Any;
use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as StdUnixAddr, UnixDatagram as UnixDatagramSocket};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use socket2::{SockRef, Socket};
use socketserver::request::StreamSocket;
use socketserver::transport::{Tcp, Udp, UnixDatagram, UnixStream};
use socketserver::{
    DrainReport, Error, Forking, HandlerError, Request, RequestHandler, Result, RunningServer,
    Sequential, Server, ServerOptions, Service, ShuttingDown, Stage, Strategy, StreamRequest,
    Threading, Transport, UnixAddress,
};

pub(crate) use self::{
    clients::*, matrix::*, places::*, servers::*, services::*, transports::*, waiting::*,
};

/// How long anything may take before the test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The address that internet servers of tests ask for.
pub(crate) const LOOPBACK: &str = "127.0.0.1:0";

/// A loopback address that no other test uses. For tests that look at what becomes of a port: one
/// of 127.0.0.1 that was given back may be somebody else's a moment later. And for UDP servers: a
/// late reply to a client of another test, whose port they have got, would be a request.
pub(crate) fn own_loopback() -> SocketAddr {
    let [_, a, b, c] = (std::process::id() * 256 + unique() as u32 % 256).to_be_bytes();
    ([127, a | 1, b, c], 0).into()
}
