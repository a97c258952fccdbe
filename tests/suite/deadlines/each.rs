//! Each timeout alone.

use super::*;

fn each_timeout_is_distinguished_from_the_others<T: Timed, M: Strategy + Default>() {
    for (kind, option) in KINDS {
        let hooks = Hooks::new(move |request: &mut T::Request| {
            if kind == TimeoutKind::Write {
                write_until_error(request)?;
            }
            echo_lines(request)
        });
        let (hooks, reported) = reported(hooks);
        let host = host_with::<T, M, _, _>(hooks, only(kind), |server| server);
        let client = host.client();
        match kind {
            // The timeout of a client that is late has expired already.
            TimeoutKind::Read | TimeoutKind::Request => drop(client.try_send("half a li")),
            TimeoutKind::Idle => assert_eq!(client.ask("hello\n"), "hello\n"),
            _ => {}
        }
        let reported = next(&reported);
        assert_eq!(reported.kind, Some(kind), "{reported:?}");
        assert!(reported.is_timeout, "{reported:?}");
        assert!(reported.text.contains("60ms"), "{reported:?}");
        assert!(reported.text.contains(option), "{reported:?}");
        let handle = host.server.handle();
        drop(client);
        host.stop();
        let stats = handle.stats();
        assert_eq!(all_counted(&stats), [(kind, 1)]);
        assert_eq!(stats.failed, 1);
    }
}

fn a_client_that_is_in_time_is_served<T: Timed, M: Strategy + Default>() {
    let options = |options| with_all(options, LONG);
    let host = host_with::<T, M, _, _>(Hooks::<T::Request>::echo(), options, |server| server);
    let client = host.client();
    for n in 0..50 {
        let line = format!("{n}\n");
        assert_eq!(client.ask(&line), line);
    }
    client.finish();
    client.expect_end();
    let handle = host.server.handle();
    host.stop();
    assert_eq!(all_counted(&handle.stats()), []);
    assert_eq!(handle.stats().completed, 1);
}

fn one_option_sets_the_timeouts_of_reads_and_writes<T: Timed, M: Strategy + Default>() {
    let (sender, kinds) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        sender.send(kind_of(request.readline(100)))?;
        sender.send(kind_of(write_until_error(request)))?;
        Ok(())
    });
    let host = host_with::<T, M, _, _>(hooks, |options| options.timeout(SOON), |server| server);
    let _client = host.client();
    assert_eq!(next(&kinds), Some(TimeoutKind::Read));
    assert_eq!(next(&kinds), Some(TimeoutKind::Write));
    let handle = host.server.handle();
    eventually("the request has ended", || handle.stats().active == 0);
    let both = [(TimeoutKind::Read, 1), (TimeoutKind::Write, 1)];
    assert_eq!(all_counted(&handle.stats()), both);
}

/// Some systems report the end of the client's side to each wait for space.
fn a_client_that_has_ended_its_side_has_to_read_in_time<T: Timed, M: Strategy + Default>() {
    let hooks = Hooks::new(|request: &mut T::Request| {
        while request.next_line(100)?.is_some() {}
        Ok(write_until_error(request)?)
    });
    let (hooks, reported) = reported(hooks);
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Write), |server| server);
    let client = host.client();
    client.send("hello\n");
    client.finish();
    assert_eq!(next(&reported).kind, Some(TimeoutKind::Write));
}

over_streams_by_strategy!(
    each_timeout_is_distinguished_from_the_others,
    a_client_that_is_in_time_is_served,
    one_option_sets_the_timeouts_of_reads_and_writes,
    a_client_that_has_ended_its_side_has_to_read_in_time,
);
