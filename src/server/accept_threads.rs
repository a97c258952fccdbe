//! Accept loops on threads of their own.

use std::io;
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
use crate::sys::fd::AsFd;
use crate::sys::fork_gate::parked;
use crate::transport::Transport;

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    /// Runs `loops` accept loops, each on a thread of its own. Meanwhile the calling thread calls
    /// `service_actions`.
    pub(super) fn run_on_own_threads(&self, loops: usize) -> Result<(), Error> {
        let state = self.state();
        let _entered = reentrancy::enter(state.id(), Role::Loop);
        let (results_in, results) = mpsc::channel();
        let threads = {
            let _stop = StopOnDrop {
                state,
                run: state.life_cycle.ended_runs(),
            };
            let threads = self.start_loop_threads(loops, results_in)?;
            while !state.life_cycle.wait_until_stopping(self.poll_interval) {
                self.service_actions();
            }
            threads
        };
        self.await_loops(&results, threads)
    }

    /// Waits until all loops have ended. A loop whose handler still runs after the force-close is
    /// abandoned, together with its share of the server.
    fn await_loops(
        &self,
        results: &mpsc::Receiver<Result<(), Error>>,
        threads: Vec<JoinHandle<()>>,
    ) -> Result<(), Error> {
        let state = self.state();
        let mut deadline = state.life_cycle.force_close_at();
        let mut is_force_closed = false;
        let mut outcome = Ok(());
        loop {
            let next_result = || match deadline {
                Some(deadline) => {
                    results.recv_timeout(deadline.saturating_duration_since(Instant::now()))
                }
                None => results.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match parked(next_result) {
                Ok(result) => outcome = outcome.and(result),
                // The grace period has expired for every connection, not only for those that delay a
                // loop.
                Err(RecvTimeoutError::Timeout) if !is_force_closed => {
                    is_force_closed = true;
                    // Another thread may have force-closed them. The loops get time to end either way.
                    if state.life_cycle.claim_force_close() {
                        state.connections.force_close_all();
                    }
                    deadline = state.loop_join_deadline();
                }
                Err(RecvTimeoutError::Timeout) => return outcome,
                // Every loop has ended and has dropped its sender.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // A strategy that panics here may keep requests, so that joining could take for ever.
        let keeps_requests =
            catch_panic(|| self.strategy.scheduling().keeps_requests_after_loop()).unwrap_or(true);
        if !keeps_requests {
            for thread in threads {
                let _ = thread.join();
            }
        }
        outcome
    }

    /// Starts the threads: fewer than `loops` if the system has no more, but at least one.
    fn start_loop_threads(
        &self,
        loops: usize,
        results: mpsc::Sender<Result<(), Error>>,
    ) -> Result<Vec<JoinHandle<()>>, Error> {
        let mut threads = Vec::new();
        let run = self.state().life_cycle.ended_runs();
        for number in 1..=loops {
            let (own, results) = (self.clone(), results.clone());
            let builder = || Ok(self.strategy.scheduling().accept_thread_builder());
            let builder = catch_panic_io("Strategy::scheduling", io::ErrorKind::Other, builder);
            let thread = builder.and_then(|builder| {
                let named = builder.name(format!("socketserver-{number}"));
                named.spawn(move || own.run_loop_thread(loops, run, results))
            });
            match thread {
                Ok(thread) => threads.push(thread),
                Err(_) if !threads.is_empty() => break,
                Err(source) => {
                    let what = "a thread to serve on";
                    return Err(Error::Resources { what, source });
                }
            }
        }
        Ok(threads)
    }

    /// The whole life of such a thread.
    fn run_loop_thread(self, loops: usize, run: u64, results: mpsc::Sender<Result<(), Error>>) {
        let result = catch_panic(|| self.run_own_loop(loops, run)).unwrap_or_else(|_| {
            let source = io::Error::other("an accept loop panicked");
            Err(Error::Accept { source })
        });
        let strategy = Arc::clone(&self.strategy);
        // The thread keeps only the strategy from here on, because the receiver of the result may
        // close the server.
        drop(self);
        let _ = results.send(result);
        drop(results);
        let _ = catch_panic(|| strategy.scheduling().finish_requests());
    }

    fn run_own_loop(&self, loops: usize, run: u64) -> Result<(), Error> {
        let state = self.state();
        let thread = LoopThread::dedicated(loops, self.listeners.fds(), state.waker.as_fd());
        // However this loop ends, the other loops end too.
        let _stop = StopOnDrop { state, run };
        let _exit = self.exit_on_drop(&thread);
        let _entered = reentrancy::enter(state.id(), Role::Loop);
        let mut backoff = AcceptBackoff::default();
        let mut inline = self.inline_source(&thread);
        // An abandoned loop ends when its handler returns, also if the server serves again by then.
        while !state.is_stopping() && state.life_cycle.ended_runs() == run {
            if let AcceptOutcome::Request =
                self.accept_next(&mut backoff, &mut inline, None, &thread)?
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
            listeners: Arc::clone(&self.listeners),
            service: Arc::clone(&self.service),
            strategy: Arc::clone(&self.strategy),
            handle: self.handle.clone(),
            poll_interval: self.poll_interval,
            handshakes: Arc::clone(&self.handshakes),
        }
    }
}

/// Requests a stop when it is dropped, also by a panic. An abandoned loop may end in a later run, which it leaves
/// alone.
struct StopOnDrop<'a> {
    state: &'a Arc<ServerState>,
    /// Number of runs that had ended when this one began.
    run: u64,
}

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        if self.state.life_cycle.ended_runs() == self.run {
            self.state.request_stop();
        }
    }
}
