//! Requests in processes of their own: what children have and have not, how they end, how many there
//! are, and when the server refuses to fork.
//!
//! libtest's processes have several threads, so all but the tests of that refusal fork unchecked: the
//! handlers here take no lock that another thread could hold.

// To promise what `new_unchecked` asks for, and to set signal dispositions.
#![allow(unsafe_code)]

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::alone::{is_alone, run, test_name};
use crate::support::net::*;
use crate::support::process::{Program, reset_signals};
use crate::support::scale::scale;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, raise, signal};
use nix::unistd::Pid;
use socketserver::strategy::RequestKind;
use socketserver::transport::Tcp;
use socketserver::{
    ChildExit, Forking, Handled, HandlerError, Request, RequestHandler, Result, Sequential, Server,
    Service, Stage, Strategy, TcpRequest, TcpServer, Threading, handler_fn,
};

/// A strategy that passes on how children ended.
fn watched() -> (Forking, Receiver<ChildExit>) {
    let (ended, ends) = mpsc::channel();
    let forking = forking().on_child_exit(move |exit| {
        let _ = ended.send(*exit);
    });
    (forking, ends)
}

/// A server that forks, and echoes lines.
fn host_forking<T: Reachable>(
    adjust: impl FnOnce(Server<T, Hooks<T::Request>, Forking>) -> Server<T, Hooks<T::Request>, Forking>,
) -> Host<T, Hooks<T::Request>, Forking> {
    host_with::<T, Sequential, _, _>(
        Hooks::echo(),
        |options| options,
        |server| adjust(server.strategy(forking())),
    )
}

/// Answers each line by the number of the process.
fn tell_pid<R: Request>(request: &mut R) -> Result {
    while request.next_line(100)?.is_some() {
        writeln!(request, "{}", std::process::id())?;
    }
    Ok(())
}

/// Answers one line by the number of the process.
fn tell_pid_once<R: Request>(request: &mut R) -> Result {
    request.readline(100)?;
    Ok(writeln!(request, "{}", std::process::id())?)
}

fn pid(line: &str) -> Pid {
    Pid::from_raw(line.trim().parse().unwrap())
}

/// The children that this process has, whoever started them.
fn children_of(parent: u32) -> Vec<Pid> {
    let numbers = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let number: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let (_, rest) = stat.rsplit_once(") ")?;
            let mut words = rest.split(' ');
            let (_state, its_parent) = (words.next()?, words.next()?);
            (its_parent == parent.to_string()).then(|| Pid::from_raw(number))
        });
    numbers.collect()
}

// ---- what a child has ----

fn each_request_has_a_process_of_its_own<T: Reachable>() {
    let host = host_by::<T, _, _>(forking(), handler_fn(tell_pid_once::<T::Request>));
    let pids: BTreeSet<_> = (0..3).map(|_| host.client().ask("?\n")).collect();
    assert_eq!(pids.len(), 3);
    assert!(!pids.contains(&format!("{}\n", std::process::id())));
}

fn what_a_child_changes_is_its_own<T: Reachable>() {
    static COUNTED: AtomicU32 = AtomicU32::new(0);
    let count = |request: &mut T::Request| {
        request.readline(10)?;
        let n = COUNTED.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(writeln!(request, "{n}")?)
    };
    let host = host_by::<T, _, _>(forking(), handler_fn(count));
    for _ in 0..3 {
        assert_eq!(host.client().ask("?\n"), "1\n");
    }
    assert_eq!(COUNTED.load(Ordering::SeqCst), 0);
}

/// Whoever serves in a child holds nothing of the server's: no port, no wake-up.
fn a_child_has_no_listening_socket<T: Connected>() {
    let list = |request: &mut T::Request| {
        request.readline(10)?;
        let links = fs::read_dir("/proc/self/fd")?.flatten();
        let links = links.filter_map(|fd| fs::read_link(fd.path()).ok());
        let all: Vec<_> = links.map(|link| format!("{}", link.display())).collect();
        Ok(writeln!(request, "{}", all.join(" "))?)
    };
    let host = host_by::<T, _, _>(forking(), handler_fn(list));
    let fd = std::os::fd::AsRawFd::as_raw_fd(&host.server.as_fd());
    let listener = fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
    let held = host.client().ask("?\n");
    assert!(held.contains("socket:"), "{held}");
    assert!(!held.contains(&*listener.to_string_lossy()), "{held}");
}

