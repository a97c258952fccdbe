//! Channel on which forked children request that their parent stops a server.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::time::Duration;

use crate::sys::fd::{AsFd, BorrowedFd};
use crate::sys::poll::wait_readable;

/// Position of this process in the chain of forks.
static THIS_PROCESS: Process = Process {
    generation: AtomicUsize::new(1),
    parent: AtomicPtr::new(std::ptr::null_mut()),
};

struct Process {
    /// Number of forks by this library between the first process and this one, plus 1.
    generation: AtomicUsize,
    /// In a child: the channel to the parent. Null in the first process.
    parent: AtomicPtr<ChildChannel>,
}

/// Process in which a value was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OriginProcess(usize);

impl OriginProcess {
    /// Returns this process.
    pub(crate) fn here() -> Self {
        Self(THIS_PROCESS.generation.load(Ordering::SeqCst))
    }

    pub(crate) fn generation(self) -> u64 {
        self.0 as u64
    }

    /// Returns whether the value was created in this process. Forks by other code do not count: a
    /// program may bind a server, fork itself into the background, and then serve.
    pub(crate) fn is_current(self) -> bool {
        self == Self::here()
    }
}

/// Records that this process is a child of the process that receives from `channel`.
pub(super) fn become_child(channel: &Arc<ChildChannel>) {
    THIS_PROCESS.generation.fetch_add(1, Ordering::SeqCst);
    // Never released, so that the pointer stays valid until the process ends.
    let channel = Arc::into_raw(Arc::clone(channel));
    THIS_PROCESS
        .parent
        .store(channel.cast_mut(), Ordering::SeqCst);
}

/// In a child: sends a stop request to the parent. Does nothing in the first process.
pub(crate) fn send_stop_request(stop_request: StopRequest) {
    // SAFETY: the pointer is null, or `become_child` has stored it and keeps it valid.
    if let Some(channel) = unsafe { THIS_PROCESS.parent.load(Ordering::SeqCst).as_ref() } {
        channel.send(stop_request);
    }
}

/// In a child: returns a descriptor that is readable once the server is closed that has forked it. `None` in
/// the first process.
pub(crate) fn close_notice() -> Option<BorrowedFd<'static>> {
    // SAFETY: the pointer is null, or `become_child` has stored it and keeps it valid.
    let channel = unsafe { THIS_PROCESS.parent.load(Ordering::SeqCst).as_ref() };
    channel.map(|channel| channel.children.as_fd())
}

/// In a child: waits until the server is closed that has forked it, at most for `timeout`. Returns whether it
/// is closed.
pub(crate) fn wait_for_close(timeout: Option<Duration>) -> bool {
    let closed = close_notice().map(|notice| wait_readable([notice], timeout));
    closed.is_some_and(|closed| closed.is_ok_and(|[closed]| closed))
}

/// Request of a child to stop a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopRequest {
    /// Id of the server.
    pub(crate) server: u64,
    /// Number of the server's runs that had ended at the time of the request. A later run ignores the
    /// request.
    pub(crate) run: u64,
}

/// Socket pair that carries stop requests from children to their parent, and the notice of the close from the
/// parent to its children.
#[derive(Debug)]
pub(crate) struct ChildChannel {
    parent: UnixDatagram,
    children: UnixDatagram,
}

impl ChildChannel {
    pub(crate) fn new() -> io::Result<Self> {
        let (parent, children) = UnixDatagram::pair()?;
        parent.set_nonblocking(true)?;
        children.set_nonblocking(true)?;
        Ok(Self { parent, children })
    }

    /// Sends without blocking. A request is lost if the channel is full. Each child sends one request
    /// for each server, so that only hundreds of children can fill a channel that is not read.
    fn send(&self, stop_request: StopRequest) {
        let mut message = [0; 16];
        message[..8].copy_from_slice(&stop_request.server.to_ne_bytes());
        message[8..].copy_from_slice(&stop_request.run.to_ne_bytes());
        let _ = self.children.send(&message);
    }

    /// Tells the children that the server is closed. The notice is never received, so that all of them see it.
    pub(crate) fn announce_close(&self) {
        let _ = self.parent.send(&[0]);
    }

    /// Returns the next request that has arrived, if any.
    pub(crate) fn receive(&self) -> Option<StopRequest> {
        let mut message = [0; 16];
        let size = self.parent.recv(&mut message).ok()?;
        let (server, run) = message[..size].split_first_chunk::<8>()?;
        Some(StopRequest {
            server: u64::from_ne_bytes(*server),
            run: u64::from_ne_bytes(run.try_into().ok()?),
        })
    }
}

/// Readable while a request has arrived and has not been received.
impl AsFd for ChildChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.parent.as_fd()
    }
}
