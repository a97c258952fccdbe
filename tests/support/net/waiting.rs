//! Waits with a time limit.

use super::*;

/// Runs `work` on a new thread and panics if it takes longer than [`PATIENCE`].
#[track_caller]
pub(crate) fn in_time<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::sync_channel(1);
    let thread = thread::spawn(move || done.send(work()));
    match result.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("the work did not end in time"),
        Err(RecvTimeoutError::Disconnected) => resume_unwind(match thread.join() {
            Err(payload) => payload,
            Ok(_) => Box::new("the thread ended without a result") as Box<dyn Any + Send>,
        }),
    }
}

/// Receives the next message, which must arrive within [`PATIENCE`].
#[track_caller]
pub(crate) fn next<M>(messages: &Receiver<M>) -> M {
    match messages.recv_timeout(PATIENCE) {
        Ok(message) => message,
        Err(error) => panic!("no message: {error}"),
    }
}

/// Polls until the condition holds, and panics after [`PATIENCE`].
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Repeats an attempt, at most ten times, until its result is `enough`. Returns all results. For limits that a busy
/// machine can exceed, but not each time.
pub(crate) fn up_to_ten<R>(mut attempt: impl FnMut() -> R, enough: impl Fn(&R) -> bool) -> Vec<R> {
    let mut results = Vec::new();
    while results.len() < 10 && !results.last().is_some_and(&enough) {
        results.push(attempt());
    }
    results
}

/// Blocks handlers until the test opens it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until the gate is open. Returns without an error after `2 * PATIENCE`, because the test fails earlier.
    pub(crate) fn pass(&self) {
        let closed = self.0.0.lock().unwrap();
        let opened = self
            .0
            .1
            .wait_timeout_while(closed, 2 * PATIENCE, |open| !*open);
        drop(opened);
    }
}

/// A barrier with a time limit.
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

    /// Waits until the expected number of threads have called this. `false` after [`PATIENCE`].
    pub(crate) fn wait(&self) -> bool {
        let (arrived, changed) = &*self.shared;
        let mut arrived = arrived.lock().unwrap();
        *arrived += 1;
        changed.notify_all();
        let waited = changed.wait_timeout_while(arrived, PATIENCE, |n| *n < self.expected);
        !waited.unwrap().1.timed_out()
    }
}

/// Checks that a read of a client's socket has failed because its timeout expired.
#[track_caller]
pub(crate) fn expect_nothing_arrived(error: &io::Error) {
    let expired = if cfg!(windows) {
        io::ErrorKind::TimedOut
    } else {
        io::ErrorKind::WouldBlock
    };
    assert_eq!(error.kind(), expired);
}
