//! Conversion of Unix socket addresses from and to the forms of the system and of `std`.

use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use rustix::net::SocketAddrUnix;

use crate::address::UnixAddress;

/// Converts a Unix address to the form of the kernel.
///
/// # Errors
///
/// For an unnamed address, because no datagram can be sent to it, and for a path that no file can
/// have.
pub(in crate::sys) fn unix_sockaddr(address: &UnixAddress) -> io::Result<SocketAddrUnix> {
    match address {
        UnixAddress::Path(path) => {
            check_path(path)?;
            Ok(SocketAddrUnix::new(path.as_path())?)
        }
        #[cfg(target_os = "linux")]
        UnixAddress::Abstract(name) => Ok(SocketAddrUnix::new_abstract_name(name)?),
        #[cfg(not(target_os = "linux"))]
        UnixAddress::Abstract(_) => Err(rustix::io::Errno::AFNOSUPPORT.into()),
        UnixAddress::Unnamed => Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "this Unix socket address is unnamed: no socket can be bound to it, and no datagram sent \
             to it (a client must bind its own socket before it can receive a reply)",
        )),
    }
}

/// Rejects paths that the kernel would treat as abstract or unnamed addresses.
fn check_path(path: &Path) -> io::Result<()> {
    let message = match path.as_os_str().as_encoded_bytes() {
        [] => "the path of a Unix socket is empty: use the path of a file",
        [0, ..] => {
            "the path of a Unix socket begins with a zero byte: for a name in the abstract \
             namespace, use `UnixAddress::Abstract(name)` without the zero byte"
        }
        bytes if bytes.contains(&0) => {
            "the path of a Unix socket has a zero byte, which no file can have"
        }
        _ => return Ok(()),
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// Converts a Unix address of the standard library.
pub(crate) fn unix_address(address: &SocketAddr) -> UnixAddress {
    #[cfg(target_os = "linux")]
    if let Some(name) = std::os::linux::net::SocketAddrExt::as_abstract_name(address) {
        return UnixAddress::Abstract(name.to_vec());
    }
    match address.as_pathname() {
        Some(path) => UnixAddress::Path(path.to_owned()),
        None => UnixAddress::Unnamed,
    }
}