#[test]
fn a_child_outlives_its_server_and_does_not_keep_the_port() {
    let service = handler_fn(tell_pid::<TcpRequest>);
    let server = TcpServer::bind(own_loopback(), service).unwrap();
    let address = *server.server_address();
    let server = server.strategy(forking()).block_on_close(false);
    let (handle, server) = (server.handle(), server.spawn().unwrap());
    let client = Tcp::connect(&address);
    let child = client.ask("?\n");
    assert_eq!(server.active_children(), [pid(&child).as_raw() as u32]);

    let report = in_time(move || server.stop()).unwrap();
    assert_eq!((report.running, report.interrupted.len()), (1, 0));
    // At once, but for a child of another test that is just being made.
    eventually("nobody listens", || Tcp::try_connect(&address).is_err());
    // SO_REUSEADDR does not help against a socket that listens.
    let next = TcpServer::bind(address, handler_fn(tell_pid::<TcpRequest>));
    assert!(next.is_ok(), "{next:?}");
    assert_eq!(client.ask("?\n"), child);
    assert_eq!(handle.stats().active, 1);
    client.finish();
    client.expect_end();
    eventually("it is collected", || handle.stats().active == 0);
    assert_eq!(handle.stats().completed, 1);
}

/// Once, so that no handler is lost that was installed meanwhile.
fn begin_with_the_default_of_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| reset_signals().unwrap());
}

/// Answers whether SIGINT, SIGTERM and SIGHUP have their default effect.
fn tell_signals(request: &mut TcpRequest) -> Result {
    let defaults = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].map(|number| {
        // SAFETY: the default runs no code in signal context.
        let before = unsafe { signal(number, SigHandler::SigDfl) };
        matches!(before, Ok(SigHandler::SigDfl))
    });
    Ok(writeln!(request, "{defaults:?}")?)
}

#[test]
fn signals_end_a_child_as_they_do_by_default() {
    begin_with_the_default_of_signals();
    let server = TcpServer::bind(LOOPBACK, handler_fn(tell_signals)).unwrap();
    // Installs a handler for each of the three.
    server.shutdown_on_ctrl_c().unwrap();
    let server = server.strategy(forking()).spawn().unwrap();
    let client = Tcp::connect(server.server_address());
    assert_eq!(client.line(), "[true, true, true]\n");
}

fn a_handler_in_a_child_stops_the_server<T: Reachable>() {
    let stop = |request: &mut T::Request| {
        request.server().shutdown();
        let stopping = request.server().is_shutting_down();
        let waited = request.server().wait(None);
        Ok(writeln!(request, "{stopping} {waited}")?)
    };
    let host = host_by::<T, _, _>(forking(), handler_fn(stop));
    // The child has a copy of the loop, and does not wait for it.
    assert_eq!(host.client().ask("?\n"), "true false\n");
    let handle = host.server.handle();
    assert!(handle.wait(PATIENCE), "the server goes on");
}

/// A child has the handles of all servers of its parent.
#[test]
fn a_handler_in_a_child_stops_another_server() {
    let other = host::<Tcp, Threading, _>(Hooks::<TcpRequest>::echo());
    let handle = other.server.handle();
    let stop = handle.clone();
    let service = handler_fn(move |request: &mut TcpRequest| {
        stop.shutdown();
        Ok(writeln!(request, "{}", stop.wait(None))?)
    });
    let host = host_by::<Tcp, _, _>(forking(), service);
    assert_eq!(host.client().ask("?\n"), "false\n");
    assert!(handle.wait(PATIENCE), "it goes on");
    // This one does not.
    assert_eq!(host.client().ask("?\n"), "false\n");
}

