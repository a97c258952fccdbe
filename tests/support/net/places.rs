//! Directories, names and sockets.

use super::*;

/// A fresh directory, removed at the end of the test.
#[derive(Debug)]
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        loop {
            let name = format!("socketserver-{}-{}", std::process::id(), unique());
            let path = std::env::temp_dir().join(name);
            match std::fs::create_dir(&path) {
                Ok(()) => return Self(path),
                // Left behind by a process that had the same number, and was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot make {}: {error}", path.display()),
            }
        }
    }

    /// A path in it that was not given out before.
    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join(format!("{}.sock", unique()))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn unique() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What tells a socket from all others while it exists, and whether it still does in this process:
/// Python's `fileno() == -1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketId(PathBuf);

impl SocketId {
    pub(crate) fn of(socket: impl AsFd) -> Self {
        let fd = socket.as_fd().as_raw_fd();
        Self(std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap())
    }

    pub(crate) fn is_open(&self) -> bool {
        self.descriptors() > 0
    }

    /// How many descriptors of this process are this socket.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
            .filter(|target| *target == self.0)
            .count()
    }
}
