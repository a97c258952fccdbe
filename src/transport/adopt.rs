//! Takes over sockets that were made elsewhere.

use std::io;
use std::os::fd::AsFd;

use crate::error::Error;
use crate::sys;

/// Makes a transport from a socket that was made elsewhere. Programs that handlers start do not inherit
/// the socket.
pub(super) fn adopt<L: AsFd, T>(
    listener: L,
    make: impl FnOnce(L) -> io::Result<T>,
) -> Result<T, Error> {
    let adopted = || {
        sys::socket::set_close_on_exec(listener.as_fd())?;
        make(listener)
    };
    adopted().map_err(|source| Error::Bind {
        address: "the given socket".into(),
        source,
    })
}
