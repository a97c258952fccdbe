//! Threads of this process, as the system lists them.

use std::fs::{self, File};
use std::io;
use std::mem;
use std::thread;
use std::time::Duration;

/// List of the threads of this process. Keeps its directory open between counts.
pub(super) struct ThreadList {
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        expect(dead_code)
    )]
    directory: Option<File>,
}

impl ThreadList {
    pub(super) const fn new() -> Self {
        Self { directory: None }
    }

    /// In a forked child: forgets the directory, which lists the threads of the parent. The descriptor
    /// stays open, because closing it would cost a system call in every child.
    pub(super) fn forget_parent(&mut self) {
        mem::forget(self.directory.take());
    }

    /// Returns the number of threads.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn count(&mut self) -> io::Result<usize> {
        use std::os::unix::fs::MetadataExt;

        let directory = match self.directory.take() {
            Some(directory) => directory,
            None => File::open("/proc/self/task")?,
        };
        // A directory has two links, and one more for each directory in it. Reading this number is
        // one system call; listing the directory is several.
        let links = self.directory.insert(directory).metadata()?.nlink();
        match usize::try_from(links.saturating_sub(2)) {
            Ok(0) | Err(_) => Err(io::ErrorKind::Unsupported.into()),
            Ok(threads) => Ok(threads),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn count(&mut self) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Waits until a thread with this name sleeps, for at most 50 ms. Returns at once if the system does
/// not list threads.
pub(super) fn wait_until_asleep(name: &str) {
    for _ in 0..100 {
        if is_asleep(name).unwrap_or(true) {
            return;
        }
        thread::sleep(Duration::from_micros(500));
    }
}

/// Returns whether a thread with this name exists and sleeps. A new thread has no name until it has
/// set it itself.
fn is_asleep(name: &str) -> io::Result<bool> {
    let mut threads = fs::read_dir("/proc/self/task")?.flatten();
    Ok(threads.any(|thread| {
        // Format: "1234 (thread name) S ..."
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let Some((id_and_name, state)) = stat.rsplit_once(") ") else {
            return false;
        };
        let has_name = id_and_name
            .split_once('(')
            .is_some_and(|(_, thread_name)| thread_name == name);
        has_name && state.starts_with('S')
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn threads_are_counted() {
        let mut threads = ThreadList::new();
        assert!(threads.count().unwrap() >= 1);
        let (done, wait) = channel::<()>();
        let thread = thread::spawn(move || wait.recv());
        // Other tests start and end threads meanwhile, but these two exist.
        assert!(threads.count().unwrap() >= 2);
        drop(done);
        let _ = thread.join();
    }

    #[test]
    fn a_sleeping_thread_is_found_by_its_name() {
        let (done, wait) = channel::<()>();
        let thread = thread::Builder::new()
            .name("a (b) c".into())
            .spawn(move || wait.recv())
            .unwrap();
        wait_until_asleep("a (b) c");
        assert!(is_asleep("a (b) c").unwrap());
        assert!(!is_asleep("no thread").unwrap());
        drop(done);
        let _ = thread.join().unwrap();
    }
}
