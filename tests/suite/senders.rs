//! Senders: writing to a client from the handlers of other clients, and from other threads.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use socketserver::{
    Request, RequestHandler, Result, Sender, Service, ShuttingDown, Threading, UdpRequest,
};

use crate::support::net::*;

/// A chat: the first line of each client is its name, and all further lines go to all clients.
#[derive(Default)]
struct Chat {
    members: Mutex<BTreeMap<String, Sender>>,
}

struct Member {
    chat: Arc<Chat>,
    name: String,
}

impl<R: Request> Service<R> for Chat {
    type Handler = Member;

    fn request_handler(self: &Arc<Self>) -> Member {
        let chat = Arc::clone(self);
        let name = String::new();
        Member { chat, name }
    }
}

impl Chat {
    fn send_to_all(&self, line: &str) {
        let members = self.members.lock().unwrap().clone();
        for member in members.into_values() {
            // Sending fails if the member has just left.
            let _ = member.send_all(line.as_bytes());
        }
    }
}

impl<R: Request> RequestHandler<R> for Member {
    fn setup(&mut self, request: &mut R) -> Result {
        self.name = String::from_utf8(request.readline(100)?)?.trim().into();
        let mut members = self.chat.members.lock().unwrap();
        members.insert(self.name.clone(), request.sender());
        request.send_all(b"welcome\n")?;
        Ok(())
    }

    fn handle(&mut self, request: &mut R) -> Result {
        loop {
            let line = String::from_utf8(request.readline(1000)?)?;
            if line.is_empty() {
                return Ok(());
            }
            self.chat.send_to_all(&format!("{}: {line}", self.name));
        }
    }

    fn finish(&mut self, _: &mut R) -> Result {
        self.chat.members.lock().unwrap().remove(&self.name);
        self.chat.send_to_all(&format!("{} left\n", self.name));
        Ok(())
    }
}

fn the_members_of_a_chat_write_to_each_other<T: Connected>() {
    let host = host::<T, Threading, _>(Chat::default());
    let [ann, ben, eve] = ["ann", "ben", "eve"].map(|name| {
        let client = host.client();
        assert_eq!(client.ask(&format!("{name}\n")), "welcome\n");
        client
    });
    for (speaker, line) in [
        (&ann, "ann: hi\n"),
        (&eve, "eve: ho\n"),
        (&ann, "ann: so\n"),
    ] {
        speaker.send(&line[5..]);
        for member in [&ann, &ben, &eve] {
            assert_eq!(member.exactly(line.len()), line.as_bytes());
        }
    }
    drop(ben);
    for member in [&ann, &eve] {
        assert_eq!(member.line(), "ben left\n");
    }
    eve.finish();
    assert_eq!(ann.line(), "eve left\n");
    eve.expect_end();
    assert_eq!(host.server.service().members.lock().unwrap().len(), 1);
}

/// Starts a server whose handlers give their sender to the test and wait for the end of the stream.
fn host_with_senders<T: Connected>() -> (Host<T, impl Service<T::Request>>, mpsc::Receiver<Sender>)
{
    let (senders, receiver) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        let _ = senders.send(request.sender());
        while !request.recv(1000)?.is_empty() {}
        Ok(())
    });
    let host = host_with::<T, _, _, _>(
        hooks,
        |options| options,
        |server| server.grace_period(Duration::from_millis(50)),
    );
    (host, receiver)
}

fn messages_of_many_senders_do_not_mix<T: Connected>() {
    const SENDERS: u8 = 8;
    const MESSAGES: usize = 20;
    // The kernel does not accept this much in one write, so writes without a lock would mix.
    const SIZE: usize = 150_000;
    let (host, senders) = host_with_senders::<T>();
    let client = host.client();
    let sender = next(&senders);
    thread::scope(|scope| {
        for number in 0..SENDERS {
            let sender = sender.clone();
            scope.spawn(move || {
                for _ in 0..MESSAGES {
                    sender.send_all(vec![number; SIZE]).unwrap();
                }
            });
        }
        let mut received = [0; SENDERS as usize];
        for _ in 0..usize::from(SENDERS) * MESSAGES {
            let message = client.exactly(SIZE);
            let number = message[0];
            assert!(message.iter().all(|&byte| byte == number), "mixed");
            received[usize::from(number)] += 1;
        }
        assert_eq!(received, [MESSAGES; SENDERS as usize]);
    });
}

