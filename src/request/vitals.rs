//! What is known about a live connection, from outside its handler.

use std::sync::Weak;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::info::{Activity, RequestInfo};
use super::sender::LiveConnection;
use crate::ServerHandle;
use crate::address::ServerAddress;
use crate::sys::clock::Moment;

/// The part of a connection that others look at while its handler works: kept by whoever reads and
/// writes, at the cost of a few stores. It is also the connection's place in the server's registry,
/// which it leaves when it is dropped.
///
/// Each number has one writer at a time: what was received, the handler; what was sent, whoever has the
/// turn to send. So they are stored, not added to.
#[derive(Debug)]
pub struct Vitals {
    pub(super) server: ServerHandle,
    place: usize,
    id: u64,
    began: Moment,
    /// When something last went over the connection.
    last: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    activity: AtomicU8,
    /// `CUT` and `ENDED`, whichever came first, and above them what the handler was doing when it was cut.
    fate: AtomicU8,
}

/// The server has cut the connection, to stop.
const CUT: u8 = 1;
/// The handler is done.
const ENDED: u8 = 2;
/// Where in the fate the activity begins.
const CUT_IN: u32 = 2;

impl Vitals {
    /// Those of a connection that was accepted just now.
    pub(super) fn begin(server: &ServerHandle, connection: Weak<dyn LiveConnection>) -> Self {
        let (place, id) = server.0.connections.register(connection);
        let now = Moment::now();
        Self {
            server: server.clone(),
            place,
            id,
            began: now,
            last: AtomicU64::new(now.to_bits()),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            activity: AtomicU8::new(Activity::Waiting as u8),
            fate: AtomicU8::new(0),
        }
    }

    #[inline]
    pub(super) fn count_received(&self, bytes: usize) {
        add(&self.received, bytes);
        self.touch();
    }

    #[inline]
    pub(super) fn count_sent(&self, bytes: usize) {
        add(&self.sent, bytes);
        self.touch();
    }

    #[inline]
    fn touch(&self) {
        self.last.store(Moment::now().to_bits(), Ordering::Relaxed);
    }

    /// Does what may take as long as the client likes.
    #[inline]
    pub(super) fn during<T>(&self, activity: Activity, work: impl FnOnce() -> T) -> T {
        self.activity.store(activity as u8, Ordering::Relaxed);
        let result = work();
        self.run();
        result
    }

    /// The handler is at work from now on.
    #[inline]
    pub(crate) fn run(&self) {
        let running = Activity::Running as u8;
        self.activity.store(running, Ordering::Relaxed);
    }

    /// The handler is done. Returns whether the connection was cut before.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        self.fate.fetch_or(ENDED, Ordering::SeqCst) & CUT != 0
    }

    /// The connection is cut, to stop. Returns whether this is the first time, and in time.
    pub(super) fn cut(&self) -> bool {
        let cut = CUT | self.activity.load(Ordering::Relaxed) << CUT_IN;
        let before = self
            .fate
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |fate| {
                (fate & CUT == 0).then_some(fate | cut)
            });
        before == Ok(0)
    }

    #[inline]
    pub(super) fn is_cut(&self) -> bool {
        self.fate.load(Ordering::SeqCst) & CUT != 0
    }

    /// Whether nobody has to wait for it any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.fate.load(Ordering::SeqCst) & ENDED != 0 && !self.is_lingering()
    }

    /// Whether it has ended, and waits for its client to do so.
    pub(super) fn is_lingering(&self) -> bool {
        self.activity.load(Ordering::Relaxed) == Activity::Lingering as u8
    }

    /// When it was accepted.
    pub(crate) fn began(&self) -> Moment {
        self.began
    }

    pub(crate) fn bytes(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.received), load(&self.sent))
    }

    /// All of it, as it is now; of a connection that was cut, what it was doing then.
    pub(crate) fn info(&self, client_address: ServerAddress) -> RequestInfo {
        let fate = self.fate.load(Ordering::SeqCst);
        let activity = if fate & CUT != 0 {
            fate >> CUT_IN
        } else {
            self.activity.load(Ordering::Relaxed)
        };
        let (received, sent) = self.bytes();
        let now = Moment::now();
        RequestInfo {
            id: self.id,
            client_address,
            age: now.since(self.began),
            idle: now.since(Moment::from_bits(self.last.load(Ordering::Relaxed))),
            activity: Activity::of(activity),
            bytes_received: received,
            bytes_sent: sent,
            process_id: None,
            sender: None,
        }
    }
}

fn add(counter: &AtomicU64, bytes: usize) {
    let before = counter.load(Ordering::Relaxed);
    counter.store(before + bytes as u64, Ordering::Relaxed);
}

impl Drop for Vitals {
    fn drop(&mut self) {
        let (received, sent) = self.bytes();
        let core = &self.server.0;
        core.connections.unregister(self.place, received, sent);
        core.announce_descriptor();
    }
}
