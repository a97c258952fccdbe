//! What can be told about a request that is running.

use std::fmt;
use std::time::Duration;

use crate::address::SocketAddress;
use crate::state::Sender;

/// A request that was running when somebody asked: who, since when, doing what. From
/// [`ServerHandle::requests`](crate::ServerHandle::requests), and in a
/// [`DrainReport`](crate::DrainReport).
///
/// Its text (`Display`) is a line for a log: `127.0.0.1:50312, reading, 3.2s old, idle for 1.1s, 12 bytes
/// in, 40 out`. Times are exact to some milliseconds.
///
/// ```
/// # use socketserver::prelude::*;
/// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.readline(100).map(drop)?));
/// # let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()?;
/// // Whoever has been silent for a minute has to leave.
/// for request in server.handle().requests() {
///     if request.idle().as_secs() >= 60 {
///         println!("closing {request}");
///         request.close();
///     }
/// }
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RequestInfo {
    pub(crate) id: u64,
    pub(crate) client_address: SocketAddress,
    pub(crate) age: Duration,
    pub(crate) idle: Duration,
    pub(crate) activity: Activity,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) process_id: Option<u32>,
    pub(crate) sender: Option<Sender>,
}

/// What a request is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activity {
    /// It waits to be run: for a thread, say.
    Waiting,
    /// Its handler does something else than reading or writing, which nobody can interrupt.
    Running,
    /// Its handler waits for something to read.
    Reading,
    /// Its handler, or somebody who sends to its client, waits for the client to read.
    Writing,
    /// Its handler has returned, and the client has time to end its side
    /// ([`linger`](crate::ServerOptions::linger)).
    Lingering,
}

impl Activity {
    pub(super) fn of(number: u8) -> Self {
        const ALL: [Activity; 5] = [
            Activity::Waiting,
            Activity::Running,
            Activity::Reading,
            Activity::Writing,
            Activity::Lingering,
        ];
        ALL[usize::from(number) % ALL.len()]
    }
}

impl RequestInfo {
    /// What tells it from all other requests of this server.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Who sent it. An enum of both kinds of addresses, because a handle knows no transport:
    /// [`socket_addr`](SocketAddress::socket_addr) and [`ip`](SocketAddress::ip) take it apart, and what a
    /// handler has can be turned into one to compare them.
    ///
    /// ```
    /// # use socketserver::{RequestInfo, SocketAddress, ServerHandle};
    /// # use std::net::SocketAddr;
    /// fn find(server: &ServerHandle, client: SocketAddr) -> Option<RequestInfo> {
    ///     let client = SocketAddress::from(client);
    ///     server.requests().into_iter().find(|request| *request.client_address() == client)
    /// }
    /// ```
    pub fn client_address(&self) -> &SocketAddress {
        &self.client_address
    }

    /// How long ago it was taken in.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// How long ago something was last received from the client or sent to it; of a datagram, its age.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// What it is doing. Of a request that runs in a child process, the parent knows only that:
    /// [`Activity::Running`].
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// How many bytes were received from the client.
    pub fn bytes_received(&self) -> u64 {
        self.bytes_received
    }

    /// How many bytes were sent to the client.
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// The process that it runs in, if that is a child.
    pub fn process_id(&self) -> Option<u32> {
        self.process_id
    }

    /// Writes to its client. `None` for a datagram, for a request in a child process, and in a
    /// [`DrainReport`](crate::DrainReport).
    pub fn sender(&self) -> Option<&Sender> {
        self.sender.as_ref()
    }

    /// Ends its conversation: [`Sender::close`]. Does nothing where there is no [`sender`](Self::sender).
    #[doc(alias = "kick")]
    pub fn close(&self) {
        if let Some(sender) = &self.sender {
            sender.close();
        }
    }
}

impl fmt::Display for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client_address,
            activity,
            age,
            idle,
            bytes_received,
            bytes_sent,
            ..
        } = self;
        write!(
            f,
            "{client_address}, {activity}, {:.1}s old, idle for {:.1}s, {bytes_received} bytes in, \
             {bytes_sent} out",
            age.as_secs_f64(),
            idle.as_secs_f64(),
        )?;
        match self.process_id {
            Some(process) => write!(f, ", in process {process}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting to be run",
            Self::Running => "running",
            Self::Reading => "reading",
            Self::Writing => "writing",
            Self::Lingering => "lingering",
        })
    }
}
