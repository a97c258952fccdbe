//! Sending one message to many clients, of which some may not read.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::coroutine::blocking;
use crate::panics::catch_panic_io;
use crate::state::sender::LiveConnection;
use crate::sys::poll::wait_any_writable;

/// A message on its way to one client.
pub(crate) trait Delivery: Send {
    /// Sends what there is room for, without waiting.
    fn advance(&mut self) -> io::Result<Progress>;

    /// Writable when there is room for more. `None`: that cannot be waited for.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// Sends no more of it. A client that has got a part of it is closed.
    fn give_up(&self);
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    /// The client does not read.
    NoRoom,
    /// Somebody else is sending to this client.
    InLine,
}

struct UnderWay<'a> {
    /// Which client's it is.
    place: usize,
    delivery: Box<dyn Delivery + 'a>,
    in_line: bool,
}

impl UnderWay<'_> {
    /// What to wait for. A client that somebody else is sending to may have room all the time.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        (!self.in_line)
            .then(|| self.delivery.descriptor())
            .flatten()
    }
}

/// How long to wait for what cannot be waited for, before looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Sends `data` to all of `clients`, side by side, within `timeout`. Returns how each of them went.
pub(crate) fn send_to_all(
    clients: &[Arc<dyn LiveConnection>],
    data: &[u8],
    timeout: Duration,
) -> Vec<io::Result<()>> {
    let deadline = Instant::now().checked_add(timeout);
    let mut results: Vec<_> = clients.iter().map(|_| None).collect();
    let mut under_way: Vec<_> = clients
        .iter()
        .enumerate()
        .map(|(place, client)| UnderWay {
            place,
            delivery: client.deliver(data),
            in_line: false,
        })
        .collect();
    loop {
        under_way.retain_mut(|one| {
            let advance = || one.delivery.advance();
            let progress = catch_panic_io("sending", io::ErrorKind::Other, advance);
            one.in_line = matches!(progress, Ok(Progress::InLine));
            match progress {
                Ok(Progress::Done) => results[one.place] = Some(Ok(())),
                Ok(_) => return true,
                Err(error) => results[one.place] = Some(Err(error)),
            }
            false
        });
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if under_way.is_empty() || left == Some(Duration::ZERO) {
            break;
        }
        let fds: Vec<_> = under_way.iter().filter_map(UnderWay::descriptor).collect();
        let left = if fds.len() == under_way.len() {
            left
        } else {
            Some(left.map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN)))
        };
        // On another thread, if this one has coroutines to run.
        if blocking(|| wait_any_writable(fds, left)).is_err() {
            break;
        }
    }
    for one in &under_way {
        one.delivery.give_up();
    }
    let late = || {
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "timed out: the client did not take all of the message within its time",
        ))
    };
    results
        .into_iter()
        .map(|result| result.unwrap_or_else(late))
        .collect()
}
