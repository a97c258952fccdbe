//! Accept loops on threads of their own.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::error::Error;
use crate::panics::{catch_panic, catch_panic_io};
use crate::reentrancy::{self, Role};
use crate::server::accept_backoff::AcceptBackoff;
use crate::server::accept_loop::{AcceptLoop, AcceptOutcome};
use crate::service::Service;
use crate::state::ServerState;
use crate::strategy::LoopThread;
use crate::sys::fork_gate::parked;
use crate::transport::Transport;

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    /// As many loops as the strategy wants, each on a thread of its own. This thread looks after
    /// `service_actions` meanwhile.
    pub(super) fn run_on_threads(&self, loops: usize) -> Result<(), Error> {
        let state = self.state();
        let _entered = reentrancy::enter(state.id(), Role::Loop);
        let (ended, ends) = mpsc::channel();
        let threads = {
            let _stop = StopOnDrop(state);
            let threads = self.start_loops(loops, ended)?;
            while !state.life_cycle.wait_for_stop(self.poll_interval) {
                self.service_actions();
            }
            threads
        };
        self.await_loops(&ends, threads)
    }

    /// Waits until all loops have ended, but not longer than a handler that holds one up may take: such a
    /// loop is left behind, with what it has of the server.
    fn await_loops(
        &self,
        ends: &mpsc::Receiver<Result<(), Error>>,
        threads: Vec<JoinHandle<()>>,
    ) -> Result<(), Error> {
        let state = self.state();
        let mut deadline = state.life_cycle.force_close_at();
        let mut is_force_closed = false;
        let mut outcome = Ok(());
        loop {
            let next = || match deadline {
                Some(deadline) => {
                    ends.recv_timeout(deadline.saturating_duration_since(Instant::now()))
                }
                None => ends.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match parked(next) {
                Ok(ended) => outcome = outcome.and(ended),
                // The grace period is over for all, whoever it is that holds up a loop.
                Err(RecvTimeoutError::Timeout) if !is_force_closed => {
                    is_force_closed = true;
                    // Somebody else may have done it; the loops have time to end all the same.
                    if state.life_cycle.claim_force_close() {
                        state.connections.force_close_all();
                    }
                    deadline = state.loop_join_deadline();
                }
                Err(RecvTimeoutError::Timeout) => return outcome,
                // The last loop to end has taken the last sender with it.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Where nobody knows, waiting could take for ever.
        if !catch_panic(|| self.strategy.scheduling().keeps_requests_after_loop()).unwrap_or(true) {
            for thread in threads {
                let _ = thread.join();
            }
        }
        outcome
    }

    /// Starts the threads; fewer, if not all can be had, but at least one.
    fn start_loops(
        &self,
        loops: usize,
        ended: mpsc::Sender<Result<(), Error>>,
    ) -> Result<Vec<JoinHandle<()>>, Error> {
        let mut threads = Vec::new();
        let run = self.state().life_cycle.ended_runs();
        for number in 1..=loops {
            let (own, ended) = (self.clone(), ended.clone());
            let builder = || Ok(self.strategy.scheduling().accept_thread_builder());
            let builder = catch_panic_io(
                "Strategy::accept_thread_builder",
                io::ErrorKind::Other,
                builder,
            );
            let thread = builder.and_then(|builder| {
                let named = builder.name(format!("socketserver-{number}"));
                named.spawn(move || own.run_own_loop(loops, run, ended))
            });
            match thread {
                Ok(thread) => threads.push(thread),
                // Fewer threads serve more slowly, but they serve.
                Err(_) if !threads.is_empty() => break,
                Err(source) => {
                    let what = "a thread to serve on";
                    return Err(Error::Resources { what, source });
                }
            }
        }
        Ok(threads)
    }

    /// All that such a thread does.
    fn run_own_loop(self, loops: usize, run: u64, ended: mpsc::Sender<Result<(), Error>>) {
        let outcome = catch_panic(|| self.own_loop(loops, run)).unwrap_or_else(|_| {
            let source = io::Error::other("an accept loop panicked");
            Err(Error::Accept { source })
        });
        let strategy = Arc::clone(&self.strategy);
        // From here on this thread has nothing of the server but its strategy: whoever waits for the
        // loops to end may close it.
        drop(self);
        let _ = ended.send(outcome);
        drop(ended);
        let _ = catch_panic(|| strategy.scheduling().finish_requests());
    }

    fn own_loop(&self, loops: usize, run: u64) -> Result<(), Error> {
        let state = self.state();
        let place = LoopThread::dedicated(loops, self.transport.as_fd(), state.waker.as_fd());
        // However this loop ends, the others end too.
        let _stop = StopOnDrop(state);
        let _leave = self.leave_on_drop(&place);
        let _entered = reentrancy::enter(state.id(), Role::Loop);
        let mut backoff = AcceptBackoff::default();
        let mut inline_receiver = self.inline_receiver(&place);
        // One that was left behind ends when it can, however many runs later.
        while !state.is_stopping() && state.life_cycle.ended_runs() == run {
            if let AcceptOutcome::Request =
                self.accept_next(&mut backoff, &mut inline_receiver, None, &place)?
            {
                self.service_actions();
            }
        }
        Ok(())
    }
}

impl<T: Transport, S: Service<T::Request>> Clone for AcceptLoop<T, S> {
    fn clone(&self) -> Self {
        Self {
            transport: Arc::clone(&self.transport),
            service: Arc::clone(&self.service),
            strategy: Arc::clone(&self.strategy),
            handle: self.handle.clone(),
            poll_interval: self.poll_interval,
        }
    }
}

/// Asks for a stop when it is dropped, by a panic too.
struct StopOnDrop<'a>(&'a Arc<ServerState>);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.request_stop();
    }
}
