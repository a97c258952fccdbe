//! One request on given bytes.

use std::fmt;
use std::io::{self, Write};
use std::net::Shutdown;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use socket2::{SockAddr, SockRef};

use crate::error::{Error, Result};
use crate::handler::RequestHandler;
use crate::handler_error::{HandlerError, Stage};
use crate::job;
use crate::request::{Request, RequestKind, TcpRequest, UdpRequest};
#[cfg(unix)]
use crate::request::{UnixDatagramRequest, UnixStreamRequest};
use crate::server::Server;
use crate::service::Service;
use crate::strategy::Sequential;
use crate::sys::fd::AsFd;
use crate::testing::client::Client;
use crate::testing::place::{Place, unique};
use crate::testing::{POLL_INTERVAL, TIME_LIMIT};
use crate::transport::{Tcp, Transport, Udp};
#[cfg(unix)]
use crate::transport::{UnixDatagram, UnixStream};

/// Serves one client that sends `input`, and returns what the client received.
///
/// The request is a real one: a loopback connection or a temporary Unix socket, a handler that the service makes,
/// all hooks of the service. The client of a stream sends all bytes, ends its sending direction, and reads to the end
/// of the stream. The client of a datagram server sends one datagram and receives all replies; several replies are
/// joined.
///
/// The service is everything that `bind` accepts. To look at its state afterwards, pass a clone of its `Arc`. The
/// type of the handler's request selects the transport. A handler for every kind of request needs it written out:
/// `converse::<TcpRequest, _>(|| LineEcho, "hello\n")`.
///
/// ```
/// use socketserver::prelude::*;
/// use socketserver::testing::converse;
///
/// let shout = || handler_fn(|request: &mut TcpRequest| {
///     let line = request.readline(1000)?;
///     if line.is_empty() {
///         return Err("the client has sent nothing".into());
///     }
///     Ok(request.write_all(&line.to_ascii_uppercase())?)
/// });
/// assert_eq!(converse(shout(), b"hello\n")?, b"HELLO\n");
///
/// let failed = converse(shout(), b"").unwrap_err();
/// assert_eq!(failed.error.to_string(), "handle failed: the client has sent nothing");
/// assert_eq!(failed.answer, b"");
/// # Ok::<(), BoxError>(())
/// ```
///
/// # Errors
///
/// The error or the panic of the handler, or of `verify_request`, with what the client received before. A
/// request that `verify_request` rejects has an empty answer and no error.
///
/// # Panics
///
/// If the request does not end within [`TIME_LIMIT`], or the system does not provide a socket or a thread.
#[track_caller]
pub fn converse<R, S>(service: S, input: impl AsRef<[u8]>) -> Result<Vec<u8>, ConverseError>
where
    R: ConverseRequest,
    S: Service<R>,
{
    let place = expect(Place::new());
    let error = Arc::default();
    let capture = Capture {
        service: Arc::new(service),
        error: Arc::clone(&error),
    };
    let server = R::bind(capture, &place.socket())
        .unwrap_or_else(|error| panic!("cannot serve: {error}"))
        .handle_request_timeout(TIME_LIMIT);
    let client = expect(Client::connect(server.handle(), R::Transport::KIND));
    let answer = expect(match R::Transport::KIND {
        RequestKind::Connection => over_stream(server, client, input.as_ref()),
        RequestKind::Datagram => over_datagrams(server, client, input.as_ref()),
    });
    match error.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) => Err(ConverseError { error, answer }),
        None => Ok(answer),
    }
}

#[track_caller]
fn expect<T>(result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("the conversation did not end: {error}"))
}

/// A request with which [`converse`] can call a handler: the requests of the four transports.
///
/// See the [example](converse).
pub trait ConverseRequest: Request + sealed::Bound {}

impl<R: sealed::Bound> ConverseRequest for R {}

mod sealed {
    use super::*;

    /// The transport of a request, and how to bind it for one test.
    pub trait Bound: Request {
        type Transport: Transport<Request = Self>;

        /// Binds to a free loopback port, or to `path`.
        fn bind<S: Service<Self>>(
            service: S,
            path: &Path,
        ) -> Result<Server<Self::Transport, S, Sequential>, Error>;
    }
}

macro_rules! bound {
    ($request:ty, $transport:ty, |$options:ident, $service:ident, $path:ident| $bind:expr) => {
        impl sealed::Bound for $request {
            type Transport = $transport;

            fn bind<S: Service<Self>>(
                $service: S,
                $path: &Path,
            ) -> Result<Server<$transport, S, Sequential>, Error> {
                let $options = Server::<$transport, S, Sequential>::options();
                $bind
            }
        }
    };
}

// A stream lingers, because the input that a handler does not read would reset the connection before the client has
// received the answer.
bound!(TcpRequest, Tcp, |options, service, _path| options
    .linger(TIME_LIMIT)
    .bind("127.0.0.1:0", service));
bound!(UdpRequest, Udp, |options, service, _path| options
    .bind("127.0.0.1:0", service));
#[cfg(unix)]
bound!(UnixStreamRequest, UnixStream, |options, service, path| {
    options.linger(TIME_LIMIT).bind(path, service)
});
#[cfg(unix)]
bound!(
    UnixDatagramRequest,
    UnixDatagram,
    |options, service, path| options.bind(path, service)
);

