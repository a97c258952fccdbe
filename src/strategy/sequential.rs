//! One request at a time.

use crate::job::{Job, Rejected};
use crate::strategy::scheduling::Schedule;
use crate::strategy::{Scheduling, Strategy};

/// Runs each request in the accept loop: one at a time, in the order of arrival, on the thread
/// that called `serve_forever`. Python: a server class without a mix-in.
///
/// Suits servers with short requests, such as most datagram servers, and servers for one client at a
/// time. A slow client delays all others: set a timeout for its reads
/// ([`ServerOptions::timeout`](crate::ServerOptions::timeout)), or use
/// [`Threading`](crate::Threading).
///
/// ```
/// # use socketserver::prelude::*;
/// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
/// let server: Server<_, _, Sequential> = TcpServer::bind("127.0.0.1:0", service)?;
/// let server = server.spawn()?;
/// let client = std::net::TcpStream::connect(server.server_address())?;
/// assert_eq!(std::io::read_to_string(client)?, "hi");
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequential;

impl Strategy for Sequential {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        job.run();
        Ok(())
    }

    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::of(self)
    }
}

impl Schedule for Sequential {
    fn runs_inline(&self, _in_worker_loop: bool) -> bool {
        true
    }
}
