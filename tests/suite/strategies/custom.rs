//! Strategies that users write.

use super::*;

/// Processes each job by a closure.
struct ByClosure<F>(F);

impl<F> Strategy for ByClosure<F>
where
    F: Fn(Job) -> Result<(), Rejected> + Send + Sync + 'static,
{
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        (self.0)(job)
    }
}

/// Processes the first job by `first`, and runs the others.
fn first_job_by(
    first: impl Fn(Job) -> Result<(), Rejected> + Send + Sync + 'static,
) -> impl Strategy {
    let served = AtomicUsize::new(0);
    ByClosure(
        move |job: Job| match served.fetch_add(1, Ordering::SeqCst) {
            0 => first(job),
            _ => {
                job.run();
                Ok(())
            }
        },
    )
}

fn a_rejected_job_is_closed_in_order_and_counted<T: Connected>() {
    let (service, failures) = Hooks::<T::Request>::echo().failures();
    let strategy = first_job_by(|job| {
        Err(job
            .reject(None)
            .respond_with(Rejection::message("not now\n")))
    });
    let host = host_by::<T, _, _>(strategy, service);
    assert_eq!(host.client().rest(), b"not now\n");
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    let stats = host.server.stats();
    assert_eq!((stats.accepted, stats.rejected, stats.failed), (2, 1, 0));
    assert!(
        failures.try_recv().is_err(),
        "a rejection was reported as an error"
    );
}

fn a_job_that_is_rejected_with_an_error_is_reported<T: Connected>() {
    let (service, failures) = Hooks::<T::Request>::echo().failures();
    let strategy = first_job_by(|job| Err(job.reject(Some("out of threads".into()))));
    let host = host_by::<T, _, _>(strategy, service);
    host.client().expect_end();
    let failure = next(&failures);
    assert_eq!(failure.stage, Stage::ProcessRequest);
    assert_eq!(failure.text, "process_request failed: out of threads");
    assert_eq!(host.client().ask("hello\n"), "hello\n");
}

fn a_job_that_is_dropped_closes_its_connection<T: Connected>() {
    let strategy = first_job_by(|job| {
        drop(job);
        Ok(())
    });
    let host = host_by::<T, _, _>(strategy, Hooks::<T::Request>::echo());
    host.client().expect_end();
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    let stats = host.server.stats();
    assert_eq!((stats.accepted, stats.dropped), (2, 1));
    host.stop();
}

fn a_strategy_that_panics_costs_that_request<T: Connected>() {
    expect_panics();
    let strategy = first_job_by(|_| panic!("on purpose"));
    let host = host_by::<T, _, _>(strategy, Hooks::<T::Request>::echo());
    host.client().expect_end();
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    assert_eq!(host.server.stats().accepted, 2);
    host.stop();
}

/// A stop waits for the jobs that a strategy keeps.
fn a_job_can_be_run_later_and_elsewhere<T: Connected>() {
    let (jobs, kept) = mpsc::channel::<Job>();
    let strategy = ByClosure(move |job| {
        let _ = jobs.send(job);
        Ok(())
    });
    let host = host_by::<T, _, _>(strategy, Hooks::<T::Request>::echo());
    let clients = [(); 3].map(|()| {
        let client = host.client();
        client.send("hello\n");
        client.finish();
        client
    });
    let jobs = [(); 3].map(|()| next(&kept));
    assert_eq!(host.server.stats().active, 3);
    let stopped = thread::spawn(move || host.stop());
    for job in jobs {
        thread::spawn(|| job.run()).join().unwrap();
    }
    let report = stopped.join().unwrap();
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (0, 0));
    for client in clients {
        assert_eq!(client.rest(), b"hello\n");
    }
}

over_streams!(
    a_rejected_job_is_closed_in_order_and_counted,
    a_job_that_is_rejected_with_an_error_is_reported,
    a_job_that_is_dropped_closes_its_connection,
    a_strategy_that_panics_costs_that_request,
    a_job_can_be_run_later_and_elsewhere,
);

/// Accepts at most `capacity` requests at once, by the two calls of [`AcceptWait`].
struct Bounded {
    capacity: usize,
    running: Arc<AtomicUsize>,
    waiting: Arc<Mutex<Option<socketserver::strategy::Notifier>>>,
}

impl Strategy for Bounded {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        let (running, waiting) = (Arc::clone(&self.running), Arc::clone(&self.waiting));
        running.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            job.run();
            running.fetch_sub(1, Ordering::SeqCst);
            if let Some(notifier) = waiting.lock().unwrap().take() {
                notifier.notify();
            }
        });
        Ok(())
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> std::io::Result<Ready> {
        *self.waiting.lock().unwrap() = Some(wait.notifier());
        if self.running.load(Ordering::SeqCst) < self.capacity {
            wait.for_request()
        } else {
            wait.for_notification()
        }
    }
}

fn a_strategy_can_hold_back_the_accept_loop<T: Connected>() {
    let (hooks, watched) = watched::<T::Request>();
    let strategy = Bounded {
        capacity: 2,
        running: Arc::default(),
        waiting: Arc::default(),
    };
    let host = host_by::<T, _, _>(strategy, hooks);
    let clients = [(); 10].map(|()| host.client());
    for client in &clients {
        client.send("hello\n");
    }
    for client in clients {
        assert_eq!(client.line(), "hello\n");
        client.finish();
        client.expect_end();
    }
    assert!(watched.most_at_once.load(Ordering::SeqCst) <= 2);
}

over_streams!(a_strategy_can_hold_back_the_accept_loop,);

/// An error of `Strategy::wait` is returned by `serve_forever`.
#[test]
fn a_wait_that_fails_ends_serve_forever() {
    struct Broken;
    impl Strategy for Broken {
        fn process_request(&self, job: Job) -> Result<(), Rejected> {
            job.run();
            Ok(())
        }
        fn wait(&self, _: &AcceptWait<'_>) -> std::io::Result<Ready> {
            Err(ErrorKind::Other.into())
        }
    }
    let server = Server::<Tcp, _, Sequential>::bind(LOOPBACK, || LineEcho).unwrap();
    let server = server.strategy(Broken);
    match in_time(move || server.serve_forever()) {
        Err(socketserver::Error::Accept { source }) => assert_eq!(source.kind(), ErrorKind::Other),
        other => panic!("{other:?}"),
    }
}
