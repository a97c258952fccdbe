//! The wait of an accept loop for its next request.

use std::io;
use std::iter;
use std::time::Duration;

use crate::coroutine::AcceptFds;
use crate::state::ServerHandle;
use crate::sys::exclusive::ExclusiveWait;
use crate::sys::fd::{AsFd, BorrowedFd};
use crate::sys::fork_gate::parked;
use crate::sys::listener_fds::ListenerFds;
use crate::sys::poll::{wait_any_readable, wait_readable};

/// The wait of an accept loop for its next request; passed to
/// [`Strategy::wait`](crate::Strategy::wait).
///
/// See the [example](crate::Strategy::wait).
#[derive(Debug)]
pub struct AcceptWait<'a> {
    /// The listening sockets: readable when a request has arrived.
    pub(crate) listeners: ListenerFds<'a>,
    /// The server, whose waker becomes readable on a stop or a notification.
    pub(crate) handle: &'a ServerHandle,
    /// The longest time to wait; `None` is without limit.
    pub(crate) timeout: Option<Duration>,
    /// A request has probably arrived: an attempt to accept it costs less than a `poll(2)`.
    pub(crate) likely: bool,
    /// The transport holds a request that it has received before: no wait is needed.
    pub(crate) already_received: bool,
    /// Requests cannot be accepted now, for lack of descriptors or memory, and stay in the kernel.
    pub(crate) starved: bool,
    /// The server rejects the next connection, which needs no capacity of the strategy.
    pub(crate) rejecting: bool,
    /// The thread on which the loop runs.
    pub(crate) loop_thread: &'a LoopThread,
}

/// The reason why a wait for the next request ended.
///
/// See the [example](crate::Strategy::wait).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// A request may have arrived.
    Request,
    /// A stop was requested, or [`Notifier::notify`] was called.
    Woken,
    /// The timeout expired first.
    TimedOut,
}