/// Error of a handler that [`converse`] has called.
///
/// See the [example](converse).
#[non_exhaustive]
pub struct ConverseError {
    /// The error or the panic, as [`Service::handle_error`] receives it.
    pub error: HandlerError,
    /// Bytes that the client received before.
    pub answer: Vec<u8>,
}

impl fmt::Display for ConverseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (error, answer) = (&self.error, self.answer.escape_ascii());
        write!(f, "{error} (the client had received b\"{answer}\")")
    }
}

/// Prints the text, because a test that returns an error, or unwraps it, shows this.
impl fmt::Debug for ConverseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConverseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// A service that serves by another one, and keeps the error.
struct Capture<S> {
    service: Arc<S>,
    error: Arc<Mutex<Option<HandlerError>>>,
}

impl<S> Capture<S> {
    fn keep<R: Request>(&self, request: &mut R, error: HandlerError)
    where
        S: Service<R>,
    {
        job::handle_error(&*self.service, request, &error);
        self.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    }
}

impl<R: Request, S: Service<R>> Service<R> for Capture<S> {
    type Handler = CaptureHandler<S>;

    fn request_handler(self: &Arc<Self>) -> CaptureHandler<S> {
        CaptureHandler(Arc::clone(self))
    }

    fn verify_request(&self, request: &R) -> bool {
        self.service.verify_request(request)
    }

    /// Called for a panic of `verify_request` only, of which the text is kept; `keep` has handled other errors.
    fn handle_error(&self, request: &mut R, error: &HandlerError) {
        if error.stage() == Stage::VerifyRequest {
            let message = error.panic_message().unwrap_or_default().to_owned();
            self.keep(request, HandlerError::panicked(error.stage(), message));
        }
    }

    fn handle_timeout(&self) {
        self.service.handle_timeout();
    }

    fn service_actions(&self) {
        self.service.service_actions();
    }

    fn get_request_error(&self, error: &io::Error) {
        self.service.get_request_error(error);
    }
}

struct CaptureHandler<S>(Arc<Capture<S>>);

impl<R: Request, S: Service<R>> RequestHandler<R> for CaptureHandler<S> {
    /// Runs the whole request: makes the handler, calls it, sends the reply.
    fn handle(&mut self, request: &mut R) -> Result {
        job::finish_request(request, &self.0.service).map_err(|error| {
            self.0.keep(request, error);
            "the error was kept".into()
        })
    }
}

/// Serves one request on a new thread, then calls `after`. The result receives a message at the end.
fn serve_one<T: Transport, S: Service<T::Request>>(
    server: Server<T, S, Sequential>,
    after: impl FnOnce(&Server<T, S, Sequential>) + Send + 'static,
) -> io::Result<Receiver<Result<(), Error>>> {
    let (ended, end) = mpsc::sync_channel(1);
    let serve = move || {
        let handled = server.handle_request().map(drop);
        after(&server);
        drop(server);
        let _ = ended.send(handled);
    };
    thread::Builder::new()
        .name("socketserver-testing".into())
        .spawn(serve)?;
    Ok(end)
}

fn wait_for(end: &Receiver<Result<(), Error>>) -> io::Result<()> {
    match end.recv_timeout(TIME_LIMIT) {
        Ok(handled) => handled.map_err(io::Error::other),
        Err(_) => Err(io::Error::other("the handler did not return in time")),
    }
}

/// Sends the input on a thread of its own, because the handler may answer before it reads.
fn over_stream<T: Transport, S: Service<T::Request>>(
    server: Server<T, S, Sequential>,
    mut client: Client,
    input: &[u8],
) -> io::Result<Vec<u8>> {
    let mut sending = client.writer()?;
    let input = input.to_vec();
    let end = serve_one(server, |_| {})?;
    thread::Builder::new()
        .name("socketserver-testing".into())
        .spawn(move || {
            // Fails if the handler ends before it has read all; the answer shows that.
            let _ = sending.write_all(&input);
            let _ = sending.shutdown(Shutdown::Write);
        })?;
    let answer = client.rest()?;
    wait_for(&end)?;
    Ok(answer)
}

/// Receives until a datagram that the server sends after the request, so that no reply is missed and no time passes.
fn over_datagrams<T: Transport, S: Service<T::Request>>(
    server: Server<T, S, Sequential>,
    mut client: Client,
    input: &[u8],
) -> io::Result<Vec<u8>> {
    let last = format!("socketserver-end-{}-{}", std::process::id(), unique()).into_bytes();
    let client_address = SockRef::from(&client.as_fd()).local_addr()?;
    client.send_all(input)?;
    let message = last.clone();
    let end = serve_one(server, move |server| {
        send_last(server, &message, &client_address)
    })?;
    let mut answer = Vec::new();
    loop {
        let reply = client.recv()?;
        if reply == last {
            break;
        }
        answer.extend(reply);
    }
    wait_for(&end)?;
    Ok(answer)
}

/// Sends a datagram to the client, which reads meanwhile.
fn send_last(server: &impl AsFd, message: &[u8], client: &SockAddr) {
    let deadline = Instant::now() + TIME_LIMIT;
    while let Err(error) = SockRef::from(&server.as_fd()).send_to(message, client) {
        if error.kind() != io::ErrorKind::WouldBlock || Instant::now() > deadline {
            break;
        }
        thread::sleep(POLL_INTERVAL);
    }
}
