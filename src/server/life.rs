//! The life cycle as such: who may serve when, what a stop means in which phase, and who waits for what.

use std::fmt;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sys::condition::Monitor;

/// Where a server is in its life; from [`ServerHandle::phase`](crate::ServerHandle::phase).
///
/// | phase | new clients | running requests | it ends |
/// | --- | --- | --- | --- |
/// | `Bound` | wait in the kernel's queue | go on | when somebody serves, or closes |
/// | `Serving` | are taken in | run | by a stop |
/// | `LameDuck` | are taken in | run | when [`lame_duck`](crate::Server::lame_duck) is over |
/// | `Draining` | those in the queue are [served or refused](crate::Server::waiting_clients), others refused by the system | go on | when none is left, or the [grace period](crate::Server::grace) is over |
/// | `Closing` | are refused by the system | are cut off | when none is left, or after [`closing_time`](crate::Server::closing_time) |
/// | `Stopped` | are refused by the system | were abandoned, if there are any | |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// It does not serve: not yet, not any more, or not right now.
    Bound,
    /// It serves.
    Serving,
    /// A stop was asked for. It serves on for a while, so that whoever sends clients here can notice.
    LameDuck,
    /// It takes in nobody new, and waits for running requests.
    Draining,
    /// The grace period is over: connections are cut, so that handlers that wait for their clients end.
    Closing,
    /// It is closed.
    Stopped,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bound => "bound",
            Self::Serving => "serving",
            Self::LameDuck => "lame duck",
            Self::Draining => "draining",
            Self::Closing => "closing",
            Self::Stopped => "stopped",
        })
    }
}

/// What can be chosen about the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) lame_duck: Duration,
    pub(crate) grace: Duration,
    pub(crate) spread: Duration,
    pub(crate) closing: Duration,
}

impl Patience {
    pub(crate) const DEFAULT: Self = Self {
        lame_duck: Duration::ZERO,
        grace: Duration::from_secs(2),
        spread: Duration::ZERO,
        closing: Duration::from_millis(150),
    };

    /// How long those have at least who are cut off last.
    pub(crate) fn last_words(&self) -> Duration {
        if self.spread > Duration::ZERO {
            self.closing
        } else {
            self.closing / 3
        }
    }
}

/// The state machine, and copies of what hot paths need of it.
///
/// `Life` is the truth, and changes of it are announced. All orderings are `SeqCst`: a stop is decided
/// by who sees whose store first, and none of these is hot enough to argue about less.
pub(crate) struct LifeCycle<Before> {
    life: Monitor<Life<Before>>,
    /// `Life::stop`, for the accept loops.
    stopping: AtomicBool,
    /// A stop was asked for since the server has begun to serve, or it is being closed.
    shutting_down: AtomicBool,
    /// It is being closed, for good.
    closing: AtomicBool,
    /// How many `serve_forever`s have ended.
    ended_runs: AtomicU64,
}

/// Where the server is in its life.
pub(crate) struct Life<Before> {
    state: State,
    /// A stop was asked for and not yet carried out.
    stop: bool,
    /// A stop was asked for and will be carried out later.
    lame: bool,
    /// Which run of the accept loop this is, or was: somebody who waits for the end of one must not
    /// take the next for it.
    run: u64,
    how: Run,
    patience: Patience,
    /// When running requests are cut, once that is known; `None` inside is never.
    cut_at: Option<Option<Instant>>,
    /// What was counted before the stop, and when that was.
    before: Option<(Before, Instant)>,
    /// A thread watches over the grace period of the current stop.
    watched: bool,
    /// The grace period was over, and running requests were cut then.
    cut: bool,
    /// Those who wait in the listener's queue are being served, to close it.
    serving_queue: bool,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not serving yet: a stop is remembered for the run to come.
    New,
    /// `spawn` or `serve_forever` was called.
    Serving,
    /// Served before: a stop would come too late for that run, and must not end the next one.
    Served,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Draining,
    Closing,
    Stopped,
}

