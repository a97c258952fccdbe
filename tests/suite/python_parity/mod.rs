//! The tests of CPython's `Lib/test/test_socketserver.py`, under their own names.
//!
//! Each of the 27 tests of that file is a function here. [`CPYTHON`] lists them, and a test compares the list
//! with these functions and with the installed Python. The code is this project's own; each test
//! checks the same as CPython's. The module `ours` continues the matrix with the strategies that Python does
//! not have.
//!
//! ```sh
//! cargo test python_parity::              # all
//! cargo test --test suite ::test_         # only CPython's, and the rest of the matrix
//! python3 -m unittest test.test_socketserver   # the originals
//! ```
//!
//! How terms are mapped:
//!
//! | CPython's test | here |
//! | --- | --- |
//! | `server.socket.fileno() == -1` | no descriptor of this process refers to the socket any more (`SocketId`) |
//! | a `handle_error` that raises, which ends the server and the test | no request counts as failed |
//! | an override of `shutdown_request` that counts or signals | a socket that counts its shutdowns; `server_close`, which waits for the requests |
//! | `active_children` is empty after `server_close` | each child was reported to `on_child_exit`, and no request is active |
//! | `SystemExit` in a handler, which bypasses `handle_error` and ends the loop, the thread or the child process | a panic, which reaches `handle_error` and affects only that request: an intended [difference], so the tests named `..._not_handled` check the opposite of their originals |
//! | port -1, an `OverflowError` | an address that is in use, because a port is a `u16` |
//! | `wfile` is a `BufferedIOBase` with the request's `fileno()` | the writer is a `Write`, and both halves share one descriptor |
//! | the list `_threads` | the threads that have run a handler and not ended |
//! | `__all__` | an item of this crate for each name |
//!
//! [difference]: ../docs/reference/differences.md

#![allow(non_snake_case, reason = "CPython's names")]

mod error_handler;
mod list;
mod misc;
mod socket_server;
mod socket_writer;

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::panic_any;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

#[cfg(unix)]
use nix::libc;
#[cfg(unix)]
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use rustix::fd::AsFd;
#[cfg(unix)]
use rustix::process::{WaitId, WaitIdOptions, waitid};
use socketserver::RequestKind;
use socketserver::request::StreamSocket;
use socketserver::transport::{Bind, SocketOptions, Tcp};
use socketserver::{
    CoroutineTcpServer, Coroutines, Error, Handled, HandlerError, Request, RequestHandler, Result,
    Sequential, Server, ServerHandle, Service, Stats, Strategy, StreamRequest, TcpRequest,
    TcpServer, Threading, ThreadingTcpServer, ThreadingUdpServer, Transport, UdpServer,
};
#[cfg(unix)]
use socketserver::{
    CoroutineUnixStreamServer, Forking, ForkingTcpServer, ForkingUdpServer,
    ForkingUnixDatagramServer, ForkingUnixStreamServer, ThreadingUnixDatagramServer,
    ThreadingUnixStreamServer, UnixDatagramServer, UnixStreamServer,
};

use crate::support::alone::{apart, test_name};
use crate::support::net::*;

/// CPython's tests, in the order of its file.
const CPYTHON: [&str; 27] = [
    "test_TCPServer",
    "test_ThreadingTCPServer",
    "test_ForkingTCPServer",
    "test_UnixStreamServer",
    "test_ThreadingUnixStreamServer",
    "test_ForkingUnixStreamServer",
    "test_UDPServer",
    "test_ThreadingUDPServer",
    "test_ForkingUDPServer",
    "test_UnixDatagramServer",
    "test_ThreadingUnixDatagramServer",
    "test_ForkingUnixDatagramServer",
    "test_shutdown",
    "test_close_immediately",
    "test_tcpserver_bind_leak",
    "test_context_manager",
    "test_sync_handled",
    "test_sync_not_handled",
    "test_threading_handled",
    "test_threading_not_handled",
    "test_forking_handled",
    "test_forking_not_handled",
    "test_basics",
    "test_write",
    "test_all",
    "test_shutdown_request_called_if_verify_request_false",
    "test_threads_reaped",
];

fn run_server<T, S, M>(bind: impl FnOnce(&TempDir) -> Result<Server<T, S, M>, Error>)
where
    T: Reachable,
    S: Service<T::Request>,
    M: Strategy,
{
    let dir = TempDir::new();
    let server = bind(&dir).unwrap().poll_interval(Duration::from_millis(10));
    let address = server.server_address().clone();
    assert_eq!(address, T::getsockname(server.as_fd()));
    let socket = SocketId::of(&server);
    let handle = server.handle();
    assert_eq!(*handle.server_address(), address.clone().into());
    assert_ne!(handle.server_address().port(), Some(0), "not a real port");

    let server = Arc::new(server);
    let serving = thread::spawn({
        let server = Arc::clone(&server);
        move || server.serve_forever()
    });
    for n in 1..=3 {
        let line = format!("hello {n}\n");
        assert_eq!(T::connect(&address).ask(&line), line);
    }
    server.shutdown();
    in_time(|| serving.join()).unwrap().unwrap();
    let server = Arc::into_inner(server).expect("the serving thread has ended");
    let report = in_time(|| server.server_close());
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (0, 0));
    assert!(!socket.is_open());

    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.completed, stats.active), (3, 3, 0));
    assert_eq!((stats.failed, stats.rejected), (0, 0));
}

