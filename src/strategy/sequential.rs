//! One request at a time.

use super::Strategy;
use crate::job::{Job, Rejected};

/// Runs each request in the accept loop: one at a time, in the order of arrival, on the thread
/// that called `serve_forever`. Python: a server class without a mix-in.
///
/// The right choice where requests are short, which includes most datagram servers, or where only
/// one client at a time makes sense. A client that dawdles keeps all others waiting: give its
/// reads a timeout ([`ServerOptions::timeout`](crate::ServerOptions::timeout)), or take
/// [`Threading`](crate::Threading).
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequential;

impl Strategy for Sequential {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        job.run();
        Ok(())
    }

    fn runs_in_place(&self, _in_own_loop: bool) -> bool {
        true
    }
}
