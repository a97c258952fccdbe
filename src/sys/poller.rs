//! Readiness of many descriptors: with `epoll(7)` on Linux, with `poll(2)` on other systems.

#[cfg(linux_api)]
mod epoll;
#[cfg(not(linux_api))]
mod portable;

#[cfg(linux_api)]
pub(crate) use self::epoll::Poller;
#[cfg(not(linux_api))]
pub(crate) use self::portable::Poller;

/// Readiness of one descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// The key that the descriptor was registered with.
    pub(crate) key: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The client has ended its side, or the connection is broken. Neither reads nor writes will wait
    /// again.
    pub(crate) hung_up: bool,
}

/// How a descriptor is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Reported by each wait while it is readable.
    Level,
    /// Like `Level`. If several pollers watch a descriptor this way, each readiness event ends the
    /// waits of one or more of them, not of all.
    LevelExclusive,
    /// Reported whenever it becomes readable and, with `writable`, whenever it becomes writable.
    Edge { writable: bool },
    /// Reported once, then no more until the next [`Poller::set`].
    OneShot { readable: bool, writable: bool },
}
