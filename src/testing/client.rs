//! The client's end of a connection, or of datagrams.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::panic::Location;
use std::thread;
use std::time::{Duration, Instant};

use socket2::Socket;

use crate::address::SocketAddress;
use crate::request::RequestKind;
use crate::state::{RequestInfo, ServerHandle};
use crate::sys::fd::{AsFd, impl_as_fd};
use crate::sys::poll::wait_readable;
use crate::testing::deadline::{at, time_until, timed_out};
use crate::testing::endpoint::Endpoint;
use crate::testing::place::Place;
use crate::testing::{POLL_INTERVAL, TIME_LIMIT};

/// Time between two pieces if the reads of the handler cannot be seen, because it runs in a child process.
const PAUSE: Duration = Duration::from_millis(20);

/// Larger than any datagram.
const BUFFER_SIZE: usize = 1 << 17;

/// A client of a [`TestServer`](crate::testing::TestServer), made by
/// [`TestServer::client`](crate::testing::TestServer::client). Every call ends within a time limit.
///
/// The names are those of [`Request`](crate::Request), the other end. A client of a datagram server sends a
/// datagram with each call, and receives one with each call.
///
/// The text of an error begins with the place of the call in the test, because a test that uses `?` would not
/// show it.
///
/// ```
/// use socketserver::prelude::*;
/// use socketserver::testing::TestServer;
///
/// let echo = handler_fn(|request: &mut TcpRequest| {
///     while let Some(line) = request.next_line(100)? {
///         request.send_all(&line)?;
///     }
///     Ok(())
/// });
/// let server = TestServer::start(ThreadingTcpServer::bind("127.0.0.1:0", echo)?);
/// let mut client = server.client();
/// client.send_all("one\ntwo")?;
/// assert_eq!(client.readline()?, b"one\n");
/// client.finish()?; // the handler reads the end of the stream
/// assert_eq!(client.rest()?, b"two");
/// # Ok::<(), BoxError>(())
/// ```
pub struct Client {
    socket: Socket,
    kind: RequestKind,
    server: ServerHandle,
    /// Address that the server sees.
    address: SocketAddress,
    received: Vec<u8>,
    /// Whether the server has ended the stream.
    ended: bool,
    sent: u64,
    time_limit: Duration,
    /// Directory of the socket file of a Unix client.
    _place: Option<Place>,
}

impl Client {
    /// Connects to a server of this process.
    pub(super) fn connect(server: ServerHandle, kind: RequestKind) -> io::Result<Self> {
        let Endpoint {
            socket,
            address,
            place,
        } = Endpoint::connect(server.server_address(), kind)?;
        Ok(Self {
            socket,
            kind,
            server,
            address,
            received: Vec::new(),
            ended: false,
            sent: 0,
            time_limit: TIME_LIMIT,
            _place: place,
        })
    }

    /// The address of this client, as the handler sees it:
    /// [`Request::client_address`](crate::Request::client_address). The client of a Unix server is bound to a
    /// temporary file.
    ///
    /// See the [example](Self::send_all).
    #[doc(alias = "getsockname")]
    pub fn local_address(&self) -> &SocketAddress {
        &self.address
    }

    /// Sets how long each following call may take, instead of [`TIME_LIMIT`]. An error of a call that takes longer
    /// has the kind [`TimedOut`](io::ErrorKind::TimedOut). A short limit tests that nothing is answered.
    ///
    /// See the [example](Self::send_all).
    #[doc(alias = "settimeout")]
    pub fn set_timeout(&mut self, time_limit: Duration) {
        self.time_limit = time_limit;
    }

    /// Sends all of `data`; to a datagram server, as one datagram. Python: `sendall`.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::TestServer};
    /// use std::time::Duration;
    ///
    /// let echo = handler_fn(|request: &mut TcpRequest| {
    ///     while let Some(line) = request.next_line(100)? {
    ///         request.send_all(line)?;
    ///     }
    ///     Ok(())
    /// });
    /// let server = TestServer::start(TcpServer::bind("127.0.0.1:0", echo)?);
    /// let mut client = server.client();
    /// client.set_timeout(Duration::from_secs(5));
    /// client.send_all("one\n")?;
    /// assert_eq!(client.readline()?, b"one\n");
    /// client.send_in_pieces("two\n", &[1, 2])?; // `t`, `w`, `o\n`
    /// assert_eq!(client.recv()?, b"two\n");
    /// client.send_all("end")?;
    /// client.finish()?;
    /// assert_eq!(client.rest()?, b"end");
    /// assert!(client.local_address().port().is_some());
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `BrokenPipe` or `ConnectionReset` if the server has closed the connection, `TimedOut` if it does not read.
    #[doc(alias = "sendall")]
    #[track_caller]
    pub fn send_all(&mut self, data: impl AsRef<[u8]>) -> io::Result<()> {
        let caller = Location::caller();
        self.send(data.as_ref()).map_err(|error| at(caller, error))
    }

