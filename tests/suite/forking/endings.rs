//! Exits of child processes.

use super::*;

/// In Python, child processes are zombies until the next iteration of the loop.
fn children_are_reaped_while_the_server_is_idle<T: Reachable>() {
    let host = host_forking::<T>(|server| server.poll_interval(None));
    for completed in 1..=3 {
        let client = host.client();
        assert_eq!(client.ask("hello\n"), "hello\n");
        if T::KIND == RequestKind::Connection {
            client.finish();
        }
        eventually("the child is reaped", || {
            host.server.stats().completed == completed
        });
        assert_eq!(host.server.active_children(), [0_u32; 0]);
    }
    host.stop();
}

/// In Python, `service_actions` runs only after requests and at intervals.
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

/// Fails in the way that the client's line names. `handle_error` sends the error to the client, and panics.
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
fn the_parent_is_notified_how_a_child_ended() {
    apart(
        test_name!("the_parent_is_notified_how_a_child_ended"),
        || {
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
                // Reported without another request, because the server reaps its children as they exit.
                let exit = next(&ends);
                assert_eq!(exit.to_string(), format!("child {} {text}", exit.pid()));
                client.expect_end();
            }
        },
    );
}

/// A child process that this library has not forked is reaped by the code that started it.
#[test]
fn other_children_are_not_reaped() {
    apart(test_name!("other_children_are_not_reaped"), || {
        let mut foreign = Command::new("sh")
            .args(["-c", "read line; exit 72"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let (forking, ends) = watched();
        let forking = forking.max_children(1);
        let host = host_by::<Tcp, _, _>(forking, handler_fn(answer_one_pid::<TcpRequest>));
        host.client().ask("?\n");
        next(&ends);
        drop(foreign.stdin.take());
        eventually("the other child has exited", || is_zombie(foreign.id()));
        for _ in 0..20 {
            host.client().ask("?\n");
            next(&ends);
        }
        host.stop();
        assert_eq!(foreign.wait().unwrap().code(), Some(72));
    });
}

/// Another thread can reap a child process before the server does.
#[test]
fn a_child_that_another_thread_has_reaped_is_reported() {
    apart(
        test_name!("a_child_that_another_thread_has_reaped_is_reported"),
        || {
            let (forking, ends) = watched();
            let host = host_by::<Tcp, _, _>(forking, handler_fn(answer_pids::<TcpRequest>));
            for _ in 0..10 {
                let client = host.client();
                let child = pid(&client.ask("?\n"));
                let waiter = thread::spawn(move || nix::sys::wait::waitpid(child, None));
                client.finish();
                client.expect_end();
                let exit = next(&ends);
                let reaped_by_waiter = waiter.join().unwrap().is_ok();
                assert_eq!(exit.pid(), child.as_raw() as u32);
                // The status is known only to the thread that reaped the child.
                assert_eq!(exit.code().is_none(), reaped_by_waiter, "{exit}");
            }
            assert!(host.server.active_children().is_empty());
        },
    );
}

/// Some supervisors start programs with SIGCHLD ignored. The system then reaps children itself.
#[test]
fn exits_are_counted_in_a_program_that_was_started_with_sigchld_ignored() {
    let test = test_name!("exits_are_counted_in_a_program_that_was_started_with_sigchld_ignored");
    if is_alone(test) {
        return exits_are_counted_while_sigchld_is_ignored();
    }
    let mut command = command(test);
    let ignore = || {
        // SAFETY: ignoring runs no code in signal context.
        unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }?;
        Ok(())
    };
    // SAFETY: the forked child makes only a system call.
    unsafe { std::os::unix::process::CommandExt::pre_exec(&mut command, ignore) };
    passed(Program::start(command));
}

fn exits_are_counted_while_sigchld_is_ignored() {
    extern "C" fn on_sigchld(_: i32) {}

    let action = |handler, flags| {
        let action = SigAction::new(handler, flags, SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGCHLD, &action) }.unwrap()
    };
    let (forking, ends) = watched();
    let exit = handler_fn(
        |request: &mut TcpRequest| match &request.readline(10)?[..] {
            b"exit\n" => std::process::exit(7),
            _ => Ok(()),
        },
    );
    let host = host_by::<Tcp, _, _>(forking, exit);
    let expect_exits = || {
        for (order, code) in [("exit\n", 7), ("go\n", 0)] {
            host.client().send(order);
            assert_eq!(next(&ends).code(), Some(code));
        }
    };
    expect_exits();
    action(SigHandler::SigIgn, SaFlags::empty());
    expect_exits();
    let before = action(
        SigHandler::Handler(on_sigchld),
        SaFlags::SA_NOCLDWAIT | SaFlags::SA_RESTART,
    );
    assert!(matches!(before.handler(), SigHandler::SigDfl));
    expect_exits();
    let before = action(SigHandler::SigDfl, SaFlags::empty());
    assert!(matches!(before.handler(), SigHandler::Handler(_)));
    assert!(before.flags().contains(SaFlags::SA_RESTART));
    let stats = host.server.stats();
    assert_eq!((stats.completed, stats.failed, stats.dropped), (3, 3, 0));
}

#[test]
#[ignore = "runs as a part of output_is_printed_once"]
fn the_process_that_prints() {
    if !is_alone(test_name!("the_process_that_prints")) {
        return;
    }
    let (forking, ends) = watched();
    // Without a newline, so that the output stays in the buffer.
    let print = handler_fn(|_: &mut TcpRequest| {
        print!("<child>");
        Ok(())
    });
    let host = host_by::<Tcp, _, _>(forking, print);
    print!("<parent>");
    host.client().expect_end();
    next(&ends);
    print!("<parent again>");
    host.stop();
}

/// In Python, output that a child process prints is lost unless it goes to a terminal. A flush in a child process must
/// not print again what the parent had not flushed before the fork.
#[test]
fn output_is_printed_once() {
    let finished = run(test_name!("the_process_that_prints"));
    let printed = finished.success();
    let all = "<parent><child><parent again>";
    assert_eq!(printed.matches(all).count(), 1, "{printed}");
    assert_eq!(printed.matches('<').count(), 3, "{printed}");
}

over_apart!([Tcp, Udp, UnixStream, UnixDatagram]
    children_are_reaped_while_the_server_is_idle,
    a_failure_in_a_child_costs_that_child,
);

over_apart!([Tcp, UnixStream]

    service_actions_follow_the_end_of_a_child,
);
