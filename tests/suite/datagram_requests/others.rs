//! Datagrams that are sent at once, not with the reply.

use super::*;

fn a_datagram_to_an_address_is_sent_at_once<T: Packets>() {
    let (received_by_third, receiver) = mpsc::channel();
    let third = host::<T, Sequential, _>(Hooks::new(move |request: &mut T::Request| {
        let _ = received_by_third.send(request.packet().to_vec());
        Ok(())
    }));
    let third_address = third.server.server_address().clone();
    let host = host::<T, Sequential, _>(Hooks::new(move |request: &mut T::Request| {
        let client = request.client_address().clone();
        request.send_all(b"the reply")?;
        request.send_to(b"first", &client)?;
        request.send_to(b"second", &client)?;
        request.sender().send_all(b"third")?;
        request.send_to(b"to you", &third_address)?;
        // An error discards only the reply.
        if request.packet() == b"fail" {
            return Err("on purpose".into());
        }
        Ok(())
    }));
    let client = host.client();
    for (order, answers) in [
        ("fail", &["first", "second", "third"][..]),
        ("return", &["first", "second", "third", "the reply"]),
    ] {
        client.send(order);
        for answer in answers {
            assert_eq!(client.receive(), answer.as_bytes());
        }
        assert_eq!(next(&receiver), b"to you");
    }
}

fn a_sender_works_after_the_handler_and_ends_with_the_server<T: Packets>() {
    let (senders, receiver) = mpsc::channel();
    let host = host::<T, Threading, _>(Hooks::new(move |request: &mut T::Request| {
        let _ = senders.send(request.sender());
        Ok(())
    }));
    let client = host.client();
    client.send("hello");
    let mut sender = next(&receiver);
    let handle = host.server.handle();
    eventually("the handler returned", || handle.stats().active == 0);
    sender.send_all(b"later").unwrap();
    write!(sender.clone(), "{} of {}", 2, 3).unwrap();
    write!(sender, "once more").unwrap();
    for answer in ["later", "2 of 3", "once more"] {
        assert_eq!(client.receive(), answer.as_bytes());
    }
    let socket = SocketId::of(&*host.server);
    host.stop();
    assert!(!socket.is_open(), "the sender keeps the socket open");
    let error = sender.send_all(b"too late").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
}

over_datagrams!(
    a_datagram_to_an_address_is_sent_at_once,
    a_sender_works_after_the_handler_and_ends_with_the_server,
);
