//! `block_on_close(false)`.

use super::*;

fn requests_continue_without_block_on_close<T: Connected, M: Strategy + Default>() {
    let host = host_with::<T, M, _, _>(
        Hooks::<T::Request>::echo(),
        |options| options,
        |server| server.block_on_close(false).grace_period(SHORT),
    );
    let handle = host.server.handle();
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    // The close does not wait for the request, and does not force-close it.
    assert_eq!(numbers(host.stop()), (1, 0, 1));
    thread::sleep(2 * SHORT);
    assert_eq!(client.ask("still there?\n"), "still there?\n");
    client.finish();
    client.expect_end();
    eventually("the request has ended", || handle.stats().active == 0);
}

in_threads!(requests_continue_without_block_on_close,);