fn a_handler_and_a_sender_do_not_mix_either<T: Connected>() {
    const MESSAGES: usize = 20;
    const SIZE: usize = 150_000;
    let host = host::<T, Threading, _>(Hooks::new(|request: &mut T::Request| {
        let sender = request.sender();
        thread::scope(|scope| {
            scope.spawn(|| (0..MESSAGES).try_for_each(|_| sender.send_all([b's'; SIZE])));
            (0..MESSAGES).try_for_each(|_| request.send_all([b'h'; SIZE]))
        })?;
        Ok(())
    }));
    let client = host.client();
    let mut by_handler = 0;
    for _ in 0..2 * MESSAGES {
        let message = client.exactly(SIZE);
        assert!(message.iter().all(|&byte| byte == message[0]), "mixed");
        by_handler += usize::from(message[0] == b'h');
    }
    assert_eq!(by_handler, MESSAGES);
    client.expect_end();
}

fn a_sender_can_be_formatted_into<T: Connected>() {
    let (host, senders) = host_with_senders::<T>();
    let client = host.client();
    let mut sender = next(&senders);
    writeln!(sender, "{} and {:?}", 1, "two").unwrap();
    assert_eq!(client.line(), "1 and \"two\"\n");
    assert_eq!(sender.write(b"whole\n").unwrap(), 6);
    sender.flush().unwrap();
    assert_eq!(client.line(), "whole\n");
}

fn sending_to_a_client_that_left_is_not_connected<T: Connected>() {
    let (host, senders) = host_with_senders::<T>();
    let client = host.client();
    let sender = next(&senders);
    client.finish();
    client.expect_end();
    let handle = host.server.handle();
    eventually("the request has ended", || handle.stats().active == 0);
    let error = sender.send_all(b"?").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    assert!(!ShuttingDown::is_cause_of(&error));
}

fn a_kept_sender_does_not_keep_the_connection<T: Connected>() {
    let (host, senders) = host_with_senders::<T>();
    for _ in 0..10 {
        let client = host.client();
        let kept = next(&senders);
        let copy = kept.clone();
        client.finish();
        // If a sender kept the connection open, this read would time out.
        client.expect_end();
        drop((kept, copy));
    }
}

fn a_sender_can_close_the_connection<T: Connected>() {
    let (host, senders) = host_with_senders::<T>();
    let client = host.client();
    let sender = next(&senders);
    sender.send_all(b"good bye").unwrap();
    sender.close();
    assert_eq!(client.rest(), b"good bye");
    // The handler reads the end of the stream and succeeds.
    let handle = host.server.handle();
    eventually("the handler has returned", || handle.stats().active == 0);
    let stats = handle.stats();
    assert_eq!(
        (stats.completed, stats.failed, stats.force_closed),
        (1, 0, 0)
    );
    // Closing a second time has no effect.
    sender.close();
    assert_eq!(
        sender.send_all(b"?").unwrap_err().kind(),
        ErrorKind::NotConnected
    );
}

/// The client does not read, so the sender blocks until the server force-closes the connection.
fn a_blocked_sender_is_force_closed_when_the_server_stops<T: Connected>() {
    let (host, receiver) = host_with_senders::<T>();
    let client = host.client();
    let sender = next(&receiver);
    let (results, ended) = mpsc::channel();
    thread::spawn(move || {
        let error = loop {
            if let Err(error) = sender.send_all([0; 10_000]) {
                break error;
            }
        };
        let _ = results.send((error.kind(), ShuttingDown::is_cause_of(&error)));
    });
    let report = host.stop();
    assert_eq!(
        (
            report.running,
            report.force_closed.len(),
            report.abandoned.len()
        ),
        (1, 1, 0)
    );
    let (kind, shutting_down) = next(&ended);
    // A call that was blocked fails with `ShuttingDown`, a later call with `NotConnected`.
    assert!(shutting_down || kind == ErrorKind::NotConnected, "{kind:?}");
    drop(client);
}

over_streams!(
    the_members_of_a_chat_write_to_each_other,
    messages_of_many_senders_do_not_mix,
    a_handler_and_a_sender_do_not_mix_either,
    a_sender_can_be_formatted_into,
    sending_to_a_client_that_left_is_not_connected,
    a_kept_sender_does_not_keep_the_connection,
    a_sender_can_close_the_connection,
    a_blocked_sender_is_force_closed_when_the_server_stops,
);

/// The sender of a datagram request writes to the address that the datagram came from, because there is no connection.
#[test]
fn datagram_clients_chat_too() {
    let members = Arc::new(Mutex::new(Vec::<Sender>::new()));
    let host = host::<socketserver::transport::Udp, Threading, _>(Hooks::new(
        move |request: &mut UdpRequest| {
            let mut members = members.lock().unwrap();
            members.push(request.sender());
            members
                .iter()
                .try_for_each(|member| member.send_all(request.packet()))?;
            Ok(())
        },
    ));
    let [ann, ben] = [host.client(), host.client()];
    ann.send("one");
    assert_eq!(ann.receive(), b"one");
    ben.send("two");
    assert_eq!([ann.receive(), ben.receive()], [b"two", b"two"]);
}
