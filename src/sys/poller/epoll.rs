//! Poller that uses `epoll(7)`.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use crate::sys::fd::{AsFd, BorrowedFd, OwnedFd};
use crate::sys::poll::timespec;
use crate::sys::poller::{Event, Watch};

/// An epoll set. A descriptor stays registered until it is closed or removed.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    /// Whether [`Watch::Edge`] is available.
    pub(crate) const HAS_EDGES: bool = true;
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

    /// Stops watching a descriptor.
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>, _key: u64) {
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Does nothing, because a descriptor that is not watched by level costs nothing until it is closed.
    pub(crate) fn forget(&self, _key: u64) {}

    /// Watches another poller. While one of its descriptors is ready, each wait reports `key`.
    pub(crate) fn add_poller(&self, inner: &Self, key: u64) -> io::Result<()> {
        self.add(inner.epoll.as_fd(), key, Watch::Level)
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

fn flags(watch: Watch) -> EventFlags {
    let flag = |wanted, flag| if wanted { flag } else { EventFlags::empty() };
    match watch {
        Watch::Level => EventFlags::IN,
        Watch::LevelExclusive => EventFlags::IN | EventFlags::EXCLUSIVE,
        Watch::Edge { writable } => {
            EventFlags::IN | EventFlags::RDHUP | EventFlags::ET | flag(writable, EventFlags::OUT)
        }
        Watch::OneShot { readable, writable } => {
            EventFlags::ONESHOT
                | flag(readable, EventFlags::IN | EventFlags::RDHUP)
                | flag(writable, EventFlags::OUT)
        }
    }
}
