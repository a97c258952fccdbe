//! `block_on_close(false)`.

use super::*;

fn requests_continue_without_block_on_close<T: Connected, M: Strategy + Default>() {
    let stop = |grace| {
        let host = host_with::<T, M, _, _>(
            Hooks::<T::Request>::echo(),
            |options| options,
            |server| server.block_on_close(false).grace_period(grace),
        );
        let handle = host.server.handle();
        let client = host.client();
        assert_eq!(client.ask("hello\n"), "hello\n");
        (host.stop(), handle, client)
    };
    // A grace period that ends while the accept loop leaves does not count.
    for grace in [SHORT, 10 * SHORT, 40 * SHORT] {
        let (report, handle, client) = stop(grace);
        let report = numbers(report);
        if report == (1, 1, 0) {
            continue;
        }
        // The close does not wait for the request, and does not force-close it.
        assert_eq!(report, (1, 0, 1));
        thread::sleep(2 * grace);
        assert_eq!(client.ask("still there?\n"), "still there?\n");
        client.finish();
        client.expect_end();
        eventually("the request has ended", || handle.stats().active == 0);
        return;
    }
    panic!("the request is force-closed each time");
}

in_threads!(requests_continue_without_block_on_close,);
