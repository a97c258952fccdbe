//! Services: what a Python program puts into its server subclass.

use std::io;
use std::sync::Arc;

use crate::error::Result;
use crate::handler::{FnService, RequestHandler};
use crate::handler_error::HandlerError;
use crate::request::Request;

/// Shared state, hooks, and the making of handlers: what a Python program puts into a subclass of
/// the server, or into module globals.
///
/// A closure that makes a handler is a service already: `|| MyHandler`, `MyHandler::default`.
/// For shared state, implement the trait on the type that holds it and give each handler a
/// clone of the `Arc`:
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
/// For several servers with one state (TCP and UDP twins, say), pass each a clone of an `Arc` of it:
/// that is a service too.
///
/// - **You implement** [`request_handler`](Self::request_handler).
/// - **You may override** the other methods; they have Python's names and defaults.
/// - **The server calls** them all. `verify_request`, `handle_timeout`, `service_actions` and
///   `get_request_error` run on the thread that accepts, so they should be quick;
///   `request_handler` and `handle_error` run where the request runs (`handle_error` for a request
///   that could not be run: on the thread that accepts). A panic in a hook costs at most the request
///   at hand.
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
    note = "`StreamRequest<TcpStream>` is `TcpRequest`, `DatagramRequest<UdpSocket>` is `UdpRequest`; \
            for Unix servers they are `UnixStreamRequest` and `UnixDatagramRequest`"
)]
pub trait Service<R: Request>: Send + Sync + 'static {
    /// What talks to one client.
    type Handler: RequestHandler<R>;

    /// Makes the handler for one request. Python: calling `RequestHandlerClass`.
    #[doc(alias = "RequestHandlerClass")]
    #[doc(alias = "finish_request")]
    #[doc(alias = "__init__")]
    #[doc(alias = "gevent.local.local")]
    fn request_handler(self: &Arc<Self>) -> Self::Handler;

    /// Whether to serve this request. `false` closes it in order, without a handler. The default
    /// serves everybody.
    ///
    /// A panic here refuses this request and reaches [`handle_error`](Self::handle_error).
    /// (Python: an exception here ends the server and leaks the connection.)
    fn verify_request(&self, request: &R) -> bool {
        let _ = request;
        true
    }

    /// Told about every error and panic in the course of a request, before it is closed. A stream can
    /// still be written to; a datagram's reply will not be sent, but
    /// [`send_to`](crate::DatagramRequest::send_to) works.
    ///
    /// The default prints what Python's prints ([`HandlerError::report`]), and nothing where the
    /// client merely went away. Errors know no file and line, as a traceback does; for a panic,
    /// Rust's panic hook has printed these before ([`std::panic::set_hook`] changes that).
    fn handle_error(&self, request: &mut R, error: &HandlerError) {
        error.report(request.client_address());
    }

    /// Called when [`Server::handle_request`](crate::Server::handle_request) saw no request
    /// within its timeout. The default does nothing.
    fn handle_timeout(&self) {}

    /// Called by `serve_forever` after each request that it took in, and at least every
    /// [`poll_interval`](crate::Server::poll_interval). Where the strategy has several accept loops (a
    /// thread pool of datagrams), on several threads at the same time. The default does nothing.
    fn service_actions(&self) {}

    /// Told about every error of the listening socket: of `accept(2)`, or of `recvfrom(2)` for
    /// datagrams. The server goes on by itself if it can; [`Stats`](crate::Stats) counts them.
    /// The default does nothing. (Python drops these errors without a trace.)
    #[doc(alias = "get_request")]
    fn get_request_error(&self, error: &io::Error) {
        let _ = error;
    }
}

/// A closure that makes a handler: every `Fn() -> H`.
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

/// Every `Fn() -> H`. It is here for the sake of messages: who passes a handler where its maker
/// belongs should read the notes of `Service`, not that `Fn()` is missing; who passes a closure that
/// does not fit should read why.
pub trait HandlerFactory {
    type Handler;
    fn make(&self) -> Self::Handler;
}

#[diagnostic::do_not_recommend]
impl<F: Fn() -> H, H> HandlerFactory for F {
    type Handler = H;

    fn make(&self) -> H {
        self()
    }
}

/// Several servers can share one service: give each a clone of its `Arc`.
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

/// The handler that [`handler_fn`](crate::handler_fn)'s service makes for each request.
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
