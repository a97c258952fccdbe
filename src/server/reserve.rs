//! A descriptor that is kept for the moment when there are no others.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::sys;

/// Out of descriptors, a server cannot even tell a client so: the connection is there, in the kernel's
/// queue, and cannot be taken out of it. With one in reserve it can, one client after the other.
#[derive(Default)]
pub(crate) struct Reserve {
    descriptor: Mutex<Option<OwnedFd>>,
    /// How many loops wait for a descriptor.
    awaited: AtomicUsize,
}

impl Reserve {
    /// Puts a descriptor by, if there is none. Returns whether there is one now.
    pub(crate) fn stock(&self) -> bool {
        let mut descriptor = self.descriptor.lock();
        if descriptor.is_none() {
            *descriptor = sys::socket::placeholder().ok();
        }
        descriptor.is_some()
    }

    /// Whether there is one to be had beyond the reserve.
    pub(crate) fn is_one_free(&self) -> bool {
        self.stock() && sys::socket::placeholder().is_ok()
    }

    /// Does what needs a descriptor. Whoever else wants one at this moment may get it instead.
    pub(crate) fn spend<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut descriptor = self.descriptor.lock();
        drop(descriptor.take());
        let result = work();
        drop(descriptor);
        result
    }

    /// A loop waits for a descriptor until the result is dropped.
    pub(crate) fn await_one(&self) -> Awaited<'_> {
        self.awaited.fetch_add(1, Ordering::SeqCst);
        Awaited(self)
    }

    #[inline]
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::SeqCst) > 0
    }
}

pub(crate) struct Awaited<'a>(&'a Reserve);

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.0.awaited.fetch_sub(1, Ordering::SeqCst);
    }
}