/// How a run of the accept loop ends by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// `serve_forever`: only by a stop.
    Forever,
    /// `handle_request`: after one request or its timeout. A stop that comes in between two of
    /// these is kept for the next.
    Once,
}

/// What has to be done about a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nothing more.
    Asked,
    /// Nothing more: it was asked for before.
    Again,
    /// Somebody has to carry it out later: [`LifeCycle::finish_lame_duck`].
    Later { run: u64 },
    /// It came too late.
    Ignored,
}

impl<Before> Life<Before> {
    /// Whether this run of the accept loop is still going on.
    fn is_serving(&self, run: u64) -> bool {
        self.state == State::Serving && self.run == run
    }

    /// Running requests are cut after the grace period, which begins `after` now, or has begun already.
    fn set_cut(&mut self, after: Duration, before: impl FnOnce() -> Before) {
        if self.cut_at.is_none() {
            let patience = after.checked_add(self.patience.grace);
            self.cut_at = Some(patience.and_then(|patience| Instant::now().checked_add(patience)));
            self.before = Some((before(), Instant::now()));
        }
    }
}

impl<Before: Clone> LifeCycle<Before> {
    pub(crate) fn new() -> Self {
        Self {
            life: Monitor::new(Life {
                state: State::New,
                stop: false,
                lame: false,
                run: 0,
                how: Run::Once,
                patience: Patience::DEFAULT,
                cut_at: None,
                before: None,
                watched: false,
                cut: false,
                serving_queue: false,
                end: End::Open,
            }),
            stopping: AtomicBool::new(false),
            shutting_down: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            ended_runs: AtomicU64::new(0),
        }
    }

    // ---- what can be asked ----

    pub(crate) fn phase(&self) -> Phase {
        let life = self.life.lock();
        match (life.end, life.state) {
            (End::Stopped, _) => Phase::Stopped,
            (End::Closing, _) => Phase::Closing,
            (End::Draining, _) => Phase::Draining,
            (End::Open, State::Serving) if life.lame => Phase::LameDuck,
            (End::Open, State::Serving) if life.stop => Phase::Draining,
            (End::Open, State::Serving) => Phase::Serving,
            (End::Open, _) => Phase::Bound,
        }
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::SeqCst)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    pub(crate) fn ended_runs(&self) -> u64 {
        self.ended_runs.load(Ordering::SeqCst)
    }

    pub(crate) fn patience(&self) -> Patience {
        self.life.lock().patience
    }

    pub(crate) fn change_patience(&self, change: impl FnOnce(&mut Patience)) {
        change(&mut self.life.lock().patience);
    }

    /// When running requests are cut, if that is known yet and ever comes.
    pub(crate) fn cut_at(&self) -> Option<Instant> {
        self.life.lock().cut_at.flatten()
    }

    /// What was counted before the stop.
    pub(crate) fn before(&self) -> Option<Before> {
        let life = self.life.lock();
        life.before.as_ref().map(|(before, _)| before.clone())
    }

    /// How long ago the stop was asked for.
    pub(crate) fn since_stop(&self) -> Duration {
        let life = self.life.lock();
        let since = life.before.as_ref().map(|(_, then)| then.elapsed());
        since.unwrap_or_default()
    }

    // ---- serving ----

    /// Enters a run of the accept loop, unless one is going on: it lasts until
    /// [`end_run`](Self::end_run). A stop that was asked for before is still pending.
    pub(crate) fn begin_run(&self, how: Run) -> bool {
        let mut life = self.life.lock();
        if life.state == State::Serving {
            return false;
        }
        life.state = State::Serving;
        life.how = how;
        life.run += 1;
        life.cut_at = None;
        life.before = None;
        life.cut = false;
        let stop = life.stop;
        self.shutting_down.store(stop, Ordering::SeqCst);
        true
    }

