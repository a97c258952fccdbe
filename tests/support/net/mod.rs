//! Servers, clients and waits, for tests that use the loopback interface.
//!
//! Every wait has a time limit: the test fails after [`PATIENCE`].

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
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
#[cfg(unix)]
use std::os::unix::net::{SocketAddr as StdUnixAddr, UnixDatagram as UnixDatagramSocket};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::fd::AsFd as AsSystemSocket;
#[cfg(windows)]
use rustix::fd::AsSocket as AsSystemSocket;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use socket2::{SockAddr, SockRef, Socket, Type};
#[cfg(unix)]
use socketserver::Forking;
use socketserver::request::StreamSocket;
use socketserver::transport::{Tcp, Udp};
#[cfg(unix)]
use socketserver::transport::{UnixDatagram, UnixStream};
use socketserver::{
    DisconnectKind, DrainReport, Error, HandlerError, Request, RequestHandler, Result,
    RunningServer, Sequential, Server, ServerOptions, Service, ShuttingDown, Stage, Strategy,
    StreamRequest, Threading, Transport, UnixAddress,
};

pub(crate) use self::{
    clients::*, matrix::*, places::*, servers::*, services::*, transports::*, waiting::*,
};

/// Time limit of every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Address to which internet servers of tests bind.
pub(crate) const LOOPBACK: &str = "127.0.0.1:0";

/// Returns a loopback address that no other test uses, with port 0.
///
/// Tests that use a port again after its server has closed need it, because another test may get a released port of
/// 127.0.0.1. UDP servers need it, because a server may get the port of another test's client; a late reply to that
/// client would be a request.
pub(crate) fn own_loopback() -> SocketAddr {
    // Other systems have one IPv4 address of the loopback interface. Wine sends replies of another from that one. Their
    // ports are not given out again at once.
    if !cfg!(target_os = "linux") {
        return ([127, 0, 0, 1], 0).into();
    }
    let [_, a, b, c] = (std::process::id() * 256 + unique() as u32 % 256).to_be_bytes();
    ([127, a | 1, b, c], 0).into()
}
