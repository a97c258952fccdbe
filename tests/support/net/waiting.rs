//! Waiting, which always has a bound.

use super::*;

/// Runs `work` on a thread of its own and fails if it takes too long: for calls that must not
/// hang.
#[track_caller]
pub(crate) fn in_time<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::sync_channel(1);
    let thread = thread::spawn(move || done.send(work()));
    match result.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("this should have ended by now"),
        Err(RecvTimeoutError::Disconnected) => resume_unwind(match thread.join() {
            Err(payload) => payload,
            Ok(_) => Box::new("the thread ended without a result") as Box<dyn Any + Send>,
        }),
    }
}

/// The next message, which has to come in time.
#[track_caller]
pub(crate) fn next<M>(messages: &Receiver<M>) -> M {
    match messages.recv_timeout(PATIENCE) {
        Ok(message) => message,
        Err(error) => panic!("no message: {error}"),
    }
}

/// Looks again and again, for what nothing announces.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Holds up handlers until the test opens it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open; that it never is, is for the test to notice.
    pub(crate) fn pass(&self) {
        let closed = self.0.0.lock().unwrap();
        let opened = self
            .0
            .1
            .wait_timeout_while(closed, 2 * PATIENCE, |open| !*open);
        drop(opened);
    }
}

/// Where a given number of threads wait for each other.
#[derive(Clone, Debug)]
pub(crate) struct Rendezvous {
    expected: usize,
    shared: Arc<(Mutex<usize>, Condvar)>,
}

impl Rendezvous {
    pub(crate) fn new(expected: usize) -> Self {
        let shared = Arc::default();
        Self { expected, shared }
    }

    /// Waits until everybody is there. `false`: they did not come in time.
    pub(crate) fn wait(&self) -> bool {
        let (there, changed) = &*self.shared;
        let mut there = there.lock().unwrap();
        *there += 1;
        changed.notify_all();
        let waited = changed.wait_timeout_while(there, PATIENCE, |n| *n < self.expected);
        !waited.unwrap().1.timed_out()
    }
}
