//! Controlling the servers of a group while they serve.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::state::handle::deadline_after;
use crate::state::server_state::ServerGroupState;
use crate::state::{OverloadPolicy, Phase, RequestInfo, ServerHandle, Stats};

/// Controls all servers of a [`ServerGroup`](crate::ServerGroup) from other threads. Cheap to clone. A handle that was
/// taken early also controls the servers that were added later.
///
/// In a forked child, it does what a [`ServerHandle`] does there: [`shutdown`](Self::shutdown) stops the group in the
/// parent process.
///
/// ```
/// use socketserver::prelude::*;
///
/// let hello = || handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hello")?));
/// let group = ServerGroup::new()
///     .add_named("public", ThreadingTcpServer::bind("127.0.0.1:0", hello())?)
///     .add_named("admin", TcpServer::bind("127.0.0.1:0", hello())?)
///     .spawn()?;
/// let handle: GroupHandle = group.handle();
/// assert!(handle.is_ready());
/// for (name, server) in handle.members() {
///     println!("{name}: {} requests", server.stats().accepted);
/// }
/// handle.shutdown(); // does not wait
/// println!("{}", group.join()?);
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone)]
pub struct GroupHandle(pub(crate) Arc<ServerGroupState>);

impl GroupHandle {
    /// Requests that all servers of the group stop, and wakes their accept loops at once: see
    /// [`ServerHandle::shutdown`]. All are told before any of them is waited for, so that their grace periods run at
    /// the same time. The handle of one member does the same.
    ///
    /// See the [example](Self).
    pub fn shutdown(&self) {
        if let Some(server) = self.0.servers().next() {
            server.request_stop();
        }
    }

    /// Waits until no server of the group serves any more, at most for `timeout` (`None` and [`Duration::MAX`]: without
    /// limit; zero: does not wait). Returns whether that is so. As for [`ServerHandle::wait`], returns `false` at once
    /// in a handler that an accept loop of the group runs, and in a forked child.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # use std::time::Duration;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let group = ServerGroup::new().add(TcpServer::bind("127.0.0.1:0", service)?).spawn()?;
    /// let handle = group.handle();
    /// assert!(!handle.wait(Duration::ZERO));
    /// handle.shutdown();
    /// assert!(handle.wait(None));
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn wait(&self, timeout: impl Into<Option<Duration>>) -> bool {
        let deadline = deadline_after(timeout.into());
        self.servers()
            .all(|server| server.wait(remaining(deadline)))
    }

    /// Waits until a stop is requested, at most for `timeout`: see [`ServerHandle::wait_for_stop`]. Returns whether one
    /// was requested. `false` for a group without servers.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # use std::time::Duration;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let group = ServerGroup::new().add(TcpServer::bind("127.0.0.1:0", service)?).spawn()?;
    /// assert!(!group.handle().wait_for_stop(Duration::from_millis(1)));
    /// group.shutdown();
    /// assert!(group.handle().wait_for_stop(None) && group.handle().is_shutting_down());
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn wait_for_stop(&self, timeout: impl Into<Option<Duration>>) -> bool {
        let first = self.servers().next();
        first.is_some_and(|server| server.wait_for_stop(timeout))
    }

    /// Returns whether a stop was requested since the group began to serve, or the group is being closed.
    ///
    /// See the [example](Self::wait_for_stop).
    pub fn is_shutting_down(&self) -> bool {
        self.servers().any(|server| server.is_shutting_down())
    }

    /// Returns the phase of the group: that of its servers, which is the same for all of them most of the time. While
    /// they stop, it is the earliest phase that a server is still in: the group is [`Draining`](Phase::Draining) as long
    /// as one of its servers is, and [`Stopped`](Phase::Stopped) when all are. It is [`Serving`](Phase::Serving) only
    /// when all serve.
    ///
    /// ```
    /// use socketserver::{Phase, prelude::*};
    ///
    /// # let service = || handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let bind = || TcpServer::bind("127.0.0.1:0", service());
    /// let group = ServerGroup::new().add(bind()?).add(bind()?);
    /// let handle = group.handle();
    /// assert_eq!((handle.phase(), handle.is_ready()), (Phase::Bound, false));
    /// let group = group.spawn()?;
    /// assert_eq!((handle.phase(), handle.is_ready()), (Phase::Serving, true));
    /// group.stop()?;
    /// assert_eq!((handle.phase(), handle.is_ready()), (Phase::Stopped, false));
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn phase(&self) -> Phase {
        let phases: Vec<_> = self.servers().map(|server| server.phase()).collect();
        let any = |phase| phases.contains(&phase);
        let all = |phase| !phases.is_empty() && phases.iter().all(|&other| other == phase);
        for phase in [Phase::Serving, Phase::Stopped] {
            if all(phase) {
                return phase;
            }
        }
        for phase in [Phase::LameDuck, Phase::Draining, Phase::Closing] {
            if any(phase) {
                return phase;
            }
        }
        // A server that has stopped already is waiting for the others.
        if any(Phase::Stopped) {
            return Phase::Draining;
        }
        Phase::Bound
    }

