//! The times of a connection: for each read and write, for the first byte, for the next question, for the
//! whole request.
//!
//! What has to run out is short here, and what must not is longer than the test may take: then it is only
//! the order that counts. A pause is a client that takes its time, three times what is allowed elsewhere.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;
use socketserver::RequestKind;
use socketserver::request::StreamSocket;
use socketserver::transport::{Bind, SocketOptions, Tcp, TimeoutConfig, UnixStream};
use socketserver::{
    Coroutines, Error, Request, Result, Sequential, Server, ServerHandle, ServerOptions, Service,
    Stats, Strategy, StreamRequest, ThreadPool, Threading, TimeoutCounts, TimeoutKind, Transport,
};

use crate::support::net::*;

macro_rules! timed {
    ($($transport:ty),*) => {
        $(impl Timed for $transport {
            fn with_time<S, M>(
                options: Options<Self, S, M>,
                kind: TimeoutKind,
                time: Option<Duration>,
            ) -> Options<Self, S, M> {
                match kind {
                    TimeoutKind::Read => options.read_timeout(time),
                    TimeoutKind::Write => options.write_timeout(time),
                    TimeoutKind::FirstByte => options.first_byte_timeout(time),
                    TimeoutKind::Idle => options.idle_timeout(time),
                    TimeoutKind::Request => options.request_timeout(time),
                    other => panic!("a new kind: {other:?}"),
                }
            }
        })*
    };
}

// After the macros, which they use.
mod changed;
mod children;
mod each;
mod one_worker;
mod options;
mod other_sockets;
mod precedence;
mod queueing;
mod senders;
mod whole_request;

/// The kernel counts in ticks, of which the first may be over already.
const SOON: Duration = Duration::from_millis(60);

/// Of a client that takes its time.
const PAUSE: Duration = Duration::from_millis(180);

/// Longer than any test.
const LONG: Duration = Duration::from_secs(60);

type Options<T, S, M> = ServerOptions<T, S, M>;

/// The transports that have these options.
trait Timed: Connected {
    fn with_time<S, M>(
        options: Options<Self, S, M>,
        kind: TimeoutKind,
        time: Option<Duration>,
    ) -> Options<Self, S, M>;
}

fn with_time<T: Timed, S, M>(
    options: Options<T, S, M>,
    kind: TimeoutKind,
    time: impl Into<Option<Duration>>,
) -> Options<T, S, M> {
    T::with_time(options, kind, time.into())
}

/// Sets all of them.
fn with_all<T: Timed, S, M>(
    options: Options<T, S, M>,
    time: impl Into<Option<Duration>>,
) -> Options<T, S, M> {
    let time = time.into();
    KINDS.iter().fold(options, |options, (kind, _)| {
        with_time(options, *kind, time)
    })
}

timed!(Tcp, UnixStream);

const KINDS: [(TimeoutKind, &str); 5] = [
    (TimeoutKind::Read, "`read_timeout`"),
    (TimeoutKind::Write, "`write_timeout`"),
    (TimeoutKind::FirstByte, "`first_byte_timeout`"),
    (TimeoutKind::Idle, "`idle_timeout`"),
    (TimeoutKind::Request, "`request_timeout`"),
];

/// All times, of which only one may run out.
fn only<T: Timed, S, M>(kind: TimeoutKind) -> impl FnOnce(Options<T, S, M>) -> Options<T, S, M> {
    move |options| with_time(with_all(options, LONG), kind, SOON)
}

/// What `handle_error` was told.
#[derive(Debug)]
struct Told {
    kind: Option<TimeoutKind>,
    is_timeout: bool,
    text: String,
}

fn told<R: Request>(hooks: Hooks<R>) -> (Hooks<R>, Receiver<Told>) {
    let (sender, told) = mpsc::channel();
    let hooks = hooks.on_error(move |_, error| {
        let _ = sender.send(Told {
            kind: error.timeout_kind(),
            is_timeout: error.is_timeout(),
            text: error.to_string(),
        });
    });
    (hooks, told)
}

fn kind_of<T>(result: io::Result<T>) -> Option<TimeoutKind> {
    let error = result.err()?;
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    TimeoutKind::of(&error)
}

fn counted(timeouts: &TimeoutCounts, kind: TimeoutKind) -> u64 {
    match kind {
        TimeoutKind::Read => timeouts.read,
        TimeoutKind::Write => timeouts.write,
        TimeoutKind::FirstByte => timeouts.first_byte,
        TimeoutKind::Idle => timeouts.idle,
        TimeoutKind::Request => timeouts.request,
        other => panic!("a new kind: {other:?}"),
    }
}

fn all_counted(stats: &Stats) -> Vec<(TimeoutKind, u64)> {
    KINDS
        .iter()
        .map(|(kind, _)| (*kind, counted(&stats.timeouts, *kind)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Sends what nobody reads, until that is too much.
fn write_without_end<R: Request>(request: &mut R) -> io::Result<()> {
    let data = vec![0; 1 << 20];
    loop {
        request.send_all(&data)?;
    }
}
