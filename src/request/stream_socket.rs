//! The sockets of stream requests.

mod std_sockets;

use std::io::{self, IoSlice};
use std::net::Shutdown;
#[cfg(doc)]
use std::net::TcpStream;
#[cfg(all(doc, unix))]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::address::Address;
use crate::coroutine::stream_io;
use crate::sys::fd::BorrowedFd;
use crate::sys::poll::Direction;
#[cfg(feature = "tls")]
use crate::tls::TlsInfo;

/// A connected stream socket: [`TcpStream`], [`UnixStream`], a `TlsSocket`, or a type of your own that
/// wraps one.
///
/// [`StreamRequest`] adds to it what all connections have: the read buffer, timeouts, senders, counters
/// and force-close. [`Transport::get_request`] makes the request.
///
/// - **You implement** it to serve another kind of connection.
/// - **The server calls** all methods.
///
/// | method | you | the default |
/// | --- | --- | --- |
/// | [`recv`](Self::recv), [`send`](Self::send), [`try_send`](Self::try_send), [`shutdown`](Self::shutdown), [`set_timeout`](Self::set_timeout) | implement | none |
/// | [`read_timeout`](Self::read_timeout), [`write_timeout`](Self::write_timeout) | pass on | "unknown": timeouts can expire late |
/// | [`set_timeouts`](Self::set_timeouts) | pass on | the shorter timeout for both directions |
/// | [`descriptor`](Self::descriptor) | pass on | `None`: waits cost more |
/// | [`local_address`](Self::local_address) | pass on | an error of kind `Unsupported` |
/// | [`before_close`](Self::before_close) | pass on | closing with unread input resets the connection |
/// | [`wait_readable`](Self::wait_readable), [`wait_writable`](Self::wait_writable) | implement if the descriptor does not show readiness | wait for the descriptor |
/// | [`recv_spare`](Self::recv_spare), [`before_recv`](Self::before_recv) | implement to save memory under [`Coroutines`](crate::Coroutines) | one buffer of 64 KiB for each waiting coroutine |
/// | [`needs_handshake`](Self::needs_handshake), [`handshake`](Self::handshake) | implement if the client and the server negotiate before the first message | no handshake |
/// | [`has_pending_input`](Self::has_pending_input), [`has_incomplete_input`](Self::has_incomplete_input), [`finish`](Self::finish) | implement if the socket keeps received input, or ends its output with a message; pass on | the descriptor shows input; `shutdown` ends the output |
/// | [`try_recv`](Self::try_recv), [`try_send_vectored`](Self::try_send_vectored) | pass on | an additional system call |
///
/// "Pass on" is for a socket that wraps another: call the method of the inner socket.
///
/// # Rules
///
/// - **Concurrency.** All methods take `&self`. At the same time, one thread reads, one thread writes, and
///   any thread calls [`shutdown`](Self::shutdown) or [`has_incomplete_input`](Self::has_incomplete_input), or
///   reads a timeout. A lock that is held during a blocking read or write must not be needed by these.
/// - **Waiting.** Wait only in the methods of an inner `StreamSocket`, such as
///   `StreamSocket::recv(&self.inner, buffer)`, and not in [`Read::read`](io::Read::read). These
///   methods block a thread, but park a coroutine.
/// - **Timeouts.** A read or write whose timeout expired fails with an error of kind
///   [`TimedOut`](io::ErrorKind::TimedOut) that is not an error of the operating system
///   ([`raw_os_error`](io::Error::raw_os_error) is `None`). The methods of the inner `StreamSocket` do so;
///   `Read::read` fails with `WouldBlock` instead.
/// - **Other errors.** `Interrupted` is tried again. Errors that mean that the client is gone, such as
///   `BrokenPipe` and `ConnectionReset`, are listed in [`DisconnectKind`](crate::DisconnectKind).
/// - **Panics.** A panic in a read or write of the handler fails its request. For another thread that sends
///   to this client, it is an error. A panic in `shutdown`, in `before_close` or in the drop of the socket
///   is caught and has no effect.
///
/// # Example
///
/// A socket that masks all bytes in both directions:
///
/// ```ignore-windows
/// use socketserver::request::StreamSocket;
/// use std::io;
/// use std::net::{Shutdown, SocketAddr, TcpStream};
/// use std::os::fd::BorrowedFd;
/// use std::time::Duration;
///
/// struct Masked(TcpStream);
///
/// fn mask(data: &[u8]) -> Vec<u8> {
///     data.iter().map(|byte| byte ^ 0x55).collect()
/// }
///
/// impl StreamSocket for Masked {
///     type Address = SocketAddr;
///
///     fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
///         let size = StreamSocket::recv(&self.0, buffer)?;
///         let plain = mask(&buffer[..size]);
///         buffer[..size].copy_from_slice(&plain);
///         Ok(size)
///     }
///
///     fn send(&self, data: &[u8]) -> io::Result<usize> {
///         StreamSocket::send(&self.0, &mask(data))
///     }
///
///     fn try_send(&self, data: &[u8]) -> io::Result<usize> {
///         StreamSocket::try_send(&self.0, &mask(data))
///     }
///
///     fn shutdown(&self, how: Shutdown) -> io::Result<()> {
///         StreamSocket::shutdown(&self.0, how)
///     }
///
///     fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
///         StreamSocket::set_timeout(&self.0, timeout)
///     }
///
///     fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
///         StreamSocket::set_timeouts(&self.0, read, write)
///     }
///
///     fn read_timeout(&self) -> Option<Duration> {
///         StreamSocket::read_timeout(&self.0)
///     }
///
///     fn write_timeout(&self) -> Option<Duration> {
///         StreamSocket::write_timeout(&self.0)
///     }
///
///     fn descriptor(&self) -> Option<BorrowedFd<'_>> {
///         StreamSocket::descriptor(&self.0)
///     }
///
///     fn local_address(&self) -> io::Result<SocketAddr> {
///         StreamSocket::local_address(&self.0)
///     }
///
///     fn before_close(&self) {
///         StreamSocket::before_close(&self.0);
///     }
/// }
///
/// # use socketserver::{StreamRequest, ServerHandle};
/// fn masked_request(
///     connection: TcpStream,
///     client: SocketAddr,
///     server: &ServerHandle,
/// ) -> StreamRequest<Masked> {
///     StreamRequest::new(Masked(connection), client, server)
/// }
/// ```
///
/// [`StreamRequest`]: crate::StreamRequest
/// [`Transport::get_request`]: crate::Transport::get_request
pub trait StreamSocket: Send + Sync + 'static {
    /// The type of client addresses.
    type Address: Address;

    /// Receives at least one byte into `buffer`, waiting if none is available, and returns how many.
    /// Returns 0 at the end of the stream, and at once after a [`shutdown`](Self::shutdown) of both
    /// directions.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// `TimedOut` if nothing arrives within the read timeout.
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Receives like [`recv`](Self::recv), but appends to `buffer`, at most its free capacity.
    ///
    /// The default fills the free capacity with zeros first, and calls `recv`, which waits. Meanwhile the
    /// waiting request holds the buffer. An implementation that waits in
    /// [`before_recv`](Self::before_recv) instead does not wait here.
    ///
    /// ```
    /// use socketserver::request::StreamSocket;
    /// use std::io::Write;
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// let (socket, _) = listener.accept()?;
    /// client.write_all(b"hello")?;
    /// assert!(StreamSocket::wait_readable(&socket, None)?);
    /// assert!(StreamSocket::wait_writable(&socket, None)?);
    /// StreamSocket::before_recv(&socket, false)?;
    /// let mut buffer = Vec::with_capacity(100);
    /// assert_eq!(StreamSocket::recv_spare(&socket, &mut buffer)?, 5);
    /// assert_eq!(buffer, b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for `recv`. `WouldBlock` if nothing is available and the wait is in `before_recv`.
    fn recv_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let start = buffer.len();
        buffer.resize(buffer.capacity(), 0);
        let received = self.recv(&mut buffer[start..]);
        buffer.truncate(start + received.as_ref().unwrap_or(&0));
        received
    }

    /// Waits for input while the request holds no buffer. Called before each
    /// [`recv_spare`](Self::recv_spare).
    ///
    /// `would_block`: the last `recv_spare` failed with `WouldBlock`, and this method must wait. If not, it
    /// can wait if it is known that no input is available.
    ///
    /// See the [example](Self::recv_spare).
    ///
    /// # Errors
    ///
    /// `TimedOut` if nothing arrives within the read timeout. The default does not wait, and fails with
    /// `WouldBlock` if `would_block`, because the default `recv_spare` never does so.
    fn before_recv(&self, would_block: bool) -> io::Result<()> {
        if would_block {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    }

    /// The socket's descriptor, if this connection is its only owner until the socket is dropped. Default:
    /// `None`.
    ///
    /// With it, a coroutine and [`broadcast`](crate::ServerHandle::broadcast) wait at less cost, and
    /// [`Rejection::Reset`](crate::Rejection::Reset) resets the connection instead of closing it.
    ///
    /// See the [example](Self).
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// The address to which the client has connected, for
    /// [`Request::local_address`](crate::Request::local_address).
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// An error of `getsockname(2)`. The default is an error of kind `Unsupported`.
    fn local_address(&self) -> io::Result<Self::Address> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sends at least one byte of `data`, waiting until the socket has space for it, and returns how many.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// `TimedOut` if there is no space within the write timeout.
    fn send(&self, data: &[u8]) -> io::Result<usize>;

    /// Sends as much of `data` as the socket has space for, without waiting, and returns how much.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no space.
    fn try_send(&self, data: &[u8]) -> io::Result<usize>;

    /// Ends one direction or both. Must not wait.
    ///
    /// After the handler, the server calls it with `Write`, so that the client reads the end of the stream.
    /// [`Request::close`](crate::Request::close), [`Sender::close`](crate::Sender::close) and a stop call it
    /// with `Both`, from any thread, also more than once. From then on, reads and writes that wait and all
    /// later ones must return. Errors are ignored.
    ///
    /// See the [example](Self).
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// Sets how long each following read and each following write may wait. `None`: without limit.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a timeout of zero.
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Sets the timeout of each read and the timeout of each write.
    ///
    /// The default sets the shorter one for both. A read or write that times out too early because of that
    /// is tried again.
    ///
    /// See the [example](Self).
    ///
    /// # Errors
    ///
    /// As for [`set_timeout`](Self::set_timeout).
    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.set_timeout([read, write].into_iter().flatten().min())
    }

    /// How long each write may wait. `None`, the default: without limit, or unknown.
    ///
    /// A write also waits at most this long for other writes to the same client, and this long in all if
    /// it is sent in several parts.
    ///
    /// See the [example](Self).
    fn write_timeout(&self) -> Option<Duration> {
        None
    }

    /// How long each read may wait. `None`, the default: without limit, or unknown.
    ///
    /// If it is unknown, a longer timeout of the [`TimeoutConfig`](crate::transport::TimeoutConfig) can
    /// expire late, by as much as the socket's timeout.
    ///
    /// See the [example](Self).
    fn read_timeout(&self) -> Option<Duration> {
        None
    }

    /// Waits until input may be available, at most for `timeout` (`None`: without limit), whatever the read
    /// timeout is. Returns `false` if `timeout` expires.
    ///
    /// Called if a read has timed out and a longer timeout applies, before a first read that was delayed, and
    /// while the connection [lingers](crate::ServerOptions::linger). The default waits for the
    /// [`descriptor`](Self::descriptor). Without a descriptor it returns `true` at once, and the read is
    /// tried again.
    ///
    /// See the [example](Self::recv_spare).
    fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.descriptor().map_or(Ok(true), |descriptor| {
            stream_io::wait(descriptor, Direction::Receive, timeout)
        })
    }

    /// Waits until there may be space to send, like [`wait_readable`](Self::wait_readable). Called if a write
    /// has timed out and a longer timeout applies.
    ///
    /// See the [example](Self::recv_spare).
    fn wait_writable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.descriptor().map_or(Ok(true), |descriptor| {
            stream_io::wait(descriptor, Direction::Send, timeout)
        })
    }

    /// Whether client and server negotiate before the first message, as for TLS. The server then completes
    /// the [`handshake`](Self::handshake) before [`verify_request`](crate::Service::verify_request) and the
    /// handler. Default: `false`.
    ///
    /// See the [example](Self::handshake).
    fn needs_handshake(&self) -> bool {
        false
    }

    /// Advances the handshake as far as possible without waiting. Called again when the socket is ready in
    /// the way that the result says, until it is [`HandshakeStep::Done`] or an error, within
    /// [`handshake_timeout`](crate::ServerOptions::handshake_timeout).
    ///
    /// A silent client occupies no worker of a [`ThreadPool`](crate::ThreadPool), no child process and not
    /// the accept loop meanwhile.
    ///
    /// A socket with clients that begin with a password of four bytes:
    ///
    /// ```
    /// use socketserver::request::{HandshakeStep, StreamSocket};
    /// # use std::net::{Shutdown, SocketAddr, TcpStream};
    /// # use std::time::Duration;
    /// use std::{io, sync::Mutex};
    ///
    /// struct Guarded {
    ///     inner: TcpStream,
    ///     received: Mutex<Vec<u8>>,
    /// }
    ///
    /// impl StreamSocket for Guarded {
    ///     fn needs_handshake(&self) -> bool {
    ///         true
    ///     }
    ///
    ///     fn handshake(&self) -> io::Result<HandshakeStep> {
    ///         let mut received = self.received.lock().unwrap();
    ///         while received.len() < 4 {
    ///             let mut bytes = [0; 4];
    ///             let rest = 4 - received.len();
    ///             match StreamSocket::try_recv(&self.inner, &mut bytes[..rest]) {
    ///                 Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
    ///                 Ok(size) => received.extend(&bytes[..size]),
    ///                 Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
    ///                     return Ok(HandshakeStep::WantRead);
    ///                 }
    ///                 Err(error) => return Err(error),
    ///             }
    ///         }
    ///         match &**received {
    ///             b"open" => Ok(HandshakeStep::Done),
    ///             _ => Err(io::Error::new(io::ErrorKind::InvalidData, "wrong password")),
    ///         }
    ///     }
    ///     // the other methods as in the example of the trait
    /// #     type Address = SocketAddr;
    /// #     fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
    /// #         StreamSocket::recv(&self.inner, buffer)
    /// #     }
    /// #     fn send(&self, data: &[u8]) -> io::Result<usize> {
    /// #         StreamSocket::send(&self.inner, data)
    /// #     }
    /// #     fn try_send(&self, data: &[u8]) -> io::Result<usize> {
    /// #         StreamSocket::try_send(&self.inner, data)
    /// #     }
    /// #     fn shutdown(&self, how: Shutdown) -> io::Result<()> {
    /// #         StreamSocket::shutdown(&self.inner, how)
    /// #     }
    /// #     fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
    /// #         StreamSocket::set_timeout(&self.inner, timeout)
    /// #     }
    /// }
    /// # use std::io::Write;
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # for (password, is_right) in [(b"open", true), (b"shut", false)] {
    /// #     let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// #     let socket = Guarded { inner: listener.accept()?.0, received: Mutex::default() };
    /// #     assert_eq!(socket.handshake()?, HandshakeStep::WantRead);
    /// #     client.write_all(password)?;
    /// #     assert!(socket.inner.wait_readable(None)?);
    /// #     assert_eq!(socket.handshake().is_ok(), is_right);
    /// # }
    /// # Ok::<(), io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Any error ends the connection: [`handshake_error`](crate::Service::handshake_error) is called, and no
    /// handler runs.
    fn handshake(&self) -> io::Result<HandshakeStep> {
        Ok(HandshakeStep::Done)
    }

    /// Whether the socket itself has input that the [`descriptor`](Self::descriptor) does not show: what the next
    /// read finds, or a part of a handshake that is not complete. Default: `false`.
    ///
    /// See the [example](Self::try_recv).
    #[doc(alias = "pending")]
    fn has_pending_input(&self) -> bool {
        false
    }

    /// Whether bytes have arrived that no read can return yet, such as a part of a TLS record. A stop does not end
    /// the reads of such a connection as if it were idle. Default: `false`.
    ///
    /// See the [example](Self::try_recv).
    fn has_incomplete_input(&self) -> bool {
        false
    }

    /// Receives like [`recv`](Self::recv), without waiting. The default asks
    /// [`wait_readable`](Self::wait_readable) first.
    ///
    /// ```
    /// use socketserver::request::StreamSocket;
    /// use std::io::{ErrorKind, IoSlice, Write};
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// let (socket, _) = listener.accept()?;
    /// let mut buffer = [0; 100];
    /// let nothing = StreamSocket::try_recv(&socket, &mut buffer).unwrap_err();
    /// assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    /// client.write_all(b"hello")?;
    /// assert!(socket.wait_readable(None)?);
    /// assert_eq!(StreamSocket::try_recv(&socket, &mut buffer)?, 5);
    /// assert!(!socket.has_pending_input() && !socket.has_incomplete_input());
    /// let parts = [IoSlice::new(b"an"), IoSlice::new(b"swer")];
    /// assert_eq!(StreamSocket::try_send_vectored(&socket, &parts)?, 6);
    /// assert_eq!(socket.begun(b"more"), 0);
    /// let has_succeeded = true;
    /// if has_succeeded { socket.finish()? } else { socket.truncate()? }
    /// client.write_all(b"more")?;
    /// assert!(socket.discard(None)?);
    /// assert_eq!(std::io::read_to_string(client)?, "answer");
    /// assert!(!socket.discard(None)?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing is available.
    fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.wait_readable(Some(Duration::ZERO))? {
            return self.recv(buffer);
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Sends like [`try_send`](Self::try_send), from several buffers. The default sends from the first that
    /// is not empty.
    ///
    /// See the [example](Self::try_recv).
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no space.
    fn try_send_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match parts.iter().find(|part| !part.is_empty()) {
            Some(part) => self.try_send(part),
            None => Ok(0),
        }
    }

    /// Ends the output in order, after the handler has returned. Unlike [`shutdown`](Self::shutdown), it can
    /// wait until the client has taken what precedes the end. The default calls `shutdown` with `Write`.
    ///
    /// See the [example](Self::try_recv).
    ///
    /// # Errors
    ///
    /// Any error means that the end could not be sent. The connection is closed all the same.
    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    /// Ends the output of a request that has failed. A socket with a protocol that marks the end of the output, as
    /// TLS does, leaves out the mark, so that the client knows that it does not have everything. Must not wait. The default
    /// calls `shutdown` with `Write`.
    ///
    /// See the [example](Self::try_recv).
    ///
    /// # Errors
    ///
    /// Any error means that the client is gone.
    fn truncate(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    /// Size of the start of `data` that the client gets although [`try_send`](Self::try_send) has returned
    /// `WouldBlock` for `data`: a socket that encrypts cannot take back what it has encrypted. Default: 0.
    ///
    /// See the [example](Self::try_recv).
    fn begun(&self, data: &[u8]) -> usize {
        let _ = data;
        0
    }

    /// Result of the TLS handshake. Default: `None`.
    ///
    /// See the [example](crate::tls::TlsInfo).
    #[cfg(feature = "tls")]
    fn tls_info(&self) -> Option<TlsInfo> {
        None
    }

    /// Prepares the close, after the shutdown of the writing side, if the client has not ended its side: the
    /// place to discard unread input, so that closing does not reset the connection. Must not wait. The
    /// default does nothing.
    ///
    /// See the [example](Self).
    fn before_close(&self) {}

    /// Waits for input that follows [`before_close`](Self::before_close), at most for `timeout` (`None`: without
    /// limit), and discards some of it. Returns `false` at the end of the stream. Nothing is read as data any more, so
    /// a socket that decrypts need not do so. The default waits and calls [`recv`](Self::recv).
    ///
    /// See the [example](Self::try_recv).
    ///
    /// # Errors
    ///
    /// Any error means that the client is gone.
    fn discard(&self, timeout: Option<Duration>) -> io::Result<bool> {
        Ok(self.wait_readable(timeout)? && self.recv(&mut [0; 4096])? > 0)
    }
}

/// Progress of a handshake: [`StreamSocket::handshake`].
///
/// See the [example](StreamSocket::handshake).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandshakeStep {
    /// The handshake is complete.
    Done,
    /// The handshake continues when the client has sent something.
    WantRead,
    /// The handshake continues when the client has received something.
    WantWrite,
}
