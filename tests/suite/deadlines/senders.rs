//! Senders.

use super::*;

fn senders_are_in_time_too<T: Timed, M: Strategy + Default>() {
    let (sender, results) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        // One of them writes, the other waits for it: neither longer than a write may take.
        let writers: Vec<_> = [request.sender(), request.sender()]
            .into_iter()
            .map(|client| thread::spawn(move || client.send_all(vec![0; 1 << 26])))
            .collect();
        for writer in writers {
            sender.send(kind_of(writer.join().unwrap()))?;
        }
        Ok(())
    });
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Write), |server| server);
    let client = host.client();
    for _ in 0..2 {
        assert_eq!(next(&results), Some(TimeoutKind::Write));
    }
    let handle = host.server.handle();
    drop(client);
    host.stop();
    assert_eq!(all_counted(&handle.stats()), [(TimeoutKind::Write, 2)]);
}

over_streams_by_strategy!(senders_are_in_time_too,);
