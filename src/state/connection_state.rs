//! What is known about a live connection, from outside its handler.

use std::sync::Weak;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::address::SocketAddress;
use crate::state::sender::LiveConnection;
use crate::state::{Activity, RequestInfo, ServerHandle};
use crate::sys::coarse_clock::Moment;

/// The part of a connection that others look at while its handler works: kept by whoever reads and
/// writes, at the cost of a few stores. It is also the connection's place in the server's registry,
/// which it leaves when it is dropped.
///
/// Each number has one writer at a time: what was received, the handler; what was sent, whoever has the
/// turn to send. So they are stored, not added to.
#[derive(Debug)]
pub struct ConnectionState {
    pub(crate) server: ServerHandle,
    place: usize,
    id: u64,
    began: Moment,
    /// When something last went over the connection.
    last: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    activity: AtomicU8,
    /// `CUT` and `ENDED`, whichever came first, and above them what the handler was doing when it was cut.
    end_state: AtomicU8,
}

/// The server has cut the connection, to stop.
const CUT: u8 = 1;
/// The handler is done.
const ENDED: u8 = 2;
/// Where in the end_state the activity begins.
const CUT_IN: u32 = 2;

impl ConnectionState {
    /// Those of a connection that was accepted just now.
    pub(crate) fn begin(server: &ServerHandle, connection: Weak<dyn LiveConnection>) -> Self {
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
            end_state: AtomicU8::new(0),
        }
    }

    #[inline]
    pub(crate) fn count_received(&self, bytes: usize) {
        add(&self.received, bytes);
        self.touch();
    }

    #[inline]
    pub(crate) fn count_sent(&self, bytes: usize) {
        add(&self.sent, bytes);
        self.touch();
    }

    #[inline]
    fn touch(&self) {
        self.last.store(Moment::now().to_bits(), Ordering::Relaxed);
    }

    /// Does what may take as long as the client likes.
    #[inline]
    pub(crate) fn during<T>(&self, activity: Activity, work: impl FnOnce() -> T) -> T {
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
        self.end_state.fetch_or(ENDED, Ordering::SeqCst) & CUT != 0
    }

    /// The connection is cut, to stop. Returns whether this is the first time, and in time.
    pub(crate) fn cut(&self) -> bool {
        let cut = CUT | self.activity.load(Ordering::Relaxed) << CUT_IN;
        let before = self
            .end_state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |end_state| {
                (end_state & CUT == 0).then_some(end_state | cut)
            });
        before == Ok(0)
    }

    #[inline]
    pub(crate) fn is_force_closed(&self) -> bool {
        self.end_state.load(Ordering::SeqCst) & CUT != 0
    }

    /// Whether nobody has to wait for it any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.end_state.load(Ordering::SeqCst) & ENDED != 0 && !self.is_lingering()
    }

    /// Whether it has ended, and waits for its client to do so.
    pub(crate) fn is_lingering(&self) -> bool {
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
    pub(crate) fn info(&self, client_address: SocketAddress) -> RequestInfo {
        let end_state = self.end_state.load(Ordering::SeqCst);
        let activity = if end_state & CUT != 0 {
            end_state >> CUT_IN
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

impl Drop for ConnectionState {
    fn drop(&mut self) {
        let (received, sent) = self.bytes();
        let state = &self.server.0;
        state.connections.unregister(self.place, received, sent);
        state.announce_descriptor();
    }
}
