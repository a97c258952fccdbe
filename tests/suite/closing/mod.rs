//! Closing a server: it stops listening, waits for running requests as long as the grace period
//! lasts, force-closes the rest, reports what it did, and never hangs.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use socketserver::RequestKind;
use socketserver::transport::Tcp;
#[cfg(unix)]
use socketserver::transport::UnixStream;
use socketserver::{
    Activity, BacklogPolicy, Coroutines, DrainReport, Job, Rejected, Rejection, Request,
    RequestInfo, RunningServer, Sequential, Server, Service, Strategy, TcpRequest, TcpServer,
    ThreadPool, Threading, ThreadingTcpServer,
};

use crate::support::net::*;

/// Makes a `#[test]` of a generic function for each stream transport and each strategy that does not run handlers in
/// the accept loop.
macro_rules! in_threads {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            use super::*;

            #[test]
            fn threading_tcp() {
                super::$check::<Tcp, Threading>();
            }
            #[cfg(unix)]
            #[test]
            fn threading_unix() {
                super::$check::<UnixStream, Threading>();
            }
            #[test]
            fn thread_pool_tcp() {
                super::$check::<Tcp, ThreadPool>();
            }
            #[cfg(unix)]
            #[test]
            fn thread_pool_unix() {
                super::$check::<UnixStream, ThreadPool>();
            }
            #[test]
            fn coroutines_tcp() {
                super::$check::<Tcp, Coroutines>();
            }
            #[cfg(unix)]
            #[test]
            fn coroutines_unix() {
                super::$check::<UnixStream, Coroutines>();
            }
        })*
    };
}

// After the macro that they use.
mod abandoned;
mod awaited;
mod block_on_close;
mod force_closed;
mod from_inside;
mod idle;

/// A grace period for tests in which it expires.
const SHORT: Duration = Duration::from_millis(50);

/// Returns (running, force-closed, abandoned).
fn numbers(report: DrainReport) -> (usize, usize, usize) {
    (
        report.running,
        report.force_closed.len(),
        report.abandoned.len(),
    )
}

fn with_grace<T, M, S>(grace: Duration, service: S) -> Host<T, S, M>
where
    T: Reachable,
    M: Strategy + Default,
    S: Service<T::Request>,
{
    host_with::<T, M, _, _>(
        service,
        |options| options,
        |server| server.grace_period(grace),
    )
}
