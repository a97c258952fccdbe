//! Binding to a Unix address that may be in use.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::address::UnixAddress;
use crate::error::with_advice;
use crate::escape::escape_bytes;
use crate::logging::log_event;
use crate::sys::fd::BorrowedFd;
use crate::sys::socket_access::bind_with_mode;
use crate::sys::socket_file::{CreatedFile, DirectoryLock, FileId, Occupant, examine, remove};
use crate::sys::unix_sockets::bind_unix;
use crate::transport::SocketOptions;
use crate::transport::socket_access::Access;

/// How long a server waits for another one that is replacing a file in the same directory, which takes
/// some microseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// File of a server. Dropping it removes the file if it has to go, which must be before the socket is closed.
#[derive(Debug)]
pub(super) struct OwnFile {
    file: CreatedFile,
    remove_on_close: bool,
    /// The socket could not be made ready.
    is_failed: bool,
    /// See [`SocketOptions::is_complete`].
    is_server_complete: Option<Arc<AtomicBool>>,
}

impl OwnFile {
    fn new(path: &Path, options: &SocketOptions) -> io::Result<Self> {
        Ok(Self {
            file: CreatedFile::at(path)?,
            remove_on_close: options.remove_on_close,
            is_failed: true,
            is_server_complete: options.is_complete.clone(),
        })
    }

    /// Records that the socket is ready. Until then, dropping removes the file.
    pub(super) fn bound(mut self) -> Self {
        self.is_failed = false;
        self
    }

    fn is_to_go(&self) -> bool {
        let is_complete = |complete: &Arc<AtomicBool>| complete.load(Ordering::SeqCst);
        let is_complete = self.is_server_complete.as_ref().is_none_or(is_complete);
        self.remove_on_close || self.is_failed || !is_complete
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if self.is_to_go()
            && let Err(_error) = self.file.remove()
        {
            log_event!(
                Warn,
                "{}: the file of the socket cannot be removed: {_error}",
                escape_bytes(self.file.path().as_os_str().as_encoded_bytes())
            );
        }
    }
}

/// Binds a socket. Returns the file, if there is one, so that it is removed if the server cannot be made.
/// With `replace_stale`, replaces the file of a socket that was closed. If the address is in use, the error
/// states what uses it.
pub(super) fn bind(
    socket: BorrowedFd<'_>,
    address: &UnixAddress,
    options: &SocketOptions,
) -> io::Result<Option<OwnFile>> {
    check_first_byte(address)?;
    let access = Access::of(options, address)?;
    bind_unless_in_use(socket, address, access, options.replace_stale)?;
    let Some(path) = address.as_path() else {
        return Ok(None);
    };
    let file = OwnFile::new(path, options)?;
    access.apply(path)?;
    Ok(Some(file))
}

fn bind_unless_in_use(
    socket: BorrowedFd<'_>,
    address: &UnixAddress,
    access: Access,
    replace_stale: bool,
) -> io::Result<()> {
    let bind = || match access.first_mode() {
        Some(mode) => bind_with_mode(socket, address, mode),
        None => bind_unix(socket, address),
    };
    let error = match bind() {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => error,
        result => return result,
    };
    let advice = match (address.as_path(), replace_stale) {
        (None, _) => {
            "another socket has this name: stop its program, or choose another name".into()
        }
        (Some(path), false) => advice(&examine(path)),
        (Some(path), true) => match replace(path, bind) {
            Err(Conflict::InUse(reason)) => reason,
            Err(Conflict::Other(error)) => return Err(error),
            Ok(()) => return Ok(()),
        },
    };
    Err(with_advice(error, advice))
}

/// Rejects a path that looks like an abstract name.
fn check_first_byte(address: &UnixAddress) -> io::Result<()> {
    let path = address.as_path().unwrap_or(Path::new(""));
    if !path.as_os_str().as_encoded_bytes().starts_with(b"@") {
        return Ok(());
    }
    let error = io::Error::new(io::ErrorKind::InvalidInput, "the path begins with `@`");
    let advice = "`@` is how names in the abstract namespace are printed: for such a name, use \
                  `UnixAddress::Abstract(name)` without the `@`; for a file, begin with \"./@\"";
    Err(with_advice(error, advice))
}

/// Reason why a file was not replaced.
enum Conflict {
    /// The address is still in use. The text says by what.
    InUse(Cow<'static, str>),
    /// Another error of binding.
    Other(io::Error),
}

impl Conflict {
    /// The file of a dead socket stays.
    fn kept(reason: &str) -> Self {
        let text = "a server that has ended left this file, which was not replaced, because";
        Self::InUse(format!("{text} {reason}").into())
    }
}

impl From<io::Error> for Conflict {
    fn from(error: io::Error) -> Self {
        Self::Other(error)
    }
}

fn replace(path: &Path, bind: impl Fn() -> io::Result<()>) -> Result<(), Conflict> {
    match examine(path) {
        Occupant::DeadSocket(_) | Occupant::Changing | Occupant::Nothing => {}
        occupant => return Err(Conflict::InUse(advice(&occupant))),
    }
    let _lock = DirectoryLock::of_file(path, LOCK_TIMEOUT).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => {
            Conflict::kept("another process has locked its directory: try again")
        }
        _ => Conflict::kept(&format!("its directory cannot be locked ({error})")),
    })?;
    let before = FileId::of(path);
    // Fails while the file exists, and then no bind to this path is in progress any more. So a socket of
    // the file that was there before this call is visible to the next examination.
    match bind() {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
        result => return Ok(result?),
    }
    let is_removed = match examine(path) {
        Occupant::DeadSocket(id) if before == Some(id) => remove(path, id).map_err(not_removed)?,
        Occupant::DeadSocket(_) => false,
        occupant => return Err(Conflict::InUse(advice(&occupant))),
    };
    if !is_removed {
        return Err(Conflict::InUse(advice(&Occupant::Changing)));
    }
    match bind() {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(Conflict::InUse(advice(&Occupant::Changing)))
        }
        result => Ok(result?),
    }
}

fn not_removed(error: io::Error) -> Conflict {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Conflict::kept(
            "this process may not remove it: it needs write permission for the directory and, in a \
             directory with the sticky bit, such as /tmp, must own the file",
        ),
        _ => Conflict::kept(&format!("it cannot be removed ({error})")),
    }
}

/// Next step for a path that is in use.
fn advice(occupant: &Occupant) -> Cow<'static, str> {
    match occupant {
        Occupant::Nothing | Occupant::Changing => {
            "another process has just changed the file at this path: try again".into()
        }
        Occupant::OtherFile(kind) => {
            format!("{kind} is at this path: choose another path").into()
        }
        Occupant::LiveSocket => {
            "another server is using it: stop that one, or choose another path".into()
        }
        Occupant::DeadSocket(_) => {
            "a server that has ended left this file: set the option `replace_stale(true)`, or remove \
             the file"
                .into()
        }
        Occupant::SharedSocket => {
            "a server that has ended left this file, unless a server on another machine uses it, \
             because its file system may be shared: remove the file if there is none"
                .into()
        }
        Occupant::Unknown(error) => format!(
            "a socket file is at this path, and this process cannot find out whether a server uses it \
             ({error}): look as root, on Linux with `ss -xlp`, or choose another path"
        )
        .into(),
    }
}
