//! Who may use the file of a Unix socket: its mode, its owner and its group.
//!
//! On Linux, the mode of a new file is that of the socket without the bits of the umask. The umask belongs to
//! the process, so that a change would reach files that other threads create. A short-lived thread with a
//! umask of its own therefore binds the socket (`CLONE_FS`). Where a policy forbids that, and on other
//! systems, the mode is set after the file was created.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Mode, RawMode, Uid};
use rustix::io::Errno;

use crate::address::UnixAddress;
use crate::sys::fd::BorrowedFd;
use crate::sys::unix::unix_sockets::bind_unix;

/// Owner and group of a file. `None` leaves them as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ownership {
    pub(crate) owner: Option<u32>,
    pub(crate) group: Option<u32>,
}

impl Ownership {
    /// Returns whether it changes nothing.
    pub(crate) fn is_empty(self) -> bool {
        self.owner.is_none() && self.group.is_none()
    }

    /// Returns whether an owner other than the user of this process is to be set.
    pub(crate) fn gives_away(self) -> bool {
        let user = rustix::process::geteuid().as_raw();
        self.owner.is_some_and(|owner| owner != user)
    }

    fn ids(self) -> (Option<Uid>, Option<Gid>) {
        (self.owner.map(Uid::from_raw), self.group.map(Gid::from_raw))
    }
}

/// Binds a socket to a path. The file never permits more than `mode`, where the system has a way to do so.
#[cfg(linux_api)]
pub(crate) fn bind_with_mode(
    socket: BorrowedFd<'_>,
    address: &UnixAddress,
    mode: u32,
) -> io::Result<()> {
    use std::thread::{Builder, scope};

    rustix::fs::fchmod(socket, raw_mode(mode))?;
    let bind = || {
        remove_umask_of_thread();
        bind_unix(socket, address)
    };
    scope(|scope| {
        let builder = Builder::new().name("socketserver-bind".into());
        match builder.spawn_scoped(scope, bind) {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // Without a thread, the umask removes permissions, which `set_mode` adds.
            Err(_) => bind_unix(socket, address),
        }
    })
}

/// Gives the calling thread a umask of its own, which removes nothing. The thread must end soon, because its
/// working directory is its own, too.
#[cfg(linux_api)]
fn remove_umask_of_thread() {
    // SAFETY: the call concerns the working directory, the root and the umask of this thread only.
    if unsafe { nix::libc::unshare(nix::libc::CLONE_FS) } == 0 {
        rustix::process::umask(Mode::empty());
    }
}

/// Binds a socket to a path. The file has a mode by the umask until [`set_mode`] is called.
#[cfg(not(linux_api))]
pub(crate) fn bind_with_mode(
    socket: BorrowedFd<'_>,
    address: &UnixAddress,
    _mode: u32,
) -> io::Result<()> {
    bind_unix(socket, address)
}

fn raw_mode(mode: u32) -> Mode {
    Mode::from_raw_mode(mode as RawMode)
}

/// Socket file whose mode and owner are changed. Symbolic links are not followed, because a directory may
/// belong to others, who could replace the file by a link.
#[derive(Debug)]
pub(crate) struct SocketFile<'a> {
    path: &'a Path,
    /// Refers to the file itself, without a permission to read it.
    #[cfg(linux_api)]
    file: rustix::fd::OwnedFd,
}

impl<'a> SocketFile<'a> {
    /// Returns the socket file at `path`.
    pub(crate) fn open(path: &'a Path) -> io::Result<Self> {
        let is_socket = fs::symlink_metadata(path)?.file_type().is_socket();
        if !is_socket {
            return Err(not_a_socket());
        }
        #[cfg(linux_api)]
        {
            use rustix::fs::{FileType, OFlags};

            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::open(path, flags, Mode::empty())?;
            let mode = rustix::fs::fstat(&file)?.st_mode;
            if FileType::from_raw_mode(mode) != FileType::Socket {
                return Err(not_a_socket());
            }
            Ok(Self { path, file })
        }
        #[cfg(not(linux_api))]
        Ok(Self { path })
    }

    /// Sets owner and group.
    #[cfg(linux_api)]
    pub(crate) fn set_ownership(&self, ownership: Ownership) -> io::Result<()> {
        let (owner, group) = ownership.ids();
        let flags = AtFlags::EMPTY_PATH;
        Ok(rustix::fs::chownat(&self.file, c"", owner, group, flags)?)
    }

    /// Sets owner and group.
    #[cfg(not(linux_api))]
    pub(crate) fn set_ownership(&self, ownership: Ownership) -> io::Result<()> {
        let (owner, group) = ownership.ids();
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::chownat(CWD, self.path, owner, group, flags)?)
    }

    /// Sets the mode if the file has another one.
    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;

        if fs::symlink_metadata(self.path)?.mode() & 0o7777 == mode {
            return Ok(());
        }
        Ok(self.change_mode(raw_mode(mode))?)
    }

    #[cfg(linux_api)]
    fn change_mode(&self, mode: Mode) -> Result<(), Errno> {
        use rustix::fd::AsRawFd;

        // The descriptor itself has no permission for this, and `fchmodat2(2)` is younger than Linux 6.6.
        let file = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        rustix::fs::chmodat(CWD, file, mode, AtFlags::empty())
    }

    #[cfg(not(linux_api))]
    fn change_mode(&self, mode: Mode) -> Result<(), Errno> {
        match rustix::fs::chmodat(CWD, self.path, mode, AtFlags::SYMLINK_NOFOLLOW) {
            // Linux has no such call, and no links to sockets were found.
            Err(Errno::OPNOTSUPP) => rustix::fs::chmodat(CWD, self.path, mode, AtFlags::empty()),
            result => result,
        }
    }
}

fn not_a_socket() -> io::Error {
    io::Error::other("another program has replaced the file of the socket")
}
