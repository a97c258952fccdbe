//! Services: shared state, hooks, and the making of handlers.

use std::io;
use std::sync::Arc;

use crate::error::Result;
use crate::handler::{FnService, RequestHandler, StateService};
use crate::handler_error::HandlerError;
use crate::handshake_error::HandshakeError;
use crate::request::Request;

/// Makes the handlers of a server, holds the state that they share, and has the server's hooks. In Python,
/// these are in a subclass of the server, or in module globals.
///
/// A closure or function without arguments that returns a handler is a service: `|| MyHandler`,
/// `MyHandler::default`. For shared state, implement the trait on the type that holds it, and give each
/// handler a clone of the `Arc`:
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use socketserver::{Request, RequestHandler, Result, Service, ThreadingTcpServer};
///
/// #[derive(Default)]
/// struct Counter {
///     visits: AtomicU64,
/// }
///
/// impl<R: Request> Service<R> for Counter {
///     type Handler = Visit;
///     fn request_handler(self: &Arc<Self>) -> Visit {
///         Visit { server: Arc::clone(self) }
///     }
/// }
///
/// struct Visit {
///     server: Arc<Counter>, // Python: self.server
/// }
///
/// impl<R: Request> RequestHandler<R> for Visit {
///     fn handle(&mut self, request: &mut R) -> Result {
///         let n = self.server.visits.fetch_add(1, Ordering::Relaxed) + 1;
///         request.send_all(format!("visit {n}\n").as_bytes())?;
///         Ok(())
///     }
/// }
///
/// let server = ThreadingTcpServer::bind("127.0.0.1:0", Counter::default())?;
/// # let _ = server;
/// # Ok::<(), socketserver::BoxError>(())
/// ```
///
/// Several servers can share one state, for example TCP and UDP servers of one protocol: pass each server a
/// clone of the same `Arc`. An `Arc` of a service is a service too.
///
/// - **You implement** [`request_handler`](Self::request_handler).
/// - **You may override** the other methods. They have Python's names and defaults.
/// - **The server calls** all methods. `verify_request`, `handle_timeout`, `service_actions` and
///   `get_request_error` run on an accept thread, so they should return quickly. For a connection with a handshake,
///   `verify_request` comes after it, and may run where the request runs, as `handshake_error` may. `request_handler`
///   and `handle_error` run where the request runs; `handle_error` runs on an accept thread for a request that
///   could not be run. A panic in a hook fails at most the current request.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service for requests of type `{R}`",
    label = "makes no handlers for the requests of this server",
    note = "a server takes what *makes* handlers, as Python takes the handler's class: pass \
            `|| MyHandler`, or `move || MyHandler::new(...)`",
    note = "such a closure cannot change what it captures: it is called from several threads; count \
            with an atomic, collect in a `Mutex`",
    note = "a function that takes the request goes through `handler_fn(|request: &mut {R}| ...)`, its \
            argument's type written out",
    note = "shared state becomes a service by `impl<R: Request> Service<R>` for its type",
    note = "`StreamRequest<TcpStream>` is `TcpRequest`, `StreamRequest<TlsSocket<TcpStream>>` is `TlsRequest`, \
            `DatagramRequest<UdpSocket>` is `UdpRequest`; for Unix servers they are `UnixStreamRequest` and \
            `UnixDatagramRequest`"
)]
pub trait Service<R: Request>: Send + Sync + 'static {
    /// The type of the handlers. Python: `RequestHandlerClass`.
    type Handler: RequestHandler<R>;

    /// Makes the handler for one request. Python: calling `RequestHandlerClass`.
    ///
    /// See the [example](Self::verify_request).
    #[doc(alias = "RequestHandlerClass")]
    #[doc(alias = "finish_request")]
    #[doc(alias = "__init__")]
    #[doc(alias = "gevent.local.local")]
    fn request_handler(self: &Arc<Self>) -> Self::Handler;

    /// Returns whether to serve this request. `false` rejects it: it is closed in order, without a handler.
    /// The default returns `true`.
    ///
    /// A panic closes this request, and is passed to [`handle_error`](Self::handle_error). (Python: an
    /// exception ends the server and leaks the connection.)
    ///
    /// A service that overrides most hooks:
    ///
    /// ```
    /// use socketserver::{prelude::*, testing::converse};
    /// use std::{io, sync::Arc};
    ///
    /// struct Hello;
    ///
    /// impl RequestHandler<TcpRequest> for Hello {
    ///     fn handle(&mut self, request: &mut TcpRequest) -> Result {
    ///         Ok(request.send_all("hello")?)
    ///     }
    /// }
    ///
    /// struct OnlyLocal;
    ///
    /// impl Service<TcpRequest> for OnlyLocal {
    ///     type Handler = Hello;
    ///
    ///     fn request_handler(self: &Arc<Self>) -> Hello {
    ///         Hello
    ///     }
    ///
    ///     fn verify_request(&self, request: &TcpRequest) -> bool {
    ///         request.client_address().ip().is_loopback()
    ///     }
    ///
    ///     fn handle_error(&self, request: &mut TcpRequest, error: &HandlerError) {
    ///         eprintln!("{}: {error}", request.client_address());
    ///     }
    ///
    ///     fn handle_timeout(&self) {
    ///         eprintln!("no client");
    ///     }
    ///
    ///     fn get_request_error(&self, error: &io::Error) {
    ///         eprintln!("the listening socket: {error}");
    ///     }
    /// }
    /// assert_eq!(converse(OnlyLocal, "")?, b"hello");
    /// # Ok::<(), BoxError>(())
    /// ```
    fn verify_request(&self, request: &R) -> bool {
        let _ = request;
        true
    }

    /// Handles an error or a panic of a request, before the request is closed. A stream can still be written
    /// to. A datagram's reply is not sent, but [`send_to`](crate::DatagramRequest::send_to) works.
    ///
    /// The default prints to stderr, like Python's ([`HandlerError::report`]), except if the client only
    /// disconnected. Errors have no file and line, unlike a traceback. For a panic, Rust's panic hook has
    /// printed them before ([`std::panic::set_hook`] changes that).
    ///
    /// See the [example](Self::verify_request).
    fn handle_error(&self, request: &mut R, error: &HandlerError) {
        error.report(request.client_address());
    }

    /// Called if [`Server::handle_request`](crate::Server::handle_request) receives no request within its
    /// timeout. The default does nothing.
    ///
    /// See the [example](Self::verify_request).
    fn handle_timeout(&self) {}

    /// Called if a connection ends before its handler, because its handshake fails: see
    /// [`HandshakeError`]. [`Stats::handshake_errors`](crate::Stats::handshake_errors) counts these. The default
    /// does nothing, because every scanner of ports causes such errors. Python's servers drop them, too.
    ///
    /// It should return soon: with most strategies, one thread completes the handshakes of all clients, and calls it.
    ///
    /// See the [example](crate::tls).
    #[doc(alias = "SSLError")]
    fn handshake_error(&self, request: &R, error: &HandshakeError) {
        let _ = (request, error);
    }

    /// Called by `serve_forever` after each request that it accepted, and at least every
    /// [`poll_interval`](crate::Server::poll_interval). If the strategy has several accept loops (a thread
    /// pool of a datagram server), several threads call it at the same time. The default does nothing.
    ///
    /// See the [example](crate::Server::poll_interval).
    fn service_actions(&self) {}

    /// Called for each error of the listening socket: of `accept(2)`, or of `recvfrom(2)` for datagrams. The
    /// server continues if it can. [`Stats::accept_errors`](crate::Stats::accept_errors) counts these
    /// errors. The default does nothing. (Python ignores them without a report.)
    ///
    /// See the [example](Self::verify_request).
    #[doc(alias = "get_request")]
    fn get_request_error(&self, error: &io::Error) {
        let _ = error;
    }
}

