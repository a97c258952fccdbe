//! Socket options.

use super::*;

#[test]
fn small_writes_are_not_delayed_by_default() {
    for nagle in [None, Some(true), Some(false)] {
        let (sender, nodelay) = mpsc::channel();
        let hooks = Hooks::new(move |request: &mut TcpRequest| {
            sender.send(request.socket().nodelay()?)?;
            Ok(())
        });
        let host = host_with::<Tcp, Threading, _, _>(
            hooks,
            |options| match nagle {
                Some(disable) => options.disable_nagle_algorithm(disable),
                None => options,
            },
            |server| server,
        );
        host.client().expect_end();
        assert_eq!(next(&nodelay), nagle.unwrap_or(true), "{nagle:?}");
    }
}

fn the_socket_gives_access_to_its_options<T: Connected>() {
    let (before, after) = one_conversation::<T, _>(
        |request| {
            let socket = request.socket().as_fd();
            let socket = SockRef::from(&socket);
            let before = socket.read_timeout().unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            (before, socket.read_timeout().unwrap())
        },
        Client::expect_end,
    );
    assert_eq!((before, after), (None, Some(PATIENCE)));
}

/// As Python's documentation says: "accepted socket is in blocking mode even if the listener has a timeout". The
/// timeout of the listener is for `handle_request`.
fn the_timeout_of_the_listener_is_not_that_of_its_clients<T: Connected>() {
    let (sender, timeouts) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        let socket = request.socket().as_fd();
        let socket = SockRef::from(&socket);
        sender.send((socket.read_timeout()?, socket.write_timeout()?))?;
        Ok(())
    });
    let host = host_with::<T, Threading, _, _>(
        hooks,
        |options| {
            options.before_bind(|socket| {
                SockRef::from(&socket).set_read_timeout(Some(PATIENCE))?;
                SockRef::from(&socket).set_write_timeout(Some(PATIENCE))
            })
        },
        |server| server,
    );
    host.client().expect_end();
    assert_eq!(next(&timeouts), (None, None));
}

over_streams!(
    the_socket_gives_access_to_its_options,
    the_timeout_of_the_listener_is_not_that_of_its_clients,
);
