//! Each of them.

use super::*;

fn each_time_is_told_from_the_others<T: Timed, M: Strategy + Default>() {
    for (kind, option) in KINDS {
        let hooks = Hooks::new(move |request: &mut T::Request| {
            if kind == TimeoutKind::Write {
                write_without_end(request)?;
            }
            echo_lines(request)
        });
        let (hooks, told) = told(hooks);
        let host = host_with::<T, M, _, _>(hooks, only(kind), |server| server);
        let client = host.client();
        match kind {
            TimeoutKind::Read | TimeoutKind::Request => client.send("half a li"),
            TimeoutKind::Idle => assert_eq!(client.ask("hello\n"), "hello\n"),
            _ => {}
        }
        let told = next(&told);
        assert_eq!(told.kind, Some(kind), "{told:?}");
        assert!(told.is_timeout, "{told:?}");
        assert!(told.text.contains("60ms"), "{told:?}");
        assert!(told.text.contains(option), "{told:?}");
        let handle = host.server.handle();
        drop(client);
        host.stop();
        let stats = handle.stats();
        assert_eq!(all_counted(&stats), [(kind, 1)]);
        assert_eq!(stats.failed, 1);
    }
}

fn who_is_in_time_is_not_cut<T: Timed, M: Strategy + Default>() {
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

fn the_two_times_of_one_option<T: Timed, M: Strategy + Default>() {
    let (sender, kinds) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        sender.send(kind_of(request.readline(100)))?;
        sender.send(kind_of(write_without_end(request)))?;
        Ok(())
    });
    let host = host_with::<T, M, _, _>(hooks, |options| options.timeout(SOON), |server| server);
    let _client = host.client();
    assert_eq!(next(&kinds), Some(TimeoutKind::Read));
    assert_eq!(next(&kinds), Some(TimeoutKind::Write));
    let handle = host.server.handle();
    eventually("it has ended", || handle.stats().active == 0);
    let both = [(TimeoutKind::Read, 1), (TimeoutKind::Write, 1)];
    assert_eq!(all_counted(&handle.stats()), both);
}

over_streams_by_strategy!(
    each_time_is_told_from_the_others,
    who_is_in_time_is_not_cut,
    the_two_times_of_one_option,
);
