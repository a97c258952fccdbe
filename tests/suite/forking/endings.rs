//! How children end.

use super::*;

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
    assert_eq!(host.server.stats().force_closed, 3);
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

over!([Tcp, Udp, UnixStream, UnixDatagram]
    children_are_collected_while_nothing_happens,
    a_failure_in_a_child_costs_that_child,
);

over_streams!(
    service_actions_follow_the_end_of_a_child,
    a_child_that_is_told_to_end_does,
);
