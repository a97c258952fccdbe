//! Ends of connections: early answers, failed handlers, messages that are given up.

use std::io::{ErrorKind, Read, Write};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use socketserver::{
    AnyServer, Phase, Request, Sender, Sequential, Strategy, ThreadPool, TlsRequest, handler_fn,
};

use super::hostile::{begin, output};
use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// The request is larger than the socket buffers, so that the client is still sending when the handler ends.
fn an_early_answer_reaches_a_client_that_still_sends<M: Strategy + Default>() {
    let service = handler_fn(|request: &mut TlsRequest| {
        request.recv(10)?;
        Ok(request.send_all("that is too much\n")?)
    });
    let server = options::<_, M>()
        .linger(HOUR)
        .bind(own_loopback(), service)
        .unwrap();
    let server = server.spawn().unwrap();
    for _ in 0..3 {
        let mut client = connect(server.server_address());
        for _ in 0..300 {
            client.send(vec![b'x'; 64 * 1024]);
        }
        client.finish();
        assert_eq!(client.rest().unwrap(), b"that is too much\n");
    }
    let handle = server.handle();
    assert!(handle.wait_until_idle(PATIENCE));
    assert_eq!(handle.stats().completed, 3);
}

/// A part of a record, after which nothing follows.
fn half_a_record_does_not_extend_lingering<M: Strategy + Default>() {
    let service = handler_fn(|request: &mut TlsRequest| Ok(request.send_all("bye\n")?));
    let options = options::<_, M>().linger(Duration::from_millis(100));
    let server = options.bind(own_loopback(), service).unwrap();
    let server = server.spawn().unwrap();
    let mut client = connect(server.server_address());
    client.socket().write_all(b"\x17\x03\x03\x10\x00").unwrap();
    assert_eq!(client.rest().unwrap(), b"bye\n");
    assert!(server.handle().wait_until_idle(PATIENCE));
}

/// The client of a handler that has failed does not take what it has for everything.
fn a_failed_handler_does_not_end_the_output_in_order<M: Strategy + Default>() {
    let service = Hooks::new(|request: &mut TlsRequest| {
        let line = request.readline(100)?;
        request.send_all("half of")?;
        match &*line {
            b"fail\n" => Err("no other half".into()),
            b"panic\n" => std::panic::resume_unwind(Box::new("no other half")),
            _ => Ok(request.send_all(" two halves")?),
        }
    });
    let server = serve::<_, M>(service);
    for (line, is_complete) in [("fail\n", false), ("panic\n", false), ("go\n", true)] {
        let mut client = connect(server.server_address());
        client.send(line);
        match client.rest() {
            Ok(data) => assert!(is_complete && data == b"half of two halves", "{line}"),
            Err(error) => {
                assert!(!is_complete, "{line}: {error}");
                assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
            }
        }
    }
}

/// After a part of a message, the next message would begin in its middle.
fn a_message_that_is_given_up_ends_its_connection<M: Strategy + Default>() {
    const SIZE: usize = 64 * 16 * 1024 + 1; // the last record is tiny, so that the space does not end in it
    let (senders, all) = mpsc::channel::<Sender>();
    let service = handler_fn(move |request: &mut TlsRequest| {
        senders.send(request.sender())?;
        Ok(request.recv(10).map(drop)?)
    });
    let options = options::<_, M>().write_timeout(PATIENCE);
    let server = options.bind(own_loopback(), service).unwrap();
    let server = server.spawn().unwrap();
    for _ in 0..4 {
        let mut client = connect(server.server_address());
        let sender = next(&all);
        let mut sent = 0;
        let error = loop {
            match sender.send_all_within([b'm'; SIZE], Duration::ZERO) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        sender.send_all("next").unwrap_err();
        // The client gets the whole messages and a part of the last one, and learns that there should be more.
        let mut received = Vec::new();
        let end = client.rest_into(&mut received).unwrap_err();
        assert!(
            matches!(
                end.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
            ),
            "{end}"
        );
        assert!((sent * SIZE..(sent + 1) * SIZE).contains(&received.len()));
        assert!(received.iter().all(|&byte| byte == b'm'));
    }
}

by_strategy!(
    an_early_answer_reaches_a_client_that_still_sends,
    half_a_record_does_not_extend_lingering,
    a_failed_handler_does_not_end_the_output_in_order,
    a_message_that_is_given_up_ends_its_connection,
);

/// The bytes that are encrypted when `try_send` returns `WouldBlock`.
#[test]
fn a_socket_knows_what_it_has_begun_to_send() {
    const RECORD: usize = 16 * 1024;
    let listener = TcpListener::bind(own_loopback()).unwrap();
    let address = listener.local_addr().unwrap();
    let (read, may_read) = mpsc::channel();
    let client = std::thread::spawn(move || {
        let mut client = connect(&address);
        next(&may_read);
        client.rest().unwrap().len()
    });
    let socket = accept_from(&listener);
    let data = vec![b'd'; 20_000];
    let mut sent = 0;
    assert_eq!(socket.begun(&data), 0);
    while let Ok(size) = socket.try_send(&data) {
        assert_eq!((size, socket.begun(&data)), (RECORD, 0));
        sent += size;
    }
    assert_eq!(socket.begun(&data), RECORD);
    assert_eq!(socket.begun(b"another message"), 0);
    read.send(()).unwrap();
    assert_eq!(socket.send(&data).unwrap(), RECORD);
    socket.finish().unwrap();
    assert_eq!(client.join().unwrap(), sent + RECORD);
}

/// A handler that stops its own server does not wait for it. Other clients have the grace period nevertheless.
#[test]
fn a_handshake_outlasts_a_stop_by_a_handler() {
    let slot = Arc::<Mutex<Option<AnyServer>>>::default();
    let service = handler_fn({
        let slot = Arc::clone(&slot);
        move |request: &mut TlsRequest| {
            let line = request.readline(100)?;
            let server = slot.lock().unwrap().take();
            if let Some(server) = server {
                server.stop()?;
            }
            Ok(request.send_all(line)?)
        }
    });
    let options = options::<_, Sequential>().handshake_timeout(None);
    let server = options.bind(own_loopback(), service).unwrap();
    let server = server.strategy(ThreadPool::new(2)).grace_period(PATIENCE);
    let server = server.spawn().unwrap();
    let (handle, address) = (server.handle(), *server.server_address());
    let (mut socket, mut keys) = begin(&address, Authority::known());
    wait_for_handshake(&handle);
    *slot.lock().unwrap() = Some(server.into_any());
    assert_eq!(connect(&address).ask("stop\n"), "stop\n");

    socket.write_all(&output(&mut keys)).unwrap();
    keys.writer().write_all(b"hello\n").unwrap();
    let mut answer = [0; 6];
    let mut stream = rustls::Stream::new(&mut keys, &mut socket);
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello\n");
    eventually("the server is closed", || handle.phase() == Phase::Stopped);
}
