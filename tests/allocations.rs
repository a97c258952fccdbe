//! Number of heap allocations for each request, without those of its handler. `benches/request.rs` measures the time.

mod support;

use allocation_counter::measure;
use socketserver::transport::Udp;
use socketserver::{
    Handled, Job, Rejected, Request, RequestHandler, Result, Sequential, Server, Strategy,
};
use support::net::*;

/// Sends back the first data that it receives, without an allocation.
struct Echo;

impl<R: Request> RequestHandler<R> for Echo {
    fn handle(&mut self, request: &mut R) -> Result {
        let mut data = [0; 100];
        let size = request.read(&mut data)?;
        request.write_all(&data[..size])?;
        Ok(())
    }
}

/// Runs each job at once, on the thread whose allocations are counted.
struct RunAtOnce;

impl Strategy for RunAtOnce {
    fn process_request(&self, job: Job) -> std::result::Result<(), Rejected> {
        job.run();
        Ok(())
    }
}

const REQUESTS: usize = 20;

/// Number of allocations of `REQUESTS` requests, after as many requests that leave buffers for reuse.
fn allocations_of_requests<T: Reachable>(strategy: impl Strategy) -> u64 {
    let dir = TempDir::new();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), || Echo).unwrap();
    let server = server.strategy(strategy).handle_request_timeout(PATIENCE);
    let serve = || {
        let clients: Vec<_> = (0..REQUESTS)
            .map(|_| T::connect(server.server_address()))
            .collect();
        clients.iter().for_each(|client| client.send("hello"));
        let allocations = measure(|| {
            for _ in 0..REQUESTS {
                assert_eq!(server.handle_request().unwrap(), Handled::Request);
            }
        });
        for client in clients {
            assert_eq!(client.receive(), b"hello");
        }
        allocations.count_total
    };
    serve();
    serve()
}

fn a_connection_allocates_once<T: Reachable>() {
    let count = allocations_of_requests::<T>(Sequential);
    assert_eq!(count, REQUESTS as u64);
}

/// The connection and the job are two allocations. A job is boxed because the strategy does not know its type. The
/// connection is not a part of it, because senders and the registry refer to it.
fn a_connection_in_a_job_allocates_twice<T: Reachable>() {
    let count = allocations_of_requests::<T>(RunAtOnce);
    assert_eq!(count, 2 * REQUESTS as u64);
}

over!([Tcp, UnixStream]
    a_connection_allocates_once,
    a_connection_in_a_job_allocates_twice,
);

#[test]
fn a_datagram_does_not_allocate() {
    assert_eq!(allocations_of_requests::<Udp>(Sequential), 0);
}

#[test]
fn a_datagram_in_a_job_allocates_once() {
    assert_eq!(allocations_of_requests::<Udp>(RunAtOnce), REQUESTS as u64);
}
