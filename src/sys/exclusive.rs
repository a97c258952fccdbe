//! Waiting for one socket on several threads, of which each arrival wakes one.
//!
//! With `poll(2)` it wakes them all, and all but one have been woken for nothing. Linux can do better
//! with an epoll set for each thread. (Only for loops on threads of their own: a set that a forked
//! process inherits could be disturbed by it.)

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

pub(crate) use self::platform::ExclusiveWait;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod platform {
    use std::os::fd::OwnedFd;
    use std::time::Instant;

    use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
    use rustix::io::Errno;

    use super::*;
    use crate::sys::poll::timespec;

    /// The set of one thread.
    #[derive(Debug)]
    pub(crate) struct ExclusiveWait {
        set: OwnedFd,
    }

    const WAKER: u64 = 0;
    const SHARED: u64 = 1;

    impl ExclusiveWait {
        /// Readiness of `shared` is told to one of those who wait for it, that of `waker` to all.
        pub(crate) fn new(waker: BorrowedFd<'_>, shared: BorrowedFd<'_>) -> io::Result<Self> {
            let set = epoll::create(CreateFlags::CLOEXEC)?;
            epoll::add(&set, waker, EventData::new_u64(WAKER), EventFlags::IN)?;
            let exclusive = EventFlags::IN | EventFlags::EXCLUSIVE;
            epoll::add(&set, shared, EventData::new_u64(SHARED), exclusive)?;
            Ok(Self { set })
        }

        /// As [`wait_readable`](crate::sys::poll::wait_readable) for the two.
        pub(crate) fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<[bool; 2]> {
            let started = timeout.map(|_| Instant::now());
            let mut left = timeout;
            let none = Event {
                flags: EventFlags::empty(),
                data: EventData::new_u64(WAKER),
            };
            let mut events = [none; 2];
            loop {
                match epoll::wait(&self.set, &mut events[..], left.map(timespec).as_ref()) {
                    Ok(ready) => {
                        let ready = &events[..ready];
                        let of = |which| ready.iter().any(|event| event.data.u64() == which);
                        return Ok([of(WAKER), of(SHARED)]);
                    }
                    Err(Errno::INTR) => {
                        left = timeout
                            .zip(started)
                            .map(|(timeout, started)| timeout.saturating_sub(started.elapsed()));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod platform {
    use super::*;

    /// Not to be had here: `poll(2)` has to do.
    #[derive(Debug)]
    pub(crate) struct ExclusiveWait {
        never: std::convert::Infallible,
    }

    impl ExclusiveWait {
        pub(crate) fn new(_waker: BorrowedFd<'_>, _shared: BorrowedFd<'_>) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn wait_readable(&self, _timeout: Option<Duration>) -> io::Result<[bool; 2]> {
            match self.never {}
        }
    }
}
