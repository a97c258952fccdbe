//! Timeouts of a connection: for each read and write, for the first byte, for the next request, for the
//! whole request.
//!
//! A timeout that must expire is [`SOON`]. A timeout that must not expire is [`LONG`], longer than a test may
//! take. So the tests depend on the order of events only, not on the speed of the machine. A slow client
//! pauses for [`PAUSE`], three times `SOON`.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fd::AsFd;
use socket2::SockRef;
use socketserver::RequestKind;
use socketserver::request::StreamSocket;
#[cfg(unix)]
use socketserver::transport::UnixStream;
use socketserver::transport::{Bind, SocketOptions, Tcp, TimeoutConfig};
use socketserver::{
    Coroutines, Error, Request, Result, Sequential, Server, ServerHandle, ServerOptions, Service,
    Stats, Strategy, StreamRequest, ThreadPool, Threading, TimeoutCounts, TimeoutKind, Transport,
};

use crate::support::net::*;

macro_rules! timed {
    ($($transport:ty),*) => {
        $(impl Timed for $transport {
            fn with_timeout<S, M>(
                options: Options<Self, S, M>,
                kind: TimeoutKind,
                timeout: Option<Duration>,
            ) -> Options<Self, S, M> {
                match kind {
                    TimeoutKind::Read => options.read_timeout(timeout),
                    TimeoutKind::Write => options.write_timeout(timeout),
                    TimeoutKind::FirstByte => options.first_byte_timeout(timeout),
                    TimeoutKind::Idle => options.idle_timeout(timeout),
                    TimeoutKind::Request => options.request_timeout(timeout),
                    other => panic!("unknown kind: {other:?}"),
                }
            }
        })*
    };
}

mod changed;
#[cfg(unix)]
mod children;
mod each;
mod one_worker;
mod options;
mod other_sockets;
mod precedence;
mod queueing;
mod senders;
mod whole_request;

/// A timeout that expires. The kernel counts in ticks, and the first tick may be almost over.
const SOON: Duration = Duration::from_millis(60);

/// Pause of a slow client.
const PAUSE: Duration = Duration::from_millis(180);

/// A timeout that does not expire during a test.
const LONG: Duration = Duration::from_secs(60);

type Options<T, S, M> = ServerOptions<T, S, M>;

/// Transports that have these options.
trait Timed: Connected {
    fn with_timeout<S, M>(
        options: Options<Self, S, M>,
        kind: TimeoutKind,
        timeout: Option<Duration>,
    ) -> Options<Self, S, M>;
}

fn with_timeout<T: Timed, S, M>(
    options: Options<T, S, M>,
    kind: TimeoutKind,
    timeout: impl Into<Option<Duration>>,
) -> Options<T, S, M> {
    T::with_timeout(options, kind, timeout.into())
}

/// Sets all timeouts.
fn with_all<T: Timed, S, M>(
    options: Options<T, S, M>,
    timeout: impl Into<Option<Duration>>,
) -> Options<T, S, M> {
    let timeout = timeout.into();
    KINDS.iter().fold(options, |options, (kind, _)| {
        with_timeout(options, *kind, timeout)
    })
}

timed!(Tcp);
#[cfg(unix)]
timed!(UnixStream);

const KINDS: [(TimeoutKind, &str); 5] = [
    (TimeoutKind::Read, "`read_timeout`"),
    (TimeoutKind::Write, "`write_timeout`"),
    (TimeoutKind::FirstByte, "`first_byte_timeout`"),
    (TimeoutKind::Idle, "`idle_timeout`"),
    (TimeoutKind::Request, "`request_timeout`"),
];

/// Sets all timeouts. Only the one of `kind` can expire.
fn only<T: Timed, S, M>(kind: TimeoutKind) -> impl FnOnce(Options<T, S, M>) -> Options<T, S, M> {
    move |options| with_timeout(with_all(options, LONG), kind, SOON)
}

/// Facts about the error that `handle_error` received.
#[derive(Debug)]
struct Reported {
    kind: Option<TimeoutKind>,
    is_timeout: bool,
    text: String,
}

fn reported<R: Request>(hooks: Hooks<R>) -> (Hooks<R>, Receiver<Reported>) {
    let (sender, reported) = mpsc::channel();
    let hooks = hooks.on_error(move |_, error| {
        let _ = sender.send(Reported {
            kind: error.timeout_kind(),
            is_timeout: error.is_timeout(),
            text: error.to_string(),
        });
    });
    (hooks, reported)
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
        other => panic!("unknown kind: {other:?}"),
    }
}

fn all_counted(stats: &Stats) -> Vec<(TimeoutKind, u64)> {
    KINDS
        .iter()
        .map(|(kind, _)| (*kind, counted(&stats.timeouts, *kind)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Writes until a write fails.
fn write_until_error<R: Request>(request: &mut R) -> io::Result<()> {
    let data = vec![0; 1 << 20];
    loop {
        request.send_all(&data)?;
    }
}
