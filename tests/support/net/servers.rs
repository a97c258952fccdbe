//! Servers that run in the background.

use super::*;

/// A server that runs in the background.
pub(crate) struct Host<T: Reachable, S: Service<T::Request>, M: Strategy = Threading> {
    pub(crate) server: RunningServer<T, S, M>,
    // Dropped last, because it contains the socket files.
    dir: TempDir,
}

/// Starts a server with the default options.
pub(crate) fn host<T: Reachable, M: Strategy + Default, S: Service<T::Request>>(
    service: S,
) -> Host<T, S, M> {
    host_with::<T, M, S, M>(service, |options| options, |server| server)
}

/// Starts a server with the default options and the given strategy.
pub(crate) fn host_by<T, M, S>(strategy: M, service: S) -> Host<T, S, M>
where
    T: Reachable,
    M: Strategy,
    S: Service<T::Request>,
{
    host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| server.strategy(strategy),
    )
}

/// Starts a server after `options` and `adjust` have changed its settings.
pub(crate) fn host_with<T, M, S, N>(
    service: S,
    options: impl FnOnce(ServerOptions<T, S, M>) -> ServerOptions<T, S, M>,
    adjust: impl FnOnce(Server<T, S, M>) -> Server<T, S, N>,
) -> Host<T, S, N>
where
    T: Reachable,
    S: Service<T::Request>,
    M: Strategy + Default,
    N: Strategy,
{
    let dir = TempDir::new();
    let server = T::bind(&dir, options(Server::options()), service).unwrap();
    // On a busy machine a handler may notice late that its connection was force-closed. Tests of abandoned handlers
    // set less.
    let server = server.force_close_timeout(PATIENCE / 2);
    let server = adjust(server).spawn().unwrap();
    Host { server, dir }
}

impl<T: Reachable, S: Service<T::Request>, M: Strategy> Host<T, S, M> {
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        T::connect(self.server.server_address())
    }

    /// Stops the server, which must end in time and without an error.
    #[track_caller]
    pub(crate) fn stop(self) -> DrainReport {
        let Self { server, dir } = self;
        let report = in_time(move || server.stop()).unwrap();
        drop(dir);
        report
    }
}
