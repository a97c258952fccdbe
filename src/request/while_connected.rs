//! Work that is cancelled if the client goes.

use std::thread;

use crate::panics::catch_panic;
use crate::sys::fd::BorrowedFd;
use crate::sys::fork_gate::parked;
use crate::sys::poll;
use crate::sys::waker::Waker;

/// Runs `work`. If the other side of the socket hangs up meanwhile, calls `cancel` on another thread.
pub(super) fn run_while_connected<T>(
    socket: BorrowedFd<'_>,
    work: impl FnOnce() -> T,
    cancel: impl FnOnce() + Send,
) -> T {
    let Ok(waker) = Waker::new() else {
        return work();
    };
    let _close_on_fork = waker.close_on_fork();
    let watch = || {
        let hung_up = parked(|| poll::wait_for_hang_up(socket, &waker));
        if hung_up.unwrap_or(false) {
            let _ = catch_panic(cancel);
        }
    };
    thread::scope(|scope| {
        let _wake = WakeOnDrop(&waker);
        let watcher = thread::Builder::new().name("socketserver-watch".into());
        // Without a thread, the work is not cancelled.
        let _ = watcher.spawn_scoped(scope, watch);
        work()
    })
}

/// Ends the watch when the work has ended or panicked.
struct WakeOnDrop<'a>(&'a Waker);

impl Drop for WakeOnDrop<'_> {
    fn drop(&mut self) {
        self.0.wake();
    }
}
