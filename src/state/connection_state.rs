//! The state of a connection that is visible outside its handler.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use crate::state::Activity;
use crate::sys::coarse_clock::Moment;

/// Counters, activity and end of one connection. Reads and writes update them at the cost of a few stores.
///
/// Each counter has one writer at a time: the handler for received bytes, the holder of the sending lock
/// for sent bytes. Therefore a load and a store are enough, and no atomic addition is needed.
#[derive(Debug)]
pub struct ConnectionState {
    id: u64,
    accepted_at: Moment,
    /// Bits of the `Moment` of the last read or write.
    last_io: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    activity: AtomicU8,
    /// The handshake is not complete, or the limits that need its result have not admitted the client yet.
    is_in_handshake: AtomicBool,
    /// The handshake was ended for lack of descriptors.
    is_evicted: AtomicBool,
    /// `BUSY`, `IDLE`, `IDLE_ENDED` or `BUSY_ENDED`.
    idle_state: AtomicU8,
    /// `FORCE_CLOSED` and `ENDED` in the low bits. Above them, the activity at the time of the force-close.
    end_state: AtomicU8,
}

/// The handler works on a message.
const BUSY: u8 = 0;
/// The handler waits for the next message.
const IDLE: u8 = 1;
/// As `IDLE`, and a stop has ended the reads.
const IDLE_ENDED: u8 = 2;
/// As `BUSY`, and a stop has ended the reads.
const BUSY_ENDED: u8 = 3;

/// The server has force-closed the connection.
const FORCE_CLOSED: u8 = 1;
/// The handler has ended.
const ENDED: u8 = 2;
/// Position of the activity in `end_state`.
const ACTIVITY_SHIFT: u32 = 2;

impl ConnectionState {
    /// State of a connection that is being accepted.
    pub(super) fn new(id: u64) -> Self {
        let now = Moment::now();
        Self {
            id,
            accepted_at: now,
            last_io: AtomicU64::new(now.to_bits()),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            activity: AtomicU8::new(Activity::Queued as u8),
            is_in_handshake: AtomicBool::new(false),
            is_evicted: AtomicBool::new(false),
            idle_state: AtomicU8::new(BUSY),
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
        self.last_io
            .store(Moment::now().to_bits(), Ordering::Relaxed);
    }

    /// Runs `work`, which may wait for the client, and shows `activity` meanwhile.
    #[inline]
    pub(crate) fn during<T>(&self, activity: Activity, work: impl FnOnce() -> T) -> T {
        self.set_activity(activity);
        let result = work();
        self.run();
        result
    }

    /// Sets the activity to [`Activity::Running`].
    #[inline]
    pub(crate) fn run(&self) {
        self.set_activity(Activity::Running);
    }

    #[inline]
    pub(crate) fn set_activity(&self, activity: Activity) {
        self.activity.store(activity as u8, Ordering::Relaxed);
    }

    /// Records that a handshake begins, or that the client is admitted after one.
    pub(crate) fn set_in_handshake(&self, is_in_handshake: bool) {
        self.is_in_handshake
            .store(is_in_handshake, Ordering::SeqCst);
    }

    /// Returns an error if messages of other threads must not reach the client yet.
    pub(crate) fn check_admitted(&self) -> io::Result<()> {
        if !self.is_in_handshake.load(Ordering::SeqCst) {
            return Ok(());
        }
        let message = "the handshake of this client is not complete";
        Err(io::Error::new(io::ErrorKind::NotConnected, message))
    }

    /// Records that the handshake is ended for lack of descriptors.
    pub(super) fn mark_evicted(&self) {
        self.is_evicted.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_evicted(&self) -> bool {
        self.is_evicted.load(Ordering::SeqCst)
    }

    /// Runs `wait`, in which the handler waits for the client's next message. A stop can end the connection
    /// meanwhile.
    pub(crate) fn while_idle<T>(&self, wait: impl FnOnce() -> T) -> T {
        let was_ended = self.idle_state.load(Ordering::SeqCst) == BUSY_ENDED;
        let idle = if was_ended { IDLE_ENDED } else { IDLE };
        self.idle_state.store(idle, Ordering::SeqCst);
        let result = wait();
        // Fails if a stop has ended the reads.
        let is_busy = self.exchange_idle_state(IDLE, BUSY);
        if !is_busy {
            self.idle_state.store(BUSY_ENDED, Ordering::SeqCst);
        }
        result
    }

    /// Records that a stop ends the reads. Returns `false` if the handler does not wait for the next message,
    /// or if they were ended before.
    pub(crate) fn end_idle(&self) -> bool {
        self.exchange_idle_state(IDLE, IDLE_ENDED)
    }

    /// Returns whether the handler waits for the client's next message, and no stop has ended the reads.
    pub(crate) fn is_idle(&self) -> bool {
        self.idle_state.load(Ordering::SeqCst) == IDLE
    }

    fn exchange_idle_state(&self, present: u8, new: u8) -> bool {
        let exchanged =
            self.idle_state
                .compare_exchange(present, new, Ordering::SeqCst, Ordering::SeqCst);
        exchanged.is_ok()
    }

    /// Returns whether a stop has ended the reads.
    pub(crate) fn reads_are_ended(&self) -> bool {
        matches!(
            self.idle_state.load(Ordering::SeqCst),
            IDLE_ENDED | BUSY_ENDED
        )
    }

    /// Returns whether a stop has ended the reads, and the handler does not wait for a message. If it reads the
    /// end of the stream, the rest of the present message may be missing.
    pub(crate) fn is_cut(&self) -> bool {
        self.idle_state.load(Ordering::SeqCst) == BUSY_ENDED
    }

    /// Records the end of the handler. Returns whether the connection was force-closed before.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        self.end_state.fetch_or(ENDED, Ordering::SeqCst) & FORCE_CLOSED != 0
    }

    /// Records a force-close and the present activity. Returns whether this is the first force-close
    /// and the handler has not ended.
    pub(crate) fn mark_force_closed(&self) -> bool {
        let force_closed = FORCE_CLOSED | self.present_activity() << ACTIVITY_SHIFT;
        let before = self
            .end_state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |end_state| {
                (end_state & FORCE_CLOSED == 0).then_some(end_state | force_closed)
            });
        before == Ok(0)
    }

