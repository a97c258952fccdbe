//! Descriptions of running requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::address::SocketAddress;
use crate::state::live_connection::LiveConnection;
use crate::state::{Activity, ConnectionState, Sender};
use crate::sys::coarse_clock::Moment;

/// A description of a request that was running or queued when the description was made: its client, its
/// age, its activity. From [`ServerHandle::requests`](crate::ServerHandle::requests) and
/// [`DrainReport`](crate::DrainReport).
///
/// The `Display` text is one line for a log: `127.0.0.1:50312, reading, 3.2s old, idle for 1.1s, 12 bytes
/// in, 40 out`. Times are accurate to a few milliseconds.
///
/// ```
/// # use socketserver::prelude::*;
/// # let service = handler_fn(|request: &mut TcpRequest| Ok(request.readline(100).map(drop)?));
/// # let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()?;
/// // Closes connections that have been idle for a minute.
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

impl RequestInfo {
    /// Describes a connection, without a sender.
    pub(crate) fn of_connection(state: &ConnectionState, client_address: SocketAddress) -> Self {
        let activity = state.activity();
        let (bytes_received, bytes_sent) = state.bytes();
        let now = Moment::now();
        Self {
            id: state.id(),
            client_address,
            age: now.since(state.accepted_at()),
            idle: now.since(state.last_io()),
            activity,
            bytes_received,
            bytes_sent,
            process_id: None,
            sender: None,
        }
    }

    /// Describes a live connection, with a sender.
    pub(super) fn with_sender(connection: &Arc<dyn LiveConnection>) -> Self {
        let (state, address) = (connection.connection_state(), connection.client_address());
        Self {
            sender: Some(Sender::stream(Arc::downgrade(connection))),
            ..Self::of_connection(state, address)
        }
    }

    /// Returns a number that no other request of this server has.
    ///
    /// See the [example](crate::ServerHandle::requests).
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the address of the client. Its type covers both kinds of addresses, because a handle does
    /// not depend on the transport. [`socket_addr`](SocketAddress::socket_addr) and
    /// [`ip`](SocketAddress::ip) return its parts. The address that a handler has can be converted into this
    /// type, for example to compare them.
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

    /// Returns the time since the request was accepted.
    ///
    /// See the [example](crate::ServerHandle::requests).
    pub fn age(&self) -> Duration {
        self.age
    }

    /// Returns the time since the last bytes were received from the client or sent to it. For a datagram
    /// or a request in a child process, returns the age.
    ///
    /// See the [example](crate::ServerHandle::requests).
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// Returns what the request is doing. A request in a child process is always [`Activity::Running`],
    /// because the parent does not know more.
    ///
    /// See the [example](crate::ServerHandle::requests).
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// Returns the number of bytes received from the client. Zero for a datagram and in a child process.
    ///
    /// See the [example](crate::ServerHandle::requests).
    pub fn bytes_received(&self) -> u64 {
        self.bytes_received
    }

    /// Returns the number of bytes sent to the client. Zero for a datagram and in a child process.
    ///
    /// See the [example](crate::ServerHandle::requests).
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// Returns the id of the child process that runs the request, if it runs in one.
    ///
    /// See the [example](crate::ServerHandle::requests).
    pub fn process_id(&self) -> Option<u32> {
        self.process_id
    }

    /// Returns a [`Sender`] to the client. `None` for a datagram, for a request in a child process, and in a
    /// [`DrainReport`](crate::DrainReport).
    ///
    /// See the [example](crate::ServerHandle::requests).
    pub fn sender(&self) -> Option<&Sender> {
        self.sender.as_ref()
    }

    /// Closes the connection: [`Sender::close`]. Does nothing if there is no [`sender`](Self::sender).
    ///
    /// See the [example](crate::ServerHandle::requests).
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
