//! Many child processes, and other threads beside them.

use super::*;

/// Counts descriptors, threads and child processes of this process.
fn resources() -> (usize, usize, usize) {
    let count = |path: &str| fs::read_dir(path).unwrap().count();
    let children = children_of(std::process::id()).len();
    (count("/proc/self/fd"), count("/proc/self/task"), children)
}

/// Runs in a process of its own, because other tests start child processes too.
#[test]
fn many_children_leave_nothing_behind() {
    run(test_name!("many_children"));
}

/// `SOCKETSERVER_REQUESTS` sets the number of requests.
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
                answer_one_pid(request)
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
                    // One child of seven is killed while its request runs.
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
    // In both counts, the server may not have released the resources of the last child yet.
    eventually("nothing is left behind", || {
        let (now, then) = (resources(), before);
        now.0 <= then.0 && now.1 <= then.1 && now.2 <= then.2
    });
    Tcp::connect(&address).ask("?\n");
    in_time(move || server.stop()).unwrap();
}

/// Forks do not disturb a server of another strategy in the same process.
#[test]
fn a_server_with_threads_serves_beside_one_that_forks() {
    apart(
        test_name!("a_server_with_threads_serves_beside_one_that_forks"),
        || {
            let forks = host_by::<Tcp, _, _>(forking(), handler_fn(answer_one_pid::<TcpRequest>));
            let threads = host::<Tcp, Threading, _>(handler_fn(answer_pids::<TcpRequest>));
            let open = threads.client();
            for _ in 0..20 {
                assert_eq!(open.ask("?\n"), format!("{}\n", std::process::id()));
                assert_ne!(forks.client().ask("?\n"), open.ask("?\n"));
                threads.client().ask("?\n");
            }
        },
    );
}

#[test]
fn a_child_outlives_its_parent() {
    let mut server = Program::example("tutorial_forking", &["127.0.0.1:0"]);
    let address = server.address();
    let client = Client::new(std::net::TcpStream::connect(address).unwrap());
    client.send("hello");
    client.receive();
    server.signal(Signal::SIGKILL);
    eventually("the parent is dead", || is_zombie(server.id()));
    client.send("still there");
    assert!(!client.receive().is_empty());
}

/// The connection takes the last descriptor.
#[test]
fn the_first_fork_needs_no_descriptor() {
    apart(test_name!("the_first_fork_needs_no_descriptor"), || {
        let accepted = AtomicU32::new(0);
        let is_first = move || accepted.fetch_add(1, Ordering::SeqCst) == 0;
        let service = Hooks::<TcpRequest>::echo().on_verify(move |_| !is_first());
        let host = host_by::<Tcp, _, _>(forking(), service);
        // The server has waited for this client.
        host.client().expect_end();
        let handle = host.server.handle();
        eventually("the first connection is closed", || {
            handle.stats().rejected == 1 && handle.stats().active == 0
        });

        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        limited(Resource::Nofile, 64, || {
            let open = || fs::File::open("/dev/null").ok();
            let mut others: Vec<_> = std::iter::from_fn(open).collect();
            others.pop();
            socket
                .connect(&(*host.server.server_address()).into())
                .unwrap();
            (&socket).write_all(b"hello\n").unwrap();
            let mut answer = [0; 6];
            (&socket).read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"hello\n");
        });
        assert_eq!(handle.stats().rejected, 1);
    });
}
