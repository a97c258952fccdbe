//! Gate that makes a fork safe beside other threads of this library.
//!
//! A forked child has only the thread that forked. A lock that another thread held during the fork is
//! never released in the child. A fork is therefore safe while every other thread is *parked*: inside
//! a wait of this library, in code that holds no lock that a child takes. Such code runs in
//! [`parked`]. A thread that leaves it passes a gate, which is closed during a fork.
//!
//! A parked thread may hold locks of its own server's life cycle or of its own queue, because its wait
//! condition needs them. A child takes none of these (see `ServerState::in_forked_child`). A parked
//! wait must not use `parking_lot`, because `parking_lot` keeps waiting threads in a table of the whole
//! process. In a child, this table refers to threads that do not exist.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use nix::libc;

use crate::sys::unix::thread_list::ThreadList;

/// State of the gate. One static, because every memory page that both a fork and the next fork write
/// to costs two page faults.
static STATE: State = State {
    parked: AtomicUsize::new(0),
    closed: AtomicBool::new(false),
    in_child: AtomicBool::new(false),
    gate: Mutex::new(ThreadList::new()),
};

struct State {
    /// Number of parked threads.
    parked: AtomicUsize,
    /// Whether the gate is closed.
    closed: AtomicBool,
    /// Whether this process is a forked child that has not yet replaced its parent's thread list.
    in_child: AtomicBool,
    /// Held while the gate is closed. A mutex of `std` is only a futex: a child inherits no queue of
    /// waiting threads with it.
    gate: Mutex<ThreadList>,
}

/// Runs `wait`, which must not hold a lock that a forked child takes.
///
/// Costs two atomic additions unless a fork is in progress.
#[inline]
pub(crate) fn parked<T>(wait: impl FnOnce() -> T) -> T {
    let _parked = Parked::begin();
    wait()
}

/// Runs `work` on a thread that [`park`] counts as parked permanently.
pub(super) fn unparked<T>(work: impl FnOnce() -> T) -> T {
    struct Unparked;
    impl Drop for Unparked {
        fn drop(&mut self) {
            park();
        }
    }
    unpark();
    let _unparked = Unparked;
    work()
}

/// Counts the current thread as parked until it is dropped.
struct Parked;

impl Parked {
    #[inline]
    fn begin() -> Self {
        park();
        Self
    }
}

impl Drop for Parked {
    #[inline]
    fn drop(&mut self) {
        unpark();
    }
}

/// Counts one more thread as parked.
#[inline]
pub(super) fn park() {
    STATE.parked.fetch_add(1, Ordering::SeqCst);
}

#[inline]
fn unpark() {
    // A thread that leaves lowers the count and then reads `closed`. A fork sets `closed` and then
    // reads the count. In every order, at least one of the two sees the other.
    STATE.parked.fetch_sub(1, Ordering::SeqCst);
    if STATE.closed.load(Ordering::SeqCst) {
        wait_for_open_gate();
    }
}

#[cold]
fn wait_for_open_gate() {
    // A thread that waits here holds no other lock, and therefore counts as parked.
    STATE.parked.fetch_add(1, Ordering::SeqCst);
    let _open = STATE.gate.lock().unwrap_or_else(PoisonError::into_inner);
    STATE.parked.fetch_sub(1, Ordering::SeqCst);
}

/// The closed gate: no thread leaves [`parked`] until this is dropped.
pub(super) struct Gate {
    threads: MutexGuard<'static, ThreadList>,
}

impl Gate {
    /// Closes the gate. Other threads that close it meanwhile wait, and are parked.
    pub(super) fn close() -> Self {
        let threads = lock_parked();
        STATE.closed.store(true, Ordering::SeqCst);
        Self { threads }
    }

    /// Returns the number of threads other than this one and the parked ones.
    ///
    /// # Errors
    ///
    /// If the system does not report the number of threads.
    pub(super) fn unparked_threads(&mut self) -> io::Result<usize> {
        if STATE.in_child.swap(false, Ordering::SeqCst) {
            self.threads.forget_parent();
        }
        let threads = self.threads.count()?;
        let this_and_parked = STATE.parked.load(Ordering::SeqCst) + 1;
        Ok(threads.saturating_sub(this_and_parked))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        STATE.closed.store(false, Ordering::SeqCst);
    }
}

/// Locks the gate. The current thread counts as parked while it waits for the lock.
fn lock_parked() -> MutexGuard<'static, ThreadList> {
    park();
    let gate = STATE.gate.lock().unwrap_or_else(PoisonError::into_inner);
    // Does not check `closed`, because this thread holds the gate.
    STATE.parked.fetch_sub(1, Ordering::SeqCst);
    gate
}

/// Installs a handler that resets the gate in every forked child, also in children that other code
/// forks.
pub(crate) fn prepare_for_forks() {
    /// Resets the state, because a child has no other threads.
    extern "C" fn reset_in_child() {
        STATE.parked.store(0, Ordering::SeqCst);
        STATE.closed.store(false, Ordering::SeqCst);
        STATE.in_child.store(true, Ordering::SeqCst);
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler only stores to atomics, which is safe in every child.
        unsafe { libc::pthread_atfork(None, None, Some(reset_in_child)) };
    });
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_thread_passes_the_closed_gate() {
        let (parking, is_parked) = channel();
        let (leaving, has_left) = channel();
        let (wake, woken) = channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                parked(|| {
                    parking.send(()).unwrap();
                    let _ = woken.recv();
                });
                leaving.send(()).unwrap();
            });
            is_parked.recv().unwrap();
            let gate = Gate::close();
            assert!(STATE.parked.load(Ordering::SeqCst) >= 1);
            drop(wake);
            // The thread is awake now, but waits for the gate to open.
            assert!(has_left.recv_timeout(Duration::from_millis(50)).is_err());
            drop(gate);
            has_left.recv().unwrap();
        });
    }
}
