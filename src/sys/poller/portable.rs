//! Poller that uses `poll(2)`, which all systems have.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::PollFlags;

use crate::sys::fd::{AsRawFd, BorrowedFd, RawFd};
use crate::sys::poll::wait_until_ready;
use crate::sys::poller::{Event, Watch};

/// A table of descriptors, which each wait passes to `poll(2)`. A descriptor must be removed before it is
/// closed.
#[derive(Debug, Default)]
pub(crate) struct Poller {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    /// Watched descriptors, by key.
    entries: BTreeMap<u64, Entry>,
    /// Another poller, and the key under which its readiness is reported.
    inner: Option<(u64, Arc<Mutex<Table>>)>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    fd: RawFd,
    flags: PollFlags,
    is_one_shot: bool,
}

/// A descriptor that a wait passes to `poll(2)`.
#[derive(Clone, Copy)]
struct Polled {
    /// Key of its event. The descriptors of an inner poller share one.
    key: u64,
    entry: Entry,
    is_inner: bool,
}

impl Poller {
    /// Whether [`Watch::Edge`] is available. Otherwise, [`Watch::OneShot`] takes its place.
    pub(crate) const HAS_EDGES: bool = false;

    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self::default())
    }

    /// Watches a descriptor.
    ///
    /// # Errors
    ///
    /// For [`Watch::LevelExclusive`] and [`Watch::Edge`], which `poll(2)` does not have.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, key: u64, watch: Watch) -> io::Result<()> {
        let (readable, writable, is_one_shot) = match watch {
            Watch::Level => (true, false, false),
            Watch::OneShot { readable, writable } => (readable, writable, true),
            Watch::LevelExclusive | Watch::Edge { .. } => {
                return Err(io::ErrorKind::Unsupported.into());
            }
        };
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, readable);
        flags.set(PollFlags::OUT, writable);
        let fd = fd.as_raw_fd();
        let entry = Entry {
            fd,
            flags,
            is_one_shot,
        };
        self.table.lock().entries.insert(key, entry);
        Ok(())
    }

    /// Changes how a descriptor is watched.
    pub(crate) fn change(&self, fd: BorrowedFd<'_>, key: u64, watch: Watch) -> io::Result<()> {
        self.add(fd, key, watch)
    }

    /// Calls [`add`](Self::add), whether the descriptor is watched or not.
    pub(crate) fn set(&self, fd: BorrowedFd<'_>, key: u64, watch: Watch) -> io::Result<()> {
        self.add(fd, key, watch)
    }

    /// Stops watching the descriptor with this key.
    pub(crate) fn remove(&self, _fd: BorrowedFd<'_>, key: u64) {
        self.forget(key);
    }

    /// Like [`remove`](Self::remove), for a descriptor that may be closed.
    pub(crate) fn forget(&self, key: u64) {
        self.table.lock().entries.remove(&key);
    }

    /// Watches the descriptors of another poller. While one of them is ready, each wait reports `key`.
    pub(crate) fn add_poller(&self, inner: &Self, key: u64) -> io::Result<()> {
        self.table.lock().inner = Some((key, Arc::clone(&inner.table)));
        Ok(())
    }

    /// Waits until a descriptor is ready, at most `timeout`, and calls `on_event` for each that is.
    /// `None` waits without limit.
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        mut on_event: impl FnMut(Event),
    ) -> io::Result<()> {
        let polled = self.table.lock().polled();
        let ready = wait_for_any(&polled, timeout)?;
        let mut is_inner_reported = false;
        for (polled, flags) in ready {
            let event = event(polled.key, flags);
            if polled.is_inner {
                // Its own wait reports the descriptors.
                if !is_inner_reported {
                    on_event(event);
                }
                is_inner_reported = true;
                continue;
            }
            if polled.entry.is_one_shot {
                self.forget(polled.key);
            }
            on_event(event);
        }
        Ok(())
    }
}

impl Table {
    fn polled(&self) -> Vec<Polled> {
        let own = self.entries.iter().map(|(&key, &entry)| Polled {
            key,
            entry,
            is_inner: false,
        });
        let mut polled: Vec<_> = own.collect();
        if let Some((key, inner)) = &self.inner {
            polled.extend(inner.lock().entries.values().map(|&entry| Polled {
                key: *key,
                entry,
                is_inner: true,
            }));
        }
        polled
    }
}

/// Returns the descriptors that are ready, and in which way.
fn wait_for_any(
    polled: &[Polled],
    timeout: Option<Duration>,
) -> io::Result<Vec<(Polled, PollFlags)>> {
    let fds: Vec<_> = polled.iter().map(|polled| fd(polled.entry)).collect();
    let ready = polled.iter().copied().zip(wait_until_ready(&fds, timeout)?);
    Ok(ready.filter(|(_, flags)| !flags.is_empty()).collect())
}

fn fd(entry: Entry) -> (BorrowedFd<'static>, PollFlags) {
    // SAFETY: the caller of `add` removes the descriptor before it closes it. If it did not, `poll(2)` would
    // report this, or the readiness of another descriptor with this number. A wrong event has no effect but
    // an attempt to read or write that fails with `WouldBlock`.
    let fd = unsafe { BorrowedFd::borrow_raw(entry.fd) };
    (fd, entry.flags)
}

fn event(key: u64, flags: PollFlags) -> Event {
    let hung_up = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    Event {
        key,
        // On Windows, `IN` has two bits, of which one is reported.
        readable: flags.intersects(PollFlags::IN),
        writable: flags.intersects(PollFlags::OUT),
        hung_up: flags.intersects(hung_up),
    }
}
