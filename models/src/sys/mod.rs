//! Stand-ins for the crate's system calls.

#[cfg(feature = "server")]
pub(crate) mod child_channel;
#[cfg(feature = "server")]
pub(crate) mod close_on_fork;
pub(crate) mod fork_gate;
pub(crate) mod waker;
