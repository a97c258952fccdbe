//! One descriptor kept in reserve, for the time when the process has no others.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::sys;
use crate::sys::fd::OwnedFd;

/// The reserve of one server. Without a free descriptor, a connection cannot be accepted, and therefore it
/// cannot be rejected either: it stays in the backlog. The reserve allows rejecting one client at a time.
#[derive(Default)]
pub(crate) struct DescriptorReserve {
    descriptor: Mutex<Option<OwnedFd>>,
    /// Number of accept loops that wait for a descriptor.
    waiters: AtomicUsize,
}

impl DescriptorReserve {
    /// Opens the reserve descriptor if it is missing. Returns whether there is one now.
    pub(crate) fn refill(&self) -> bool {
        let mut descriptor = self.descriptor.lock();
        if descriptor.is_none() {
            *descriptor = sys::descriptor::placeholder().ok();
        }
        descriptor.is_some()
    }

    /// Returns whether a descriptor is available in addition to the reserve.
    pub(crate) fn is_descriptor_free(&self) -> bool {
        self.refill() && sys::descriptor::placeholder().is_ok()
    }

    /// Closes the reserve descriptor and runs `work`, which needs a descriptor. Another thread may take
    /// the descriptor first.
    pub(crate) fn with_released<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut descriptor = self.descriptor.lock();
        drop(descriptor.take());
        let result = work();
        drop(descriptor);
        result
    }

    /// Records that an accept loop waits for a descriptor, until the result is dropped.
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
