//! The reports of the servers of a group that was stopped.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::address::SocketAddress;
use crate::error::Error;
use crate::escape::Escaped;
use crate::server::drain_report::DrainReport;

/// What became of the requests of a group that was stopped: one [`DrainReport`] for each server, in the order in which
/// the servers were added. From [`ServerGroup::server_close`](crate::ServerGroup::server_close),
/// [`RunningGroup::stop`](crate::RunningGroup::stop) and [`RunningGroup::join`](crate::RunningGroup::join).
///
/// Each request is in the counts of exactly one server. The text (`Display`) has a line for each server, and one more
/// for each force-closed or abandoned request.
///
/// ```
/// use socketserver::prelude::*;
///
/// # let service = || handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
/// let group = ServerGroup::new()
///     .add_named("public", ThreadingTcpServer::bind("127.0.0.1:0", service())?)
///     .add_named("admin", TcpServer::bind("127.0.0.1:0", service())?)
///     .spawn()?;
/// let report: GroupReport = group.stop()?;
/// assert!(report.to_string().contains("admin: stopped in "));
/// assert_eq!(report.members[1].report.running, 0);
/// assert!(report.total().abandoned.is_empty() && report.took() == report.total().took);
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GroupReport {
    /// The reports of the servers.
    pub members: Vec<MemberReport>,
}

/// The report of one server of a group: a part of [`GroupReport`].
///
/// See the [example](GroupReport).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemberReport {
    /// The name of the server in the group.
    pub name: String,
    /// The address of the server.
    pub address: SocketAddress,
    /// What became of its requests.
    pub report: DrainReport,
    /// The error because of which the server stopped, if it did not stop in order.
    pub error: Option<Arc<Error>>,
}

impl GroupReport {
    /// Returns the sums of the reports: the numbers are added, the lists follow each other, and `took` is the longest.
    ///
    /// See the [example](Self).
    pub fn total(&self) -> DrainReport {
        let mut total = DrainReport::default();
        for member in &self.members {
            total.add(&member.report);
        }
        total
    }

    /// Returns the duration of the stop: that of the server that took longest.
    ///
    /// See the [example](Self).
    pub fn took(&self) -> Duration {
        let durations = self.members.iter().map(|member| member.report.took);
        durations.max().unwrap_or_default()
    }

    /// Returns the error of the first server that did not stop in order.
    fn error(&self) -> Option<Error> {
        self.members.iter().find_map(|member| {
            Some(Error::Member {
                name: member.name.clone(),
                source: Arc::clone(member.error.as_ref()?),
            })
        })
    }

    /// Returns the report, or the error in it.
    pub(super) fn into_result(self) -> Result<Self, GroupError> {
        match self.error() {
            None => Ok(self),
            Some(error) => Err(GroupError {
                error,
                report: self,
            }),
        }
    }
}

impl fmt::Display for GroupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, member) in self.members.iter().enumerate() {
            let line_end = if number > 0 { "\n" } else { "" };
            write!(f, "{line_end}{}: ", Escaped(&member.name))?;
            if let Some(error) = &member.error {
                write!(f, "{error:?}; ")?;
            }
            write!(f, "{}", member.report)?;
        }
        Ok(())
    }
}

/// The error of a group in which a server broke, with the reports of all its servers. Converts into [`Error::Member`], which
/// says which server it was.
///
/// ```
/// use socketserver::prelude::*;
///
/// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.send_all("hi")?));
/// # let group = ServerGroup::new().add(TcpServer::bind("127.0.0.1:0", service)?).spawn()?;
/// # group.shutdown();
/// match group.join() {
///     Ok(report) => println!("{report}"),
///     Err(error) => {
///         eprintln!("{error}");
///         println!("{}", error.report());
///     }
/// }
/// # Ok::<(), BoxError>(())
/// ```
pub struct GroupError {
    error: Error,
    report: GroupReport,
}

impl GroupError {
    /// Returns the error of the server: [`Error::Member`].
    ///
    /// See the [example](Self).
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Returns the reports of all servers of the group, which were stopped in order.
    ///
    /// See the [example](Self).
    pub fn report(&self) -> &GroupReport {
        &self.report
    }
}

impl From<GroupError> for Error {
    fn from(error: GroupError) -> Self {
        error.error
    }
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

/// Prints the text and the cause, because Rust prints `Debug` when `main` returns an error.
impl fmt::Debug for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.error, f)
    }
}

impl StdError for GroupError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}
