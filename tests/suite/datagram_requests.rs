//! What a handler can do with a datagram: read it, answer it once, several times or not at all, and
//! write to somebody else.

use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::net::*;
use socketserver::request::DatagramSocket;
use socketserver::transport::{Datagram, Udp, UnixDatagram};
use socketserver::{
    DatagramRequest, Request, Sequential, Stage, Strategy, Threading, UdpRequest, UdpServer,
    UnixAddress, UnixDatagramRequest, UnixDatagramServer,
};

/// The largest that IPv4 can carry.
const LARGEST: usize = 65_507;

/// The transports with datagrams, and the type of their sockets.
trait Packets: Reachable<Request = DatagramRequest<Self::Socket>> + Datagram {
    type Socket: DatagramSocket<Address = Self::Address>;
}

impl Packets for Udp {
    type Socket = std::net::UdpSocket;
}

impl Packets for UnixDatagram {
    type Socket = std::os::unix::net::UnixDatagram;
}

// ---- reading ----

fn the_packet_is_there_whole_however_much_was_read<T: Packets>() {
    let host = host::<T, Sequential, _>(Hooks::new(|request: &mut T::Request| {
        assert_eq!(request.packet(), b"one\ntwo\n");
        let line = request.readline(100)?;
        let packet = request.packet().to_vec();
        request.send_all([line, packet].concat())?;
        Ok(())
    }));
    let client = host.client();
    client.send("one\ntwo\n");
    assert_eq!(client.receive(), b"one\none\ntwo\n");
}

fn reading_past_the_packet_is_its_end<T: Packets>() {
    let host = host::<T, Sequential, _>(Hooks::new(|request: &mut T::Request| {
        assert_eq!(request.recv(0)?, b"");
        assert_eq!(request.recv(2)?, b"12");
        assert_eq!(request.read_exactly(2)?, b"34");
        assert_eq!(request.recv(100)?, b"567");
        assert_eq!(request.recv(100)?, b"");
        assert_eq!(request.readline(100)?, b"");
        assert_eq!(request.read(&mut [0; 10])?, 0);
        assert_eq!(request.read_exactly(0)?, b"");
        request.send_all(b"read")?;
        Ok(())
    }));
    let client = host.client();
    client.send("1234567");
    assert_eq!(client.receive(), b"read");
}

/// A short datagram is a client's mistake, not one that left: it is reported.
fn reading_more_than_the_packet_holds_is_an_error<T: Packets>() {
    let (hooks, failures) = Hooks::new(|request: &mut T::Request| {
        request.read_exactly(8)?;
        request.send_all(b"eight")?;
        Ok(())
    })
    .failures();
    let host = host::<T, Sequential, _>(hooks);
    let client = host.client();
    client.send("1234567");
    let failure = next(&failures);
    assert_eq!(failure.stage, Stage::Handle);
    assert_eq!(failure.kind, Some(ErrorKind::UnexpectedEof));
    assert!(!failure.is_disconnect && !failure.is_timeout);
    client.send("12345678");
    assert_eq!(client.receive(), b"eight");
}

/// Answers what it got: its size, and whether that is all of it.
fn measure<R: Request + Measured>() -> Hooks<R> {
    Hooks::new(|request: &mut R| {
        let text = request.measured();
        request.send_all(text.as_bytes())?;
        Ok(())
    })
}

trait Measured {
    fn measured(&self) -> String;
}

impl<S: DatagramSocket> Measured for DatagramRequest<S> {
    fn measured(&self) -> String {
        format!("{} {}", self.packet().len(), self.truncated())
    }
}

fn a_datagram_that_is_cut_says_so<T: Packets>() {
    let host = host_with::<T, Sequential, _, _>(
        measure(),
        |options| options.max_packet_size(100),
        |server| server,
    );
    let client = host.client();
    for (size, answer) in [
        (99, "99 false"),
        (100, "100 false"),
        (101, "100 true"),
        (20_000, "100 true"),
        // The last one leaves nothing behind.
        (100, "100 false"),
    ] {
        client.send(vec![b'.'; size]);
        assert_eq!(client.receive(), answer.as_bytes(), "of {size} bytes");
    }
}

#[test]
fn without_an_option_no_udp_datagram_is_cut() {
    let host = host::<Udp, Sequential, _>(measure());
    let client = host.client();
    for size in [8192, 8193, 20_000, LARGEST] {
        client.send(vec![b'.'; size]);
        assert_eq!(client.receive(), format!("{size} false").as_bytes());
    }
}

#[test]
fn without_an_option_unix_datagrams_of_usual_buffers_are_not_cut() {
    let host = host::<UnixDatagram, Sequential, _>(measure());
    let client = host.client();
    for size in [LARGEST, 65_536, 150_000] {
        client.send(vec![b'.'; size]);
        assert_eq!(client.receive(), format!("{size} false").as_bytes());
    }
}

