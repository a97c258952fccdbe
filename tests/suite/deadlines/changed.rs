//! Changed for one request.

use super::*;

fn a_request_can_have_a_time_of_its_own_beside_them<T: Timed, M: Strategy + Default>() {
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
        // An answer was written: that time stays the server's.
        request.set_timeout(LONG)?;
        let error = request.readline(100).unwrap_err();
        sender.send((TimeoutKind::of(&error), error.to_string()))?;
        Ok(())
    });
    let options = |options| {
        let options = with_time(options, TimeoutKind::Idle, SOON);
        with_time(options, TimeoutKind::Request, LONG)
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
    thread::sleep(PAUSE); // no limit: a greeting is no answer, and the request has long
    assert_eq!(client.ask("late\n"), "late\n");
    assert_eq!(next(&results).0, Some(TimeoutKind::Idle));
}

/// A timeout that a handler sets by means of the socket counts as that of the request does.
fn so_can_its_socket<T: Timed, M: Strategy + Default>() {
    let (sender, kinds) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        {
            let socket = request.socket().as_fd();
            let socket = SockRef::from(&socket);
            socket.set_read_timeout(Some(SOON))?;
            socket.set_write_timeout(Some(SOON))?;
        }
        sender.send(kind_of(request.readline(100)))?;
        sender.send(kind_of(write_without_end(request)))?;
        Ok(())
    });
    let options = |options| with_all(options, LONG);
    let host = host_with::<T, M, _, _>(hooks, options, |server| server);
    let client = host.client();
    client.send("half a li"); // before, there is long for the first byte
    assert_eq!(next(&kinds), Some(TimeoutKind::Read));
    assert_eq!(next(&kinds), Some(TimeoutKind::Write));
}

over_streams_by_strategy!(
    a_request_can_have_a_time_of_its_own_beside_them,
    so_can_its_socket,
);
