//! Timeouts of several clients on one coroutine worker.

use super::*;

fn a_busy_client_does_not_delay_the_timeouts_of_others<T: Timed>() {
    let hooks = Hooks::<T::Request>::echo();
    let done = AtomicBool::new(false);
    let host = host_with::<T, Sequential, _, _>(hooks, only(TimeoutKind::FirstByte), |server| {
        server.strategy(Coroutines::new().workers(1))
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                // The first byte of this client may be too late too, on a busy machine.
                let client = host.client();
                for _ in 0..100 {
                    let _ = client.try_send("hello\n");
                    let _ = client.try_receive();
                }
            }
        });
        let silent: Vec<_> = (0..10).map(|_| host.client()).collect();
        for client in &silent {
            client.expect_end();
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(host.server.handle().stats().timeouts.first_byte >= 10);
}

over_streams!(a_busy_client_does_not_delay_the_timeouts_of_others,);
