//! Timeouts of senders.

use super::*;

fn the_write_timeout_applies_to_senders<T: Timed, M: Strategy + Default>() {
    let (sender, results) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        // One sender writes, the other waits for its turn. Both fail when the write timeout expires.
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

over_streams_by_strategy!(the_write_timeout_applies_to_senders,);
