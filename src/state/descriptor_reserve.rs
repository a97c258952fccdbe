//! A descriptor that is kept for the moment when there are no others.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::sys;

/// Out of descriptors, a server cannot even tell a client so: the connection is there, in the kernel's
/// queue, and cannot be taken out of it. With one in reserve it can, one client after the other.
#[derive(Default)]
pub(crate) struct DescriptorReserve {
    descriptor: Mutex<Option<OwnedFd>>,
    /// How many loops wait for a descriptor.
    waiters: AtomicUsize,
}

impl DescriptorReserve {
    /// Puts a descriptor by, if there is none. Returns whether there is one now.
    pub(crate) fn refill(&self) -> bool {
        let mut descriptor = self.descriptor.lock();
        if descriptor.is_none() {
            *descriptor = sys::socket::placeholder().ok();
        }
        descriptor.is_some()
    }

    /// Whether there is one to be had beyond the reserve.
    pub(crate) fn is_descriptor_free(&self) -> bool {
        self.refill() && sys::socket::placeholder().is_ok()
    }

    /// Does what needs a descriptor. Whoever else wants one at this moment may get it instead.
    pub(crate) fn with_released<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut descriptor = self.descriptor.lock();
        drop(descriptor.take());
        let result = work();
        drop(descriptor);
        result
    }

    /// A loop waits for a descriptor until the result is dropped.
    pub(crate) fn wait_for_descriptor(&self) -> DescriptorWait<'_> {
        self.waiters.fetch_add(1, Ordering::SeqCst);
        DescriptorWait(self)
    }

    #[inline]
    pub(crate) fn has_waiters(&self) -> bool {
        self.waiters.load(Ordering::SeqCst) > 0
    }
}

pub(crate) struct DescriptorWait<'a>(&'a DescriptorReserve);

impl Drop for DescriptorWait<'_> {
    fn drop(&mut self) {
        self.0.waiters.fetch_sub(1, Ordering::SeqCst);
    }
}
