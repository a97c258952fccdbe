//! Services and handlers that several tests use.

use super::*;

/// Answers one line with itself, as the handler of CPython's own tests does.
#[derive(Debug, Default)]
pub(crate) struct LineEcho;

impl<R: Request> RequestHandler<R> for LineEcho {
    fn handle(&mut self, request: &mut R) -> Result {
        let line = request.readline(10_000)?;
        request.write_all(&line)?;
        Ok(())
    }
}

/// Answers each line with itself, up to the end of the stream or datagram.
pub(crate) fn echo_lines<R: Request>(request: &mut R) -> Result {
    while let Some(line) = request.next_line(10_000)? {
        request.send_all(&line)?;
    }
    Ok(())
}

type Hook<A> = Box<dyn Fn(A) + Send + Sync>;
type ErrorHook<R> = Box<dyn Fn(&mut R, &HandlerError) + Send + Sync>;

/// A service made of closures.
pub(crate) struct Hooks<R: Request> {
    handle: Box<dyn Fn(&mut R) -> Result + Send + Sync>,
    verify_request: Box<dyn Fn(&R) -> bool + Send + Sync>,
    handle_error: ErrorHook<R>,
    handle_timeout: Hook<()>,
    service_actions: Hook<()>,
    get_request_error: Box<dyn Fn(&io::Error) + Send + Sync>,
}

impl<R: Request> Hooks<R> {
    pub(crate) fn new(handle: impl Fn(&mut R) -> Result + Send + Sync + 'static) -> Self {
        Self {
            handle: Box::new(handle),
            verify_request: Box::new(|_| true),
            handle_error: Box::new(|_, _| {}),
            handle_timeout: Box::new(|()| {}),
            service_actions: Box::new(|()| {}),
            get_request_error: Box::new(|_| {}),
        }
    }

    /// Answers by [`echo_lines`].
    pub(crate) fn echo() -> Self {
        Self::new(echo_lines)
    }

    pub(crate) fn on_verify(mut self, hook: impl Fn(&R) -> bool + Send + Sync + 'static) -> Self {
        self.verify_request = Box::new(hook);
        self
    }

    pub(crate) fn on_error(
        mut self,
        hook: impl Fn(&mut R, &HandlerError) + Send + Sync + 'static,
    ) -> Self {
        self.handle_error = Box::new(hook);
        self
    }

    pub(crate) fn on_timeout(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.handle_timeout = Box::new(move |()| hook());
        self
    }

    pub(crate) fn on_actions(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.service_actions = Box::new(move |()| hook());
        self
    }

    pub(crate) fn on_get_request_error(
        mut self,
        hook: impl Fn(&io::Error) + Send + Sync + 'static,
    ) -> Self {
        self.get_request_error = Box::new(hook);
        self
    }

    /// Sends the arguments of each call of `handle_error` to the returned channel.
    pub(crate) fn failures(self) -> (Self, Receiver<Failure>) {
        let (sender, failures) = mpsc::channel();
        let hooks = self.on_error(move |_, error| {
            let _ = sender.send(Failure::of(error));
        });
        (hooks, failures)
    }
}

impl<R: Request> Service<R> for Hooks<R> {
    type Handler = HooksHandler<R>;

    fn request_handler(self: &Arc<Self>) -> HooksHandler<R> {
        HooksHandler(Arc::clone(self))
    }

    fn verify_request(&self, request: &R) -> bool {
        (self.verify_request)(request)
    }

    fn handle_error(&self, request: &mut R, error: &HandlerError) {
        (self.handle_error)(request, error);
    }

    fn handle_timeout(&self) {
        (self.handle_timeout)(());
    }

    fn service_actions(&self) {
        (self.service_actions)(());
    }

    fn get_request_error(&self, error: &io::Error) {
        (self.get_request_error)(error);
    }
}

pub(crate) struct HooksHandler<R: Request>(Arc<Hooks<R>>);

impl<R: Request> RequestHandler<R> for HooksHandler<R> {
    fn handle(&mut self, request: &mut R) -> Result {
        (self.0.handle)(request)
    }
}

/// Copy of the error that `handle_error` received, for another thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) text: String,
    /// Kind of the error, if it is an `io::Error`.
    pub(crate) kind: Option<io::ErrorKind>,
    pub(crate) is_disconnect: bool,
    pub(crate) disconnect_kind: Option<DisconnectKind>,
    pub(crate) is_timeout: bool,
    pub(crate) shutting_down: bool,
}

impl Failure {
    pub(crate) fn of(error: &HandlerError) -> Self {
        let io_error = error.error().and_then(|error| error.downcast_ref());
        Self {
            stage: error.stage(),
            text: error.to_string(),
            kind: io_error.map(io::Error::kind),
            is_disconnect: error.is_disconnect(),
            disconnect_kind: error.disconnect_kind(),
            is_timeout: error.is_timeout(),
            shutting_down: io_error.is_some_and(ShuttingDown::is_cause_of),
        }
    }
}

/// Suppresses the messages of panics on the threads of servers, where tests panic on purpose.
pub(crate) fn expect_panics() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_expected = thread::current()
                .name()
                .is_some_and(|name| name.starts_with("socketserver"));
            if !is_expected {
                print(panic);
            }
        }));
    });
}

/// A `Forking` strategy that does not check for other threads, because libtest has many.
///
/// Handlers and hooks of servers with this strategy may use their own values, the allocator and the standard streams.
/// They must not use a lock, or one end of a channel, that other threads use, because these threads do not exist in
/// the child process.
///
/// A test of such a server runs [`apart`](crate::support::alone::apart). A child process has copies of all sockets of
/// its parent, so that those of other tests would stay open for longer than these tests expect.
#[cfg(unix)]
#[allow(unsafe_code, reason = "`Forking::new` rejects the threads of libtest")]
#[track_caller]
pub(crate) fn forking() -> Forking {
    let is_apart = crate::support::alone::is_apart();
    assert!(is_apart, "the test of a server that forks has to run apart");
    // SAFETY: child processes use nothing that other threads may have locked, as stated above.
    unsafe { Forking::new_unchecked() }
}
