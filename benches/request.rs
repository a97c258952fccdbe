//! What a connection costs beside its system calls: taken in, verified, served by a handler that does
//! nothing, closed, counted out. The sockets here do nothing either, so what is left is this library.
//!
//! ```sh
//! cargo bench --bench request
//! ```
//!
//! One iteration is a `serve_forever` of a thousand requests: its microseconds are nanoseconds per
//! request, and its allocations a thousand times those of one (`tests/allocations.rs` holds on to
//! these). Nearly all of the time is atomic instructions: of locks, counters and reference counts.

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

/// How many requests one run of the server gets.
const REQUESTS: usize = 1000;

/// In the accept loop, as `Sequential` does it.
#[divan::bench]
fn in_place(bencher: Bencher<'_, '_>) {
    serve(bencher, Sequential);
}

/// As the strategies do that hand requests on, but without the other thread.
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

/// Always has a request, until it has had a thousand; then it stops the server.
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
        // Only one thread does this.
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

/// Runs each job where it gets it.
struct AtOnce;

impl Strategy for AtOnce {
    fn process_request(&self, job: Job) -> std::result::Result<(), Rejected> {
        job.run();
        Ok(())
    }
}
