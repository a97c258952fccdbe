//! Options of the file of a Unix socket.

#[cfg(doc)]
use crate::error::Error;
use crate::server::ServerOptions;
use crate::transport::Unix;

/// # Options of the file of a Unix socket
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
}
