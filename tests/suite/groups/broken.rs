//! Servers of a group that cannot be bound, cannot begin to serve, or break.

use super::*;

use crate::support::alone::{apart, test_name};

/// The error drops the servers that were bound before.
#[test]
fn nothing_stays_bound_if_one_server_cannot_be_bound() {
    fn bind(addresses: &[SocketAddr]) -> Result<ServerGroup, Error> {
        let bind = |address| ThreadingTcpServer::bind(address, || LineEcho);
        addresses
            .iter()
            .try_fold(ServerGroup::new(), |group, address| {
                Ok(group.add(bind(*address)?))
            })
    }
    // A program that another test starts has copies of all sockets until it executes.
    apart(
        test_name!("nothing_stays_bound_if_one_server_cannot_be_bound"),
        || {
            let host = own_loopback();
            let free = TcpListener::bind(host).unwrap().local_addr().unwrap();
            let taken = TcpListener::bind(host).unwrap();
            let taken_address = taken.local_addr().unwrap();
            match bind(&[free, taken_address]) {
                Err(Error::Bind { address, .. }) => assert_eq!(address, taken_address.to_string()),
                other => panic!("{other:?}"),
            }
            let refused = TcpStream::connect(free).unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
            drop(taken);
            assert_eq!(bind(&[free, taken_address]).unwrap().members().count(), 2);
        },
    );
}

#[test]
fn a_server_that_does_not_listen_is_named() {
    let options = TcpServer::options().activate(false);
    let silent = options.bind(LOOPBACK, handler_fn(echo_or_stop)).unwrap();
    let group = ServerGroup::new().add(tcp()).add_named("silent", silent);
    match group.serve_forever() {
        Err(Error::Member { name, source }) => {
            assert_eq!(name, "silent");
            assert!(matches!(*source, Error::NotActivated));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(group.handle().phase(), Phase::Bound);
    let error = group.spawn().unwrap_err();
    assert!(error.to_string().starts_with("silent: "), "{error}");
}

/// Shuts the listening socket down, after which no client can be accepted.
#[cfg(unix)]
fn break_listener(listener: impl rustix::fd::AsFd) {
    socket2::SockRef::from(&listener)
        .shutdown(std::net::Shutdown::Both)
        .unwrap();
}

#[cfg(unix)]
#[test]
fn a_broken_listener_stops_the_group_and_is_named() {
    for strategy in strategies() {
        for (joins, is_first) in [(true, false), (false, true), (false, false)] {
            let broken = tcp().strategy(strategy());
            let listener = rustix::fd::AsFd::as_fd(&broken)
                .try_clone_to_owned()
                .unwrap();
            let sound = tcp().strategy(Threading::new());
            let group = match is_first {
                true => ServerGroup::new()
                    .add_named("broken", broken)
                    .add_named("sound", sound),
                false => ServerGroup::new()
                    .add_named("sound", sound)
                    .add_named("broken", broken),
            };
            let group =
                group.add(UdpServer::bind(own_loopback(), handler_fn(echo_or_stop)).unwrap());
            let handle = group.handle();
            let sound = connect(&member(&handle, "sound"));
            let group = group.spawn().unwrap();
            assert_eq!(sound.ask("hello\n"), "hello\n");
            break_listener(&listener);
            // The grace period is long enough for this client.
            assert!(handle.wait_for_stop(PATIENCE));
            sound.send("last\n");
            assert_eq!(sound.line(), "last\n");
            sound.finish();
            let error = in_time(move || if joins { group.join() } else { group.stop() });
            let error = error.unwrap_err();
            assert!(matches!(error.error(), Error::Member { name, .. } if name == "broken"));
            let text = "broken: cannot accept requests any more";
            assert!(error.to_string().starts_with(text), "{error}");
            assert!(error.error().io_error().is_some());
            let report = error.report();
            assert_eq!(report.members.len(), 3);
            expect_reports_add_up(report);
            let number_of_sound = usize::from(is_first);
            assert_eq!(report.members[number_of_sound].report.completed, 1);
            let failed = report.members.iter().map(|member| member.error.is_some());
            assert!(failed.eq([is_first, !is_first, false]));
            assert!(report.to_string().contains("broken: cannot accept"));
            assert!(matches!(Error::from(error), Error::Member { .. }));
            assert!(handle.stats().accept_errors.fatal >= 1); // one for each accept loop
        }
    }
}

/// The reports of the other servers come from `server_close`.
#[cfg(unix)]
#[test]
fn serve_forever_returns_the_error_of_a_broken_listener() {
    let broken = tcp();
    let listener = rustix::fd::AsFd::as_fd(&broken)
        .try_clone_to_owned()
        .unwrap();
    let group = ServerGroup::new()
        .add_named("broken", broken)
        .add_named("sound", tcp().strategy(Threading::new()));
    let handle = group.handle();
    break_listener(&listener);
    let (group, served) = in_time(move || {
        let served = group.serve_forever();
        (group, served)
    });
    let named = |error: &Error| matches!(error, Error::Member { name, .. } if name == "broken");
    assert!(named(&served.unwrap_err()));
    assert!(!handle.is_ready());
    let report = in_time(move || group.server_close());
    let failed = report.members.iter().map(|member| member.error.is_some());
    assert!(failed.eq([true, false]));
}
