//! Termination signals over a fork.

use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow};

use crate::sys::unix::signal::{TERMINATION, handler};
use crate::sys::unix::termination;

/// Blocks the termination signals for this thread until it is dropped, because a child must not run
/// its parent's handlers, nor lose a signal to them.
///
/// Does nothing if none of these signals is handled or blocked. The constructor checks this, because a
/// check in the parent costs less than a check in the child.
pub(super) struct SignalMaskGuard {
    /// Previous mask of the thread, if the guard changed it.
    previous: Option<SigSet>,
    /// For each signal, whether the parent handles it, or blocks it and receives it in another way. Other
    /// ones end parent and child by default, or are ignored in both.
    received: [bool; TERMINATION.len()],
}

impl SignalMaskGuard {
    // Not inlined into the function that forks, because each stack page in use there is copied.
    #[inline(never)]
    pub(super) fn block() -> Self {
        let blocked = SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty());
        let received = TERMINATION.map(|signal| match handler(signal) {
            libc::SIG_DFL => blocked.contains(signal),
            handler => handler != libc::SIG_IGN,
        });
        if !received.contains(&true) {
            return Self {
                previous: None,
                received,
            };
        }
        termination::prepare();
        let signals: SigSet = TERMINATION.into_iter().collect();
        let previous = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok();
        Self { previous, received }
    }

    /// In the child: leaves the signals that the parent receives to the parent, and unblocks all, even if
    /// the parent blocks them. Signals that the parent ignores stay ignored.
    #[inline(never)]
    pub(super) fn leave_to_server(&mut self) {
        let Some(mask) = &mut self.previous else {
            return;
        };
        for (signal, is_received) in TERMINATION.into_iter().zip(self.received) {
            mask.remove(signal);
            if is_received {
                termination::leave_to_server(signal);
            }
        }
    }
}

impl Drop for SignalMaskGuard {
    fn drop(&mut self) {
        if let Some(mask) = &self.previous {
            let _ = mask.thread_set_mask();
        }
    }
}
