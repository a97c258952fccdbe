//! Signals that can stop a server.

/// A signal that can stop a server: see [`Server::shutdown_on`](crate::Server::shutdown_on).
///
/// On Windows, each of these values stands for all console events: Ctrl-C, Ctrl-Break, a console that is closed, and,
/// for services, the end of the system. After the last two, the system ends the process after about 5 seconds. A user
/// who logs off stops no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopSignal {
    /// SIGINT: Ctrl-C in a terminal.
    #[doc(alias = "SIGINT")]
    Interrupt,
    /// SIGTERM, which service managers send. On Windows: Ctrl-Break.
    #[doc(alias = "SIGTERM")]
    #[doc(alias = "SIGBREAK")]
    Terminate,
    /// SIGHUP: the terminal was closed.
    #[doc(alias = "SIGHUP")]
    HangUp,
}

impl StopSignal {
    pub(crate) const ALL: [Self; 3] = [Self::Interrupt, Self::Terminate, Self::HangUp];
}