/// Even where the server guesses that there is another, as it does after a request.
#[test]
fn a_stop_by_a_child_goes_before_the_next_request() {
    let (go_on, goes_on) = mpsc::channel::<()>();
    let goes_on = Mutex::new(goes_on);
    let service = Hooks::new(|request: &mut TcpRequest| {
        request.server().shutdown();
        Ok(writeln!(request, "asked")?)
    })
    .on_actions(move || {
        let _ = goes_on.lock().unwrap().recv_timeout(PATIENCE);
    });
    let host = host_with::<Tcp, Sequential, _, _>(
        service,
        |options| options,
        |server| server.strategy(forking()).poll_interval(None),
    );
    assert_eq!(host.client().line(), "asked\n");
    // The server has not looked since.
    let _next = host.client();
    drop(go_on);
    let handle = host.server.handle();
    assert!(handle.wait(PATIENCE), "the server goes on");
    assert_eq!(handle.stats().accepted, 1);
}

/// What a child asks for when the run that it is of is over comes too late.
#[test]
fn a_late_stop_by_a_child_does_not_end_the_next_run() {
    let stop = |request: &mut TcpRequest| {
        writeln!(request, "{}", std::process::id())?;
        request.readline(10)?;
        request.server().shutdown();
        Ok(())
    };
    let server = TcpServer::bind(LOOPBACK, handler_fn(stop)).unwrap();
    let server = Arc::new(server.strategy(forking()));
    let serve = || {
        let server = Arc::clone(&server);
        thread::spawn(move || server.serve_forever())
    };
    let first = serve();
    let client = Tcp::connect(server.server_address());
    client.line();
    server.shutdown();
    in_time(|| first.join()).unwrap().unwrap();
    client.send("stop\n");
    client.finish();
    client.expect_end();

    let second = serve();
    // Whoever is served after the first child was collected is served after its wish was heard.
    let client = Tcp::connect(server.server_address());
    let pid: u32 = client.line().trim().parse().unwrap();
    eventually("the first child is collected", || {
        server.active_children() == [pid]
    });
    client.send("stop\n");
    client.finish();
    client.expect_end();
    // The wish of this run is heard.
    in_time(|| second.join()).unwrap().unwrap();
    let server = Arc::into_inner(server).unwrap();
    assert_eq!(server.stats().accepted, 2);
    in_time(move || server.server_close());
}

/// Programs that wait for signals themselves block them.
#[test]
fn signals_that_the_server_blocks_end_a_child() {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
    let (forking, ends) = watched();
    // Threads inherit it, and children.
    let host = thread::scope(|scope| {
        let blocked = scope.spawn(|| {
            signals.thread_block().unwrap();
            host_by::<Tcp, _, _>(forking, handler_fn(tell_pid::<TcpRequest>))
        });
        blocked.join().unwrap()
    });
    for signal in signals.iter() {
        let client = host.client();
        kill(pid(&client.ask("?\n")), signal).unwrap();
        assert_eq!(next(&ends).signal(), Some(signal as i32));
        client.expect_end();
    }
}

// ---- how children end ----

/// In Python they are zombies until the next turn of the loop.
fn children_are_collected_while_nothing_happens<T: Reachable>() {
    let host = host_forking::<T>(|server| server.poll_interval(None));
    for completed in 1..=3 {
        let client = host.client();
        assert_eq!(client.ask("hello\n"), "hello\n");
        if T::KIND == RequestKind::Connection {
            client.finish();
        }
        eventually("the child is collected", || {
            host.server.stats().completed == completed
        });
        assert_eq!(host.server.active_children(), [0_u32; 0]);
    }
    host.stop();
}

/// In Python, after requests and at intervals only.
fn service_actions_follow_the_end_of_a_child<T: Connected>() {
    let (actions, acted) = mpsc::channel();
    let service = Hooks::<T::Request>::echo().on_actions(move || {
        let _ = actions.send(());
    });
    let host = host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| server.strategy(forking()).poll_interval(None),
    );
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    next(&acted);
    client.finish();
    next(&acted);
    client.expect_end();
}

