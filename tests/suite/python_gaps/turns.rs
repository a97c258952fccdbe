//! `poll_interval` and `service_actions`.

use super::*;

fn every_poll_interval_works<T: Reachable, M: Strategy + Default>() {
    for interval in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let host = host_with::<T, M, _, _>(
            Hooks::<T::Request>::echo(),
            |options| options,
            |server| server.poll_interval(interval),
        );
        for _ in 0..3 {
            assert_eq!(host.client().ask("hello\n"), "hello\n");
        }
        host.stop();
    }
}

everywhere!(every_poll_interval_works,);

/// Runs requests inline, and reports when the loop begins to wait for one.
struct Announcing(mpsc::Sender<()>);

impl Strategy for Announcing {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        job.run();
        Ok(())
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        let _ = self.0.send(());
        wait.for_request()
    }
}

/// Python: the loop checks the flag directly after the poll, and returns.
fn service_actions_do_not_follow_a_stop<T: Reachable>() {
    let (actions, acted) = mpsc::channel();
    let service = Hooks::<T::Request>::echo().on_actions(move || actions.send(()).unwrap());
    let (waiting, waits) = mpsc::channel();
    let host = host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| server.strategy(Announcing(waiting)).poll_interval(None),
    );
    next(&waits);
    host.stop();
    assert_eq!(acted.iter().count(), 0);
}

over!([Tcp, Udp, UnixStream, UnixDatagram]
    service_actions_do_not_follow_a_stop,
);

/// A pool that receives in several loops keeps all of them.
fn a_panic_in_service_actions_ends_no_loop<M: Strategy + Default>() {
    expect_panics();
    let service = Hooks::echo().on_actions(|| panic!("on purpose"));
    let host = host_with::<Udp, M, _, _>(
        service,
        |options| options,
        |server| server.poll_interval(Duration::from_millis(1)),
    );
    for _ in 0..20 {
        assert_eq!(host.client().ask("hello\n"), "hello\n");
    }
    host.stop();
}

by_strategy!(a_panic_in_service_actions_ends_no_loop,);
