//! Order of the calls, and the effect of a failure on it.

use super::*;

/// Records the calls, and fails where the script says, until it is disarmed.
struct Traced {
    armed: AtomicBool,
    script: &'static [(Point, How)],
    calls: Mutex<Vec<String>>,
}

impl Traced {
    fn new(script: &'static [(Point, How)]) -> Self {
        Self {
            armed: AtomicBool::new(true),
            script,
            calls: Mutex::default(),
        }
    }

    fn reach(&self, point: Point, call: String) -> Result {
        if !self.armed.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.calls.lock().unwrap().push(call);
        match self.script.iter().find(|(planned, _)| *planned == point) {
            None => Ok(()),
            Some((_, Fails)) => Err(format!("{point:?} on purpose").into()),
            Some((_, Panics)) => panic!("{point:?} on purpose"),
        }
    }
}

impl<R: Request> Service<R> for Traced {
    type Handler = TracedHandler;

    fn request_handler(self: &Arc<Self>) -> TracedHandler {
        let reached = self.reach(Making, "request_handler".into());
        reached.expect("making a handler can only panic");
        TracedHandler(Arc::clone(self))
    }

    fn verify_request(&self, _: &R) -> bool {
        self.reach(Verifying, "verify_request".into()).is_ok()
    }

    fn handle_error(&self, _: &mut R, error: &HandlerError) {
        let _ = self.reach(Reporting, format!("({error})"));
    }
}

struct TracedHandler(Arc<Traced>);

impl<R: Request> RequestHandler<R> for TracedHandler {
    fn setup(&mut self, _: &mut R) -> Result {
        self.0.reach(SettingUp, "setup".into())
    }

    fn handle(&mut self, request: &mut R) -> Result {
        let line = request.readline(100)?;
        request.send_all(&line)?;
        self.0.reach(Handling, "handle".into())
    }

    fn finish(&mut self, _: &mut R) -> Result {
        self.0.reach(Finishing, "finish".into())
    }
}

impl Drop for TracedHandler {
    fn drop(&mut self) {
        let _ = self.0.reach(Dropping, "drop".into());
    }
}

/// Failing calls, the calls that follow, and the counter of the request.
type Case = (&'static [(Point, How)], &'static str, &'static str);

const CASES: &[Case] = &[
    (
        &[],
        "verify_request request_handler setup handle finish drop",
        "completed",
    ),
    (&[(Verifying, Fails)], "verify_request", "rejected"),
    (
        &[(Verifying, Panics)],
        "verify_request (verify_request panicked: Verifying on purpose)",
        "failed",
    ),
    (
        &[(Making, Panics)],
        "verify_request request_handler (request_handler panicked: Making on purpose)",
        "failed",
    ),
    (
        &[(SettingUp, Fails)],
        "verify_request request_handler setup drop (setup failed: SettingUp on purpose)",
        "failed",
    ),
    (
        &[(SettingUp, Panics)],
        "verify_request request_handler setup drop (setup panicked: SettingUp on purpose)",
        "failed",
    ),
    (
        &[(Handling, Fails)],
        "verify_request request_handler setup handle finish drop \
         (handle failed: Handling on purpose)",
        "failed",
    ),
    (
        &[(Handling, Panics)],
        "verify_request request_handler setup handle finish drop \
         (handle panicked: Handling on purpose)",
        "failed",
    ),
    (
        &[(Finishing, Fails)],
        "verify_request request_handler setup handle finish drop \
         (finish failed: Finishing on purpose)",
        "failed",
    ),
    (
        &[(Handling, Fails), (Finishing, Panics)],
        "verify_request request_handler setup handle finish drop \
         (handle failed: Handling on purpose\n\
         during handling of this error, finish panicked: Finishing on purpose)",
        "failed",
    ),
    (
        &[(Dropping, Panics)],
        "verify_request request_handler setup handle finish drop \
         (request_handler panicked: Dropping on purpose)",
        "failed",
    ),
    (
        &[(Handling, Fails), (Dropping, Panics)],
        "verify_request request_handler setup handle finish drop \
         (handle failed: Handling on purpose)",
        "failed",
    ),
    (
        &[(Handling, Fails), (Reporting, Panics)],
        "verify_request request_handler setup handle finish drop \
         (handle failed: Handling on purpose)",
        "failed",
    ),
    (
        &[(Verifying, Panics), (Reporting, Panics)],
        "verify_request (verify_request panicked: Verifying on purpose)",
        "failed",
    ),
];

fn a_failure_costs_that_request_and_no_other<T: Reachable, M: Strategy + Default>() {
    expect_panics();
    for &(script, calls, outcome) in CASES {
        let host = host::<T, M, _>(Traced::new(script));
        let handle = host.server.handle();

        let client = host.client();
        client.send("the first\n");
        if T::KIND == RequestKind::Connection {
            // `rest` fails if the connection was reset.
            client.rest();
        }
        eventually("the first request has ended", || {
            let stats = handle.stats();
            (stats.accepted, stats.active) == (1, 0)
        });
        let traced = host.server.service();
        assert_eq!(
            *traced.calls.lock().unwrap().join(" "),
            *calls,
            "{script:?}"
        );
        let stats = handle.stats();
        let counted = match (stats.completed, stats.failed, stats.rejected) {
            (1, 0, 0) => "completed",
            (0, 1, 0) => "failed",
            (0, 0, 1) => "rejected",
            _ => panic!("{stats:?}"),
        };
        assert_eq!(counted, outcome, "{script:?}");

        traced.armed.store(false, Ordering::SeqCst);
        assert_eq!(host.client().ask("the next\n"), "the next\n", "{script:?}");
        let report = host.stop();
        assert_eq!((report.force_closed.len(), report.abandoned.len()), (0, 0));
    }
}

over_pairs!([Tcp, Udp]
    a_failure_costs_that_request_and_no_other,
);

/// Panics again when it is dropped or formatted.
#[derive(Debug)]
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("this panics whenever it is dropped");
    }
}

impl fmt::Display for PanicsOnDrop {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("this panics whenever it is shown");
    }
}

impl StdError for PanicsOnDrop {}

/// Serves one client whose handler returns `end()`, and then another whose handler succeeds.
fn the_server_survives<M: Strategy + Default>(end: fn() -> Result) {
    expect_panics();
    let host = host::<Tcp, M, _>(Hooks::new(move |request: &mut TcpRequest| {
        let line = request.readline(100)?;
        request.send_all(&line)?;
        match &*line {
            b"now\n" => end(),
            _ => Ok(()),
        }
    }));
    for line in ["now\n", "later\n"] {
        let client = host.client();
        client.send(line);
        assert_eq!(client.rest(), line.as_bytes());
    }
    let handle = host.server.handle();
    eventually("both requests have ended", || handle.stats().active == 0);
    let stats = handle.stats();
    assert_eq!((stats.failed, stats.completed), (1, 1));
    host.stop();
}

fn a_panic_whose_payload_panics_again_ends_nothing_else<M: Strategy + Default>() {
    the_server_survives::<M>(|| panic_any(PanicsOnDrop));
}

fn an_error_that_panics_when_it_is_dropped_ends_nothing_else<M: Strategy + Default>() {
    the_server_survives::<M>(|| Err(Box::new(PanicsOnDrop)));
}

by_strategy!(
    a_panic_whose_payload_panics_again_ends_nothing_else,
    an_error_that_panics_when_it_is_dropped_ends_nothing_else,
);