    #[inline]
    pub(crate) fn is_force_closed(&self) -> bool {
        self.end_state.load(Ordering::SeqCst) & FORCE_CLOSED != 0
    }

    /// Returns whether the handler has ended and the connection does not linger.
    pub(crate) fn has_ended(&self) -> bool {
        self.end_state.load(Ordering::SeqCst) & ENDED != 0 && !self.is_lingering()
    }

    /// Runs `wait`, in which the server waits for the client after the end of the handler. A force-close ends it. Does
    /// not run it after a force-close.
    #[inline]
    pub(crate) fn while_lingering<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        // A force-close that this thread does not see yet sees that the connection lingers.
        self.activity
            .store(Activity::Lingering as u8, Ordering::SeqCst);
        let result = (!self.is_force_closed()).then(wait);
        self.run();
        result
    }

    /// Returns whether the server waits for the client after the end of the handler.
    pub(crate) fn is_lingering(&self) -> bool {
        self.activity.load(Ordering::SeqCst) == Activity::Lingering as u8
    }

    /// Number of this connection, unique in its server.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn accepted_at(&self) -> Moment {
        self.accepted_at
    }

    /// Time of the last read or write.
    pub(super) fn last_io(&self) -> Moment {
        Moment::from_bits(self.last_io.load(Ordering::Relaxed))
    }

    /// Returns the present activity, or, for a force-closed connection, the activity at that time.
    pub(super) fn activity(&self) -> Activity {
        let end_state = self.end_state.load(Ordering::SeqCst);
        Activity::from_u8(if end_state & FORCE_CLOSED != 0 {
            end_state >> ACTIVITY_SHIFT
        } else {
            self.present_activity()
        })
    }

    fn present_activity(&self) -> u8 {
        let activity = self.activity.load(Ordering::Relaxed);
        let is_idle = self.idle_state.load(Ordering::Relaxed) == IDLE;
        if is_idle && activity == Activity::Reading as u8 {
            Activity::Idle as u8
        } else {
            activity
        }
    }

    /// Numbers of bytes received and sent.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.received), load(&self.sent))
    }
}

fn add(counter: &AtomicU64, bytes: usize) {
    let before = counter.load(Ordering::Relaxed);
    counter.store(before + bytes as u64, Ordering::Relaxed);
}
