//! What a child has.

use super::*;

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
    assert_eq!((report.running, report.force_closed.len()), (1, 0));
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

over!([Tcp, Udp, UnixStream, UnixDatagram]
    each_request_has_a_process_of_its_own,
    what_a_child_changes_is_its_own,
    a_handler_in_a_child_stops_the_server,
);

over_streams!(a_child_has_no_listening_socket,);