/// Fails as its client tells it to. Then `handle_error` says so, and fails too.
struct Failing;

impl<R: Request> Service<R> for Failing {
    type Handler = FailingHandler;

    fn request_handler(self: &Arc<Self>) -> FailingHandler {
        FailingHandler
    }

    fn handle_error(&self, request: &mut R, error: &HandlerError) {
        let _ = writeln!(request.sender(), "{error}");
        panic!("on purpose");
    }
}

struct FailingHandler;

impl<R: Request> RequestHandler<R> for FailingHandler {
    fn setup(&mut self, request: &mut R) -> Result {
        match request.fill_buf()? {
            b"setup\n" => Err("on purpose".into()),
            _ => Ok(()),
        }
    }

    fn handle(&mut self, request: &mut R) -> Result {
        let order = request.readline(100)?;
        match &*order {
            b"handle\n" => Err("on purpose".into()),
            b"panic\n" => panic!("on purpose"),
            b"exit\n" => std::process::exit(7),
            b"be killed\n" => Ok(raise(Signal::SIGKILL)?),
            _ => Ok(request.send_all(&order)?),
        }
    }

    fn finish(&mut self, _: &mut R) -> Result {
        Ok(())
    }
}

fn a_failure_in_a_child_costs_that_child<T: Reachable>() {
    expect_panics();
    let (exits, ended) = mpsc::channel();
    let host = host_with::<T, Sequential, _, _>(
        Failing,
        |options| options,
        |server| {
            server.strategy(forking().on_child_exit(move |exit| {
                let _ = exits.send((exit.code(), exit.signal()));
                panic!("on purpose");
            }))
        },
    );
    for (order, answer, exit) in [
        ("setup\n", "setup failed: on purpose\n", (Some(1), None)),
        ("handle\n", "handle failed: on purpose\n", (Some(1), None)),
        ("panic\n", "handle panicked: on purpose\n", (Some(1), None)),
        ("exit\n", "", (Some(7), None)),
        ("be killed\n", "", (None, Some(Signal::SIGKILL as i32))),
        ("hello\n", "hello\n", (Some(0), None)),
    ] {
        let client = host.client();
        client.send(order);
        if !answer.is_empty() {
            assert_eq!(client.line(), answer);
        }
        assert_eq!(next(&ended), exit, "{order}");
    }
    let handle = host.server.handle();
    host.stop();
    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.completed), (6, 1));
    assert_eq!((stats.failed, stats.active), (5, 0));
}

#[test]
fn the_parent_is_told_how_a_child_ended() {
    let (forking, ends) = watched();
    let service = Hooks::<TcpRequest>::new(|request| match &request.readline(10)?[..] {
        b"exit\n" => std::process::exit(7),
        b"be killed\n" => Ok(raise(Signal::SIGKILL)?),
        _ => Ok(()),
    });
    let host = host_by::<Tcp, _, _>(forking, service);
    for (order, text) in [
        ("go\n", "exited with code 0"),
        ("exit\n", "exited with code 7"),
        ("be killed\n", "was killed by signal 9"),
    ] {
        let client = host.client();
        client.send(order);
        // Without another request: the server looks after its children as they end.
        let exit = next(&ends);
        assert_eq!(exit.to_string(), format!("child {} {text}", exit.pid()));
        client.expect_end();
    }
}

fn a_child_that_is_told_to_end_does<T: Connected>() {
    begin_with_the_default_of_signals();
    let (forking, ends) = watched();
    let host = host_by::<T, _, _>(forking, handler_fn(tell_pid::<T::Request>));
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let client = host.client();
        kill(pid(&client.ask("?\n")), signal).unwrap();
        assert_eq!(next(&ends).signal(), Some(signal as i32));
        client.expect_end();
    }
    assert_eq!(host.server.stats().interrupted, 3);
    // Nobody else minds.
    host.client().ask("?\n");
}

