//! A group of servers of any kinds, with one life cycle.
//!
//! - Each member serves on a thread of its own. The thread that calls `serve_forever` waits, parked, so that a member
//!   can fork.
//! - The states of the servers know their group (`state/server_state/in_group.rs`): a stop of one member, by whichever
//!   way, is a stop of all. If the accept loop of a member ends by itself, the others stop.
//! - The members are closed at the same time, each on a thread of its own (`closing.rs`).

mod closing;
mod member;
mod report;
mod running;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::report::{GroupError, GroupReport, MemberReport};
pub use self::running::RunningGroup;

use self::member::{Member, StopGroupOnDrop};
use crate::error::Error;
use crate::request::RequestKind;
use crate::server::{Server, ctrl_c};
use crate::service::Service;
use crate::state::life_cycle::RunKind;
use crate::state::server_state::ServerGroupState;
use crate::state::{GroupHandle, OverloadPolicy, ServerHandle, ShutdownConfig, Stats};
use crate::strategy::Strategy;
use crate::sys::stop_signal::StopSignal;
use crate::transport::Transport;

/// Servers with one life cycle: they serve, and stop, together. Each keeps its transport, service, strategy and
/// options.
///
/// ```
/// use socketserver::prelude::*;
///
/// fn echo<R: Request>(request: &mut R) -> Result {
///     let line = request.readline(1000)?;
///     Ok(request.send_all(line)?)
/// }
///
/// let tcp = ThreadingTcpServer::bind("127.0.0.1:0", handler_fn(echo))?;
/// let udp = UdpServer::bind(tcp.server_address(), handler_fn(echo))?;
/// let group = ServerGroup::new().add(tcp).add(udp);
/// group.shutdown_on_ctrl_c()?;
/// for (name, _) in group.members() {
///     println!("listening on {name}");
/// }
/// # group.shutdown();
/// group.serve_forever()?; // until Ctrl-C
/// println!("{}", group.server_close());
/// # Ok::<(), BoxError>(())
/// ```
///
/// If a server cannot be bound, the `?` drops those that were bound before it, so that nothing stays bound:
///
/// ```
/// use socketserver::{Error, prelude::*};
///
/// # let hello = || handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hello")?));
/// # let other = TcpServer::bind("127.0.0.1:0", hello())?;
/// # let in_use = other.server_address();
/// let bind = || -> Result<ServerGroup, Error> {
///     Ok(ServerGroup::new()
///         .add(TcpServer::bind("127.0.0.1:0", hello())?)
///         .add(TcpServer::bind(in_use, hello())?)) // fails, which closes the first server
/// };
/// assert!(matches!(bind(), Err(Error::Bind { .. })));
/// # Ok::<(), BoxError>(())
/// ```
///
/// How a group stops:
///
/// - A stop of one server stops all: [`request.server().shutdown()`](ServerHandle::shutdown) in a handler, the handle
///   of a server, a signal.
/// - All servers are told first, and their grace periods run at the same time. So the group is stopped within the
///   longest [`grace_period`](Self::grace_period) and [`force_close_timeout`](Self::force_close_timeout) of its
///   servers, not within the sum.
/// - If the listening socket of a server breaks, the others are stopped in order, and the error says which it was:
///   [`Error::Member`].
///
/// > **Coming from Python.** There, each server needs a thread with `serve_forever`, and `shutdown()`, `server_close()`
/// > and `join()` for each.
#[doc(alias = "socketserver_group")]
#[must_use = "a group serves nothing until serve_forever() or spawn()"]
pub struct ServerGroup {
    members: Vec<Member>,
    state: Arc<ServerGroupState>,
    settings: Settings,
}

/// Settings of all members. `None`: each member has its own.
#[derive(Default)]
struct Settings {
    lame_duck: Option<Duration>,
    grace_period: Option<Duration>,
    force_close_timeout: Option<Duration>,
}

impl Settings {
    fn apply_to(&self, config: &mut ShutdownConfig) {
        let Self {
            lame_duck,
            grace_period,
            force_close_timeout,
        } = *self;
        config.lame_duck = lame_duck.unwrap_or(config.lame_duck);
        config.grace_period = grace_period.unwrap_or(config.grace_period);
        config.force_close_timeout = force_close_timeout.unwrap_or(config.force_close_timeout);
    }
}

