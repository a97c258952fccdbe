//! Timeouts that a handler changes for its own request.

use super::*;

fn a_request_can_have_a_timeout_of_its_own<T: Timed, M: Strategy + Default>() {
    let (sender, results) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        request.set_timeout(SOON)?;
        let error = request.readline(100).unwrap_err();
        sender.send((TimeoutKind::of(&error), error.to_string()))?;
        let zero = request.set_timeout(Duration::ZERO).unwrap_err();
        assert_eq!(zero.kind(), ErrorKind::InvalidInput);
        request.set_timeout(None)?;
        request.send_all("go on\n")?;
        let line = request.readline(100)?;
        request.send_all(&line)?;
        // After an answer the idle timeout of the server applies, which `set_timeout` does not change.
        request.set_timeout(LONG)?;
        let error = request.readline(100).unwrap_err();
        sender.send((TimeoutKind::of(&error), error.to_string()))?;
        Ok(())
    });
    let options = |options| {
        let options = with_timeout(options, TimeoutKind::Idle, SOON);
        with_timeout(options, TimeoutKind::Request, LONG)
    };
    let host = host_with::<T, M, _, _>(hooks, options, |server| server);
    let client = host.client();
    assert_eq!(client.line(), "go on\n");
    let (kind, text) = next(&results);
    assert_eq!(kind, Some(TimeoutKind::Read));
    assert!(
        text.contains("60ms") && text.contains("set_timeout"),
        "{text}"
    );
    // No timeout expires. A greeting is not an answer, so the idle timeout does not apply. There is no read
    // timeout, and the request timeout is long.
    thread::sleep(PAUSE);
    assert_eq!(client.ask("late\n"), "late\n");
    assert_eq!(next(&results).0, Some(TimeoutKind::Idle));
}

/// A timeout that a handler sets as an option of the socket counts like that of the request.
fn a_timeout_set_on_the_socket_counts<T: Timed, M: Strategy + Default>() {
    let (sender, kinds) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        {
            let socket = request.socket().as_fd();
            let socket = SockRef::from(&socket);
            socket.set_read_timeout(Some(SOON))?;
            socket.set_write_timeout(Some(SOON))?;
        }
        sender.send(kind_of(request.readline(100)))?;
        sender.send(kind_of(write_until_error(request)))?;
        Ok(())
    });
    let options = |options| with_all(options, LONG);
    let host = host_with::<T, M, _, _>(hooks, options, |server| server);
    let client = host.client();
    // The first-byte timeout, which is long, applies until this arrives.
    client.send("half a li");
    assert_eq!(next(&kinds), Some(TimeoutKind::Read));
    assert_eq!(next(&kinds), Some(TimeoutKind::Write));
}

over_streams_by_strategy!(
    a_request_can_have_a_timeout_of_its_own,
    a_timeout_set_on_the_socket_counts,
);