/// A child that this library has not forked is nobody's business but its parent's.
#[test]
fn other_children_are_left_alone() {
    let mut foreign = Command::new("sh")
        .args(["-c", "read line; exit 72"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let (forking, ends) = watched();
    let forking = forking.max_children(1);
    let host = host_by::<Tcp, _, _>(forking, handler_fn(tell_pid_once::<TcpRequest>));
    host.client().ask("?\n");
    next(&ends);
    drop(foreign.stdin.take());
    eventually("it has ended", || is_zombie(foreign.id()));
    for _ in 0..20 {
        host.client().ask("?\n");
        next(&ends);
    }
    host.stop();
    assert_eq!(foreign.wait().unwrap().code(), Some(72));
}

fn is_zombie(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('Z')
}

/// Somebody else may wait for a child before the server does.
#[test]
fn a_child_that_somebody_else_has_collected_is_not_missed() {
    let (forking, ends) = watched();
    let host = host_by::<Tcp, _, _>(forking, handler_fn(tell_pid::<TcpRequest>));
    for _ in 0..10 {
        let client = host.client();
        let child = pid(&client.ask("?\n"));
        let waiter = thread::spawn(move || nix::sys::wait::waitpid(child, None));
        client.finish();
        client.expect_end();
        let exit = next(&ends);
        let collected = waiter.join().unwrap().is_ok();
        assert_eq!(exit.pid(), child.as_raw() as u32);
        // Whoever was first has the status.
        assert_eq!(exit.code().is_none(), collected, "{exit}");
    }
    assert!(host.server.active_children().is_empty());
}

#[test]
#[ignore = "runs as a part of what_is_printed_is_printed_once"]
fn the_process_that_prints() {
    if !is_alone(test_name!("the_process_that_prints")) {
        return;
    }
    let (forking, ends) = watched();
    // Without a line's end, so that it stays in the buffer.
    let say = handler_fn(|_: &mut TcpRequest| {
        print!("<child>");
        Ok(())
    });
    let host = host_by::<Tcp, _, _>(forking, say);
    print!("<parent>");
    host.client().expect_end();
    next(&ends);
    print!("<parent again>");
    host.stop();
}

/// What Python's children print is lost if it does not go to a terminal; and what their parent had
/// printed and not flushed would be printed by each of them again.
#[test]
fn what_is_printed_is_printed_once() {
    let finished = run(test_name!("the_process_that_prints"));
    let printed = finished.success();
    let all = "<parent><child><parent again>";
    assert_eq!(printed.matches(all).count(), 1, "{printed}");
    assert_eq!(printed.matches('<').count(), 3, "{printed}");
}

// ---- how many ----

#[test]
fn the_limit_is_that_of_python() {
    assert_eq!(Forking::DEFAULT_MAX_CHILDREN, 40);
}

/// At the limit, clients wait in the kernel's queue, and are served when there is room; the server
/// can be stopped meanwhile.
fn no_more_children_run_than_are_allowed<T: Connected>() {
    const MOST: usize = 3;
    const CLIENTS: usize = 10;
    let host = host_forking::<T>(|server| server.max_children(MOST).grace(PATIENCE));
    let handle = host.server.handle();
    let mut clients: VecDeque<_> = (0..CLIENTS).map(|_| host.client()).collect();
    for client in &clients {
        client.send("hello\n");
    }
    for client in clients.iter().take(MOST) {
        assert_eq!(client.line(), "hello\n");
    }
    for served in MOST..CLIENTS {
        assert_eq!(handle.stats().accepted as usize, served);
        assert_eq!(host.server.active_children().len(), MOST);
        // One is allowed to leave, and the next comes in.
        let client = clients.pop_front().unwrap();
        client.finish();
        client.expect_end();
        assert_eq!(clients[MOST - 1].line(), "hello\n");
    }
    let waiting = host.client();
    handle.shutdown();
    assert!(handle.wait(PATIENCE), "the limit keeps it from stopping");
    let stats = handle.stats();
    assert_eq!(
        (stats.accepted, stats.active),
        (CLIENTS as u64, MOST as u64)
    );
    drop(waiting);
    for client in clients {
        client.finish();
        client.expect_end();
    }
    let report = host.stop();
    assert_eq!((report.interrupted.len(), report.abandoned.len()), (0, 0));
    // The one that was still waiting, too.
    assert_eq!(handle.stats().completed as usize, CLIENTS + 1);
}

/// In Python there is no limit then.
fn handle_request_forks_no_more_children_than_are_allowed<T: Connected>() {
    let dir = TempDir::new();
    let service = Hooks::<T::Request>::echo();
    let server = T::bind::<_, Sequential>(&dir, Server::options(), service).unwrap();
    let server = server.strategy(forking()).max_children(1).grace(PATIENCE);
    let first = T::connect(server.server_address());
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(first.ask("hello\n"), "hello\n");

    let second = T::connect(server.server_address());
    second.send("hello\n");
    let server = server.handle_request_timeout(Duration::from_millis(20));
    assert_eq!(server.handle_request().unwrap(), Handled::Timeout);
    assert_eq!((server.stats().accepted, server.stats().active), (1, 1));
    let server = Arc::new(server.handle_request_timeout(PATIENCE));
    let waiting = thread::spawn({
        let server = Arc::clone(&server);
        move || server.handle_request()
    });
    server.shutdown();
    let handled = in_time(|| waiting.join()).unwrap();
    assert_eq!(handled.unwrap(), Handled::Shutdown);

    first.finish();
    first.expect_end();
    assert_eq!(server.handle_request().unwrap(), Handled::Request);
    assert_eq!(second.line(), "hello\n");
    assert_eq!(server.active_children().len(), 1);
    second.finish();
    second.expect_end();
    let server = Arc::into_inner(server).unwrap();
    let handle = server.handle();
    in_time(|| server.server_close());
    assert_eq!(handle.stats().completed, 2);
}

/// Whoever wraps the strategy without its `wait` gets no more children, but an answer.
#[test]
fn the_limit_holds_without_an_accept_loop_that_waits_for_room() {
    struct Wrapped(Forking);
    impl Strategy for Wrapped {
        fn process_request(&self, job: socketserver::Job) -> Result<(), socketserver::Rejected> {
            self.0.process_request(job)
        }
    }
    let (service, failures) = Hooks::<TcpRequest>::new(tell_pid).failures();
    let host = host_by::<Tcp, _, _>(Wrapped(forking().max_children(1)), service);
    let first = host.client();
    first.ask("?\n");
    host.client().expect_end();
    let failure = next(&failures);
    assert_eq!(failure.stage, Stage::ProcessRequest);
    assert!(failure.text.contains("children"), "{failure:?}");
    first.ask("?\n");
    first.finish();
    first.expect_end();
}

// ---- closing ----

fn closing_waits_for_children<T: Connected>() {
    let host = host_by::<T, _, _>(forking(), handler_fn(tell_pid::<T::Request>));
    let client = host.client();
    let child = client.ask("?\n");
    let handle = host.server.handle();
    let stopping = thread::spawn(move || host.stop());
    assert!(handle.wait(PATIENCE));
    eventually("it is closed", || handle.is_shutting_down());
    assert_eq!(client.ask("?\n"), child);
    client.finish();
    client.expect_end();
    let report = stopping.join().unwrap();
    assert_eq!((report.running, report.interrupted.len()), (1, 0));
    assert_eq!((handle.stats().completed, handle.stats().active), (1, 0));
}

fn children_that_keep_the_server_are_told_to_end<T: Connected>() {
    let (forking, ends) = watched();
    let service = handler_fn(tell_pid::<T::Request>);
    let host = host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| server.strategy(forking).grace(Duration::from_millis(20)),
    );
    let client = host.client();
    client.ask("?\n");
    let handle = host.server.handle();
    let report = host.stop();
    assert_eq!((report.interrupted.len(), report.abandoned.len()), (1, 0));
    assert_eq!(next(&ends).signal(), Some(Signal::SIGTERM as i32));
    assert_eq!((handle.stats().interrupted, handle.stats().active), (1, 0));
    client.expect_end();
}

#[test]
fn children_that_do_not_listen_are_killed() {
    let (forking, ends) = watched();
    let stubborn = |request: &mut TcpRequest| {
        // SAFETY: ignoring runs no code in signal context.
        unsafe { signal(Signal::SIGTERM, SigHandler::SigIgn) }?;
        tell_pid(request)
    };
    let host = host_with::<Tcp, Sequential, _, _>(
        handler_fn(stubborn),
        |options| options,
        |server| server.strategy(forking).grace(Duration::from_millis(20)),
    );
    let client = host.client();
    client.ask("?\n");
    let started = Instant::now();
    let report = host.stop();
    assert!(started.elapsed() < PATIENCE);
    assert_eq!((report.interrupted.len(), report.abandoned.len()), (1, 0));
    assert_eq!(next(&ends).signal(), Some(Signal::SIGKILL as i32));
}

// ---- when it is refused ----

#[test]
fn forking_is_refused_where_other_threads_may_hold_locks() {
    let (service, failures) = Hooks::<TcpRequest>::new(tell_pid).failures();
    // This thread is no thread of the library's, and libtest has its own too.
    let host = host_by::<Tcp, _, _>(Forking::new(), service);
    for _ in 0..3 {
        host.client().expect_end();
        let failure = next(&failures);
        assert_eq!(failure.stage, Stage::ProcessRequest);
        for word in [
            "refused to fork",
            "thread",
            "serve_forever",
            "new_unchecked",
        ] {
            assert!(failure.text.contains(word), "{}", failure.text);
        }
    }
    let handle = host.server.handle();
    host.stop();
    assert_eq!((handle.stats().accepted, handle.stats().failed), (3, 3));
}

/// The program's threads are all the library's: two accept loops, and the thread that waits for
/// signals.
#[test]
fn forking_is_allowed_beside_threads_of_the_library_that_wait() {
    let mut server = Program::example("echo_server", &["--strategy", "forking", "--port", "0"]);
    let address = server.address();
    let udp = Client::new({
        let socket = std::net::UdpSocket::bind(LOOPBACK).unwrap();
        socket.connect(address).unwrap();
        socket
    });
    // At the same time: neither loop is a stranger to the other, whatever it is doing.
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..10 {
                let tcp = Client::new(std::net::TcpStream::connect(address).unwrap());
                assert_eq!(tcp.ask(&format!("tcp {n}\n")), format!("tcp {n}\n"));
            }
        });
        for n in 0..10 {
            assert_eq!(udp.ask(&format!("udp {n}\n")), format!("udp {n}\n"));
        }
    });
    // A child ends at a SIGTERM, which for its parent would be the end of serving.
    let client = Client::new(std::net::TcpStream::connect(address).unwrap());
    client.ask("hello\n");
    eventually("only that child is left", || {
        children_of(server.id()).len() == 1
    });
    kill(children_of(server.id())[0], Signal::SIGTERM).unwrap();
    client.expect_end();
    let client = Client::new(std::net::TcpStream::connect(address).unwrap());
    assert_eq!(client.ask("still there\n"), "still there\n");
    drop(client);
    eventually("no child is left", || children_of(server.id()).is_empty());

    server.signal(Signal::SIGINT);
    let server = server.finish();
    let summary = server.success().lines().rev().nth(1);
    assert_eq!(
        summary,
        Some("served 11 connections and 10 datagrams, 0 failed, 1 cut off"),
        "{}",
        server.stderr
    );
}

