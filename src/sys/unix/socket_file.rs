//! The file of a Unix socket: whether a socket still uses it, and its removal.
//!
//! The socket of a file cannot be bound to that file a second time. A file without a socket is therefore
//! dead for ever, and only the question whether it has a socket has to be answered with certainty. A
//! datagram socket that connects to the file answers it: the system reports `ECONNREFUSED` only if the
//! file has no socket. A socket of any other type is `EPROTOTYPE`, whether it listens or not, and does
//! not notice the attempt. (A stream socket would wait in the backlog of a server, could not tell a full
//! backlog from other waits, and gets `ECONNREFUSED` from a socket that does not listen yet.
//! `/proc/net/unix` has neither the sockets of other network namespaces nor absolute paths.)

use std::fs::{self, File, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{self, Path, PathBuf};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::net::SocketAddrUnix;
use rustix::process::{Pid, test_kill_process};
use socket2::{Domain, Socket, Type};

use crate::sys::unix::child_channel::OriginProcess;
use crate::sys::unix::fork_gate::parked;

/// The kinds of files that the path of a socket can lead to.
#[derive(Debug)]
pub(crate) enum Occupant {
    Nothing,
    /// File that is not a socket. The text names its type.
    OtherFile(&'static str),
    /// File of a socket that is open, in any process of this machine.
    LiveSocket,
    /// File of a socket that was closed.
    DeadSocket(FileId),
    /// Socket file without a socket on this machine, on a file system that other machines may use.
    SharedSocket,
    /// Socket file that another process has just replaced.
    Changing,
    /// Socket file that this process cannot examine.
    Unknown(io::Error),
}

/// Identity of a file. The time is part of it, because a new file can get the number of a removed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId([u64; 4]);

impl FileId {
    /// Returns the identity of the file at `path`, if there is one.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        Some(Self::new(&fs::symlink_metadata(path).ok()?))
    }

    fn new(file: &Metadata) -> Self {
        let time = [file.ctime(), file.ctime_nsec()].map(i64::cast_unsigned);
        Self([file.dev(), file.ino(), time[0], time[1]])
    }

    /// Returns whether both are the same file, if one of them has existed since the other was examined.
    /// Its mode and owner may have changed.
    fn has_inode_of(self, other: Self) -> bool {
        self.0[..2] == other.0[..2]
    }
}

/// Returns what exists at `path`. Symbolic links are not followed.
///
/// A file is reported as dead while a bind that has created it is in progress. A failed bind to the same
/// path waits for the end of such a bind.
pub(crate) fn examine(path: &Path) -> Occupant {
    let file = match fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Occupant::Nothing,
        Err(error) => return Occupant::Unknown(error),
    };
    if !file.file_type().is_socket() {
        return Occupant::OtherFile(name_of_type(file.file_type()));
    }
    match connect_datagram(path) {
        // The socket is a datagram socket, connected to another one, or a socket of another type.
        Ok(()) | Err(Errno::PERM | Errno::PROTOTYPE) => Occupant::LiveSocket,
        Err(Errno::NOENT) => Occupant::Nothing,
        Err(Errno::CONNREFUSED) => {
            let id = FileId::new(&file);
            if FileId::of(path) != Some(id) {
                Occupant::Changing
            } else if is_shared_with_other_machines(path) {
                Occupant::SharedSocket
            } else {
                Occupant::DeadSocket(id)
            }
        }
        Err(error) => Occupant::Unknown(error.into()),
    }
}

/// Connects a datagram socket, which sends nothing.
fn connect_datagram(path: &Path) -> Result<(), Errno> {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None);
    let socket = socket.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)
}

fn name_of_type(file: FileType) -> &'static str {
    if file.is_dir() {
        "a directory"
    } else if file.is_symlink() {
        "a symbolic link"
    } else if file.is_file() {
        "a regular file"
    } else if file.is_fifo() {
        "a named pipe"
    } else {
        "a device"
    }
}

/// Returns whether the socket of a file may be one of another machine.
#[cfg(linux_api)]
fn is_shared_with_other_machines(path: &Path) -> bool {
    /// File systems with a server, from `linux/magic.h`: NFS, SMB (three), 9P, FUSE (also virtiofs),
    /// Ceph, AFS (two), Coda, OCFS2, GFS2, Lustre, shared folders of VirtualBox.
    const MAGIC: [u32; 14] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x0102_1997,
        0x6573_5546,
        0x00c3_6400,
        0x5346_414f,
        0x6b41_4653,
        0x7375_7245,
        0x7461_636f,
        0x0116_1970,
        0x0bd0_0bd0,
        0x786f_4256,
    ];
    rustix::fs::statfs(path).is_ok_and(|statfs| MAGIC.contains(&(statfs.f_type as u32)))
}

#[cfg(not(linux_api))]
fn is_shared_with_other_machines(_path: &Path) -> bool {
    false
}

/// Removes a file and returns `true` if it still is the one that was examined. Another process can
/// replace the file between the comparison and the removal, unless it takes the [`DirectoryLock`].
pub(crate) fn remove(path: &Path, id: FileId) -> io::Result<bool> {
    let is_same = FileId::of(path) == Some(id);
    if is_same {
        fs::remove_file(path)?;
    }
    Ok(is_same)
}

/// File that this process has created by binding a socket, which is still open.
#[derive(Debug)]
pub(crate) struct CreatedFile {
    /// Absolute, because the working directory can change.
    path: PathBuf,
    id: FileId,
    origin: OriginProcess,
    process: u32,
}

impl CreatedFile {
    /// Returns the file to which a socket was bound just now.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path::absolute(path)?,
            id: FileId::new(&fs::symlink_metadata(path)?),
            origin: OriginProcess::here(),
            process: process::id(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file, unless another file is at its path or the server belongs to another process.
    ///
    /// The socket must still be open, because no other file can have its number until then. So no server
    /// that uses [`DirectoryLock`] can lose its file.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let is_own = FileId::of(&self.path).is_some_and(|id| id.has_inode_of(self.id));
        if is_own && self.belongs_to_this_process() {
            fs::remove_file(&self.path)?;
        }
        Ok(())
    }

    /// Returns whether this process has created the file, or has been forked from a process that has ended
    /// since, as daemons are.
    fn belongs_to_this_process(&self) -> bool {
        if self.process == process::id() {
            return true;
        }
        let creator = Pid::from_raw(self.process.cast_signed());
        let has_ended = |creator| test_kill_process(creator) == Err(Errno::SRCH);
        self.origin.is_current() && creator.is_some_and(has_ended)
    }
}

/// Lock on the directory of a socket file, for the servers that replace such files. The system removes
/// it when the process ends, and it leaves no file behind.
#[derive(Debug)]
pub(crate) struct DirectoryLock(File);

impl DirectoryLock {
    /// Waits for the lock for at most `timeout`.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if another process still has the lock, and errors of opening the directory.
    pub(crate) fn of_file(path: &Path, timeout: Duration) -> io::Result<Self> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let directory = File::open(directory)?;
        let deadline = Instant::now() + timeout;
        loop {
            match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self(directory)),
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => {
                    parked(|| thread::sleep(Duration::from_millis(5)));
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for DirectoryLock {
    /// Removes the lock before the descriptor is closed, because a child process that was forked
    /// meanwhile has a copy of the descriptor.
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}
