//! The life of a handler: the order of its methods, what follows when one of them, or a hook,
//! fails or panics, and how that is told.

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
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use How::*;
use Point::*;
use socketserver::RequestKind;
use socketserver::transport::{Bind, SocketOptions, Tcp};
use socketserver::{
    Error, Handled, HandlerError, Request, RequestHandler, Result, Sequential, Server,
    ServerHandle, Service, Stage, Strategy, TcpRequest, TcpServer, Threading, ThreadingTcpServer,
    Transport, UnixStreamServer, handler_fn,
};

use crate::support::alone::{is_alone, run, test_name};
use crate::support::net::*;

/// Where a [`Traced`] service can be made to fail.
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

/// Runs a handler that ends with `end`, and looks at what `handle_error` is told.
fn told(end: fn() -> Result, look: fn(&HandlerError)) {
    expect_panics();
    let (looked, looks) = mpsc::channel();
    let service = Hooks::new(move |_: &mut TcpRequest| end()).on_error(move |_, error| {
        // Assertions that fail have to reach the thread of the test.
        let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| look(error)));
        let _ = looked.send(ok.map_err(|_| format!("{error:?}")));
    });
    let host = host::<Tcp, Threading, _>(service);
    host.client().expect_end();
    assert_eq!(next(&looks), Ok(()), "not what was expected");
}
