//! Threads of this library that wait, and the moment at which all others do.
//!
//! A forked process has one thread: the one that forked. A lock that another thread held at that
//! moment is held for ever in the child. So a fork is harmless while every other thread is *parked*:
//! inside one of this library's waits, in code that holds no lock that a child takes. Such a thread
//! says so ([`parked`]), and comes back only through a gate that is closed while a fork goes on.
//!
//! What it may hold meanwhile are locks of its own server's life cycle or of its own queue, which the
//! conditions that it waits for belong to; a child takes none of these
//! (see [`ServerState::in_forked_child`](crate::state::server_state::ServerState::in_forked_child)). It must not wait by `parking_lot`
//! ([`Monitor`](super::condition::Monitor) says why).

use std::fs::File;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use nix::libc;

/// In one place, because every page that a fork and the next one write to costs two page faults.
static THREADS: Threads = Threads {
    parked: AtomicUsize::new(0),
    closed: AtomicBool::new(false),
    elsewhere: AtomicBool::new(false),
    gate: Mutex::new(Tasks { directory: None }),
};

struct Threads {
    /// How many are parked.
    parked: AtomicUsize,
    /// Somebody has closed the gate.
    closed: AtomicBool,
    /// This process was forked: what `Tasks` has open is of its parent.
    elsewhere: AtomicBool,
    /// Held while the gate is closed. A lock of `std`, which is nothing but a futex: it leaves no
    /// queue behind that a child could handle_accept_error over.
    gate: Mutex<Tasks>,
}

/// Runs `wait`, which holds no lock that a forked child takes.
///
/// Two atomic additions, if nobody forks.
#[inline]
pub(crate) fn parked<T>(wait: impl FnOnce() -> T) -> T {
    let _parked = Parked::begin();
    wait()
}

/// Runs `work` on a thread that is parked otherwise, without having said so itself.
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

/// A thread that is parked until this is dropped.
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

#[inline]
pub(super) fn park() {
    THREADS.parked.fetch_add(1, Ordering::SeqCst);
}

#[inline]
fn unpark() {
    // The two sides of a fork: here the count is lowered and then the gate looked at, there it is
    // closed and then the count looked at. Whichever comes first, one of the two sees the other.
    THREADS.parked.fetch_sub(1, Ordering::SeqCst);
    if THREADS.closed.load(Ordering::SeqCst) {
        wait_at_the_gate();
    }
}

#[cold]
fn wait_at_the_gate() {
    // Whoever waits here is as good as parked.
    THREADS.parked.fetch_add(1, Ordering::SeqCst);
    let _open = THREADS.gate.lock().unwrap_or_else(PoisonError::into_inner);
    THREADS.parked.fetch_sub(1, Ordering::SeqCst);
}

/// The closed gate: while it exists, no parked thread comes back.
pub(super) struct Gate {
    tasks: MutexGuard<'static, Tasks>,
}

impl Gate {
    /// Closes the gate. Of several threads that want to, one does, and the others are parked
    /// meanwhile.
    pub(super) fn close() -> Self {
        let tasks = parked_lock();
        THREADS.closed.store(true, Ordering::SeqCst);
        Self { tasks }
    }

    /// How many threads there are besides this one and the parked ones.
    pub(super) fn unparked_threads(&mut self) -> io::Result<usize> {
        let threads = self.tasks.count()?;
        let known = THREADS.parked.load(Ordering::SeqCst) + 1;
        Ok(threads.saturating_sub(known))
    }
}

/// Has forks noticed, also those that are not this library's.
pub(crate) fn prepare_for_forks() {
    /// A child has no other threads.
    extern "C" fn in_child() {
        THREADS.parked.store(0, Ordering::SeqCst);
        THREADS.closed.store(false, Ordering::SeqCst);
        THREADS.elsewhere.store(true, Ordering::SeqCst);
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the function only stores to atomics, which is safe in a child whatever its parent
        // did.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

fn parked_lock() -> MutexGuard<'static, Tasks> {
    park();
    let closed = THREADS.gate.lock().unwrap_or_else(PoisonError::into_inner);
    // Nobody else has the gate now.
    THREADS.parked.fetch_sub(1, Ordering::SeqCst);
    closed
}

impl Drop for Gate {
    fn drop(&mut self) {
        THREADS.closed.store(false, Ordering::SeqCst);
    }
}

/// The threads of this process.
struct Tasks {
    /// Where they are list_entry, once somebody has asked.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        expect(dead_code)
    )]
    directory: Option<File>,
}

impl Tasks {
    /// How many there are.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn count(&mut self) -> io::Result<usize> {
        use std::os::unix::fs::MetadataExt;

        if THREADS.elsewhere.swap(false, Ordering::SeqCst) {
            // Closing it would cost more than it is worth.
            mem::forget(self.directory.take());
        }
        let directory = match self.directory.take() {
            Some(directory) => directory,
            None => File::open("/proc/self/task")?,
        };
        // A directory has a link from each directory in it, and two more: one system call instead of
        // counting.
        let links = self.directory.insert(directory).metadata()?.nlink();
        match usize::try_from(links.saturating_sub(2)) {
            Ok(0) | Err(_) => Err(io::ErrorKind::Unsupported.into()),
            Ok(threads) => Ok(threads),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn count(&mut self) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Waits until a thread of this name sleeps, as far as that can be seen, but not for long.
pub(super) fn wait_until_asleep(name: &str) {
    for _ in 0..100 {
        if is_asleep(name).unwrap_or(true) {
            return;
        }
        thread::sleep(Duration::from_micros(500));
    }
}

/// Whether there is a thread of this name, and it sleeps. (It gives itself the name, so it may have
/// none yet.)
fn is_asleep(name: &str) -> io::Result<bool> {
    let mut tasks = std::fs::read_dir("/proc/self/task")?.flatten();
    Ok(tasks.any(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        // "1234 (its name) S ..."
        let Some((task, state)) = stat.rsplit_once(") ") else {
            return false;
        };
        let named = task.split_once('(').is_some_and(|(_, found)| found == name);
        named && state.starts_with('S')
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn nobody_passes_the_gate_while_it_is_closed() {
        let (parking, parks) = channel();
        let (back, is_back) = channel();
        let (wake, woken) = channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                parked(|| {
                    parking.send(()).unwrap();
                    let _ = woken.recv();
                });
                back.send(()).unwrap();
            });
            parks.recv().unwrap();
            let gate = Gate::close();
            let before = THREADS.parked.load(Ordering::SeqCst);
            assert!(before >= 1);
            drop(wake);
            // It is awake now, but the gate holds it: as good as parked.
            assert!(is_back.recv_timeout(Duration::from_millis(50)).is_err());
            drop(gate);
            is_back.recv().unwrap();
        });
    }

    #[test]
    fn threads_are_counted() {
        let mut tasks = Tasks { directory: None };
        assert!(tasks.count().unwrap() >= 1);
        let (done, wait) = channel::<()>();
        let thread = thread::spawn(move || wait.recv());
        // ConnectionlessRequest tests start and end threads meanwhile, but this one and that one are there.
        assert!(tasks.count().unwrap() >= 2);
        drop(done);
        let _ = thread.join();
    }

    #[test]
    fn a_thread_is_seen_asleep_by_its_name() {
        let (done, wait) = channel::<()>();
        let thread = thread::Builder::new()
            .name("a (b) c".into())
            .spawn(move || wait.recv())
            .unwrap();
        wait_until_asleep("a (b) c");
        assert!(is_asleep("a (b) c").unwrap());
        assert!(!is_asleep("nobody").unwrap());
        drop(done);
        let _ = thread.join().unwrap();
    }
}