    /// Sends `data` in pieces, and cuts it at the offsets `cuts`: `&[3, 5]` makes pieces of the bytes 0 to 2, of the
    /// bytes 3 and 4, and of the rest.
    ///
    /// Sends a piece when the handler has read all the previous ones, so that it receives each piece alone. A
    /// handler in a child process ([`Forking`](crate::Forking)) cannot be observed; 20 ms pass before each piece.
    /// To a datagram server, each piece is one datagram.
    ///
    /// See the [example](Self::send_all).
    ///
    /// # Errors
    ///
    /// As for [`send_all`](Self::send_all). `TimedOut` also if the handler does not read a piece; `InvalidInput` for
    /// offsets that do not ascend, or that are not inside `data`.
    #[track_caller]
    pub fn send_in_pieces(&mut self, data: impl AsRef<[u8]>, cuts: &[usize]) -> io::Result<()> {
        let caller = Location::caller();
        self.send_pieces(data.as_ref(), cuts)
            .map_err(|error| at(caller, error))
    }

    /// Ends the sending direction (half-close): the handler reads the end of the stream, and can still answer. Has no
    /// effect on datagrams. Python: `shutdown(SHUT_WR)`.
    ///
    /// See the [example](Self::send_all).
    ///
    /// # Errors
    ///
    /// `NotConnected` if the connection has been reset.
    #[doc(alias = "SHUT_WR")]
    #[track_caller]
    pub fn finish(&mut self) -> io::Result<()> {
        if self.kind == RequestKind::Datagram {
            return Ok(());
        }
        let caller = Location::caller();
        self.socket
            .shutdown(Shutdown::Write)
            .map_err(|error| at(caller, error))
    }

    /// Closes a TCP connection by a reset (RST): reads and writes of the handler fail with `ConnectionReset` or
    /// `BrokenPipe`. A dropped client closes in order instead. Unix sockets have no reset; the client is only
    /// closed.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::{TestServer, wait_until}};
    ///
    /// let service = handler_fn(|request: &mut TcpRequest| {
    ///     request.send_all("ready\n")?;
    ///     Ok(request.readline(100).map(drop)?)
    /// });
    /// let server = TestServer::start(TcpServer::bind("127.0.0.1:0", service)?);
    /// let mut client = server.client();
    /// client.readline()?;
    /// client.reset()?;
    /// wait_until("the handler notices", || server.stats().disconnected == 1);
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An error of `setsockopt(2)`.
    #[doc(alias = "SO_LINGER")]
    #[track_caller]
    pub fn reset(self) -> io::Result<()> {
        let caller = Location::caller();
        if self.kind == RequestKind::Datagram || matches!(self.address, SocketAddress::Unix(_)) {
            return Ok(());
        }
        self.socket
            .set_linger(Some(Duration::ZERO))
            .map_err(|error| at(caller, error))
    }

    /// Reads one line with its `\n`. A result without `\n` is the last line of the stream; an empty one is the end of
    /// the stream. Of a datagram, reads one line, or all of it if there is no `\n`. Python: `rfile.readline()`.
    ///
    /// See the [example](Self::send_all).
    ///
    /// # Errors
    ///
    /// `TimedOut` if the line is not complete in time; the text has what has arrived, and the next call
    /// continues the line. `ConnectionReset` if the server has reset the connection.
    #[track_caller]
    pub fn readline(&mut self) -> io::Result<Vec<u8>> {
        let caller = Location::caller();
        self.receive_line().map_err(|error| at(caller, error))
    }

    /// Receives what is there; waits if nothing is. Empty at the end of the stream. Returns one datagram of a
    /// datagram server. Python: `recv(65536)`.
    ///
    /// See the [example](Self::send_all).
    ///
    /// # Errors
    ///
    /// As for [`readline`](Self::readline).
    #[track_caller]
    pub fn recv(&mut self) -> io::Result<Vec<u8>> {
        let caller = Location::caller();
        let deadline = self.deadline();
        if self.received.is_empty() && !self.ended {
            self.fill(deadline, "anything")
                .map_err(|error| at(caller, error))?;
        }
        Ok(std::mem::take(&mut self.received))
    }