// ---- many ----

/// Descriptors, threads and children of this process.
fn resources() -> (usize, usize, usize) {
    let count = |path: &str| fs::read_dir(path).unwrap().count();
    let children = children_of(std::process::id()).len();
    (count("/proc/self/fd"), count("/proc/self/task"), children)
}

/// In a process of its own, because others of this file start children too.
#[test]
fn many_children_leave_nothing_behind() {
    run(test_name!("many_children"));
}

/// `SOCKETSERVER_REQUESTS` says how many.
#[test]
#[ignore = "runs as a part of many_children_leave_nothing_behind"]
fn many_children() {
    if !is_alone(test_name!("many_children")) {
        return;
    }
    let requests = std::env::var("SOCKETSERVER_REQUESTS");
    let requests = requests.map_or(scale(120, 600), |number| number.parse().unwrap());
    let killed = AtomicU32::new(0);
    let (forking, ends) = watched();
    let service = handler_fn(
        |request: &mut TcpRequest| match &request.readline(10)?[..] {
            b"stay\n" => {
                writeln!(request, "{}", std::process::id())?;
                tell_pid_once(request)
            }
            line => Ok(request.send_all(line)?),
        },
    );
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let server = server.strategy(forking).max_children(8).spawn().unwrap();
    let address = *server.server_address();
    Tcp::connect(&address).ask("?\n");
    next(&ends);
    let before = resources();

    thread::scope(|scope| {
        for number in 0..4 {
            let killed = &killed;
            scope.spawn(move || {
                for n in 0..requests / 4 {
                    let client = Tcp::connect(&address);
                    // Some are killed in the middle.
                    if (n + number) % 7 == 0 {
                        kill(pid(&client.ask("stay\n")), Signal::SIGKILL).unwrap();
                        killed.fetch_add(1, Ordering::SeqCst);
                        client.expect_end();
                    } else {
                        assert_eq!(client.ask("go\n"), "go\n");
                    }
                }
            });
        }
    });
    for _ in 0..requests / 4 * 4 {
        next(&ends);
    }
    let stats = server.stats();
    let killed = u64::from(killed.into_inner());
    assert_eq!((stats.failed, stats.active), (killed, 0));
    assert_eq!(stats.completed, requests / 4 * 4 + 1 - killed);
    // The server may still be letting go of the last one, then and now.
    eventually("nothing is left behind", || {
        let (now, then) = (resources(), before);
        now.0 <= then.0 && now.1 <= then.1 && now.2 <= then.2
    });
    Tcp::connect(&address).ask("?\n");
    in_time(move || server.stop()).unwrap();
}