    pub(crate) fn end_run(&self, clear: impl FnOnce()) {
        let mut life = self.life.lock();
        match life.how {
            Run::Forever => {
                life.state = State::Served;
                self.ended_runs.fetch_add(1, Ordering::SeqCst);
                // Whatever made it end, a stop that was asked for meanwhile is carried out.
                self.take_stop(&mut life, clear);
            }
            Run::Once => life.state = State::New,
        }
        life.lame = false;
        life.watched = false;
        self.life.notify_all();
    }

    /// In a copy of this that nobody can change: what was asked for shows.
    pub(crate) fn mark_stopped(&self) {
        self.shutting_down.store(true, Ordering::SeqCst);
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Whether a stop was asked for; the request is used up. `clear` takes back all wake-ups so far.
    pub(crate) fn consume_stop(&self, clear: impl FnOnce()) -> bool {
        let mut life = self.life.lock();
        let stop = life.stop;
        self.take_stop(&mut life, clear);
        if stop && life.end == End::Open {
            self.shutting_down.store(false, Ordering::SeqCst);
        }
        stop
    }

    fn take_stop(&self, life: &mut Life<Before>, clear: impl FnOnce()) {
        life.stop = false;
        self.stopping.store(false, Ordering::SeqCst);
        clear();
    }

    // ---- stopping ----

    /// Asks the accept loops to leave. Never waits. `wake` ends their waits; `before` says what was
    /// counted so far. One `by_signal` is remembered between two runs, too.
    pub(crate) fn stop(
        &self,
        by_signal: bool,
        wake: impl FnOnce(),
        before: impl FnOnce() -> Before,
    ) -> Stop {
        let mut life = self.life.lock();
        if life.state == State::Served && !by_signal {
            return Stop::Ignored;
        }
        if life.lame {
            return Stop::Again;
        }
        let again = life.stop;
        let serving = life.state == State::Serving && life.how == Run::Forever;
        let lame_duck = life.patience.lame_duck;
        if serving && !life.stop && lame_duck > Duration::ZERO {
            life.lame = true;
            life.set_cut(lame_duck, before);
            self.shutting_down.store(true, Ordering::SeqCst);
            self.life.notify_all();
            return Stop::Later { run: life.run };
        }
        self.stop_now(life, wake, before);
        if again { Stop::Again } else { Stop::Asked }
    }

    fn stop_now(
        &self,
        mut life: MutexGuard<'_, Life<Before>>,
        wake: impl FnOnce(),
        before: impl FnOnce() -> Before,
    ) {
        life.stop = true;
        life.lame = false;
        if life.state == State::Serving {
            life.set_cut(Duration::ZERO, before);
        }
        self.shutting_down.store(true, Ordering::SeqCst);
        self.stopping.store(true, Ordering::SeqCst);
        wake();
        self.life.notify_all();
    }

    /// Carries out a stop that was to come later, when the time has come, or at `once`. Returns whether
    /// it did: the run may have ended by itself.
    pub(crate) fn finish_lame_duck(
        &self,
        run: u64,
        once: bool,
        wake: impl FnOnce(),
        before: impl FnOnce() -> Before,
    ) -> bool {
        let life = self.life.lock();
        let deadline = Instant::now().checked_add(life.patience.lame_duck);
        let lame = |life: &Life<Before>| life.lame && life.is_serving(run);
        let life = if once {
            life
        } else {
            self.life.wait_while(life, deadline, lame).0
        };
        let is_due = lame(&life);
        if is_due {
            self.stop_now(life, wake, before);
        }
        is_due
    }

    /// Waits until a stop is asked for, at most `timeout`. Returns whether one was.
    pub(crate) fn wait_for_stop(&self, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let life = self.life.lock();
        self.life.wait_while(life, deadline, |life| !life.stop).1
    }

    /// Waits until no accept loop runs. `false` if that takes longer than `deadline`.
    pub(crate) fn wait_until_stopped(&self, deadline: Option<Instant>) -> bool {
        let life = self.life.lock();
        let run = life.run;
        let serving = |life: &Life<Before>| life.is_serving(run);
        self.life.wait_while(life, deadline, serving).1
    }

    /// Claims the duty to watch over the grace period of this stop, for as long as requests run in the
    /// accept loop or in the place of one. `None` if somebody has it, or nobody is needed.
    pub(crate) fn claim_watch(&self) -> Option<u64> {
        let mut life = self.life.lock();
        let needed = life.state == State::Serving || life.serving_queue;
        if life.watched || !needed {
            return None;
        }
        life.watched = true;
        Some(life.run)
    }

    /// Watches, and calls `cut` when the grace period is over.
    pub(crate) fn watch(&self, run: u64, cut: impl FnOnce()) {
        let life = self.life.lock();
        let deadline = life.cut_at.flatten();
        let serving = |life: &Life<Before>| life.is_serving(run) || life.serving_queue;
        // The lock is kept, so that it is this run whose connections are cut, not the next.
        let (mut life, over) = self.life.wait_while(life, deadline, serving);
        if !over {
            life.cut = true;
            cut();
            // Whoever is taken in just now is on the list too late: there is to be a watch for him, too.
            life.watched = false;
        }
    }

    /// The grace period is over, and running requests are about to be cut. `false`: they were before.
    pub(crate) fn begin_cut(&self) -> bool {
        let mut life = self.life.lock();
        !std::mem::replace(&mut life.cut, true)
    }

    /// Until when requests that were cut have time to end: from now, or from when they were.
    pub(crate) fn closed_by(&self) -> Option<Instant> {
        let life = self.life.lock();
        let now = Instant::now();
        let cut_at = life.cut_at.flatten().filter(|_| life.cut);
        let closed_by = cut_at.unwrap_or(now).checked_add(life.patience.closing)?;
        Some(closed_by.max(now + Self::MOMENT))
    }

    /// What processes have left that are told to end only when those who were cut have had their time.
    const MOMENT: Duration = Duration::from_millis(20);

    // ---- closing ----

    /// The server is being closed, for good. Returns when running requests are to be cut.
    pub(crate) fn begin_closing(&self, before: impl FnOnce() -> Before) -> Option<Instant> {
        let mut life = self.life.lock();
        life.end = End::Draining;
        life.set_cut(Duration::ZERO, before);
        self.shutting_down.store(true, Ordering::SeqCst);
        self.closing.store(true, Ordering::SeqCst);
        self.life.notify_all();
        life.cut_at.flatten()
    }

    /// Those who wait in the listener's queue are being served, or that is over.
    pub(crate) fn serve_queue(&self, serving: bool) {
        let mut life = self.life.lock();
        life.serving_queue = serving;
        if !serving {
            life.watched = false;
        }
        self.life.notify_all();
    }

    pub(crate) fn is_serving_queue(&self) -> bool {
        self.life.lock().serving_queue
    }

    /// The grace period of a server that is being closed is over: as [`begin_cut`](Self::begin_cut).
    pub(crate) fn begin_cutting(&self) -> bool {
        self.life.lock().end = End::Closing;
        self.life.notify_all();
        self.begin_cut()
    }

    /// It is closed. A loop that was left behind, and has not looked yet, is woken by `wake`.
    pub(crate) fn end(&self, wake: impl FnOnce()) {
        self.life.lock().end = End::Stopped;
        self.stopping.store(true, Ordering::SeqCst);
        wake();
        self.life.notify_all();
    }

    // ---- waiting for what is counted elsewhere ----

    /// Waits while `condition` holds, which is about what is announced by
    /// [`announce`](Self::announce). Returns whether it ceased to hold.
    pub(crate) fn wait_while(
        &self,
        deadline: Option<Instant>,
        condition: impl Fn() -> bool,
    ) -> bool {
        let life = self.life.lock();
        self.life.wait_while(life, deadline, |_| condition()).1
    }

    pub(crate) fn announce(&self) {
        // The lock orders this after the waiter's look.
        drop(self.life.lock());
        self.life.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn that_served() -> LifeCycle<()> {
        let life = LifeCycle::new();
        assert!(life.begin_run(Run::Forever));
        life.end_run(|| ());
        life
    }

    fn stop(life: &LifeCycle<()>, by_signal: bool) -> Stop {
        life.stop(by_signal, || (), || ())
    }

    #[test]
    fn between_two_runs_a_stop_is_too_late_but_a_signal_is_not() {
        let life = that_served();
        assert_eq!(stop(&life, false), Stop::Ignored);
        assert!(life.begin_run(Run::Forever));
        assert!(!life.is_stopping());
        life.end_run(|| ());
        assert_eq!(stop(&life, true), Stop::Asked);
        assert!(life.begin_run(Run::Forever));
        assert!(life.is_stopping());
        life.end_run(|| ());
        assert!(
            !life.is_stopping(),
            "the signal ended that run, and not the one after it"
        );
    }

    #[test]
    fn only_one_run_goes_on_at_a_time() {
        let life = that_served();
        assert!(life.begin_run(Run::Once));
        assert!(!life.begin_run(Run::Forever));
        assert!(!life.wait_until_stopped(Some(Instant::now())));
        life.end_run(|| ());
        assert!(life.wait_until_stopped(None));
    }

    #[test]
    fn the_phases_follow_each_other() {
        let life = LifeCycle::new();
        life.change_patience(|patience| patience.lame_duck = Duration::from_secs(3600));
        assert_eq!(life.phase(), Phase::Bound);
        assert!(life.begin_run(Run::Forever));
        assert_eq!(life.phase(), Phase::Serving);
        let Stop::Later { run } = stop(&life, false) else {
            panic!("it is to be a lame duck first");
        };
        assert_eq!(life.phase(), Phase::LameDuck);
        assert!(life.is_shutting_down() && !life.is_stopping());
        assert_eq!(stop(&life, false), Stop::Again);
        assert_eq!(
            life.phase(),
            Phase::LameDuck,
            "it is not cut short by a second"
        );
        assert!(life.finish_lame_duck(run, true, || (), || ()));
        assert_eq!(life.phase(), Phase::Draining);
        assert!(life.is_stopping());
        life.end_run(|| ());
        assert_eq!(life.phase(), Phase::Bound);
        assert!(life.is_shutting_down());
        let cut_at = life.begin_closing(|| ());
        assert!(cut_at > Instant::now().checked_add(Duration::from_secs(3000)));
        assert_eq!(life.phase(), Phase::Draining);
        life.begin_cutting();
        assert_eq!(life.phase(), Phase::Closing);
        life.end(|| ());
        assert_eq!(life.phase(), Phase::Stopped);
    }

    #[test]
    fn the_grace_period_begins_with_the_stop() {
        let life = LifeCycle::new();
        assert!(life.begin_run(Run::Forever));
        stop(&life, false);
        let stopped_at = Instant::now();
        life.end_run(|| ());
        let cut_at = life.begin_closing(|| ()).unwrap();
        assert!(cut_at <= stopped_at + Patience::DEFAULT.grace);
    }

    #[test]
    fn a_run_that_ends_by_itself_is_no_lame_duck_any_more() {
        let life = LifeCycle::new();
        life.change_patience(|patience| patience.lame_duck = Duration::from_secs(3600));
        assert!(life.begin_run(Run::Forever));
        let Stop::Later { run } = stop(&life, false) else {
            panic!("it is to be a lame duck first");
        };
        life.end_run(|| ());
        assert!(!life.finish_lame_duck(run, false, || (), || ()));
        assert!(life.begin_run(Run::Forever));
        assert!(!life.is_stopping() && !life.is_shutting_down());
    }
}