/// The installed Python.
struct Python {
    version: (u32, u32),
    /// `socketserver.__all__`.
    all: BTreeSet<String>,
    /// The tests of `test.test_socketserver`; empty if Python is installed without its tests.
    tests: BTreeSet<String>,
}

impl Python {
    /// Prints `version 3 11`, then `all NAME` and `test NAME` for each name.
    const SCRIPT: &str = r#"
import ast, importlib.util, socketserver, sys
print("version", *sys.version_info[:2])
for name in socketserver.__all__:
    print("all", name)
try:
    spec = importlib.util.find_spec("test.test_socketserver")
except ModuleNotFoundError:
    spec = None
if spec:
    for node in ast.walk(ast.parse(open(spec.origin, encoding="utf-8").read())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            print("test", node.name)
"#;

    fn installed() -> Option<Self> {
        let output = Command::new("python3")
            .args(["-I", "-B", "-c", Self::SCRIPT])
            .output();
        let Ok(output) = output else {
            eprintln!("not compared: python3 is not installed");
            return None;
        };
        assert!(output.status.success(), "{output:?}");
        let mut python = Self {
            version: (0, 0),
            all: BTreeSet::new(),
            tests: BTreeSet::new(),
        };
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            match *line.split(' ').collect::<Vec<_>>() {
                ["version", major, minor] => {
                    python.version = (major.parse().unwrap(), minor.parse().unwrap());
                }
                ["all", name] => drop(python.all.insert(name.to_owned())),
                ["test", name] => drop(python.tests.insert(name.to_owned())),
                _ => panic!("{line:?}"),
            }
        }
        Some(python)
    }
}

mod ours {
    use socketserver::{Job, Rejected, ThreadPool, ThreadPoolTcpServer, ThreadPoolUdpServer};
    #[cfg(unix)]
    use socketserver::{ThreadPoolUnixDatagramServer, ThreadPoolUnixStreamServer};

    use super::*;

    #[test]
    fn test_ThreadPoolTCPServer() {
        run_server(|_| ThreadPoolTcpServer::bind(LOOPBACK, || LineEcho));
    }

    #[test]
    fn test_ThreadPoolUDPServer() {
        run_server(|_| ThreadPoolUdpServer::bind(own_loopback(), || LineEcho));
    }

    #[cfg(unix)]
    #[test]
    fn test_ThreadPoolUnixStreamServer() {
        run_server(|dir| ThreadPoolUnixStreamServer::bind(dir.socket(), || LineEcho));
    }

    #[cfg(unix)]
    #[test]
    fn test_ThreadPoolUnixDatagramServer() {
        run_server(|dir| ThreadPoolUnixDatagramServer::bind(dir.socket(), || LineEcho));
    }

    #[test]
    fn test_CoroutineTCPServer() {
        run_server(|_| CoroutineTcpServer::bind(LOOPBACK, || LineEcho));
    }

    #[cfg(unix)]
    #[test]
    fn test_CoroutineUnixStreamServer() {
        run_server(|dir| CoroutineUnixStreamServer::bind(dir.socket(), || LineEcho));
    }

    /// Minimal custom strategy.
    struct Detached;

    impl Strategy for Detached {
        fn process_request(&self, job: Job) -> Result<(), Rejected> {
            thread::spawn(|| job.run());
            Ok(())
        }
    }

    fn run_server_by<T: Reachable>(strategy: impl Strategy) {
        run_server(|dir| {
            let server = T::bind::<_, Sequential>(dir, Server::options(), || LineEcho)?;
            Ok(server.strategy(strategy))
        });
    }

    fn by_a_custom_strategy<T: Reachable>() {
        run_server_by::<T>(Detached);
    }

    fn by_a_strategy_chosen_at_run_time<T: Reachable>() {
        let strategies: Vec<Box<dyn Strategy>> = vec![
            Box::new(Sequential),
            Box::new(Threading::new()),
            #[cfg(unix)]
            Box::new(forking()),
            Box::new(ThreadPool::new(2)),
            Box::new(Coroutines::new()),
            Box::new(Detached),
        ];
        for strategy in strategies {
            run_server_by::<T>(strategy);
        }
    }

    over!([Tcp, Udp, UnixStream, UnixDatagram]
        by_a_custom_strategy,
    );

    over_apart!([Tcp, Udp, UnixStream, UnixDatagram]
        by_a_strategy_chosen_at_run_time,
    );
}