    /// Reads to the end of the stream. Does not wait for more than the time limit in all. Python: `rfile.read()`.
    ///
    /// See the [example](Self::send_all).
    ///
    /// # Errors
    ///
    /// As for [`readline`](Self::readline); `Unsupported` for datagrams, which have no end.
    #[doc(alias = "read_to_end")]
    #[track_caller]
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let caller = Location::caller();
        self.receive_rest().map_err(|error| at(caller, error))?;
        Ok(std::mem::take(&mut self.received))
    }

    /// A second descriptor of the connection, for another thread.
    pub(super) fn writer(&self) -> io::Result<Socket> {
        self.socket.set_write_timeout(Some(self.time_limit))?;
        self.socket.try_clone()
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.time_limit
    }

    fn send(&mut self, data: &[u8]) -> io::Result<()> {
        let deadline = self.deadline();
        let mut rest = data;
        loop {
            self.socket.set_write_timeout(Some(time_until(deadline)?))?;
            match (&self.socket).write(rest) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_expired(&error) => {
                    return Err(timed_out(format!(
                        "the server did not read the last {} of {} bytes in time",
                        rest.len(),
                        data.len()
                    )));
                }
                size => rest = &rest[size?..],
            }
            if rest.is_empty() {
                break;
            }
        }
        self.sent += data.len() as u64;
        Ok(())
    }

    fn send_pieces(&mut self, data: &[u8], cuts: &[usize]) -> io::Result<()> {
        let ends = cuts.iter().copied().chain([data.len()]);
        let mut start = 0;
        if ends
            .clone()
            .any(|end| std::mem::replace(&mut start, end) >= end)
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("cuts {cuts:?} do not ascend inside {} bytes", data.len()),
            ));
        }
        start = 0;
        for end in ends {
            if start > 0 && self.kind == RequestKind::Connection {
                self.wait_until_read()?;
            }
            self.send(&data[start..end])?;
            start = end;
        }
        Ok(())
    }

    /// Waits until the handler has read all that was sent, or the server has ended the stream.
    fn wait_until_read(&mut self) -> io::Result<()> {
        let deadline = self.deadline();
        let mut paused = false;
        loop {
            self.drain()?;
            match self.request() {
                Some(request) if request.bytes_received() >= self.sent => return Ok(()),
                Some(request) if request.process_id().is_some() => {
                    if std::mem::replace(&mut paused, true) {
                        return Ok(());
                    }
                    thread::sleep(PAUSE);
                }
                _ if self.ended => return Ok(()),
                _ => thread::sleep(POLL_INTERVAL),
            }
            if Instant::now() >= deadline {
                return Err(timed_out("the handler did not read a piece in time".into()));
            }
        }
    }

    /// The request of this client.
    fn request(&self) -> Option<RequestInfo> {
        let requests = self.server.requests();
        let mut own = requests.into_iter();
        own.find(|request| *request.client_address() == self.address)
    }

    /// Receives what is there, without waiting.
    fn drain(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_SIZE];
        while !self.ended && wait_readable([self.socket.as_fd()], Some(Duration::ZERO))? == [true] {
            match (&self.socket).read(&mut buffer)? {
                0 => self.ended = true,
                size => self.received.extend(&buffer[..size]),
            }
        }
        Ok(())
    }

    fn receive_line(&mut self) -> io::Result<Vec<u8>> {
        let deadline = self.deadline();
        let mut searched = 0;
        loop {
            let end = self.received[searched..]
                .iter()
                .position(|&byte| byte == b'\n');
            if let Some(end) = end {
                return Ok(self.received.drain(..=searched + end).collect());
            }
            let is_packet = self.kind == RequestKind::Datagram && !self.received.is_empty();
            if self.ended || is_packet {
                return Ok(std::mem::take(&mut self.received));
            }
            searched = self.received.len();
            let size = self.fill(deadline, "a line")?;
            if size == 0 && self.kind == RequestKind::Datagram {
                return Ok(Vec::new());
            }
        }
    }

    fn receive_rest(&mut self) -> io::Result<()> {
        if self.kind == RequestKind::Datagram {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let deadline = self.deadline();
        while !self.ended {
            self.fill(deadline, "the end of the stream")?;
        }
        Ok(())
    }

    /// Waits for data once, and adds it to `received`. Returns its size.
    fn fill(&mut self, deadline: Instant, what: &str) -> io::Result<usize> {
        let mut buffer = vec![0; BUFFER_SIZE];
        let size = loop {
            let time = time_until(deadline).map_err(|_| self.nothing_came(what))?;
            self.socket.set_read_timeout(Some(time))?;
            match (&self.socket).read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_expired(&error) => {
                    return Err(self.nothing_came(what));
                }
                size => break size?,
            }
        };
        self.received.extend(&buffer[..size]);
        self.ended = size == 0 && self.kind == RequestKind::Connection;
        Ok(size)
    }

    fn nothing_came(&self, what: &str) -> io::Error {
        const MOST: usize = 200;

        let size = self.received.len();
        let start = self.received[..size.min(MOST)].escape_ascii();
        let more = if size > MOST { ".." } else { "" };
        timed_out(format!(
            "{what} did not arrive within {:?}; received so far: b\"{start}\"{more}",
            self.time_limit
        ))
    }
}

/// Returns whether the timeout of a socket has expired: `WouldBlock` on Unix, `TimedOut` on Windows.
fn is_expired(error: &io::Error) -> bool {
    let kind = error.kind();
    kind == io::ErrorKind::WouldBlock || cfg!(windows) && kind == io::ErrorKind::TimedOut
}

impl_as_fd!(Client, socket);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("local_address", &self.address)
            .field("server_address", self.server.server_address())
            .finish_non_exhaustive()
    }
}
