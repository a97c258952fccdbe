//! Temporary directories, unique numbers and the identity of sockets.

use super::*;

/// A new temporary directory. Dropping this value removes it.
#[derive(Debug)]
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        loop {
            let name = format!("socketserver-{}-{}", std::process::id(), unique());
            let path = std::env::temp_dir().join(name);
            match std::fs::create_dir(&path) {
                Ok(()) => return Self(path),
                // A killed process with the same process id left this directory.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot make {}: {error}", path.display()),
            }
        }
    }

    /// Returns a new path for a socket in this directory.
    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join(format!("{}.sock", unique()))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Returns a number that is unique in this process.
pub(crate) fn unique() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Identity of an open socket. [`Self::is_open`] corresponds to Python's `fileno() != -1`.
#[cfg(target_os = "linux")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketId(PathBuf);

#[cfg(target_os = "linux")]
impl SocketId {
    pub(crate) fn of(socket: impl AsFd) -> Self {
        let fd = socket.as_fd().as_raw_fd();
        Self(std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap())
    }

    /// Returns whether this process still has the socket open.
    pub(crate) fn is_open(&self) -> bool {
        self.descriptors() > 0
    }

    /// Number of descriptors of this process that refer to this socket.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
            .filter(|target| *target == self.0)
            .count()
    }
}

/// Identity of an open socket: its number, and its addresses, because numbers are used again.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketId {
    number: RawFd,
    local: Option<SockAddr>,
    peer: Option<SockAddr>,
}

#[cfg(not(target_os = "linux"))]
impl SocketId {
    pub(crate) fn of(socket: impl AsFd) -> Self {
        let number = socket.as_fd().as_raw_fd();
        Self::now(number).unwrap_or(Self {
            number,
            local: None,
            peer: None,
        })
    }

    /// Returns whether this process still has the socket open.
    pub(crate) fn is_open(&self) -> bool {
        Self::now(self.number).as_ref() == Some(self)
    }

    /// Returns the socket that has this number now.
    #[allow(unsafe_code, reason = "the number may be that of a closed socket")]
    fn now(number: RawFd) -> Option<Self> {
        // SAFETY: the number is not -1, and the calls only read the names of the socket, if there is one.
        let socket = unsafe { BorrowedFd::borrow_raw(number) };
        let socket = SockRef::from(&socket);
        Some(Self {
            number,
            local: Some(socket.local_addr().ok()?),
            peer: socket.peer_addr().ok(),
        })
    }
}