impl AcceptWait<'_> {
    /// Waits until a request arrives, the loop is woken, or the timeout expires.
    ///
    /// Shortly after a request was accepted, it may return [`Ready::Request`] without a system call,
    /// because the next request has probably arrived. If it has not, the server's attempt to accept it
    /// has no effect.
    ///
    /// See the [example](crate::Strategy::wait).
    ///
    /// # Errors
    ///
    /// The errors of `poll(2)`, such as `ENOMEM`.
    pub fn for_request(&self) -> io::Result<Ready> {
        if self.starved {
            return self.for_notification();
        }
        if self.likely || self.already_received {
            return Ok(Ready::Request);
        }
        let ready = parked(|| match (self.loop_thread, self.listeners.only()) {
            (LoopThread::Dedicated(Some(exclusive)), _) => exclusive.wait_readable(self.timeout),
            (_, Some(listener)) => wait_readable([self.wake_fd(), listener], self.timeout),
            (_, None) => self.wait_for_each(),
        });
        Ok(match ready? {
            [true, _] => Ready::Woken,
            [false, true] => Ready::Request,
            [false, false] => Ready::TimedOut,
        })
    }

    /// Waits for several listeners. Returns whether the loop is woken, and whether one of them is readable.
    fn wait_for_each(&self) -> io::Result<[bool; 2]> {
        let fds = iter::once(self.wake_fd()).chain(self.listeners.iter());
        let ready = wait_any_readable(fds, self.timeout)?;
        Ok([ready[0], ready[1..].contains(&true)])
    }

    /// Waits until the loop is woken or the timeout expires. Requests stay in the kernel meanwhile:
    /// connections in the backlog, datagrams in the socket's buffer.
    ///
    /// For a strategy without capacity for another request, which calls [`Notifier::notify`] when it has
    /// capacity again. Never returns [`Ready::Request`].
    ///
    /// See the [example](crate::Strategy::wait).
    ///
    /// # Errors
    ///
    /// The errors of `poll(2)`, such as `ENOMEM`.
    pub fn for_notification(&self) -> io::Result<Ready> {
        let ready = parked(|| wait_readable([self.wake_fd()], self.timeout));
        Ok(match ready? {
            [true] => Ready::Woken,
            [false] => Ready::TimedOut,
        })
    }

    /// Waits until the loop is woken, one of `strategy_fds` is readable or, if `has_capacity`, a request
    /// arrives. Also returns which of `strategy_fds` are readable: if there is one and no request, the
    /// loop counts as woken.
    #[cfg(unix)]
    pub(super) fn for_any(
        &self,
        has_capacity: bool,
        strategy_fds: &[BorrowedFd<'_>],
        timeout: Option<Duration>,
    ) -> io::Result<(Ready, Vec<bool>)> {
        let has_capacity = has_capacity && !self.starved;
        let listeners = has_capacity.then_some(self.listeners);
        let fds = strategy_fds
            .iter()
            .copied()
            .chain([self.wake_fd()])
            .chain(listeners.into_iter().flat_map(ListenerFds::iter));
        let already_received = has_capacity && self.already_received;
        let timeout = if already_received {
            Some(Duration::ZERO)
        } else {
            timeout
        };
        let mut ready = parked(|| wait_any_readable(fds, timeout))?;
        let is_listener_ready = ready.drain(strategy_fds.len() + 1..).any(|ready| ready);
        let request = is_listener_ready || already_received;
        let woken = ready.pop() == Some(true);
        let outcome = match (woken, request) {
            (true, _) => Ready::Woken,
            (false, true) => Ready::Request,
            (false, false) if ready.contains(&true) => Ready::Woken,
            (false, false) => Ready::TimedOut,
        };
        Ok((outcome, ready))
    }

    /// Returns whether this is one of the accept loops of
    /// [`Schedule::accept_loops`](crate::strategy::scheduling::Schedule::accept_loops).
    pub(super) fn in_worker_loop(&self) -> bool {
        self.loop_thread.is_dedicated()
    }

    /// Returns what ends [`for_notification`](Self::for_notification) from another thread.
    ///
    /// Publish it to the other threads first, and check the capacity after that: capacity that becomes
    /// free in between is then either seen or notified.
    ///
    /// See the [example](crate::Strategy::wait).
    pub fn notifier(&self) -> Notifier {
        Notifier(self.handle.clone())
    }

    /// Returns the descriptors to wait for, for a strategy that waits by other means than `poll(2)`.
    pub(super) fn accept_fds(&self) -> AcceptFds<'_> {
        AcceptFds {
            listeners: self.listeners,
            waker: self.wake_fd(),
        }
    }

    pub(super) fn wake_fd(&self) -> BorrowedFd<'_> {
        self.handle.0.waker.as_fd()
    }
}

/// Wakes the accept loop; see [`AcceptWait::for_notification`].
///
/// See the [example](crate::Strategy::wait).
#[derive(Clone, Debug)]
pub struct Notifier(ServerHandle);

impl Notifier {
    /// Ends the current wait of the accept loop, or the next one if it does not wait now. If the server
    /// has several accept loops, at least one of them is woken.
    ///
    /// See the [example](crate::Strategy::wait).
    pub fn notify(&self) {
        self.0.0.waker.wake();
    }
}

/// The thread on which an accept loop runs.
#[derive(Debug)]
pub(crate) enum LoopThread {
    /// The thread that called `serve_forever`, `handle_request` or `server_close`.
    Caller,
    /// A thread of its own, beside the threads of other loops. It waits with `poll(2)` if it has no
    /// [`ExclusiveWait`]: because there are few loops, or for lack of a descriptor.
    Dedicated(Option<ExclusiveWait>),
}

impl LoopThread {
    /// Largest number of loops that wait with `poll(2)`, which wakes all of them for a request. With so
    /// few loops that costs less than epoll sets that wake one: four loops under load reached 0.94 of the
    /// rate of a C loop with `poll(2)`, and 0.87 with epoll sets.
    const MAX_POLLING_LOOPS: usize = 8;

    pub(crate) fn dedicated(
        loops: usize,
        listeners: ListenerFds<'_>,
        waker: BorrowedFd<'_>,
    ) -> Self {
        let exclusive =
            (loops > Self::MAX_POLLING_LOOPS).then(|| ExclusiveWait::new(waker, listeners).ok());
        Self::Dedicated(exclusive.flatten())
    }

    pub(crate) fn is_dedicated(&self) -> bool {
        matches!(self, Self::Dedicated(_))
    }
}
