//! A server of a schedule, while it runs and while it stops.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use socketserver::{
    BacklogPolicy, DrainReport, Error, Phase, Rejection, RunningServer, Sequential, Server,
    ServerHandle, ServerOptions, Stats, Strategy, Transport,
};

use super::counts;
use super::protocol::answer_lines;
use super::schedule::{CLOSING_MESSAGE, ServerConfig, Stop};
use crate::support::net::*;

pub(crate) type TestService<T> = Hooks<<T as Transport>::Request>;

/// Options of a server whose strategy is set after binding.
pub(crate) type TestOptions<T> = ServerOptions<T, TestService<T>, Sequential>;

pub(crate) type TestServer<T, M> = Server<T, TestService<T>, M>;

/// Configures a server that `bind` binds.
pub(crate) fn configure<T: Reachable, M: Strategy>(
    config: &ServerConfig,
    strategy: M,
    bind: impl FnOnce(TestOptions<T>, TestService<T>) -> Result<TestServer<T, Sequential>, Error>,
) -> TestServer<T, M> {
    let (next, rejected) = (AtomicUsize::new(0), config.rejected);
    let service = Hooks::new(answer_lines::<T::Request>).on_verify(move |_| {
        let bit = next.fetch_add(1, Ordering::SeqCst) % 8;
        rejected >> bit & 1 == 0
    });
    let policy = if config.rejects_backlog {
        BacklogPolicy::Reject(Rejection::message(CLOSING_MESSAGE))
    } else {
        BacklogPolicy::Serve
    };
    bind(Server::options(), service)
        .unwrap()
        .grace_period(config.grace_period)
        // On a busy machine a handler may need time to notice that it was force-closed.
        .force_close_timeout(PATIENCE / 2)
        .backlog_policy(policy)
        .strategy(strategy)
}

/// A server that serves.
pub(crate) enum Serving<T: Reachable, M: Strategy> {
    OnTestThread {
        server: Arc<TestServer<T, M>>,
        thread: JoinHandle<Result<(), Error>>,
    },
    InBackground(RunningServer<T, TestService<T>, M>),
}

impl<T: Reachable, M: Strategy> Serving<T, M> {
    pub(crate) fn start(server: TestServer<T, M>, config: &ServerConfig) -> Self {
        if config.in_background {
            return Self::InBackground(server.spawn().unwrap());
        }
        Self::on_test_thread(Arc::new(server))
    }

    fn on_test_thread(server: Arc<TestServer<T, M>>) -> Self {
        let served = Arc::clone(&server);
        let thread = named_thread()
            .spawn(move || served.serve_forever())
            .unwrap();
        // A stop that is requested before the server serves has no effect.
        let handle = server.handle();
        eventually("the server serves", || {
            handle.phase() != Phase::Bound || thread.is_finished()
        });
        Self::OnTestThread { server, thread }
    }

    /// Stops serving, and serves again. Servers in the background do not restart.
    pub(crate) fn restart(self) -> Self {
        match self {
            Self::OnTestThread { server, thread } => {
                server.shutdown();
                in_time(move || thread.join()).unwrap().unwrap();
                Self::on_test_thread(server)
            }
            background => background,
        }
    }

    /// Stops and closes the server.
    fn stop(self, stop: &Stop) -> Option<DrainReport> {
        match (self, stop) {
            (Self::InBackground(server), Stop::Close) => Some(server.stop().unwrap()),
            (Self::InBackground(server), Stop::Drop) => {
                drop(server);
                None
            }
            (Self::OnTestThread { server, thread }, stop) => {
                server.shutdown();
                thread.join().unwrap().unwrap();
                let server = Arc::into_inner(server).unwrap();
                match stop {
                    Stop::Close => Some(server.server_close()),
                    Stop::Drop => {
                        drop(server);
                        None
                    }
                }
            }
        }
    }
}

/// A server that is being stopped on another thread.
pub(crate) struct Stopping {
    report: mpsc::Receiver<Option<DrainReport>>,
    thread: JoinHandle<()>,
    /// `None` if a handler may have requested a stop before.
    before: Option<Stats>,
}

impl Stopping {
    pub(crate) fn start<T: Reachable, M: Strategy>(
        serving: Serving<T, M>,
        handle: &ServerHandle,
        stop: &Stop,
    ) -> Self {
        let before = handle.stats();
        counts::add_up(&before);
        let before = (handle.phase() == Phase::Serving).then_some(before);
        let (done, report) = mpsc::channel();
        let stop = stop.clone();
        let thread = named_thread()
            .spawn(move || drop(done.send(serving.stop(&stop))))
            .unwrap();
        Self {
            report,
            thread,
            before,
        }
    }

    /// Waits until the server is stopped, and checks the counters and the report.
    pub(crate) fn finish(self, handle: &ServerHandle) -> Stats {
        let report = next(&self.report);
        self.thread.join().unwrap();
        let after = handle.stats();
        counts::have_no_active_requests(&after);
        assert!(handle.requests().is_empty());
        if let Some(report) = report {
            counts::agree_with_report(&report, self.before.as_ref(), &after);
        }
        after
    }
}

/// A thread whose panics print nothing: [`expect_panics`].
fn named_thread() -> thread::Builder {
    thread::Builder::new().name("socketserver-test".into())
}
