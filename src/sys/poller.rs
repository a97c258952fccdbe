//! Readiness of many descriptors, with `epoll(7)`.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

pub(crate) use self::platform::Poller;

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

#[cfg(any(target_os = "linux", target_os = "android"))]
mod platform {
    use std::mem::MaybeUninit;
    use std::os::fd::{AsFd, OwnedFd};

    use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
    use rustix::io::Errno;

    use super::*;
    use crate::sys::poll::timespec;

    /// An epoll set. A descriptor stays registered until it is closed or removed.
    #[derive(Debug)]
    pub(crate) struct Poller {
        epoll: OwnedFd,
    }

    impl Poller {
        /// The most events that one wait reports: enough to share the cost of the system call, and few
        /// enough that new connections do not wait long.
        const MAX_EVENTS: usize = 128;

        pub(crate) fn new() -> io::Result<Self> {
            let epoll = epoll::create(CreateFlags::CLOEXEC)?;
            Ok(Self { epoll })
        }

        pub(crate) fn add(&self, fd: BorrowedFd<'_>, key: u64, watch: Watch) -> io::Result<()> {
            let data = EventData::new_u64(key);
            Ok(epoll::add(&self.epoll, fd, data, flags(watch))?)
        }

        /// Changes how a registered descriptor is watched. The next wait reports it if it is ready.
        pub(crate) fn change(&self, fd: BorrowedFd<'_>, key: u64, watch: Watch) -> io::Result<()> {
            let data = EventData::new_u64(key);
            Ok(epoll::modify(&self.epoll, fd, data, flags(watch))?)
        }

        /// Calls [`change`](Self::change) or, if the descriptor is not registered, [`add`](Self::add).
        pub(crate) fn set(&self, fd: BorrowedFd<'_>, key: u64, watch: Watch) -> io::Result<()> {
            match self.change(fd, key, watch) {
                Err(error) if Errno::from_io_error(&error) == Some(Errno::NOENT) => {
                    self.add(fd, key, watch)
                }
                changed => changed,
            }
        }

        pub(crate) fn remove(&self, fd: BorrowedFd<'_>) {
            let _ = epoll::delete(&self.epoll, fd);
        }

        /// Waits until a descriptor is ready, at most `timeout`, and calls `on_event` for each that is.
        /// `None` waits without limit. A signal ends the wait early, without an event.
        pub(crate) fn wait(
            &self,
            timeout: Option<Duration>,
            mut on_event: impl FnMut(Event),
        ) -> io::Result<()> {
            let mut buffer = [const { MaybeUninit::uninit() }; Self::MAX_EVENTS];
            let timeout = timeout.map(timespec);
            let events = match epoll::wait(&self.epoll, &mut buffer, timeout.as_ref()) {
                Ok((events, _)) => events,
                Err(Errno::INTR) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let hung_up = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
            for event in events {
                // Copies, because `epoll::Event` is packed.
                let (flags, key) = (event.flags, event.data.u64());
                on_event(Event {
                    key,
                    readable: flags.contains(EventFlags::IN),
                    writable: flags.contains(EventFlags::OUT),
                    hung_up: flags.intersects(hung_up),
                });
            }
            Ok(())
        }
    }

    impl AsFd for Poller {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.epoll.as_fd()
        }
    }

    fn flags(watch: Watch) -> EventFlags {
        let flag = |wanted, flag| if wanted { flag } else { EventFlags::empty() };
        match watch {
            Watch::Level => EventFlags::IN,
            Watch::LevelExclusive => EventFlags::IN | EventFlags::EXCLUSIVE,
            Watch::Edge { writable } => {
                EventFlags::IN
                    | EventFlags::RDHUP
                    | EventFlags::ET
                    | flag(writable, EventFlags::OUT)
            }
            Watch::OneShot { readable, writable } => {
                EventFlags::ONESHOT
                    | flag(readable, EventFlags::IN | EventFlags::RDHUP)
                    | flag(writable, EventFlags::OUT)
            }
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod platform {
    use std::convert::Infallible;
    use std::os::fd::AsFd;

    use super::*;

    /// Not available on this system: `Poller::new` returns an error.
    #[derive(Debug)]
    pub(crate) struct Poller {
        never: Infallible,
    }

    impl Poller {
        pub(crate) fn new() -> io::Result<Self> {
            Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "`Coroutines` needs epoll(7), which this system does not have: use another strategy, \
                 such as `Threading`",
            ))
        }

        pub(crate) fn add(&self, _: BorrowedFd<'_>, _: u64, _: Watch) -> io::Result<()> {
            match self.never {}
        }

        pub(crate) fn change(&self, _: BorrowedFd<'_>, _: u64, _: Watch) -> io::Result<()> {
            match self.never {}
        }

        pub(crate) fn set(&self, _: BorrowedFd<'_>, _: u64, _: Watch) -> io::Result<()> {
            match self.never {}
        }

        pub(crate) fn remove(&self, _: BorrowedFd<'_>) {
            match self.never {}
        }

        pub(crate) fn wait(&self, _: Option<Duration>, _: impl FnMut(Event)) -> io::Result<()> {
            match self.never {}
        }
    }

    impl AsFd for Poller {
        fn as_fd(&self) -> BorrowedFd<'_> {
            match self.never {}
        }
    }
}
