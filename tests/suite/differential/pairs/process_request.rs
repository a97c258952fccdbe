use crate::differential::server::*;
use socketserver::{Job, Rejected};
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Default)]
struct Narrow {
    clients: AtomicU32,
}

impl Strategy for Narrow {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        if self.clients.fetch_add(1, Ordering::Relaxed) == 1 {
            return Err(job.reject(Some("no room".into())));
        }
        job.run();
        Ok(())
    }
}

pair!(serve(
    TcpServer::bind(host(), LineEcho::default)?.strategy(Narrow::default())
));
