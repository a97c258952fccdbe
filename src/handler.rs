//! Request handlers: the code that talks to one client.

use crate::error::Result;
use crate::request::Request;

/// Talks to one client. The twin of Python's `BaseRequestHandler`, `StreamRequestHandler` and
/// `DatagramRequestHandler`.
///
/// The server makes a new handler for each request (see [`Service`](crate::Service)). Therefore the
/// handler's fields belong to one client and need no lock.
///
/// - **You implement** [`handle`](Self::handle).
/// - **You may override** [`setup`](Self::setup) and [`finish`](Self::finish).
/// - **The server calls** `setup`, `handle`, `finish`, in this order, on the thread that the
///   [`Strategy`](crate::Strategy) chose. If `setup` fails, the other two are not called. If `handle` fails,
///   `finish` is still called. An `Err` or a panic in any of them ends only this request, and is passed to
///   [`Service::handle_error`](crate::Service::handle_error).
///
/// A handler that implements this trait for one request type serves one transport. A handler that
/// implements it for every [`Request`] serves all four:
///
/// ```
/// use socketserver::{Request, RequestHandler, Result};
///
/// struct LineEcho;
///
/// impl<R: Request> RequestHandler<R> for LineEcho {
///     fn handle(&mut self, request: &mut R) -> Result {
///         let line = request.readline(10_000)?;
///         request.send_all(&line)?;
///         Ok(())
///     }
/// }
/// ```
///
/// > **Coming from Python.** `self.request`, `self.rfile`, `self.wfile` and `self.connection`
/// > are the one argument `request`; `self.client_address` is
/// > [`request.client_address()`](Request::client_address); `self.server` is
/// > [`request.server()`](Request::server) for the life cycle, and a field of your handler for
/// > shared state ([`Service`](crate::Service) shows how it gets there).
#[doc(alias = "BaseRequestHandler")]
#[doc(alias = "StreamRequestHandler")]
#[doc(alias = "DatagramRequestHandler")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle requests of type `{R}`",
    label = "not a handler for this server's requests",
    note = "implement `RequestHandler<{R}>` for it, with a `handle` method; or, to serve every kind of \
            request, `impl<R: Request> RequestHandler<R>`, with `request: &mut R`",
    note = "`StreamRequest<TcpStream>` is `TcpRequest`, `StreamRequest<TlsSocket<TcpStream>>` is `TlsRequest`, \
            `DatagramRequest<UdpSocket>` is `UdpRequest`; for Unix servers they are `UnixStreamRequest` and \
            `UnixDatagramRequest`",
    note = "a closure without arguments makes the handler, `|| MyHandler`; one that talks to the client \
            is `handler_fn(|request: &mut {R}| ...)`"
)]
pub trait RequestHandler<R: Request> {
    /// Runs before [`handle`](Self::handle): the place for a timeout or a socket option. The default does
    /// nothing.
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    ///
    /// struct Polite;
    /// impl RequestHandler<TcpRequest> for Polite {
    ///     fn setup(&mut self, request: &mut TcpRequest) -> Result {
    ///         Ok(request.send_all("hello ")?)
    ///     }
    ///     fn handle(&mut self, request: &mut TcpRequest) -> Result {
    ///         Ok(request.send_all("world ")?)
    ///     }
    ///     fn finish(&mut self, request: &mut TcpRequest) -> Result {
    ///         Ok(request.send_all("bye")?)
    ///     }
    /// }
    /// assert_eq!(converse(|| Polite, "")?, b"hello world bye");
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An error ends the request without `handle` and [`finish`](Self::finish).
    fn setup(&mut self, request: &mut R) -> Result {
        let _ = request;
        Ok(())
    }

    /// Serves the client.
    ///
    /// After it and [`finish`](Self::finish) have returned, a stream is closed in order: the client reads the
    /// end of the stream. A datagram's reply, if there is one, is sent if both have succeeded.
    ///
    /// See the [example](Self::setup).
    ///
    /// # Errors
    ///
    /// An error is passed to [`Service::handle_error`](crate::Service::handle_error), after `finish`.
    fn handle(&mut self, request: &mut R) -> Result;

