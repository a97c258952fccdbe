//! ErrorHandlerTest: errors and panics of a handler reach `handle_error`.

use super::*;

/// Service that logs calls to a file, which also works in a child process. Its handlers end with `end`.
struct ErrorTest {
    log: PathBuf,
    end: fn() -> Result,
}

impl ErrorTest {
    fn log(&self, line: &str) {
        let mut log = OpenOptions::new();
        let mut log = log.create(true).append(true).open(&self.log).unwrap();
        writeln!(log, "{line}").unwrap();
    }
}

impl<R: Request> Service<R> for ErrorTest {
    type Handler = BadHandler;

    fn request_handler(self: &Arc<Self>) -> BadHandler {
        BadHandler(Arc::clone(self))
    }

    fn handle_error(&self, _: &mut R, _: &HandlerError) {
        self.log("Error handled");
    }
}

struct BadHandler(Arc<ErrorTest>);

impl<R: Request> RequestHandler<R> for BadHandler {
    fn handle(&mut self, _: &mut R) -> Result {
        self.0.log("Handler called");
        (self.0.end)()
    }
}

fn value_error() -> Result {
    Err("Test error".into())
}

fn panics() -> Result {
    panic_any("Test error");
}

/// Serves one client with a handler that ends with `end`. Both an error and a panic reach `handle_error`, and
/// affect only the request.
fn check_result<M: Strategy>(strategy: M, end: fn() -> Result) {
    expect_panics();
    let dir = TempDir::new();
    let log = dir.socket();
    let service = ErrorTest {
        log: log.clone(),
        end,
    };
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let server = server.strategy(strategy).grace_period(PATIENCE);
    let server = server.handle_request_timeout(Duration::ZERO);
    let handle = server.handle();
    drop(Tcp::connect(server.server_address()));
    // On a thread whose panics are expected.
    let named = thread::Builder::new().name("socketserver-test".into());
    let handled = named.spawn(move || {
        let handled = [server.handle_request(), server.handle_request()];
        server.server_close();
        handled.map(Result::unwrap)
    });
    let handled = in_time(|| handled.unwrap().join()).unwrap();
    assert_eq!(handled, [Handled::Request, Handled::Timeout]);
    assert_eq!(
        fs::read_to_string(log).unwrap(),
        "Handler called\nError handled\n"
    );
    let Stats { active, failed, .. } = handle.stats();
    assert_eq!((active, failed), (0, 1));
}

#[test]
fn test_sync_handled() {
    check_result(Sequential, value_error);
}

#[test]
fn test_sync_not_handled() {
    check_result(Sequential, panics);
}

#[test]
fn test_threading_handled() {
    check_result(Threading::new(), value_error);
}

#[test]
fn test_threading_not_handled() {
    check_result(Threading::new(), panics);
}

#[cfg(unix)]
#[test]
fn test_forking_handled() {
    apart(test_name!("test_forking_handled"), || {
        check_result(forking(), value_error);
    });
}

#[cfg(unix)]
#[test]
fn test_forking_not_handled() {
    apart(test_name!("test_forking_not_handled"), || {
        check_result(forking(), panics);
    });
}
