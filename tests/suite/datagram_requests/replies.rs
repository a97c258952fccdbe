//! The reply.

use super::*;

fn only_a_handler_that_wrote_and_succeeded_is_heard<T: Packets>() {
    expect_panics();
    let (hooks, failures) = obey::<T::Request>().failures();
    let host = host::<T, Sequential, _>(hooks);
    let client = host.client();
    for order in [
        "write nothing",
        "write empty",
        "write and fail",
        "write and panic",
        "write and close",
        "write too much",
    ] {
        client.send(order);
        client.send(format!("after {order}"));
        let answer = String::from_utf8(client.receive()).unwrap();
        assert_eq!(answer, format!("after {order}"));
    }
    let stages: Vec<_> = failures.try_iter().map(|failure| failure.stage).collect();
    assert_eq!(stages, [Stage::Handle, Stage::Handle, Stage::Reply]);
    assert_eq!(host.server.stats().failed, 3);
}

fn all_that_is_written_is_one_datagram<T: Packets>() {
    let host = host::<T, Sequential, _>(Hooks::new(|request: &mut T::Request| {
        request.write_all(b"one ")?;
        write!(request, "{}, ", 2)?;
        request.flush()?;
        request.send_all(b"three")?;
        Ok(())
    }));
    let client = host.client();
    client.send("?");
    client.send("?");
    for _ in 0..2 {
        assert_eq!(client.receive(), b"one 2, three");
    }
}

over_datagrams!(
    only_a_handler_that_wrote_and_succeeded_is_heard,
    all_that_is_written_is_one_datagram,
);