    /// Runs after [`handle`](Self::handle), also if `handle` failed or panicked, and also while the server
    /// stops ([`is_shutting_down`](crate::ServerHandle::is_shutting_down)). It does not run in a child
    /// process ([`Forking`](crate::Forking)) that was ended by a signal. The default does nothing.
    ///
    /// See the [example](Self::setup).
    ///
    /// # Errors
    ///
    /// An error is passed to [`Service::handle_error`](crate::Service::handle_error). An error of `handle` is
    /// then its [`context`](crate::HandlerError::context).
    fn finish(&mut self, request: &mut R) -> Result {
        let _ = request;
        Ok(())
    }
}

/// Makes a [`Service`](crate::Service) from one function that serves a client, for servers that need no
/// handler type.
///
/// Write out the type of the argument, because it determines the transport. Without the type, the compiler
/// reports "type annotations needed for `&mut _`". Without `handler_fn`, it reports "closure is expected to
/// take 0 arguments, but it takes 1 argument".
///
/// ```
/// use socketserver::{Request, TcpRequest, TcpServer, handler_fn};
///
/// let greet = handler_fn(|request: &mut TcpRequest| Ok(request.send_all(b"hi\n")?));
/// let server = TcpServer::bind("127.0.0.1:0", greet)?.spawn()?;
/// # let mut answer = String::new();
/// # let mut client = std::net::TcpStream::connect(server.server_address())?;
/// # std::io::Read::read_to_string(&mut client, &mut answer)?;
/// # assert_eq!(answer, "hi\n");
/// # Ok::<(), socketserver::BoxError>(())
/// ```
pub fn handler_fn<R, F>(function: F) -> FnService<F>
where
    R: Request,
    F: Fn(&mut R) -> Result + 'static,
    // The compiler quotes the next line with its comment if the function captures an `Rc`.
    F: Send + Sync, // many threads call it: `Arc`, not `Rc`; `Mutex`, not `RefCell` or `Cell`
{
    FnService { function }
}

/// Makes a [`Service`](crate::Service) from a function and the state that all requests share, for servers
/// that need no service type and no handler type. The function gets the state first.
///
/// `function` is a function, or a closure that captures nothing, because the state is an argument. Therefore
/// the type of the service can be named, for example in the field of a struct: `StateService<Counter,
/// TcpRequest>`. The state is also reachable from outside the handlers, as
/// [`server.service()`](crate::Server::service)`.state`. To share it with a second server, put it into an
/// `Arc`.
///
/// ```
/// use socketserver::prelude::*;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// #[derive(Default)]
/// struct Counter {
///     visits: AtomicU32,
/// }
///
/// fn count(counter: &Counter, request: &mut TcpRequest) -> Result {
///     let visit = counter.visits.fetch_add(1, Ordering::Relaxed) + 1;
///     Ok(request.send_all(format!("visit {visit}\n"))?)
/// }
///
/// let service = handler_fn_with(Counter::default(), count);
/// let server = ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()?;
/// # let client = std::net::TcpStream::connect(server.server_address())?;
/// # assert_eq!(std::io::read_to_string(client)?, "visit 1\n");
/// assert_eq!(server.service().state.visits.load(Ordering::Relaxed), 1);
/// # Ok::<(), BoxError>(())
/// ```
///
/// Python: `socketserver.TCPServer(address, functools.partial(Handler, state))`.
#[doc(alias = "partial")]
pub fn handler_fn_with<St, R>(state: St, function: fn(&St, &mut R) -> Result) -> StateService<St, R>
where
    St: Send + Sync + 'static, // many threads use it: `Mutex` or an atomic, not `RefCell` or `Cell`
    R: Request,
{
    StateService { state, function }
}

/// The service that [`handler_fn_with`] returns.
///
/// ```
/// use socketserver::{StateService, prelude::*};
///
/// struct Fixture {
///     server: Running<ThreadingTcpServer<StateService<String, TcpRequest>>>,
/// }
///
/// let service = handler_fn_with("hi".to_owned(), |text, request: &mut TcpRequest| Ok(request.send_all(text)?));
/// let fixture = Fixture { server: ThreadingTcpServer::bind("127.0.0.1:0", service)?.spawn()? };
/// assert_eq!(fixture.server.service().state, "hi");
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Debug)]
pub struct StateService<St, R> {
    /// The state that all requests share.
    pub state: St,
    pub(crate) function: fn(&St, &mut R) -> Result,
}

/// The service that [`handler_fn`] returns.
///
/// See the [example](handler_fn).
#[derive(Clone, Copy, Debug)]
pub struct FnService<F> {
    pub(crate) function: F,
}