/// Every closure or function without arguments that returns a handler.
impl<R, F, H> Service<R> for F
where
    R: Request,
    F: HandlerFactory<Handler = H> + Send + Sync + 'static,
    H: RequestHandler<R>,
{
    type Handler = H;

    fn request_handler(self: &Arc<Self>) -> H {
        self.make()
    }
}

/// A closure or function without arguments that returns a handler: every `Fn() -> H`.
///
/// A program need not name this trait: pass `|| MyHandler` to `bind`, or implement [`Service`] for your own
/// type. The trait exists because of the compiler's messages. With it between [`Service`] and `Fn`, a
/// program that passes a handler instead of its factory gets the notes of `Service`, and not the message
/// that `Fn()` is not implemented. For a closure that does not fit, the compiler states the reason.
///
/// See the [example](Self::make).
pub trait HandlerFactory {
    /// The type of the handlers.
    type Handler;

    /// Makes the handler for one request: calls the closure.
    ///
    /// ```
    /// use socketserver::HandlerFactory;
    ///
    /// struct MyHandler(u32);
    /// let factory = || MyHandler(7);
    /// assert_eq!(factory.make().0, 7);
    /// ```
    fn make(&self) -> Self::Handler;
}

#[diagnostic::do_not_recommend]
impl<F: Fn() -> H, H> HandlerFactory for F {
    type Handler = H;

