//! System calls of Windows, and replacements of what only Unix systems have.

pub(crate) mod child_channel;
pub(crate) mod close_on_fork;
pub(crate) mod descriptor;
pub(crate) mod flags;
pub(crate) mod fork_gate;
pub(crate) mod peer_credentials;
pub(crate) mod signal;
pub(crate) mod stderr;
pub(crate) mod termination;
pub(crate) mod udp;
pub(crate) mod waker;
