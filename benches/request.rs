//! Cost of a connection without its system calls: accept, verification, an empty handler, close and
//! counters. The sockets make no system calls, so the time measured is the time of this library.
//!
//! ```sh
//! cargo bench --bench request
//! ```
//!
//! One iteration is a `serve_forever` of 1000 requests. Microseconds per iteration are nanoseconds
//! per request. Allocations per iteration are 1000 times those of one request;
//! `tests/allocations.rs` tests their number. Nearly all of the time is spent in the atomic
//! instructions of locks, counters and reference counts.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use socketserver::prelude::*;
use socketserver::request::StreamSocket;
use socketserver::transport::{FromListener, SocketOptions};
use socketserver::{Error, Job, Rejected, RequestKind, StreamRequest, Transport};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Number of requests in one run of the server.
const REQUESTS: usize = 1000;

/// Runs requests in the accept loop, with `Sequential`.
#[divan::bench]
fn in_place(bencher: Bencher<'_, '_>) {
    serve(bencher, Sequential);
}

/// Runs each request as a `Job`, like the strategies with workers, but on the same thread.
#[divan::bench]
fn as_a_job(bencher: Bencher<'_, '_>) {
    serve(bencher, AtOnce);
}

fn serve(bencher: Bencher<'_, '_>, strategy: impl Strategy) {
    let (readable, other_end) = UnixStream::pair().unwrap();
    (&other_end).write_all(b"!").unwrap();
    let service = handler_fn(|_: &mut StreamRequest<NoSocket>| Ok(()));
    let server = Server::<Requests, _, Sequential>::from_listener(readable, service)
        .unwrap()
        .strategy(strategy);
    bencher
        .counter(ItemsCount::new(REQUESTS))
        .bench_local(|| server.serve_forever().unwrap());
    assert_eq!(server.stats().accepted, server.stats().completed);
}

/// A transport that has a request ready at each call. After [`REQUESTS`] it stops the server.
struct Requests {
    readable: UnixStream,
    address: SocketAddr,
    taken: AtomicUsize,
}

impl Transport for Requests {
    type Request = StreamRequest<NoSocket>;
    type Address = SocketAddr;

    const KIND: RequestKind = RequestKind::Connection;

    fn server_address(&self) -> &SocketAddr {
        &self.address
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<Self::Request> {
        // `Relaxed` is enough because only one thread accepts.
        let taken = self.taken.load(Ordering::Relaxed);
        if taken < REQUESTS {
            self.taken.store(taken + 1, Ordering::Relaxed);
            return Ok(StreamRequest::new(NoSocket, self.address, server));
        }
        self.taken.store(0, Ordering::Relaxed);
        server.shutdown();
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl FromListener<UnixStream> for Requests {
    fn from_listener(readable: UnixStream, _options: &SocketOptions) -> Result<Self, Error> {
        Ok(Self {
            readable,
            address: (Ipv4Addr::LOCALHOST, 1).into(),
            taken: AtomicUsize::new(0),
        })
    }
}

impl AsFd for Requests {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.readable.as_fd()
    }
}

struct NoSocket;

impl StreamSocket for NoSocket {
    type Address = SocketAddr;

    fn recv(&self, _buffer: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn send(&self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn shutdown(&self, _how: Shutdown) -> io::Result<()> {
        Ok(())
    }

    fn set_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

/// A strategy that runs each job inside `process_request`.
struct AtOnce;

impl Strategy for AtOnce {
    fn process_request(&self, job: Job) -> std::result::Result<(), Rejected> {
        job.run();
        Ok(())
    }
}