    fn make(&self) -> H {
        self()
    }
}

/// Shares one service between several servers: pass each server a clone of the `Arc`.
#[diagnostic::do_not_recommend]
impl<R, S> Service<R> for Arc<S>
where
    R: Request,
    S: Service<R>,
{
    type Handler = S::Handler;

    fn request_handler(self: &Arc<Self>) -> S::Handler {
        (**self).request_handler()
    }

    fn verify_request(&self, request: &R) -> bool {
        (**self).verify_request(request)
    }

    fn handle_error(&self, request: &mut R, error: &HandlerError) {
        (**self).handle_error(request, error);
    }

    fn handle_timeout(&self) {
        (**self).handle_timeout();
    }

    fn handshake_error(&self, request: &R, error: &HandshakeError) {
        (**self).handshake_error(request, error);
    }

    fn service_actions(&self) {
        (**self).service_actions();
    }

    fn get_request_error(&self, error: &io::Error) {
        (**self).get_request_error(error);
    }
}

impl<R, F> Service<R> for FnService<F>
where
    R: Request,
    F: Fn(&mut R) -> Result + Send + Sync + 'static,
{
    type Handler = FnHandler<F>;

    fn request_handler(self: &Arc<Self>) -> FnHandler<F> {
        FnHandler(Arc::clone(self))
    }
}

/// The handler that the service of [`handler_fn`](crate::handler_fn) makes for each request.
///
/// See the [example](crate::handler_fn).
#[derive(Debug)]
pub struct FnHandler<F>(Arc<FnService<F>>);

impl<R, F> RequestHandler<R> for FnHandler<F>
where
    R: Request,
    F: Fn(&mut R) -> Result,
{
    fn handle(&mut self, request: &mut R) -> Result {
        (self.0.function)(request)
    }
}

#[diagnostic::do_not_recommend]
impl<St, R> Service<R> for StateService<St, R>
where
    St: Send + Sync + 'static,
    R: Request,
{
    type Handler = StateHandler<St, R>;

    fn request_handler(self: &Arc<Self>) -> StateHandler<St, R> {
        StateHandler(Arc::clone(self))
    }
}

/// The handler that the service of [`handler_fn_with`](crate::handler_fn_with) makes for each request.
///
/// See the [example](crate::handler_fn_with).
#[derive(Debug)]
pub struct StateHandler<St, R>(Arc<StateService<St, R>>);

impl<St, R: Request> RequestHandler<R> for StateHandler<St, R> {
    fn handle(&mut self, request: &mut R) -> Result {
        (self.0.function)(&self.0.state, request)
    }
}
