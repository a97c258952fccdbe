//! Options of the file of a Unix socket.

#[cfg(doc)]
use crate::error::Error;
use crate::server::ServerOptions;
use crate::transport::Unix;

/// # Options of the file of a Unix socket
///
/// They apply to stream and datagram servers that [`bind`](ServerOptions::bind) to a path. They have no effect
/// on sockets that are bound already ([`from_listener`](ServerOptions::from_listener)).
impl<T, S, M> ServerOptions<T, S, M> {
    /// Sets whether the server replaces the file that an earlier server left at its path, for example
    /// because it was killed. Default: `false`. Nothing in Python, whose programs remove the file before
    /// they bind, together with whatever else may be there.
    ///
    /// Only the file of a socket that no process has open is replaced, which has to be certain. All other
    /// files stay, and binding fails with an [`Error::Bind`] of kind
    /// [`AddrInUse`](std::io::ErrorKind::AddrInUse), whose message says what is at the path:
    ///
    /// - a file that is not a socket, also a symbolic link to a socket;
    /// - a socket that is open, of any type, in any process or container of this machine, whether it
    ///   listens or not; it does not notice the examination;
    /// - a socket that this process may not examine, or whose file it may not remove;
    /// - a socket on a file system that other machines may use (NFS, SMB, 9P, FUSE and others, on Linux).
    ///
    /// Servers with this option can start at the same time: one of them gets the address. They lock the
    /// directory of the file (`flock`) while they replace it, so they need permission to read it; binding
    /// waits at most 1 s for this lock. A program that removes a file without this lock, between the
    /// examination and the removal, and binds to the path at once, can lose its new file.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let hello = || handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
    /// # let path = std::env::temp_dir().join(format!("replace-stale-{}.sock", std::process::id()));
    /// let bind = || UnixStreamServer::options().replace_stale(true).bind(&path, hello());
    /// drop(bind()?); // leaves its file
    /// let server = bind()?;
    /// assert!(bind().is_err(), "the server is open");
    /// # std::fs::remove_file(&path)?;
    /// # drop(server);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn replace_stale(mut self, replace: bool) -> Self
    where
        T: Unix,
    {
        self.socket.replace_stale = replace;
        self
    }

    /// Sets the permissions of the socket file, such as `0o660`: to connect or to send a datagram, a client needs
    /// the permission to write. Default: those that the umask of the process leaves of `0o777`. Python: `os.umask`
    /// before the server is bound, or `os.chmod` afterwards.
    ///
    /// On Linux, the file is created with this mode, whatever the umask is, and the umask of the process is not
    /// changed. If a policy forbids the means (`unshare`, for example in a container), the file is created with
    /// fewer permissions for a moment, never with more.
    ///
    /// On other systems, the file has the permissions that the umask leaves until `bind` sets the mode, before it
    /// returns. No client of a stream server can connect before, because the socket does not listen yet.
    /// Datagrams that were sent before are received.
    ///
    /// Some systems other than Linux do not check the mode of a socket file. The permissions of its directory are
    /// checked on every system.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let hello = handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
    /// use std::os::unix::fs::PermissionsExt;
    ///
    /// # let path = std::env::temp_dir().join(format!("mode-{}.sock", std::process::id()));
    /// let options = UnixStreamServer::options().mode(0o660).remove_on_close(true);
    /// let server = options.bind(&path, hello)?;
    /// let mode = std::fs::metadata(&path)?.permissions().mode();
    /// assert_eq!(mode & 0o777, 0o660);
    /// # drop(server);
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Binding fails with an [`Error::Bind`], of kind [`InvalidInput`](std::io::ErrorKind::InvalidInput), if
    /// the mode has bits other than `0o777`, and for a name in the abstract namespace, which has no mode.
    #[doc(alias = "umask")]
    #[doc(alias = "chmod")]
    pub fn mode(mut self, mode: u32) -> Self
    where
        T: Unix,
    {
        self.socket.mode = Some(mode);
        self
    }

    /// Gives the socket file to the user with this number. Default: the user of the process. Python:
    /// `os.chown` after the server is bound.
    ///
    /// Until the file has its owner and its [`group`](Self::group), a [`mode`](Self::mode) that is set grants
    /// nothing to users other than that of the process (Linux).
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let hello = handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
    /// use std::os::unix::fs::MetadataExt;
    ///
    /// # let path = std::env::temp_dir().join(format!("owner-{}.sock", std::process::id()));
    /// # let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    /// let options = UnixStreamServer::options().owner(uid).group(gid).mode(0o660);
    /// let server = options.remove_on_close(true).bind(&path, hello)?;
    /// let file = std::fs::metadata(&path)?;
    /// assert_eq!((file.uid(), file.gid()), (uid, gid));
    /// # drop(server);
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Binding fails with an [`Error::Bind`]: of kind
    /// [`PermissionDenied`](std::io::ErrorKind::PermissionDenied) if the process may not do this, which only
    /// root may; of kind [`InvalidInput`](std::io::ErrorKind::InvalidInput) for a name in the abstract
    /// namespace. No file is left.
    #[doc(alias = "chown")]
    pub fn owner(mut self, user: u32) -> Self
    where
        T: Unix,
    {
        self.socket.owner = Some(user);
        self
    }

    /// Gives the socket file to the group with this number: with `mode(0o660)`, its members can connect.
    /// Default: the group of the process, or that of the directory if it passes its group on. Python:
    /// `os.chown` after the server is bound.
    ///
    /// See the [example](Self::owner).
    ///
    /// # Errors
    ///
    /// As for [`owner`](Self::owner), except that a process without privileges can set a group to which it
    /// belongs.
    #[doc(alias = "chgrp")]
    pub fn group(mut self, group: u32) -> Self
    where
        T: Unix,
    {
        self.socket.group = Some(group);
        self
    }

    /// Sets whether the socket file is removed when the server is closed. Default: `false`, as in Python, where
    /// programs call `os.unlink`.
    ///
    /// The file is removed after the [backlog](crate::Server::backlog_policy) was served or rejected, and
    /// before the socket is closed, so that a client that finds the file has found a server. It is only removed
    /// if it still is the file of this socket (its device and inode are compared): the file of a server that
    /// has taken the path meanwhile stays.
    ///
    /// A forked child does not remove the file of its parent, except a daemon, whose parent has ended. A process
    /// that is killed leaves the file: combine the option with [`replace_stale`](Self::replace_stale). So does
    /// a process that may not remove it any more, because it has changed its user or its root directory after
    /// it was bound (logged as a warning, with the feature `log`). Names in the abstract namespace end with
    /// their socket.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let hello = handler_fn(|request: &mut UnixStreamRequest| Ok(request.send_all(b"hi")?));
    /// # let path = std::env::temp_dir().join(format!("remove-{}.sock", std::process::id()));
    /// let options = UnixStreamServer::options().replace_stale(true).remove_on_close(true);
    /// let server = options.bind(&path, hello)?;
    /// assert!(path.exists());
    /// drop(server);
    /// assert!(!path.exists());
    /// # Ok::<(), BoxError>(())
    /// ```
    #[doc(alias = "unlink")]
    pub fn remove_on_close(mut self, remove: bool) -> Self
    where
        T: Unix,
    {
        self.socket.remove_on_close = remove;
        self
    }
}
