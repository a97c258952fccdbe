//! The time of day as text (RFC 867), over TCP and UDP. One handler serves both.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run --example time_server
//! listening on 127.0.0.1:1313
//! ```
//!
//! Ask it in another terminal:
//!
//! ```text
//! $ nc 127.0.0.1 1313
//! Sun Jun 20 23:21:05 1993
//! $ echo | socat - UDP:127.0.0.1:1313
//! Sun Jun 20 23:21:05 1993
//! ```
//!
//! Ctrl-C stops the server. An argument replaces the address `127.0.0.1:1313`.

mod common;

use std::time::Duration;

use common::{address, bind_both, ctime, serve_both};
use socketserver::prelude::*;

pub(crate) struct Time;

impl<R: Request> RequestHandler<R> for Time {
    fn handle(&mut self, request: &mut R) -> Result {
        Ok(writeln!(request, "{}", ctime())?)
    }
}

fn main() -> Result {
    let timeout = Duration::from_secs(5);
    serve_both(bind_both(&address("127.0.0.1:1313"), timeout, || Time)?)
}