/// "No limit", as somebody may well write it.
fn the_greatest_packet_size_is_served<T: Packets>() {
    let host = host_with::<T, Threading, _, _>(
        measure(),
        |options| options.max_packet_size(usize::MAX),
        |server| server,
    );
    let client = host.client();
    client.send("12345");
    assert_eq!(client.receive(), b"5 false");
}

fn a_packet_size_of_zero_cuts_everything<T: Packets>() {
    let host = host_with::<T, Sequential, _, _>(
        measure(),
        |options| options.max_packet_size(0),
        |server| server,
    );
    let client = host.client();
    for (sent, answer) in [("12345", "0 true"), ("", "0 false")] {
        client.send(sent);
        assert_eq!(client.receive(), answer.as_bytes());
    }
}

fn the_largest_datagram_passes_both_ways_unharmed<T: Packets>() {
    let host = host::<T, Sequential, _>(Hooks::new(|request: &mut T::Request| {
        let mut packet = Vec::new();
        request.read_to_end(&mut packet)?;
        request.send_all(&packet)?;
        Ok(())
    }));
    let client = host.client();
    let sent: Vec<u8> = (0..LARGEST).map(|n| (n % 251) as u8).collect();
    client.send(&sent);
    assert!(client.receive() == sent);
}

fn an_empty_datagram_is_a_request<T: Packets>() {
    let host = host::<T, Sequential, _>(Hooks::new(|request: &mut T::Request| {
        assert_eq!(request.readline(100)?, b"");
        request.send_all(b"empty")?;
        Ok(())
    }));
    let client = host.client();
    client.send("");
    assert_eq!(client.receive(), b"empty");
}

// ---- the reply ----

/// Does as the packet says. Replies that must not come are looked for by asking once more: the
/// reply to the second question would come second.
fn obey<R: Request>() -> Hooks<R> {
    Hooks::new(|request: &mut R| {
        let order = request.readline(100)?;
        match &*order {
            b"write nothing" => Ok(()),
            b"write empty" => Ok(request.send_all(b"")?),
            b"write and fail" => {
                request.send_all(b"half an answer")?;
                Err("on purpose".into())
            }
            b"write and panic" => {
                request.send_all(b"half an answer")?;
                panic!("on purpose");
            }
            b"write and close" => {
                request.send_all(b"half an answer")?;
                request.close();
                assert_eq!(request.recv(100)?, b"", "there is a rest of the packet");
                Ok(())
            }
            b"write too much" => Ok(request.send_all([0; 1 << 20])?),
            order => Ok(request.send_all(order)?),
        }
    })
}

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

// ---- other datagrams ----

fn what_is_sent_to_somebody_is_sent_at_once<T: Packets>() {
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
        // What was sent at once is not called back.
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
    assert!(!socket.is_open(), "the sender keeps the port");
    let error = sender.send_all(b"too late").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
}

over_datagrams!(
    the_packet_is_there_whole_however_much_was_read,
    reading_past_the_packet_is_its_end,
    reading_more_than_the_packet_holds_is_an_error,
    a_datagram_that_is_cut_says_so,
    the_greatest_packet_size_is_served,
    a_packet_size_of_zero_cuts_everything,
    the_largest_datagram_passes_both_ways_unharmed,
    an_empty_datagram_is_a_request,
    only_a_handler_that_wrote_and_succeeded_is_heard,
    all_that_is_written_is_one_datagram,
    what_is_sent_to_somebody_is_sent_at_once,
    a_sender_works_after_the_handler_and_ends_with_the_server,
);

// ---- who sent it ----

#[test]
fn a_udp_client_is_known_by_its_address() {
    let (addresses, receiver) = mpsc::channel();
    let host = host::<Udp, Sequential, _>(Hooks::new(move |request: &mut UdpRequest| {
        Ok(addresses.send(*request.client_address())?)
    }));
    let client = host.client();
    client.send("hello");
    let own = client.socket().local_addr().unwrap().as_socket();
    assert_eq!(Some(next(&receiver)), own);
}

#[test]
fn a_unix_client_is_known_by_its_path() {
    let (addresses, receiver) = mpsc::channel();
    let service = Hooks::new(move |request: &mut UnixDatagramRequest| {
        Ok(addresses.send(request.client_address().clone())?)
    });
    let host = host::<UnixDatagram, Sequential, _>(service);
    let client = host.client();
    client.send("hello");
    let own = client.socket().local_addr().unwrap();
    assert_eq!(next(&receiver).as_path(), own.as_pathname());
}

