//! How often a request takes memory, besides its handler: `benches/request.rs` says what that costs.

mod support;

use allocation_counter::measure;
use socketserver::transport::Udp;
use socketserver::{
    Handled, Job, Rejected, Request, RequestHandler, Result, Sequential, Server, Strategy,
};
use support::net::*;

/// Sends back what comes first, and takes no memory for it.
struct Echo;

impl<R: Request> RequestHandler<R> for Echo {
    fn handle(&mut self, request: &mut R) -> Result {
        let mut data = [0; 100];
        let size = request.read(&mut data)?;
        request.write_all(&data[..size])?;
        Ok(())
    }
}

/// Runs each job where it gets it, on the thread whose allocations are counted.
struct AtOnce;

impl Strategy for AtOnce {
    fn process_request(&self, job: Job) -> std::result::Result<(), Rejected> {
        job.run();
        Ok(())
    }
}

const REQUESTS: usize = 20;

/// How many allocations some requests take, those that come first excepted: they leave behind a read
/// buffer and their like.
fn allocations_of_requests<T: Reachable>(strategy: impl Strategy) -> u64 {
    let dir = TempDir::new();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), || Echo).unwrap();
    let server = server.strategy(strategy).handle_request_timeout(PATIENCE);
    let serve = || {
        let clients: Vec<_> = (0..REQUESTS)
            .map(|_| T::connect(server.server_address()))
            .collect();
        clients.iter().for_each(|client| client.send("hello"));
        let taken = measure(|| {
            for _ in 0..REQUESTS {
                assert_eq!(server.handle_request().unwrap(), Handled::Request);
            }
        });
        for client in clients {
            assert_eq!(client.receive(), b"hello");
        }
        taken.count_total
    };
    serve();
    serve()
}

fn a_connection_takes_memory_once<T: Reachable>() {
    let taken = allocations_of_requests::<T>(Sequential);
    assert_eq!(taken, REQUESTS as u64);
}

/// Once for the connection, once for the job, which a connection cannot be part of: the strategy does
/// not know its type, and others may hold on to it.
fn a_connection_that_is_handed_on_takes_memory_twice<T: Reachable>() {
    let taken = allocations_of_requests::<T>(AtOnce);
    assert_eq!(taken, 2 * REQUESTS as u64);
}

over!([Tcp, UnixStream]
    a_connection_takes_memory_once,
    a_connection_that_is_handed_on_takes_memory_twice,
);

#[test]
fn a_datagram_takes_no_memory() {
    assert_eq!(allocations_of_requests::<Udp>(Sequential), 0);
}

#[test]
fn a_datagram_that_is_handed_on_takes_memory_once() {
    assert_eq!(allocations_of_requests::<Udp>(AtOnce), REQUESTS as u64);
}
