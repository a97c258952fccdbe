//! Resources and state of a child process.

use super::*;

fn each_request_has_a_process_of_its_own<T: Reachable>() {
    let host = host_by::<T, _, _>(forking(), handler_fn(answer_one_pid::<T::Request>));
    let pids: BTreeSet<_> = (0..3).map(|_| host.client().ask("?\n")).collect();
    assert_eq!(pids.len(), 3);
    assert!(!pids.contains(&format!("{}\n", std::process::id())));
}

fn changes_in_a_child_stay_there<T: Reachable>() {
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

/// A child process has no descriptor of the listening socket, so it does not keep the port in use.
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
    let open = host.client().ask("?\n");
    assert!(open.contains("socket:"), "{open}");
    assert!(!open.contains(&*listener.to_string_lossy()), "{open}");
}

#[test]
fn a_child_outlives_its_server_and_does_not_keep_the_port() {
    apart(
        test_name!("a_child_outlives_its_server_and_does_not_keep_the_port"),
        || {
            let service = handler_fn(answer_pids::<TcpRequest>);
            let server = TcpServer::bind(own_loopback(), service).unwrap();
            let address = *server.server_address();
            let server = server.strategy(forking()).block_on_close(false);
            let (handle, server) = (server.handle(), server.spawn().unwrap());
            let client = Tcp::connect(&address);
            let child = client.ask("?\n");
            assert_eq!(server.active_children(), [pid(&child).as_raw() as u32]);

            let report = in_time(move || server.stop()).unwrap();
            assert_eq!((report.running, report.force_closed.len()), (1, 0));
            // Except on Linux, a child process of another test can keep a copy open for a moment after its fork.
            eventually("the port is closed", || Tcp::try_connect(&address).is_err());
            // SO_REUSEADDR allows no second socket beside one that listens.
            let next = TcpServer::bind(address, handler_fn(answer_pids::<TcpRequest>));
            assert!(next.is_ok(), "{next:?}");
            assert_eq!(client.ask("?\n"), child);
            assert_eq!(handle.stats().active, 1);
            client.finish();
            client.expect_end();
            eventually("the child is reaped", || handle.stats().active == 0);
            assert_eq!(handle.stats().completed, 1);
        },
    );
}

fn a_handler_in_a_child_stops_the_server<T: Reachable>() {
    let stop = |request: &mut T::Request| {
        request.server().shutdown();
        let stopping = request.server().is_shutting_down();
        let waited = request.server().wait(None);
        Ok(writeln!(request, "{stopping} {waited}")?)
    };
    let host = host_by::<T, _, _>(forking(), handler_fn(stop));
    // `wait` returns `false` at once in a child process.
    assert_eq!(host.client().ask("?\n"), "true false\n");
    let handle = host.server.handle();
    assert!(handle.wait(PATIENCE), "the server still serves");
}

/// Handles of all servers of the parent work in a child process.
#[test]
fn a_handler_in_a_child_stops_another_server() {
    apart(
        test_name!("a_handler_in_a_child_stops_another_server"),
        || {
            let other = host::<Tcp, Threading, _>(Hooks::<TcpRequest>::echo());
            let handle = other.server.handle();
            let stop = handle.clone();
            let service = handler_fn(move |request: &mut TcpRequest| {
                stop.shutdown();
                Ok(writeln!(request, "{}", stop.wait(None))?)
            });
            let host = host_by::<Tcp, _, _>(forking(), service);
            assert_eq!(host.client().ask("?\n"), "false\n");
            assert!(handle.wait(PATIENCE), "the other server still serves");
            // The server of the child still serves.
            assert_eq!(host.client().ask("?\n"), "false\n");
        },
    );
}

/// The loop checks for the stop even where it accepts without a poll, as it does after a request.
#[test]
fn a_stop_by_a_child_goes_before_the_next_request() {
    apart(
        test_name!("a_stop_by_a_child_goes_before_the_next_request"),
        || {
            let (resume, resumed) = mpsc::channel::<()>();
            let resumed = Mutex::new(resumed);
            let service = Hooks::new(|request: &mut TcpRequest| {
                request.server().shutdown();
                Ok(writeln!(request, "requested")?)
            })
            .on_actions(move || {
                let _ = resumed.lock().unwrap().recv_timeout(PATIENCE);
            });
            let host = host_with::<Tcp, Sequential, _, _>(
                service,
                |options| options,
                |server| server.strategy(forking()).poll_interval(None),
            );
            assert_eq!(host.client().line(), "requested\n");
            // `service_actions` blocks the loop, so the loop has not checked for the stop yet.
            let _next = host.client();
            drop(resume);
            let handle = host.server.handle();
            assert!(handle.wait(PATIENCE), "the server still serves");
            assert_eq!(handle.stats().accepted, 1);
        },
    );
}

/// A stop that a child process requests after its run has ended is ignored.
#[test]
fn a_late_stop_by_a_child_does_not_end_the_next_run() {
    apart(
        test_name!("a_late_stop_by_a_child_does_not_end_the_next_run"),
        || {
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
            // The server reads the stop of the first child when it reaps it. The second child continues after that.
            let client = Tcp::connect(server.server_address());
            let pid: u32 = client.line().trim().parse().unwrap();
            eventually("the first child is reaped", || {
                server.active_children() == [pid]
            });
            client.send("stop\n");
            client.finish();
            client.expect_end();
            // A stop by a child of this run ends it.
            in_time(|| second.join()).unwrap().unwrap();
            let server = Arc::into_inner(server).unwrap();
            assert_eq!(server.stats().accepted, 2);
            in_time(move || server.server_close());
        },
    );
}

over_apart!([Tcp, Udp, UnixStream, UnixDatagram]
    each_request_has_a_process_of_its_own,
    changes_in_a_child_stay_there,
    a_handler_in_a_child_stops_the_server,
);

over_apart!([Tcp, UnixStream]
a_child_has_no_listening_socket,);