impl ServerGroup {
    /// Makes a group without servers.
    ///
    /// See the [example](Self).
    pub fn new() -> Self {
        Self {
            members: Vec::new(),
            state: Arc::new(ServerGroupState::new()),
            settings: Settings::default(),
        }
    }

    /// Adds a server. Its name in the group, for reports and errors, is its address; that of a datagram server is
    /// followed by `(datagrams)`, because it may have the address of a stream server.
    ///
    /// See the [example](Self).
    #[allow(clippy::should_implement_trait, reason = "a builder, not an addition")]
    pub fn add<T, S, M>(self, server: Server<T, S, M>) -> Self
    where
        T: Transport,
        S: Service<T::Request>,
        M: Strategy,
    {
        let address = server.server_address();
        let name = match T::KIND {
            RequestKind::Connection => address.to_string(),
            RequestKind::Datagram => format!("{address} (datagrams)"),
        };
        self.add_named(name, server)
    }

    /// Adds a server with a name of its own.
    ///
    /// See the [example](GroupReport).
    pub fn add_named<T, S, M>(mut self, name: impl Into<String>, server: Server<T, S, M>) -> Self
    where
        T: Transport,
        S: Service<T::Request>,
        M: Strategy,
    {
        let name = name.into();
        let member = Member::new(name.clone(), server);
        let state = member.state();
        state.join_group(&self.state, name, T::KIND == RequestKind::Connection);
        let apply = |config: &mut ShutdownConfig| self.settings.apply_to(config);
        state.life_cycle.configure_shutdown(apply);
        self.members.push(member);
        self
    }

    // ---- settings ----

    /// Sets the grace period of all servers, also of those that are added later: see
    /// [`Server::grace_period`]. Default: each server has its own.
    ///
    /// ```
    /// # use socketserver::prelude::*;
    /// # use std::time::Duration;
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let group = ServerGroup::new()
    ///     .lame_duck(Duration::from_millis(10))
    ///     .grace_period(Duration::from_secs(10))
    ///     .force_close_timeout(Duration::from_secs(1))
    ///     .add(TcpServer::bind("127.0.0.1:0", service)?)
    ///     .spawn()?;
    /// assert!(group.stop()?.took() >= Duration::from_millis(10));
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn grace_period(mut self, time: Duration) -> Self {
        self.settings.grace_period = Some(time);
        self.configured()
    }

    /// Sets for how long all servers continue to serve after a stop was requested, also those that are added later: see
    /// [`Server::lame_duck`]. Default: each server has its own time.
    ///
    /// See the [example](Self::grace_period).
    pub fn lame_duck(mut self, time: Duration) -> Self {
        self.settings.lame_duck = Some(time);
        self.configured()
    }

    /// Sets how long force-closed requests of all servers may take to end, also of servers that are added later: see
    /// [`Server::force_close_timeout`]. Default: each server has its own time.
    ///
    /// See the [example](Self::grace_period).
    pub fn force_close_timeout(mut self, time: Duration) -> Self {
        self.settings.force_close_timeout = Some(time);
        self.configured()
    }

    fn configured(self) -> Self {
        for member in &self.members {
            let apply = |config: &mut ShutdownConfig| self.settings.apply_to(config);
            member.state().life_cycle.configure_shutdown(apply);
        }
        self
    }

    /// Limits the number of connections of all servers of the group together, besides the
    /// [limits](crate::ServerOptions::max_connections) of each server. At least 1. `None`, the default: no common limit.
    /// Datagrams do not count. Nothing in Python.
    ///
    /// A place that becomes free at one server can be taken by a client of any other. A client that is rejected is
    /// counted in [`RejectionCounts::max_connections`](crate::RejectionCounts::max_connections) of its server.
    ///
    /// ```
    /// use socketserver::{Rejection, prelude::*};
    ///
    /// # let service = || handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let group = ServerGroup::new()
    ///     .max_connections(500)
    ///     .at_max_connections(Rejection::message("421 too busy\r\n"))
    ///     .add(ThreadingTcpServer::bind("127.0.0.1:0", service())?)
    ///     .add(CoroutineTcpServer::bind("127.0.0.1:0", service())?);
    /// # let _ = group;
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn max_connections(self, most: impl Into<Option<usize>>) -> Self {
        self.handle().set_max_connections(most);
        self
    }

