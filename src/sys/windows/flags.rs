//! Flags of single calls. Windows has none that matter here: sockets of this crate are in non-blocking mode, and
//! there are no signals.

use rustix::net::{RecvFlags, SendFlags};

pub(crate) const RECV_WITHOUT_WAIT: RecvFlags = RecvFlags::empty();
pub(crate) const SEND_WITHOUT_WAIT: SendFlags = SendFlags::empty();
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::empty();