    /// Returns whether all servers of the group serve and no stop was requested, for a health check. `false` for a
    /// group without servers.
    ///
    /// See the [example](Self::phase).
    #[doc(alias = "readiness")]
    #[doc(alias = "health")]
    pub fn is_ready(&self) -> bool {
        self.phase() == Phase::Serving && !self.is_shutting_down()
    }

    /// Returns the requests of all servers that are running or queued now: see [`ServerHandle::requests`].
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let group = ServerGroup::new().add(TcpServer::bind("127.0.0.1:0", service)?).spawn()?;
    /// assert!(group.handle().requests().is_empty());
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn requests(&self) -> Vec<RequestInfo> {
        self.servers()
            .flat_map(|server| server.requests())
            .collect()
    }

    /// Waits until no server has a request that is running or queued, at most for `timeout` (`None` and
    /// [`Duration::MAX`]: without limit; zero: does not wait). Returns whether that is so. Returns `false` at once in a
    /// handler of the group and in a forked child, as [`ServerHandle::wait_until_idle`] does.
    ///
    /// See the [example](Self::stats).
    pub fn wait_until_idle(&self, timeout: impl Into<Option<Duration>>) -> bool {
        let deadline = deadline_after(timeout.into());
        loop {
            let waited = |server: ServerHandle| server.wait_until_idle(remaining(deadline));
            if !self.servers().all(waited) {
                return false;
            }
            // A server that was idle first may have got a request since.
            if self.0.servers().all(|server| server.active() == 0) {
                return true;
            }
        }
    }

    /// Returns the sums of the counters of all servers. Each request is counted by one server.
    ///
    /// ```
    /// use socketserver::prelude::*;
    ///
    /// let hello = || handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hello")?));
    /// let group = ServerGroup::new()
    ///     .add(ThreadingTcpServer::bind("127.0.0.1:0", hello())?)
    ///     .add(CoroutineTcpServer::bind("127.0.0.1:0", hello())?)
    ///     .spawn()?;
    /// for (_, server) in group.members() {
    ///     let client = std::net::TcpStream::connect(server.server_address().to_string())?;
    ///     assert_eq!(std::io::read_to_string(client)?, "hello");
    /// }
    /// assert!(group.handle().wait_until_idle(None));
    /// assert_eq!(group.stats().completed, 2);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn stats(&self) -> Stats {
        self.servers().map(|server| server.stats()).sum()
    }

    /// Returns the names and the handles of the servers, in the order in which they were added.
    ///
    /// See the [example](Self).
    pub fn members(&self) -> impl Iterator<Item = (&str, ServerHandle)> {
        let members = self.0.members();
        members.map(|member| (&*member.name, ServerHandle(Arc::clone(&member.server))))
    }

    /// Returns the handle of the server with this name, of the first one if there are several.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let group = ServerGroup::new().add_named("admin", TcpServer::bind("127.0.0.1:0", service)?);
    /// assert_eq!(group.handle().member("admin").map(|server| server.stats().accepted), Some(0));
    /// assert!(group.handle().member("public").is_none());
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn member(&self, name: &str) -> Option<ServerHandle> {
        let mut members = self.members();
        members
            .find(|member| member.0 == name)
            .map(|member| member.1)
    }

    /// Changes the common limit of [`ServerGroup::max_connections`](crate::ServerGroup::max_connections) while the
    /// servers serve. `None`: no limit. In a forked child, this does nothing.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?;
    /// let address = *server.server_address();
    /// let group = ServerGroup::new().at_max_connections(Rejection::Close).add(server).spawn()?;
    /// group.handle().set_max_connections(100);
    /// group.handle().set_at_max_connections(OverloadPolicy::Wait);
    /// assert_eq!(std::io::read_to_string(std::net::TcpStream::connect(address)?)?, "hi");
    /// # group.stop()?;
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn set_max_connections(&self, most: impl Into<Option<usize>>) {
        self.0.limit.set_most(most.into());
        self.0.notify_place_free();
    }

    /// Changes the policy of [`ServerGroup::at_max_connections`](crate::ServerGroup::at_max_connections) while the
    /// servers serve.
    ///
    /// See the [example](Self::set_max_connections).
    pub fn set_at_max_connections(&self, policy: impl Into<OverloadPolicy>) {
        self.0.limit.set_policy(policy.into());
        self.0.notify_place_free();
    }

    fn servers(&self) -> impl Iterator<Item = ServerHandle> {
        self.members().map(|member| member.1)
    }
}

fn remaining(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
}

impl fmt::Debug for GroupHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self
            .members()
            .map(|(name, server)| (name, server.0.address.clone()));
        f.debug_map().entries(members).finish()
    }
}
