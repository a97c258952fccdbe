//! Termination signals: those that a terminal or a service manager sends to all processes of a server, and those
//! to one child process.

use super::*;

const TERMINATION: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Moves this process, and all processes that it starts from now on, to a process group of its own.
fn lead_a_group() {
    reset_signals_once();
    setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap();
    assert_eq!(getpgrp(), Pid::this());
}

/// Sends a signal to a process, or to a group if the number is negative, from a process that is not the server.
fn signal_from_elsewhere(signal: Signal, target: Pid) {
    let arguments = format!("kill -{} {target}", signal as i32);
    // The shell is in another group, so that it outlives the signal.
    let mut shell = Command::new("sh");
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    let status = shell.args(["-c", &arguments]).status().unwrap();
    assert!(status.success(), "{arguments}");
}

fn signal_all_processes(signal: Signal) {
    signal_from_elsewhere(signal, Pid::from_raw(-getpgrp().as_raw()));
}

/// Starts a server that stops at signals. Its handlers answer each line with their process id.
fn host_with_signals<T: Connected>(
    forking: Forking,
    grace_period: Duration,
) -> Host<T, impl Service<T::Request>, Forking> {
    let host = host_with::<T, Sequential, _, _>(
        handler_fn(answer_pids::<T::Request>),
        // A signal interrupts reads with a timeout.
        |options| options.timeout(PATIENCE),
        |server| server.strategy(forking).grace_period(grace_period),
    );
    host.server.shutdown_on_ctrl_c().unwrap();
    host
}

/// In CPython, the child has the signal handlers of its parent.
fn a_signal_to_all_processes_leaves_children_the_grace_period<T: Connected>() {
    lead_a_group();
    for signal in TERMINATION {
        let (forking, ends) = watched();
        let host = host_with_signals::<T>(forking, PATIENCE);
        let client = host.client();
        let child = client.ask("?\n");
        signal_all_processes(signal);
        let handle = host.server.handle();
        assert!(handle.wait(PATIENCE), "{signal} has not stopped the server");
        assert_eq!(client.ask("?\n"), child);
        client.finish();
        client.expect_end();
        let report = host.stop();
        assert_eq!(next(&ends).code(), Some(0), "{signal}");
        assert_eq!((report.completed, report.force_closed.len()), (1, 0));
    }
}

fn a_child_that_has_left_a_signal_to_the_server_is_force_closed<T: Connected>() {
    lead_a_group();
    let (forking, ends) = watched();
    let host = host_with_signals::<T>(forking, Duration::from_millis(20));
    let client = host.client();
    client.ask("?\n");
    signal_all_processes(Signal::SIGINT);
    let handle = host.server.handle();
    assert!(handle.wait(PATIENCE));
    let report = host.stop();
    assert_eq!((report.force_closed.len(), report.abandoned.len()), (1, 0));
    assert_eq!(next(&ends).signal(), Some(Signal::SIGTERM as i32));
    assert_eq!(handle.stats().force_closed, 1);
    client.expect_end();
}

fn the_second_signal_ends_a_child<T: Connected>() {
    reset_signals_once();
    let (forking, ends) = watched();
    let host = host_with_signals::<T>(forking, Duration::MAX);
    for [first, second] in [
        [Signal::SIGTERM, Signal::SIGTERM],
        [Signal::SIGINT, Signal::SIGHUP],
    ] {
        let client = host.client();
        let child = client.ask("?\n");
        signal_from_elsewhere(first, pid(&child));
        assert_eq!(client.ask("?\n"), child);
        thread::sleep(REPETITION);
        signal_from_elsewhere(second, pid(&child));
        assert_eq!(next(&ends).signal(), Some(second as i32));
        client.expect_end();
    }
    assert_eq!(host.server.stats().force_closed, 2);
}

/// A client in the backlog is served during the stop. For its child process, the next signal is the second one.
#[test]
fn a_child_that_is_forked_after_the_signal_ends_at_the_next_one() {
    apart(
        test_name!("a_child_that_is_forked_after_the_signal_ends_at_the_next_one"),
        || {
            reset_signals_once();
            let (forking, ends) = watched();
            let server = TcpServer::bind(LOOPBACK, handler_fn(answer_pids)).unwrap();
            let server = server.strategy(forking).grace_period(Duration::MAX);
            let handle = server.handle();
            server.shutdown_on_ctrl_c().unwrap();
            let client = Tcp::connect(server.server_address());
            raise(Signal::SIGTERM).unwrap();
            eventually("the stop has begun", || handle.is_shutting_down());
            let closing = thread::spawn(move || server.server_close());
            let child = client.ask("?\n");
            thread::sleep(REPETITION);
            signal_from_elsewhere(Signal::SIGTERM, pid(&child));
            assert_eq!(next(&ends).signal(), Some(Signal::SIGTERM as i32));
            let report = in_time(|| closing.join()).unwrap();
            assert_eq!((report.accepted, report.force_closed.len()), (1, 1));
        },
    );
}

/// A server that has ended cannot force-close its children.
#[test]
fn a_signal_ends_a_child_without_a_server() {
    let mut server = Program::example("tutorial_forking", &["127.0.0.1:0"]);
    let address = server.address();
    let client = Client::new(std::net::TcpStream::connect(address).unwrap());
    client.send("hello");
    client.receive();
    let child = children_of(server.id())[0];
    server.signal(Signal::SIGKILL);
    // A zombie may have threads that have not ended, and is the parent until then.
    eventually("the child has another parent", || {
        children_of(server.id()).is_empty()
    });
    kill(child, Signal::SIGTERM).unwrap();
    client.expect_end();
}

