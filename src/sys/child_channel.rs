//! What a forked child can ask of its parent: to stop a server.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// This process.
static HERE: Process = Process {
    generation: AtomicUsize::new(1),
    parent: AtomicPtr::new(std::ptr::null_mut()),
};

struct Process {
    /// How many forks of this library it is away from the one that it all began with, which is 1.
    generation: AtomicUsize,
    /// In a child: the channel to its parent.
    parent: AtomicPtr<ChildChannel>,
}

/// The process that something was made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OriginProcess(usize);

impl OriginProcess {
    /// This process.
    pub(crate) fn here() -> Self {
        Self(HERE.generation.load(Ordering::SeqCst))
    }

    pub(crate) fn generation(self) -> u64 {
        self.0 as u64
    }

    /// Whether that is this process. (One that was forked by other means than this library's counts as
    /// the same: a server may be bound, then made a daemon, then serve.)
    pub(crate) fn is_current(self) -> bool {
        self == Self::here()
    }
}

/// Makes this process a child of the one that listens to `channel`.
pub(super) fn become_child(channel: &Arc<ChildChannel>) {
    HERE.generation.fetch_add(1, Ordering::SeqCst);
    // LeftoverDatagrams for as long as the process lives.
    let channel = Arc::into_raw(Arc::clone(channel));
    HERE.parent.store(channel.cast_mut(), Ordering::SeqCst);
}

/// In a child: asks its parent.
pub(crate) fn send_stop_request(stop_request: StopRequest) {
    // SAFETY: it is null, or what `become_child` has kept.
    if let Some(channel) = unsafe { HERE.parent.load(Ordering::SeqCst).as_ref() } {
        channel.send(stop_request);
    }
}

/// The wish that a server be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopRequest {
    /// Which one.
    pub(crate) server: u64,
    /// While it was in which run.
    pub(crate) run: u64,
}

/// What children say, and their parent hears.
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

    /// Never blocks. Each child asks once for each server, so it takes hundreds of them to fill the
    /// channel while nobody listens.
    fn send(&self, stop_request: StopRequest) {
        let mut message = [0; 16];
        message[..8].copy_from_slice(&stop_request.server.to_ne_bytes());
        message[8..].copy_from_slice(&stop_request.run.to_ne_bytes());
        let _ = self.children.send(&message);
    }

    /// What was said and not heard yet.
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

/// Readable when a child has said something.
impl AsFd for ChildChannel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.parent.as_fd()
    }
}