/// A server of another strategy in the same process is not disturbed by forks beside it.
#[test]
fn a_server_with_threads_serves_beside_one_that_forks() {
    let forks = host_by::<Tcp, _, _>(forking(), handler_fn(tell_pid_once::<TcpRequest>));
    let threads = host::<Tcp, Threading, _>(handler_fn(tell_pid::<TcpRequest>));
    let held = threads.client();
    for _ in 0..20 {
        assert_eq!(held.ask("?\n"), format!("{}\n", std::process::id()));
        assert_ne!(forks.client().ask("?\n"), held.ask("?\n"));
        threads.client().ask("?\n");
    }
}

/// A child that is left to itself, because the process that forked it is gone, goes on.
#[test]
fn a_child_outlives_its_parent() {
    let mut server = Program::example("tutorial_forking", &["127.0.0.1:0"]);
    let address = server.address();
    let client = Client::new(std::net::TcpStream::connect(address).unwrap());
    client.send("hello");
    client.receive();
    server.signal(Signal::SIGKILL);
    eventually("it is dead", || is_zombie(server.id()));
    client.send("still there");
    assert!(!client.receive().is_empty());
}

over!([Tcp, Udp, UnixStream, UnixDatagram]
    each_request_has_a_process_of_its_own,
    what_a_child_changes_is_its_own,
    a_handler_in_a_child_stops_the_server,
    children_are_collected_while_nothing_happens,
    a_failure_in_a_child_costs_that_child,
);

over_streams!(
    a_child_has_no_listening_socket,
    service_actions_follow_the_end_of_a_child,
    a_child_that_is_told_to_end_does,
    no_more_children_run_than_are_allowed,
    handle_request_forks_no_more_children_than_are_allowed,
    closing_waits_for_children,
    children_that_keep_the_server_are_told_to_end,
);