    /// Sets what happens to clients while the group has [`max_connections`](Self::max_connections). Default:
    /// [`OverloadPolicy::Wait`].
    ///
    /// See the [example](Self::max_connections).
    pub fn at_max_connections(self, policy: impl Into<OverloadPolicy>) -> Self {
        self.handle().set_at_max_connections(policy);
        self
    }

    // ---- observing ----

    /// Returns a handle that stops and observes all servers from other threads.
    ///
    /// See the [example](GroupHandle).
    pub fn handle(&self) -> GroupHandle {
        GroupHandle(Arc::clone(&self.state))
    }

    /// Returns the names and the handles of the servers, in the order in which they were added.
    ///
    /// See the [example](Self).
    pub fn members(&self) -> impl Iterator<Item = (&str, ServerHandle)> {
        let members = self.members.iter();
        members.map(|member| (&*member.name, member.handle.clone()))
    }

    /// Requests that all servers stop: see [`GroupHandle::shutdown`].
    ///
    /// See the [example](GroupHandle::wait_for_stop).
    pub fn shutdown(&self) {
        self.handle().shutdown();
    }

    /// Returns the sums of the counters of all servers.
    ///
    /// See the [example](GroupHandle::stats).
    pub fn stats(&self) -> Stats {
        self.handle().stats()
    }

    // ---- serving ----

    /// Serves with all servers until a stop is requested or one of them breaks. The sockets stay open, so the method can
    /// be called again. A stop that is requested before the first call is remembered, as for a server.
    ///
    /// Each server serves on a thread of its own. Therefore this returns in time under every strategy: a handler that
    /// still runs in an accept loop ([`Sequential`](crate::Sequential)) after the
    /// [grace period](Self::grace_period) and the [`force_close_timeout`](Self::force_close_timeout) is abandoned, as by
    /// [`RunningServer::join`](crate::RunningServer::join).
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// [`Error::Member`] with the error of the server that broke or could not begin; the reports of all servers come
    /// from [`server_close`](Self::server_close) afterwards. [`Error::EmptyGroup`], [`Error::AlreadyServing`] and
    /// [`Error::Signal`] as for [`Server::serve_forever`].
    pub fn serve_forever(&self) -> Result<(), Error> {
        self.start()?;
        self.await_loops();
        self.first_error()
    }

    /// Serves in the background and returns at once, as [`Server::spawn`] does for one server. Dropping the result stops
    /// the servers.
    ///
    /// See the [example](GroupHandle).
    ///
    /// # Errors
    ///
    /// As for [`serve_forever`](Self::serve_forever), if a server cannot begin to serve.
    pub fn spawn(self) -> Result<RunningGroup, Error> {
        self.start()?;
        Ok(RunningGroup(self))
    }

    /// Stops the group at Ctrl-C (SIGINT), SIGTERM and SIGHUP: see [`Server::shutdown_on_ctrl_c`]. Call it after all
    /// servers were added.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// As for [`Server::shutdown_on_ctrl_c`], and [`Error::EmptyGroup`].
    #[doc(alias = "KeyboardInterrupt")]
    pub fn shutdown_on_ctrl_c(&self) -> Result<(), Error> {
        self.shutdown_on(StopSignal::ALL)
    }

