//! System calls that only Unix systems have.

pub(crate) mod child_channel;
pub(crate) mod child_process;
pub(crate) mod close_on_fork;
pub(crate) mod descriptor;
pub(crate) mod flags;
pub(crate) mod fork;
pub(crate) mod fork_gate;
pub(crate) mod peer_credentials;
pub(crate) mod signal;
mod signal_mask;
pub(crate) mod socket_access;
pub(crate) mod socket_file;
pub(crate) mod stderr;
pub(crate) mod termination;
mod thread_list;
pub(crate) mod udp;
pub(crate) mod unix_address;
pub(crate) mod unix_sockets;
pub(crate) mod waker;
