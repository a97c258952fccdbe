//! Tools for the tests of your server: no sleeps, no fixed ports, and no test that hangs.
//!
//! | task | use |
//! | --- | --- |
//! | run a handler on bytes, and look at its answer | [`converse`] |
//! | start a server for one test, which fails if a request fails | [`TestServer`] |
//! | send in pieces, half-close, reset, wait for a line | [`Client`] |
//! | wait for a state instead of sleeping | [`wait_until`] |
//!
//! ```
//! use socketserver::prelude::*;
//! use socketserver::testing::{TestServer, converse};
//!
//! fn shout(request: &mut TcpRequest) -> Result {
//!     while let Some(line) = request.next_line(1000)? {
//!         request.write_all(&line.to_ascii_uppercase())?;
//!     }
//!     Ok(())
//! }
//!
//! // In a test of yours, this is a function with `#[test]`.
//! fn lines_are_shouted() -> Result {
//!     // The bytes that a client sends, and what it receives.
//!     assert_eq!(converse(handler_fn(shout), "hello\nyou\n")?, b"HELLO\nYOU\n");
//!
//!     // A server, if several clients or the time of each message matter.
//!     let server = TestServer::start(ThreadingTcpServer::bind("127.0.0.1:0", handler_fn(shout))?);
//!     let mut client = server.client();
//!     client.send_in_pieces("hello\n", &[2, 5])?; // he, llo, \n
//!     assert_eq!(client.readline()?, b"HELLO\n");
//!     client.finish()?;
//!     assert_eq!(client.rest()?, b"");
//!     Ok(()) // the server stops here, and the test fails if a request has failed
//! }
//! # lines_are_shouted().unwrap();
//! ```

mod client;
mod converse;
mod deadline;
mod endpoint;
mod place;
mod server;

use std::thread;
use std::time::{Duration, Instant};

pub use self::client::Client;
pub use self::converse::{ConverseError, ConverseRequest, converse};
pub use self::server::TestServer;

/// Time limit of each wait of this module, 10 seconds. A test that succeeds does not need it.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Time between two looks at a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Waits until `condition` returns `true`: looks every millisecond.
///
/// ```
/// use socketserver::prelude::*;
/// use socketserver::testing::{TestServer, wait_until};
///
/// let service = handler_fn(|request: &mut TcpRequest| Ok(request.readline(100).map(drop)?));
/// let server = TestServer::start(ThreadingTcpServer::bind("127.0.0.1:0", service)?);
/// let first = server.client();
/// let second = server.client();
/// wait_until("both clients are served", || server.handle().requests().len() == 2);
/// # Ok::<(), BoxError>(())
/// ```
///
/// # Panics
///
/// If the condition is still `false` after [`TIME_LIMIT`]. The message has `what`.
#[track_caller]
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    assert!(
        is_true_within(TIME_LIMIT, condition),
        "not true within {TIME_LIMIT:?}: {what}"
    );
}

/// Looks at the condition until it is true or the time is over. Returns whether it is true.
fn is_true_within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_stays_false_ends_the_wait() {
        let mut looks = 0;
        assert!(!is_true_within(Duration::from_millis(5), || {
            looks += 1;
            false
        }));
        assert!(looks > 0);
        assert!(
            is_true_within(Duration::ZERO, || true),
            "looked at once at least"
        );
    }
}