/// A signal that the server process sends to a child, or the child to itself, is meant for this child.
fn a_signal_of_the_server_or_the_child_ends_a_child<T: Connected>() {
    reset_signals_once();
    let (forking, ends) = watched();
    let raises = |request: &mut T::Request| {
        writeln!(request, "{}", std::process::id())?;
        let number: i32 = String::from_utf8(request.readline(10)?)?.trim().parse()?;
        Ok(raise(number.try_into()?)?)
    };
    let host = host_by::<T, _, _>(forking, handler_fn(raises));
    let expect_end = |signal: Signal, by_server: bool| {
        let client = host.client();
        let child = pid(&client.line());
        if by_server {
            kill(child, signal).unwrap();
        } else {
            client.send(format!("{}\n", signal as i32));
        }
        assert_eq!(next(&ends).signal(), Some(signal as i32));
        client.expect_end();
    };
    for is_handled in [false, true] {
        if is_handled {
            host.server.shutdown_on_ctrl_c().unwrap();
        }
        for signal in TERMINATION {
            expect_end(signal, true);
            expect_end(signal, false);
        }
    }
    assert_eq!(host.server.stats().force_closed, 12);
}

/// Programs that receive signals by `sigwait` block them.
#[test]
fn children_leave_signals_to_a_server_that_blocks_them() {
    apart(
        test_name!("children_leave_signals_to_a_server_that_blocks_them"),
        || {
            lead_a_group();
            let signals: SigSet = TERMINATION.into_iter().collect();
            signals.thread_block().unwrap();
            let (forking, ends) = watched();
            // Threads and child processes inherit the signal mask; the main thread of the test does not block.
            let host = host_by::<Tcp, _, _>(forking, handler_fn(answer_pids::<TcpRequest>));
            for signal in TERMINATION {
                let client = host.client();
                let child = client.ask("?\n");
                signal_from_elsewhere(signal, pid(&child));
                assert_eq!(client.ask("?\n"), child);
                kill(pid(&child), signal).unwrap();
                assert_eq!(next(&ends).signal(), Some(signal as i32));
                client.expect_end();
            }
        },
    );
}

/// A shell without job control starts background programs with SIGINT ignored, and `nohup` with SIGHUP.
#[test]
fn signals_that_the_server_ignores_are_ignored_in_children() {
    apart(
        test_name!("signals_that_the_server_ignores_are_ignored_in_children"),
        || {
            reset_signals_once();
            let (forking, ends) = watched();
            let host = host_with::<Tcp, Sequential, _, _>(
                handler_fn(answer_pids::<TcpRequest>),
                |options| options,
                |server| {
                    server
                        .strategy(forking)
                        .grace_period(Duration::from_millis(20))
                        // SIGKILL follows within this time.
                        .force_close_timeout(Duration::from_secs(3))
                },
            );
            for number in TERMINATION {
                // SAFETY: ignoring runs no code in signal context.
                unsafe { signal(number, SigHandler::SigIgn) }.unwrap();
                let client = host.client();
                let child = client.ask("?\n");
                for _ in 0..2 {
                    kill(pid(&child), number).unwrap();
                    assert_eq!(client.ask("?\n"), child);
                }
                kill(pid(&child), Signal::SIGKILL).unwrap();
                assert_eq!(next(&ends).signal(), Some(Signal::SIGKILL as i32));
                client.expect_end();
            }
            // The force-close needs SIGKILL, because SIGTERM is ignored, too.
            let client = host.client();
            client.ask("?\n");
            let handle = host.server.handle();
            let report = host.stop();
            assert_eq!((report.force_closed.len(), report.abandoned.len()), (1, 0));
            assert_eq!(next(&ends).signal(), Some(Signal::SIGKILL as i32));
            assert_eq!((handle.stats().failed, handle.stats().force_closed), (3, 1));
        },
    );
}

/// A process that a handler has started does not know about the grace period.
#[test]
fn a_signal_to_all_processes_ends_programs_that_handlers_have_started() {
    apart(
        test_name!("a_signal_to_all_processes_ends_programs_that_handlers_have_started"),
        || {
            lead_a_group();
            let run_program = handler_fn(|request: &mut TcpRequest| {
                use std::os::unix::process::ExitStatusExt;
                let mut program = Command::new("cat")
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()?;
                let _input = program.stdin.take();
                writeln!(request, "started")?;
                let status = program.wait()?;
                Ok(writeln!(request, "{:?}", status.signal())?)
            });
            let host = host_with::<Tcp, Sequential, _, _>(
                run_program,
                |options| options,
                |server| server.strategy(forking()).grace_period(PATIENCE),
            );
            host.server.shutdown_on_ctrl_c().unwrap();
            let client = host.client();
            assert_eq!(client.line(), "started\n");
            signal_all_processes(Signal::SIGTERM);
            // Before the close, because a signal during the close would end this process.
            assert!(host.server.handle().wait(PATIENCE));
            assert_eq!(client.line(), "Some(15)\n");
            client.expect_end();
            assert_eq!(host.stop().force_closed.len(), 0);
        },
    );
}

over_apart!([Tcp, UnixStream]

    a_signal_to_all_processes_leaves_children_the_grace_period,
    a_child_that_has_left_a_signal_to_the_server_is_force_closed,
    the_second_signal_ends_a_child,
    a_signal_of_the_server_or_the_child_ends_a_child,
);
