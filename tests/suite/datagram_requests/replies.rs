//! The reply to a datagram.

use super::*;

fn a_reply_is_sent_if_the_handler_wrote_and_succeeded<T: Packets>() {
    expect_panics();
    let (hooks, failures) = obey_packet::<T::Request>().failures();
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

fn all_writes_are_sent_as_one_datagram<T: Packets>() {
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
    a_reply_is_sent_if_the_handler_wrote_and_succeeded,
    all_writes_are_sent_as_one_datagram,
);
