//! Which of a worker's sockets are ready.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

pub(crate) use self::platform::Poller;

/// What became of a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// What the socket was registered under.
    pub(crate) key: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The client has ended its side, or the connection is broken: neither will ever wait again.
    pub(crate) over: bool,
}

/// How a socket is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Told as long as it is readable.
    Level,
    /// Told when it becomes readable, or, with `writable`, when it becomes that.
    Edge { writable: bool },
    /// Told once that it has become ready for this.
    Once { readable: bool, writable: bool },
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod platform {
    use std::cell::RefCell;
    use std::os::fd::{AsFd, OwnedFd};

    use rustix::buffer::spare_capacity;
    use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
    use rustix::io::Errno;

    use super::*;
    use crate::sys::poll::timespec;

    /// An epoll set: what is registered stays so until its descriptor is closed.
    pub(crate) struct Poller {
        set: OwnedFd,
        events: RefCell<Vec<epoll::Event>>,
    }

    impl Poller {
        /// How many events are taken at once: enough to share the cost of the call, few enough for new
        /// connections not to wait long.
        const EVENTS: usize = 128;

        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self {
                set: epoll::create(CreateFlags::CLOEXEC)?,
                events: RefCell::new(Vec::with_capacity(Self::EVENTS)),
            })
        }

        pub(crate) fn add(&self, fd: BorrowedFd<'_>, key: u64, watch: Watch) -> io::Result<()> {
            Ok(epoll::add(
                &self.set,
                fd,
                EventData::new_u64(key),
                flags(watch),
            )?)
        }

        /// Watches what is watched already in another way; reports what is ready by now.
        pub(crate) fn change(&self, fd: BorrowedFd<'_>, key: u64, watch: Watch) -> io::Result<()> {
            Ok(epoll::modify(
                &self.set,
                fd,
                EventData::new_u64(key),
                flags(watch),
            )?)
        }

        /// The same, whether or not it is watched already.
        pub(crate) fn set(&self, fd: BorrowedFd<'_>, key: u64, watch: Watch) -> io::Result<()> {
            match self.change(fd, key, watch) {
                Err(error) if Errno::from_io_error(&error) == Some(Errno::NOENT) => {
                    self.add(fd, key, watch)
                }
                changed => changed,
            }
        }

        pub(crate) fn remove(&self, fd: BorrowedFd<'_>) {
            let _ = epoll::delete(&self.set, fd);
        }

        /// Waits until something is ready, at most `timeout`, and calls `tell` for each. A signal ends
        /// the wait early.
        pub(crate) fn wait(
            &self,
            timeout: Option<Duration>,
            mut tell: impl FnMut(Event),
        ) -> io::Result<()> {
            let mut events = self.events.borrow_mut();
            events.clear();
            let timeout = timeout.map(timespec);
            match epoll::wait(&self.set, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let over = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
            for event in events.iter() {
                // It is packed.
                let (flags, key) = (event.flags, event.data.u64());
                tell(Event {
                    key,
                    readable: flags.contains(EventFlags::IN),
                    writable: flags.contains(EventFlags::OUT),
                    over: flags.intersects(over),
                });
            }
            Ok(())
        }
    }

    impl AsFd for Poller {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.set.as_fd()
        }
    }

    fn flags(watch: Watch) -> EventFlags {
        let flag = |wanted, flag| if wanted { flag } else { EventFlags::empty() };
        match watch {
            Watch::Level => EventFlags::IN,
            Watch::Edge { writable } => {
                EventFlags::IN
                    | EventFlags::RDHUP
                    | EventFlags::ET
                    | flag(writable, EventFlags::OUT)
            }
            Watch::Once { readable, writable } => {
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

    /// Not to be had here: `Poller::new` says so.
    pub(crate) struct Poller {
        never: Infallible,
    }

    impl Poller {
        pub(crate) fn new() -> io::Result<Self> {
            Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the coroutines of this library need epoll, which this system does not have: take \
                 another strategy, such as `Threading`",
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
