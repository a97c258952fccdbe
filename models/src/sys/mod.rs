//! Stand-ins for the system. No model forks, and none has descriptors.

#[cfg(feature = "server")]
pub(crate) mod child_channel;
#[cfg(feature = "server")]
pub(crate) mod close_on_fork;
#[cfg(feature = "server")]
pub(crate) mod coarse_clock;
#[cfg(feature = "server")]
pub(crate) mod descriptor;
#[cfg(feature = "server")]
pub(crate) mod fd;
pub(crate) mod fork_gate;
#[cfg(feature = "server")]
pub(crate) mod poll;
#[cfg(feature = "server")]
pub(crate) mod waker;
