//! Threads of this process, as the system lists them.

use std::fs;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::fs::File;
use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::mem;
use std::thread;
use std::time::Duration;

/// List of the threads of this process. Keeps its directory open between counts, where there is one.
pub(super) struct ThreadList {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    directory: Option<File>,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
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
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl ThreadList {
    pub(super) const fn new() -> Self {
        Self {}
    }

    pub(super) fn forget_parent(&mut self) {}

    /// Returns the number of threads.
    pub(super) fn count(&mut self) -> io::Result<usize> {
        count_threads()
    }
}

#[cfg(target_vendor = "apple")]
fn count_threads() -> io::Result<usize> {
    use std::mem::zeroed;

    use nix::libc;

    // SAFETY: all-zero bytes are a valid value of this structure.
    let mut info: libc::proc_taskinfo = unsafe { zeroed() };
    let size = size_of_val(&info) as libc::c_int;
    // SAFETY: the system writes at most `size` bytes to `info`, and keeps no reference to it.
    let written = unsafe {
        let info = (&raw mut info).cast();
        libc::proc_pidinfo(libc::getpid(), libc::PROC_PIDTASKINFO, 0, info, size)
    };
    if written != size {
        return Err(io::Error::last_os_error());
    }
    usize::try_from(info.pti_threadnum).map_err(|_| io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "freebsd")]
fn count_threads() -> io::Result<usize> {
    use std::mem::zeroed;
    use std::ptr;

    use nix::libc;

    // SAFETY: all-zero bytes are a valid value of this structure. `getpid` always succeeds.
    let (mut info, this): (libc::kinfo_proc, _) = unsafe { (zeroed(), libc::getpid()) };
    let name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PID, this];
    let mut size = size_of_val(&info);
    // SAFETY: the system reads the name, writes at most `size` bytes to `info`, and keeps no references.
    let result = unsafe {
        let info = (&raw mut info).cast();
        let length = name.len() as libc::c_uint;
        libc::sysctl(name.as_ptr(), length, info, &mut size, ptr::null(), 0)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    usize::try_from(info.ki_numthreads).map_err(|_| io::ErrorKind::Unsupported.into())
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd"
)))]
fn count_threads() -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
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

#[cfg(all(
    test,
    any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd"
    )
))]
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

    #[cfg(any(target_os = "linux", target_os = "android"))]
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