    /// Stops the group at these signals only: see [`Server::shutdown_on`].
    ///
    /// ```
    /// # use socketserver::{StopSignal, prelude::*};
    /// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
    /// let group = ServerGroup::new().add(TcpServer::bind("127.0.0.1:0", service)?);
    /// group.shutdown_on([StopSignal::Interrupt])?;
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`shutdown_on_ctrl_c`](Self::shutdown_on_ctrl_c).
    pub fn shutdown_on(&self, signals: impl IntoIterator<Item = StopSignal>) -> Result<(), Error> {
        let signals: Vec<_> = signals.into_iter().collect();
        self.check_not_empty()?;
        let mut members = self.members.iter();
        members.try_for_each(|member| member.shutdown_on(signals.iter().copied()))
    }

    /// Closes all servers at the same time and returns their reports: see [`Server::server_close`]. Dropping the group
    /// does the same, without a report.
    ///
    /// See the [example](Self).
    #[doc(alias = "__exit__")]
    pub fn server_close(mut self) -> GroupReport {
        self.close()
    }

    fn check_not_empty(&self) -> Result<(), Error> {
        match self.members.is_empty() {
            true => Err(Error::EmptyGroup),
            false => Ok(()),
        }
    }

    /// Begins to serve: starts the threads of all members, or of none.
    fn start(&self) -> Result<(), Error> {
        self.check_not_empty()?;
        ctrl_c::check()?;
        self.members.iter().try_for_each(Member::check_can_serve)?;
        // All runs begin before a thread starts, so that a stop from now on is one of all members.
        let begin = |member: &Member| member.state().begin_serving(RunKind::Forever);
        let runs = self.members.iter().map(begin);
        let runs = runs.collect::<Result<Vec<_>, _>>()?;
        let mut pairs = self.members.iter().zip(runs);
        let started = pairs.try_for_each(|(member, serving)| {
            member.start(serving, StopGroupOnDrop(Arc::clone(&self.state)))
        });
        // Ends the runs that got no thread.
        drop(pairs);
        if started.is_err() {
            self.shutdown();
            self.await_loops();
        }
        started
    }

    /// Waits until a stop was requested and all accept loops have ended. Loops with handlers that outlast the force-close
    /// are abandoned.
    fn await_loops(&self) {
        let states = || self.members.iter().map(Member::state);
        for state in states() {
            state.life_cycle.wait_until_shutting_down_or_ended();
        }
        // While members are lame ducks, and while their loops end, grace periods of others end.
        for state in states() {
            let life_cycle = &state.life_cycle;
            while !life_cycle.wait_until_stopping_or_ended(self.next_force_close()) {
                self.force_close_expired();
            }
        }
        for state in states() {
            let own = state.life_cycle.force_close_at();
            let next = || own.into_iter().chain(self.next_force_close()).min();
            while !state.wait_until_stopped(next()) {
                self.force_close_expired();
                if own.is_some_and(|time| time <= Instant::now()) {
                    break;
                }
            }
        }
        for state in states() {
            state.wait_until_stopped(state.loop_join_deadline());
        }
        self.members.iter().for_each(Member::take_result);
    }

    /// Time when the next grace period of a member ends. `None`: never.
    fn next_force_close(&self) -> Option<Instant> {
        let states = self.members.iter().map(Member::state);
        let pending = states.filter(|state| !state.life_cycle.is_force_close_claimed());
        pending
            .filter_map(|state| state.life_cycle.force_close_at())
            .min()
    }

    /// Force-closes the connections of the members with an expired grace period.
    fn force_close_expired(&self) {
        for state in self.members.iter().map(Member::state) {
            let force_close_at = state.life_cycle.force_close_at();
            let is_expired = force_close_at.is_some_and(|time| time <= Instant::now());
            if is_expired && state.life_cycle.claim_force_close() {
                state.connections.force_close_all();
            }
        }
    }

    fn first_error(&self) -> Result<(), Error> {
        let failed = |member: &Member| {
            let source = member.error()?;
            let name = member.name.clone();
            Some(Error::Member { name, source })
        };
        self.members.iter().find_map(failed).map_or(Ok(()), Err)
    }

    /// Waits until a stop is requested, or a member has ended by itself. For groups that serve.
    fn wait_for_stop_or_end(&self) {
        let Some(first) = self.members.first().map(Member::state) else {
            return;
        };
        if !first.in_forked_child() {
            first.life_cycle.wait_until_shutting_down_or_ended();
        }
    }

    fn close(&mut self) -> GroupReport {
        closing::close_all(std::mem::take(&mut self.members))
    }
}

impl Default for ServerGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ServerGroup {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for ServerGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerGroup").field(&self.handle()).finish()
    }
}
