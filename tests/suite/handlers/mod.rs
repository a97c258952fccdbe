//! Handlers and hooks: the order of their calls, the effect of errors and panics, and how these are reported.

mod errors;
mod factories;
mod hook_threads;
mod loop_hooks;
mod order;
mod printed;

use std::any::TypeId;
use std::error::Error as StdError;
use std::fmt;
use std::io::{self, ErrorKind};
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use How::*;
use Point::*;
use rustix::io::Errno;
use socketserver::RequestKind;
#[cfg(unix)]
use socketserver::UnixStreamServer;
use socketserver::transport::{Bind, SocketOptions, Tcp};
use socketserver::{
    Error, Handled, HandlerError, Request, RequestHandler, Result, Sequential, Server,
    ServerHandle, Service, Stage, Strategy, TcpRequest, TcpServer, Threading, ThreadingTcpServer,
    Transport, handler_fn,
};

use crate::support::alone::{is_alone, run, test_name};
use crate::support::net::*;

/// Call in which a [`Traced`] service or handler can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    Verifying,
    Making,
    SettingUp,
    Handling,
    Finishing,
    Dropping,
    Reporting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Fails,
    Panics,
}

#[derive(Debug)]
struct Outer(io::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("outer")
    }
}

impl StdError for Outer {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

/// Runs a handler that returns `end()`, and passes the error that `handle_error` receives to `check`.
fn check_error(end: fn() -> Result, check: fn(&HandlerError)) {
    expect_panics();
    let (results, checked) = mpsc::channel();
    let service = Hooks::new(move |_: &mut TcpRequest| end()).on_error(move |_, error| {
        // Passes a failed assertion on to the thread of the test.
        let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(error)));
        let _ = results.send(ok.map_err(|_| format!("{error:?}")));
    });
    let host = host::<Tcp, Threading, _>(service);
    host.client().expect_end();
    assert_eq!(next(&checked), Ok(()), "the error is not as expected");
}
