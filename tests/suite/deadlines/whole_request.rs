//! The whole request.

use super::*;

fn who_sends_a_byte_at_a_time_is_cut_off<T: Timed, M: Strategy + Default>() {
    let (sender, ends) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        let read = kind_of(request.readline(1 << 20));
        let start = Instant::now();
        let after = (kind_of(request.recv(10)), kind_of(request.send_all("!")));
        // At once, and not by the kernel's time: a bound that is the promise itself.
        sender.send((read, after, start.elapsed()))?;
        Ok(())
    });
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Request), |server| server);
    let client = host.client();
    let start = Instant::now();
    let (read, after, took) = loop {
        // Once it is cut off this fails.
        let _ = client.try_send(".");
        match ends.recv_timeout(Duration::from_millis(2)) {
            Ok(ends) => break ends,
            Err(_) => assert!(start.elapsed() < PATIENCE, "it goes on and on"),
        }
    };
    let request = Some(TimeoutKind::Request);
    assert_eq!((read, after), (request, (request, request)));
    assert!(took < PATIENCE, "{took:?}");
    let handle = host.server.handle();
    drop(client);
    host.stop();
    // Once, however often it was tried.
    assert_eq!(all_counted(&handle.stats()), [(TimeoutKind::Request, 1)]);
}

fn who_takes_a_little_at_a_time_is_cut_off<T: Timed, M: Strategy + Default>() {
    for kind in [TimeoutKind::Request, TimeoutKind::Write] {
        for size in [1 << 12, 1 << 20, 1 << 28] {
            // Each of many short writes is in time for itself.
            if kind == TimeoutKind::Write && size < 1 << 28 {
                continue;
            }
            let (sender, ends) = mpsc::channel();
            let hooks = Hooks::new(move |request: &mut T::Request| {
                let data = vec![0; size];
                let end = loop {
                    if let Some(kind) = kind_of(request.send_all(&data)) {
                        break kind;
                    }
                };
                sender.send(end)?;
                Ok(())
            });
            let host = host_with::<T, M, _, _>(hooks, only(kind), |server| server);
            let client = host.client();
            let start = Instant::now();
            let end = loop {
                // Once it is cut off there is less.
                let _ = (&*client.socket()).read(&mut [0; 4096]);
                match ends.recv_timeout(Duration::from_millis(1)) {
                    Ok(end) => break end,
                    Err(_) => assert!(start.elapsed() < PATIENCE, "it goes on and on"),
                }
            };
            assert_eq!(end, kind, "{size}");
        }
    }
}

/// Although the socket's own time is a part of it, a quarter, which is over in the pause.
fn the_time_of_the_whole_request_is_not_over_too_early<T: Timed, M: Strategy + Default>() {
    let hooks = Hooks::<T::Request>::echo();
    let whole = |options| with_time(options, TimeoutKind::Request, 40 * SOON);
    let host = host_with::<T, M, _, _>(hooks, whole, |server| server);
    let client = host.client();
    thread::sleep(11 * SOON);
    assert_eq!(client.ask("in time\n"), "in time\n");
}

over_streams_by_strategy!(
    who_sends_a_byte_at_a_time_is_cut_off,
    who_takes_a_little_at_a_time_is_cut_off,
    the_time_of_the_whole_request_is_not_over_too_early,
);
