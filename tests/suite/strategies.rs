//! Where requests run: how many at once, on which threads, and what becomes of those for which
//! there is no place.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::support::net::*;
use socketserver::strategy::{Ready, RequestKind, Wait};
use socketserver::transport::Tcp;
use socketserver::{
    Coroutines, Job, Rejected, Request, Sequential, Server, Service, Stage, Strategy, TcpRequest,
    ThreadPool, Threading, WhenFull,
};

/// Answers lines; tells who starts and on which thread, and how many did at once.
struct Watched {
    starts: mpsc::Receiver<(ThreadId, String)>,
    at_once: Arc<AtomicUsize>,
}

fn watched<R: Request>() -> (Hooks<R>, Watched) {
    let (started, starts) = mpsc::channel();
    let at_once: Arc<AtomicUsize> = Arc::default();
    let (running, most) = (AtomicUsize::new(0), Arc::clone(&at_once));
    let hooks = Hooks::new(move |request: &mut R| {
        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(now, Ordering::SeqCst);
        let thread = thread::current();
        let _ = started.send((thread.id(), thread.name().unwrap_or_default().to_owned()));
        let outcome = echo_lines(request);
        running.fetch_sub(1, Ordering::SeqCst);
        outcome
    });
    (hooks, Watched { starts, at_once })
}

/// Says when the thread that it was left on has ended.
struct ThreadEnd(mpsc::Sender<()>);

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

thread_local! {
    static END: std::cell::RefCell<Option<ThreadEnd>> = const { std::cell::RefCell::new(None) };
}

/// Answers lines; tells when the threads that did have ended.
fn watched_to_the_end<R: Request>() -> (Hooks<R>, mpsc::Receiver<()>) {
    let (ended, ends) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut R| {
        END.with_borrow_mut(|end| {
            end.get_or_insert_with(|| ThreadEnd(ended.clone()));
        });
        echo_lines(request)
    });
    (hooks, ends)
}

// ---- Sequential ----

fn a_sequential_server_serves_one_at_a_time_in_order<T: Connected>() {
    let (hooks, watched) = watched::<T::Request>();
    let host = host::<T, Sequential, _>(hooks);
    let clients = [(); 5].map(|()| host.client());
    // Everybody talks at once.
    for (n, client) in clients.iter().enumerate() {
        client.send(format!("{n}\n"));
    }
    let mut threads = BTreeSet::new();
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(client.line(), format!("{n}\n"));
        assert_eq!(client.ask("still mine\n"), "still mine\n");
        threads.insert(next(&watched.starts).1);
        assert!(watched.starts.try_recv().is_err(), "the next one has begun");
        client.finish();
        client.expect_end();
    }
    assert_eq!(watched.at_once.load(Ordering::SeqCst), 1);
    assert_eq!(threads, BTreeSet::from(["socketserver".into()]));
}

#[test]
fn a_sequential_server_runs_on_the_thread_that_serves() {
    let (hooks, watched) = watched::<TcpRequest>();
    let server = Server::<Tcp, _, Sequential>::bind(LOOPBACK, hooks).unwrap();
    let client = Tcp::connect(server.server_address());
    client.send("hello\n");
    client.finish();
    server.handle_request().unwrap();
    assert_eq!(next(&watched.starts).0, thread::current().id());
    assert_eq!(client.rest(), b"hello\n");
}

// ---- Threading ----

