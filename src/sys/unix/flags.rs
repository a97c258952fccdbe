//! Flags of single calls.

use rustix::net::{RecvFlags, SendFlags};

/// Receive without waiting, although the socket is in blocking mode.
pub(crate) const RECV_WITHOUT_WAIT: RecvFlags = RecvFlags::DONTWAIT;

/// Send without waiting, although the socket is in blocking mode. macOS and NetBSD ignore the flag; connections are in
/// non-blocking mode there.
pub(crate) const SEND_WITHOUT_WAIT: SendFlags = SendFlags::DONTWAIT;

/// Makes a send to a closed connection an error, not a SIGPIPE.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// Empty, because accepted sockets have the option `SO_NOSIGPIPE` instead.
#[cfg(target_vendor = "apple")]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::empty();