#[test]
fn an_unnamed_client_is_served_and_cannot_be_answered() {
    let dir = TempDir::new();
    let path = dir.socket();
    let (orders, receiver) = mpsc::channel();
    let (hooks, failures) = Hooks::new(move |request: &mut UnixDatagramRequest| {
        assert!(request.client_address().is_unnamed());
        let order = request.packet().to_vec();
        orders.send(order.clone())?;
        match &*order {
            b"reply" => request.send_all(b"hello")?,
            b"send" => request.sender().send_all(b"hello")?,
            _ => {}
        }
        Ok(())
    })
    .failures();
    let server = UnixDatagramServer::bind(&path, hooks).unwrap();
    let server = server.spawn().unwrap();
    let client = std::os::unix::net::UnixDatagram::unbound().unwrap();
    client.connect(&path).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    for (order, failed_in) in [
        ("listen", None),
        ("reply", Some(Stage::Reply)),
        ("send", Some(Stage::Handle)),
        ("listen again", None),
    ] {
        client.send(order.as_bytes()).unwrap();
        assert_eq!(next(&receiver), order.as_bytes());
        if let Some(stage) = failed_in {
            let failure = next(&failures);
            assert_eq!(failure.stage, stage, "{order}");
            assert_eq!(failure.kind, Some(ErrorKind::AddrNotAvailable));
        }
    }
    assert_eq!(server.stop().unwrap().abandoned.len(), 0);
    assert_eq!(failures.try_iter().count(), 0, "more failed than should");
}

#[test]
fn abstract_addresses_need_no_file() {
    let name = unique_name();
    let address = UnixAddress::Abstract(name.clone().into_bytes());
    let (clients, receiver) = mpsc::channel();
    let service = Hooks::new(move |request: &mut UnixDatagramRequest| {
        clients.send(request.client_address().clone())?;
        request.send_all(b"hello")?;
        Ok(())
    });
    let server = UnixDatagramServer::bind(address.clone(), service).unwrap();
    assert_eq!(*server.server_address(), address);
    assert_eq!(server.server_address().to_string(), format!("@{name}"));
    let server = server.spawn().unwrap();
    let client = UnixDatagram::connect(&address);
    client.send("?");
    assert_eq!(client.receive(), b"hello");
    let own = client.socket().local_addr().unwrap();
    let own = UnixAddress::Abstract(own.as_abstract_namespace().unwrap().to_vec());
    assert_eq!(next(&receiver), own);

    // The name goes with the socket.
    drop(server);
    drop(UnixDatagramServer::bind(address, || LineEcho).unwrap());
}

/// The server waits a moment for a client that does not read, and goes on.
#[test]
fn a_unix_client_that_does_not_read_holds_up_nobody_for_long() {
    let (hooks, failures) = obey::<UnixDatagramRequest>().failures();
    let host = host_with::<UnixDatagram, Sequential, _, _>(
        hooks,
        |options| options.timeout(Duration::from_millis(50)),
        |server| server,
    );
    // Not connected: for a client like this the kernel keeps a few datagrams, and then none. (For
    // a connected one it keeps what fits into the server's send buffer, which all clients share.)
    let dir = TempDir::new();
    let lazy = std::os::unix::net::UnixDatagram::bind(dir.socket()).unwrap();
    lazy.set_write_timeout(Some(PATIENCE)).unwrap();
    let server = host.server.server_address().as_path().unwrap();
    let failure = loop {
        lazy.send_to(b"hello", server).unwrap();
        if let Ok(failure) = failures.try_recv() {
            break failure;
        }
    };
    assert_eq!(failure.stage, Stage::Reply);
    assert!(failure.is_timeout, "{failure:?}");
    let client = host.client();
    client.send("served");
    assert_eq!(client.receive(), b"served");
}

#[test]
fn a_reply_to_a_client_that_is_gone_costs_nothing_else() {
    let dir = TempDir::new();
    let (hooks, failures) = obey::<UnixDatagramRequest>().failures();
    let server = UnixDatagramServer::bind(dir.socket(), hooks).unwrap();
    let gone = UnixDatagram::connect(server.server_address());
    gone.send("hello");
    drop(gone);
    let server = server.spawn().unwrap();
    assert_eq!(next(&failures).stage, Stage::Reply);
    let client = UnixDatagram::connect(server.server_address());
    client.send("served");
    assert_eq!(client.receive(), b"served");
}

#[test]
fn a_burst_is_answered_one_by_one() {
    let server = UdpServer::bind(own_loopback(), || LineEcho).unwrap();
    let client = Udp::connect(server.server_address());
    for n in 0..50 {
        client.send(format!("{n}"));
    }
    let server = server.spawn().unwrap();
    for n in 0..50 {
        assert_eq!(client.receive(), format!("{n}").as_bytes());
    }
    assert_eq!(server.stats().accepted, 50);
}

/// However many accept loops race for each.
fn every_question_is_answered<T: Packets, M: Strategy + Default>() {
    const CLIENTS: usize = 8;
    const QUESTIONS: usize = 200;
    let host = host::<T, M, _>(Hooks::<T::Request>::echo());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let client = host.client();
                for n in 0..QUESTIONS {
                    let question = format!("{n}\n");
                    assert_eq!(client.ask(&question), question);
                }
            });
        }
    });
    let handle = host.server.handle();
    host.stop();
    let answered = CLIENTS * QUESTIONS;
    assert_eq!(handle.stats().completed, answered as u64);
}

over_pairs!([Udp, UnixDatagram] every_question_is_answered);