fn every_client_of_a_threading_server_is_served_at_once<T: Connected>() {
    let (hooks, watched) = watched::<T::Request>();
    let host = host::<T, Threading, _>(hooks);
    let clients = [(); 20].map(|()| host.client());
    for client in clients.iter().rev() {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    assert_eq!(watched.at_once.load(Ordering::SeqCst), 20);
    let starts = clients.each_ref().map(|_| next(&watched.starts));
    let threads: BTreeSet<_> = starts.iter().map(|(_, name)| name.clone()).collect();
    let expected: BTreeSet<_> = (1..=20).map(|n| format!("socketserver-{n}")).collect();
    assert_eq!(threads, expected);
}

/// With one thread allowed, there is no other that could have served.
fn threads_are_used_again<T: Connected>() {
    let (hooks, watched) = watched::<T::Request>();
    let strategy = Threading::new().max_threads(1).keep_alive(PATIENCE);
    let host = host_by::<T, _, _>(strategy, hooks);
    let mut threads = BTreeSet::new();
    for _ in 0..20 {
        assert_eq!(host.client().ask("hello\n"), "hello\n");
        threads.insert(next(&watched.starts).1);
    }
    assert_eq!(threads, BTreeSet::from(["socketserver-1".into()]));
}

fn with_no_keep_alive_every_request_has_a_new_thread<T: Connected>() {
    let (hooks, watched) = watched::<T::Request>();
    let host = host_by::<T, _, _>(Threading::new().keep_alive(Duration::ZERO), hooks);
    let handle = host.server.handle();
    let mut threads = BTreeSet::new();
    for n in 1..=10 {
        assert_eq!(host.client().ask("hello\n"), "hello\n");
        eventually("it is over", || {
            let stats = handle.stats();
            (stats.completed, stats.active) == (n, 0)
        });
        threads.insert(next(&watched.starts).1);
    }
    assert!(threads.len() > 1, "{threads:?}");
}

fn a_thread_that_nobody_needs_ends<T: Connected>() {
    let (hooks, ends) = watched_to_the_end::<T::Request>();
    let strategy = Threading::new().keep_alive(Duration::from_millis(30));
    let host = host_by::<T, _, _>(strategy, hooks);
    let clients = [(); 10].map(|()| host.client());
    for client in &clients {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    drop(clients);
    for _ in 0..10 {
        next(&ends);
    }
    // And there are new ones when they are needed again.
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    next(&ends);
}

fn threads_that_are_kept_end_with_the_server<T: Reachable, M: Strategy + Default>() {
    let (hooks, ends) = watched_to_the_end::<T::Request>();
    let host = host::<T, M, _>(hooks);
    for _ in 0..3 {
        assert_eq!(host.client().ask("hello\n"), "hello\n");
    }
    host.stop();
    // Nobody holds a sender any more but the threads, and when they are gone nobody does.
    while ends.recv_timeout(PATIENCE).is_ok() {}
    assert_eq!(ends.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

/// At the limit, clients wait in the kernel's queue, and are served when there is room.
fn no_more_threads_run_than_are_allowed<T: Connected>() {
    const MOST: usize = 3;
    const CLIENTS: usize = 12;
    for keep_alive in [Duration::ZERO, PATIENCE] {
        let (hooks, watched) = watched::<T::Request>();
        let strategy = Threading::new().max_threads(MOST).keep_alive(keep_alive);
        let host = host_by::<T, _, _>(strategy, hooks);
        let handle = host.server.handle();
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| host.client()).collect();
        for client in &clients {
            client.send("hello\n");
        }
        for _ in 0..MOST {
            next(&watched.starts);
        }
        for served in MOST..CLIENTS {
            assert_eq!(handle.stats().accepted as usize, served);
            // One is allowed to leave, and the next comes in.
            let client = clients.remove(0);
            assert_eq!(client.line(), "hello\n");
            client.finish();
            client.expect_end();
            next(&watched.starts);
        }
        for client in clients {
            assert_eq!(client.line(), "hello\n");
        }
        assert_eq!(watched.at_once.load(Ordering::SeqCst), MOST);
    }
}

#[test]
fn a_thread_that_cannot_be_had_costs_that_request() {
    let (service, failures) = Hooks::<TcpRequest>::echo().failures();
    // No address space is large enough for such a stack.
    let host = host_by::<Tcp, _, _>(Threading::new().stack_size(1 << 46), service);
    for _ in 0..3 {
        host.client().expect_end();
        let failure = next(&failures);
        assert_eq!(failure.stage, Stage::ProcessRequest);
        assert!(failure.kind.is_some(), "{failure:?}");
    }
    let handle = host.server.handle();
    host.stop();
    assert_eq!((handle.stats().accepted, handle.stats().failed), (3, 3));
}

#[test]
fn a_pool_that_gets_no_thread_at_all_refuses() {
    let (service, failures) = Hooks::<TcpRequest>::echo().failures();
    let host = host_by::<Tcp, _, _>(ThreadPool::new(2).stack_size(1 << 46), service);
    for _ in 0..5 {
        host.client().expect_end();
        assert_eq!(next(&failures).stage, Stage::ProcessRequest);
    }
    host.stop();
}

/// The size of the stack that this runs on, as the kernel has it.
fn stack_size() -> usize {
    let here = 0;
    let here = &raw const here as usize;
    let maps = std::fs::read_to_string("/proc/thread-self/maps").unwrap();
    let sizes = maps.lines().filter_map(|line| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        let [start, end] = [start, end].map(|it| usize::from_str_radix(it, 16).unwrap());
        (start..end).contains(&here).then_some(end - start)
    });
    sizes.sum()
}

fn the_size_of_the_stacks_can_be_chosen<T: Reachable>() {
    const SIZE: usize = 64 << 20;
    let strategies: [Box<dyn Strategy>; 3] = [
        Box::new(Coroutines::new().stack_size(SIZE)),
        Box::new(Threading::new().stack_size(SIZE)),
        Box::new(ThreadPool::new(1).stack_size(SIZE)),
    ];
    for strategy in strategies {
        let service = Hooks::new(|request: &mut T::Request| {
            request.readline(100)?;
            let large = format!("{}\n", stack_size() >= SIZE);
            Ok(request.send_all(large.as_bytes())?)
        });
        let host = host_by::<T, _, _>(strategy, service);
        assert_eq!(host.client().ask("?\n"), "true\n");
    }
}

// ---- ThreadPool ----

/// Threads start as they are needed: after three requests there are three of many.
fn a_pool_starts_its_threads_one_by_one<T: Connected>() {
    let (hooks, watched) = watched::<T::Request>();
    let host = host_by::<T, _, _>(ThreadPool::new(30), hooks);
    let clients = [(); 3].map(|()| host.client());
    for client in &clients {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    let threads: BTreeSet<_> = clients.iter().map(|_| next(&watched.starts).1).collect();
    let expected: BTreeSet<_> = (1..=3).map(|n| format!("socketserver-{n}")).collect();
    assert_eq!(threads, expected);
}

/// No more run, no more wait: whoever is beyond both is in the kernel's queue.
fn a_pool_serves_as_many_at_once_as_it_has_threads<T: Connected>() {
    const THREADS: usize = 3;
    const QUEUE: usize = 2;
    const CLIENTS: usize = 15;
    let most_active = Arc::new(AtomicUsize::new(0));
    let (hooks, watched) = watched::<T::Request>();
    let hooks = Hooks::new({
        let most_active = Arc::clone(&most_active);
        let hooks = Arc::new(hooks);
        move |request: &mut T::Request| {
            let active = request.server().stats().active as usize;
            most_active.fetch_max(active, Ordering::SeqCst);
            let mut handler = hooks.request_handler();
            socketserver::RequestHandler::handle(&mut handler, request)
        }
    });
    let host = host_by::<T, _, _>(ThreadPool::new(THREADS).queue(QUEUE), hooks);
    let clients = [(); CLIENTS].map(|()| host.client());
    for client in &clients {
        client.send("hello\n");
    }
    for client in clients {
        assert_eq!(client.line(), "hello\n");
        client.finish();
        client.expect_end();
    }
    assert!(watched.at_once.load(Ordering::SeqCst) <= THREADS);
    let most_active = most_active.load(Ordering::SeqCst);
    assert!(
        most_active <= THREADS + QUEUE,
        "{most_active} were accepted"
    );
    assert_eq!(host.server.stats().accepted as usize, CLIENTS);
    let names: BTreeSet<_> = watched.starts.try_iter().map(|(_, name)| name).collect();
    let expected: BTreeSet<_> = (1..=THREADS).map(|n| format!("socketserver-{n}")).collect();
    assert!(names.is_subset(&expected), "{names:?}");
}

fn an_overloaded_pool_can_refuse_with_a_word<T: Connected>() {
    for farewell in [&b"503 busy\n"[..], b""] {
        let (hooks, watched) = watched::<T::Request>();
        let strategy = ThreadPool::new(1)
            .queue(1)
            .when_full(WhenFull::Refuse(farewell.into()));
        let host = host_by::<T, _, _>(strategy, hooks);
        let handle = host.server.handle();
        let running = host.client();
        next(&watched.starts);
        let waiting = host.client();
        for refused in 1..=5 {
            assert_eq!(host.client().rest(), farewell);
            eventually("it is counted", || handle.stats().refused == refused);
        }
        assert_eq!(running.ask("hello\n"), "hello\n");
        drop(running);
        assert_eq!(waiting.ask("hello\n"), "hello\n");
        let stats = handle.stats();
        assert_eq!((stats.accepted, stats.refused, stats.failed), (7, 5, 0));
    }
}

/// As many clients as there are threads, and places to wait, are no overload, however fast they come.
fn a_burst_for_which_there_is_room_is_not_refused<T: Connected>() {
    const THREADS: usize = 6;
    const QUEUE: usize = 2;
    for _ in 0..50 {
        let strategy = ThreadPool::new(THREADS)
            .queue(QUEUE)
            .when_full(WhenFull::Refuse(b"refused\n".into()));
        // Connected before the server serves, so that it finds them all at once.
        let dir = TempDir::new();
        let service = Hooks::<T::Request>::echo();
        let server = T::bind::<_, Sequential>(&dir, Server::options(), service).unwrap();
        let clients = [(); THREADS + QUEUE].map(|()| T::connect(server.server_address()));
        let server = server.strategy(strategy).spawn().unwrap();
        for client in clients {
            // One that was refused may not even get this far.
            let _ = client.try_send("hello\n");
            assert_eq!(client.line(), "hello\n");
            // The next may be waiting for the thread of this one.
            drop(client);
        }
        drop(server);
    }
}

/// Each of the threads takes packets itself, so all of them can have one at the same time; be they
/// few, which wait for packets together, or many, of which each packet wakes one.
fn a_pool_handles_datagrams_in_all_its_threads_at_once<T: Reachable>() {
    for threads in [4, 12] {
        let together = Meeting::of(threads);
        let host = host_by::<T, _, _>(
            ThreadPool::new(threads),
            Hooks::new(move |request: &mut T::Request| {
                let met = together.attend();
                let thread = thread::current();
                let name = thread.name().unwrap_or_default();
                Ok(request.send_all(format!("{name} {met}").as_bytes())?)
            }),
        );
        let clients: Vec<_> = (0..threads).map(|_| host.client()).collect();
        for client in &clients {
            client.send("?");
        }
        let answers = clients.iter().map(|client| client.receive());
        let answers: BTreeSet<_> = answers.map(|it| String::from_utf8(it).unwrap()).collect();
        let expected = (1..=threads).map(|n| format!("socketserver-{n} true"));
        assert_eq!(answers, expected.collect());
    }
}

#[test]
fn a_pool_wants_several_accept_loops_for_datagrams_only() {
    let pool = ThreadPool::new(7);
    assert_eq!(pool.acceptors(RequestKind::Message), 7);
    assert_eq!(pool.acceptors(RequestKind::Connection), 0);
    assert_eq!(ThreadPool::new(0).acceptors(RequestKind::Message), 1);
    let boxed: Box<dyn Strategy> = Box::new(pool);
    assert_eq!(boxed.acceptors(RequestKind::Message), 7);
    assert_eq!(Threading::new().acceptors(RequestKind::Message), 0);
    assert_eq!(Sequential.acceptors(RequestKind::Message), 0);
}

over!([Udp, UnixDatagram] a_pool_handles_datagrams_in_all_its_threads_at_once);

// ---- full, and still there ----

/// The threads are busy, clients wait in every queue: a stop gets through at once.
fn a_full_server_can_be_stopped<T: Connected>() {
    let strategies: [fn() -> Box<dyn Strategy>; 4] = [
        || Box::new(Coroutines::new().workers(1).max_coroutines(1)),
        || Box::new(Threading::new().max_threads(1)),
        || Box::new(ThreadPool::new(1).queue(1)),
        || {
            Box::new(
                ThreadPool::new(1)
                    .queue(1)
                    .when_full(WhenFull::Refuse(vec![])),
            )
        },
    ];
    for strategy in strategies {
        let (hooks, watched) = watched::<T::Request>();
        let host = host_with::<T, Sequential, _, _>(
            hooks,
            |options| options,
            |server| {
                let server = server.strategy(strategy());
                server.poll_interval(None).grace(Duration::from_millis(10))
            },
        );
        let running = host.client();
        next(&watched.starts);
        let waiting = [(); 5].map(|()| host.client());
        assert_eq!(running.ask("hello\n"), "hello\n");
        let handle = host.server.handle();
        handle.shutdown();
        assert!(handle.wait(PATIENCE), "the loop has not left");
        // It was not that the handler ended.
        assert_eq!(running.ask("hello\n"), "hello\n");
        host.stop();
        drop(waiting);
    }
}

over!([Udp, UnixDatagram] a_full_server_of_datagrams_can_be_stopped);

/// Handlers that wait take up all the threads.
fn a_full_server_of_datagrams_can_be_stopped<T: Reachable>() {
    let (started, starts) = mpsc::channel();
    let gate = Gate::default();
    let hooks = Hooks::new({
        let gate = gate.clone();
        move |_: &mut T::Request| {
            let _ = started.send(());
            gate.pass();
            Ok(())
        }
    });
    let host = host_by::<T, _, _>(Threading::new().max_threads(2), hooks);
    for _ in 0..5 {
        host.client().send("?");
    }
    next(&starts);
    next(&starts);
    let handle = host.server.handle();
    handle.shutdown();
    assert!(handle.wait(PATIENCE), "the loop has not left");
    assert_eq!(handle.stats().accepted, 2);
    gate.open();
    host.stop();
}

// ---- strategies of the user's own ----

/// Does with every job what the closure does.
struct With<F>(F);

impl<F> Strategy for With<F>
where
    F: Fn(Job) -> Result<(), Rejected> + Send + Sync + 'static,
{
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        (self.0)(job)
    }
}

/// Runs all but the first job.
fn unlike_the_first(
    first: impl Fn(Job) -> Result<(), Rejected> + Send + Sync + 'static,
) -> impl Strategy {
    let served = AtomicUsize::new(0);
    With(
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
    let strategy = unlike_the_first(|job| Err(job.reject(None).farewell("not now\n")));
    let host = host_by::<T, _, _>(strategy, service);
    assert_eq!(host.client().rest(), b"not now\n");
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    let stats = host.server.stats();
    assert_eq!((stats.accepted, stats.refused, stats.failed), (2, 1, 0));
    assert!(failures.try_recv().is_err(), "that was no error");
}

fn a_job_that_is_rejected_with_an_error_is_reported<T: Connected>() {
    let (service, failures) = Hooks::<T::Request>::echo().failures();
    let strategy = unlike_the_first(|job| Err(job.reject(Some("out of threads".into()))));
    let host = host_by::<T, _, _>(strategy, service);
    host.client().expect_end();
    let failure = next(&failures);
    assert_eq!(failure.stage, Stage::ProcessRequest);
    assert_eq!(failure.text, "process_request failed: out of threads");
    assert_eq!(host.client().ask("hello\n"), "hello\n");
}

fn a_job_that_is_dropped_closes_its_connection<T: Connected>() {
    let strategy = unlike_the_first(|job| {
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
    let strategy = unlike_the_first(|_| panic!("on purpose"));
    let host = host_by::<T, _, _>(strategy, Hooks::<T::Request>::echo());
    host.client().expect_end();
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    assert_eq!(host.server.stats().accepted, 2);
    host.stop();
}

/// Jobs that are kept: the request is over when its job is, and a stop waits for it.
fn a_job_can_be_run_later_and_elsewhere<T: Connected>() {
    let (jobs, kept) = mpsc::channel::<Job>();
    let strategy = With(move |job| {
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
        assert!(!job.in_own_loop());
        thread::spawn(|| job.run()).join().unwrap();
    }
    let report = stopped.join().unwrap();
    assert_eq!((report.interrupted.len(), report.abandoned.len()), (0, 0));
    for client in clients {
        assert_eq!(client.rest(), b"hello\n");
    }
}

over_streams!(
    a_sequential_server_serves_one_at_a_time_in_order,
    every_client_of_a_threading_server_is_served_at_once,
    threads_are_used_again,
    with_no_keep_alive_every_request_has_a_new_thread,
    a_thread_that_nobody_needs_ends,
    no_more_threads_run_than_are_allowed,
    a_pool_starts_its_threads_one_by_one,
    a_pool_serves_as_many_at_once_as_it_has_threads,
    an_overloaded_pool_can_refuse_with_a_word,
    a_burst_for_which_there_is_room_is_not_refused,
    a_full_server_can_be_stopped,
    a_rejected_job_is_closed_in_order_and_counted,
    a_job_that_is_rejected_with_an_error_is_reported,
    a_job_that_is_dropped_closes_its_connection,
    a_strategy_that_panics_costs_that_request,
    a_job_can_be_run_later_and_elsewhere,
);

everywhere!(threads_that_are_kept_end_with_the_server);
over!([Tcp, Udp, UnixStream, UnixDatagram] the_size_of_the_stacks_can_be_chosen);

/// Runs connections on accept loops of its own, and writes down what it is asked.
#[derive(Default)]
struct Loops {
    asked: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Loops {
    fn note(&self, what: &'static str) {
        self.asked.lock().unwrap().insert(what);
    }
}

impl Strategy for Loops {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        assert!(job.in_own_loop());
        self.note("process_request");
        job.run();
        Ok(())
    }

    fn acceptors(&self, _: RequestKind) -> usize {
        3
    }

    fn wait(&self, wait: &Wait<'_>) -> std::io::Result<Ready> {
        self.note("wait");
        wait.for_request()
    }

    fn leave(&self, _: &Wait<'_>) {
        self.note("leave");
    }

    fn service_actions(&self) {
        self.note("service_actions");
    }

    fn server_close(&self, _: Duration) {
        self.note("server_close");
    }
}

fn a_strategy_can_have_several_accept_loops<T: Connected>() {
    let together = Meeting::of(3);
    let service = Hooks::new(move |request: &mut T::Request| {
        let met = format!("{}\n", together.attend());
        Ok(request.send_all(met.as_bytes())?)
    });
    let strategy = Loops::default();
    let asked = Arc::clone(&strategy.asked);
    let host = host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| {
            let server = server.strategy(strategy);
            server.poll_interval(Duration::from_millis(1))
        },
    );
    let clients = [(); 3].map(|()| host.client());
    for client in clients {
        assert_eq!(client.rest(), b"true\n");
    }
    eventually("all is asked", || {
        asked.lock().unwrap().contains("service_actions")
    });
    host.stop();
    let expected = [
        "leave",
        "process_request",
        "server_close",
        "service_actions",
        "wait",
    ];
    assert_eq!(*asked.lock().unwrap(), BTreeSet::from(expected));
}

/// Lets in as many as there are places, by the two calls that are there for it.
struct Bounded {
    places: usize,
    taken: Arc<AtomicUsize>,
    waiting: Arc<Mutex<Option<socketserver::strategy::Notifier>>>,
}

impl Strategy for Bounded {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        let (taken, waiting) = (Arc::clone(&self.taken), Arc::clone(&self.waiting));
        taken.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            job.run();
            taken.fetch_sub(1, Ordering::SeqCst);
            if let Some(notifier) = waiting.lock().unwrap().take() {
                notifier.notify();
            }
        });
        Ok(())
    }

    fn wait(&self, wait: &Wait<'_>) -> std::io::Result<Ready> {
        *self.waiting.lock().unwrap() = Some(wait.notifier());
        if self.taken.load(Ordering::SeqCst) < self.places {
            wait.for_request()
        } else {
            wait.for_notification()
        }
    }
}

fn a_strategy_can_hold_back_the_accept_loop<T: Connected>() {
    let (hooks, watched) = watched::<T::Request>();
    let strategy = Bounded {
        places: 2,
        taken: Arc::default(),
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
    assert!(watched.at_once.load(Ordering::SeqCst) <= 2);
}

over_streams!(
    a_strategy_can_have_several_accept_loops,
    a_strategy_can_hold_back_the_accept_loop,
);

/// The loop is told to end by an error of the strategy, not by a panic or in silence.
#[test]
fn a_wait_that_fails_ends_serve_forever() {
    struct Broken;
    impl Strategy for Broken {
        fn process_request(&self, job: Job) -> Result<(), Rejected> {
            job.run();
            Ok(())
        }
        fn wait(&self, _: &Wait<'_>) -> std::io::Result<Ready> {
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
