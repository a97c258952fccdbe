//! Sending one message to many clients at the same time.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::coroutine::blocking;
use crate::panics::catch_panic_io;
use crate::state::live_connection::{Delivery, LiveConnection, Progress};
use crate::sys::fd::BorrowedFd;
use crate::sys::poll::wait_any_writable;

/// A delivery that has not ended.
struct PendingDelivery<'a> {
    /// Position of the client, and of its result.
    index: usize,
    delivery: Box<dyn Delivery + 'a>,
    is_locked: bool,
}

impl PendingDelivery<'_> {
    /// Descriptor to wait for. `None` while another sender is sending, because the socket may be writable
    /// all that time.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_locked)
            .then(|| self.delivery.descriptor())
            .flatten()
    }
}

/// Retry interval of deliveries that have no descriptor to wait for.
const RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// Sends `data` to all `clients` at the same time, at most for `timeout`. Returns a result for each client.
pub(crate) fn send_to_all(
    clients: &[Arc<dyn LiveConnection>],
    data: &[u8],
    timeout: Duration,
) -> Vec<io::Result<()>> {
    let deadline = Instant::now().checked_add(timeout);
    // A client that is not admitted yet gets nothing.
    let check = |client: &Arc<dyn LiveConnection>| client.connection_state().check_admitted();
    let mut results: Vec<_> = clients
        .iter()
        .map(|client| check(client).err().map(Err))
        .collect();
    let mut pending: Vec<_> = clients
        .iter()
        .enumerate()
        .filter(|(index, _)| results[*index].is_none())
        .map(|(index, client)| PendingDelivery {
            index,
            delivery: client.deliver(data),
            is_locked: false,
        })
        .collect();
    loop {
        pending.retain_mut(|pending| {
            let advance = || pending.delivery.advance();
            let progress = catch_panic_io("sending", io::ErrorKind::Other, advance);
            pending.is_locked = matches!(progress, Ok(Progress::Locked));
            match progress {
                Ok(Progress::Done) => results[pending.index] = Some(Ok(())),
                Ok(_) => return true,
                Err(error) => results[pending.index] = Some(Err(error)),
            }
            false
        });
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if pending.is_empty() || left == Some(Duration::ZERO) {
            break;
        }
        let fds: Vec<_> = pending
            .iter()
            .filter_map(PendingDelivery::descriptor)
            .collect();
        let left = if fds.len() == pending.len() {
            left
        } else {
            Some(left.map_or(RETRY_INTERVAL, |left| left.min(RETRY_INTERVAL)))
        };
        // Waits on another thread if this thread runs coroutines.
        if blocking(|| wait_any_writable(fds, left)).is_err() {
            break;
        }
    }
    for pending in &pending {
        pending.delivery.cancel();
    }
    let timed_out = || {
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "timed out: the client did not receive the whole message in time",
        ))
    };
    results
        .into_iter()
        .map(|result| result.unwrap_or_else(timed_out))
        .collect()
}
