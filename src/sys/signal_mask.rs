//! Termination signals over a fork.

use std::mem::MaybeUninit;

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction};

/// Signals that end a process by default, and for which programs install handlers.
const TERMINATION: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Blocks the termination signals for this thread until it is dropped, because a child must not run
/// its parent's handlers, nor lose a signal to them.
///
/// Does nothing if each of these signals has its default action and is not blocked. The constructor
/// checks this, because a check in the parent costs less than a check in the child.
pub(super) struct SignalMaskGuard {
    /// Previous mask of the thread, if the guard changed it.
    previous: Option<SigSet>,
}

impl SignalMaskGuard {
    // Not inlined into the function that forks, because each stack page in use there is copied.
    #[inline(never)]
    pub(super) fn block() -> Self {
        let blocked = SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty());
        let ends_process = |signal| is_default(signal) && !blocked.contains(signal);
        if TERMINATION.into_iter().all(ends_process) {
            return Self { previous: None };
        }
        let termination: SigSet = TERMINATION.into_iter().collect();
        let previous = termination.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok();
        Self { previous }
    }

    /// In the child: restores the default actions and unblocks the signals, even if the parent blocks
    /// them. An ignored SIGHUP stays ignored, because `nohup` uses it to let a program outlive its
    /// terminal.
    #[inline(never)]
    pub(super) fn restore_defaults(&mut self) {
        let Some(mask) = &mut self.previous else {
            return;
        };
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        for signal in TERMINATION {
            mask.remove(signal);
        }
        for signal in TERMINATION {
            // SAFETY: the default action runs no code in signal context.
            let action = unsafe { sigaction(signal, &default) };
            if let (Signal::SIGHUP, Ok(action)) = (signal, action)
                && matches!(action.handler(), SigHandler::SigIgn)
            {
                // SAFETY: ignoring a signal runs no code in signal context.
                let _ = unsafe { sigaction(signal, &action) };
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

/// Returns whether a signal has its default action.
fn is_default(signal: Signal) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action, the call writes the current one and changes nothing.
    let result = unsafe { libc::sigaction(signal as i32, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: a successful call has written the action.
    result == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_DFL
}
