//! `Client`, a client's end that tests control.

use std::io::ErrorKind;
use std::sync::mpsc;
use std::time::Duration;

use socketserver::testing::TestServer;
use socketserver::transport::Tcp;
use socketserver::{DisconnectKind, Request, Sequential, Strategy, Threading};

use super::*;
use crate::support::alone::{apart, test_name};

fn pieces_arrive_cut<T: Connected, M: Strategy + Default>() {
    let dir = TempDir::new();
    let server = TestServer::start(bind::<T, M>(&dir, bracket_reads));
    let mut client = server.client();
    client.send_in_pieces("abcdefgh", &[3, 5]).unwrap();
    client.finish().unwrap();
    assert_eq!(client.rest().unwrap(), b"[abc][de][fgh]");
}

over_pairs!([Tcp, UnixStream] pieces_arrive_cut);

/// The reads of a child process are not seen. So this checks only that the wait ends and all bytes arrive.
#[cfg(unix)]
#[test]
fn pieces_reach_child_processes() {
    apart(test_name!("pieces_reach_child_processes"), || {
        let dir = TempDir::new();
        let server = bind::<Tcp, Sequential>(&dir, echo_lines).strategy(forking());
        let server = TestServer::start(server);
        let mut client = server.client();
        client.send_in_pieces("abcdefgh\n", &[3, 5]).unwrap();
        assert_eq!(client.readline().unwrap(), b"abcdefgh\n");
    });
}

fn pieces_are_datagrams<T: Reachable>() {
    let dir = TempDir::new();
    let server = TestServer::start(bind::<T, Sequential>(&dir, bracket_reads));
    let mut client = server.client();
    client.send_in_pieces("abcdefgh", &[3, 5]).unwrap();
    let mut replies = [(); 3].map(|()| client.recv().unwrap());
    replies.sort();
    assert_eq!(replies, [&b"[abc]"[..], b"[de]", b"[fgh]"]);
    assert_eq!(client.rest().unwrap_err().kind(), ErrorKind::Unsupported);
}

over_datagrams!(pieces_are_datagrams);

#[test]
fn cuts_ascend_inside_the_data() {
    let dir = TempDir::new();
    let server = TestServer::start(bind::<Tcp, Threading>(&dir, bracket_reads));
    let mut client = server.client();
    for cuts in [&[0][..], &[3], &[2, 2], &[2, 1]] {
        let error = client.send_in_pieces("abc", cuts).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{cuts:?}");
    }
    client.finish().unwrap();
    assert_eq!(client.rest().unwrap(), b"", "nothing was sent");
}

#[test]
fn pieces_for_a_handler_that_has_ended_do_not_wait() {
    let dir = TempDir::new();
    let server = TestServer::start(bind::<Tcp, Threading>(&dir, |request| {
        let first = request.recv(1)?;
        Ok(request.send_all(first)?)
    }));
    let mut client = server.client();
    let sent = client.send_in_pieces("abc", &[1, 2]);
    if let Err(error) = sent {
        assert_ne!(error.kind(), ErrorKind::TimedOut, "{error}");
    }
}

#[test]
fn a_reset_is_a_reset() {
    let dir = TempDir::new();
    let (sender, kinds) = mpsc::channel();
    let server = TestServer::start(bind::<Tcp, Threading>(&dir, move |request| {
        request.send_all("ready\n")?;
        let error = request.recv(1).unwrap_err();
        sender.send(DisconnectKind::of(&error))?;
        Ok(())
    }));
    let mut client = server.client();
    assert_eq!(client.readline().unwrap(), b"ready\n");
    client.reset().unwrap();
    assert_eq!(next(&kinds), Some(DisconnectKind::Reset));
}

fn lines_are_read_one_at_a_time<T: Connected>() {
    let dir = TempDir::new();
    let server = TestServer::start(bind::<T, Threading>(&dir, |request| {
        request.send_all("one\ntwo\nth")?;
        request.readline(100)?;
        Ok(request.send_all("ree\nend")?)
    }));
    let mut client = server.client();
    assert_eq!(client.readline().unwrap(), b"one\n");
    assert_eq!(client.readline().unwrap(), b"two\n");
    client.send_all("go\n").unwrap();
    assert_eq!(client.readline().unwrap(), b"three\n");
    assert_eq!(client.readline().unwrap(), b"end");
    assert_eq!(client.readline().unwrap(), b"");
    assert_eq!(client.recv().unwrap(), b"");
    assert_eq!(client.rest().unwrap(), b"");
}

over_streams!(lines_are_read_one_at_a_time);

fn every_wait_has_a_limit<T: Connected>() {
    let dir = TempDir::new();
    let gate = Gate::default();
    let pass = gate.clone();
    let (sent, sends) = mpsc::channel();
    let server = TestServer::start(bind::<T, Threading>(&dir, move |request| {
        request.send_all("par")?;
        sent.send(())?;
        pass.pass();
        Ok(())
    }));
    let mut client = server.client();
    next(&sends);
    client.set_timeout(Duration::from_millis(50));

    let error = client.readline().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let text = error.to_string();
    assert!(text.starts_with(file!()), "{text}");
    assert!(
        text.ends_with("within 50ms; received so far: b\"par\""),
        "{text}"
    );
    assert_eq!(client.recv().unwrap(), b"par", "still there");
    for error in [
        client.recv().unwrap_err(),
        client.rest().unwrap_err(),
        client.send_in_pieces("abc", &[1]).unwrap_err(),
        client.send_all(vec![0; 1 << 26]).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    }
    gate.open();
}

over_streams!(every_wait_has_a_limit);

#[test]
fn a_server_of_all_interfaces_has_clients() {
    for address in ["0.0.0.0:0", "127.0.0.1:0"] {
        let service = handler_fn(|request: &mut socketserver::UdpRequest| bracket_reads(request));
        let server = TestServer::start(socketserver::UdpServer::bind(address, service).unwrap());
        let mut client = server.client();
        client.send_all("x").unwrap();
        assert_eq!(client.recv().unwrap(), b"[x]");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_in_the_abstract_namespace_has_clients() {
    let name = [unique_name().as_bytes(), b"\xff\0"].concat();
    let name = socketserver::UnixAddress::Abstract(name);
    let service =
        handler_fn(|request: &mut socketserver::UnixStreamRequest| bracket_reads(request));
    let server = socketserver::ThreadingUnixStreamServer::bind(name, service).unwrap();
    let server = TestServer::start(server);
    let mut client = server.client();
    client.send_all("x").unwrap();
    assert_eq!(client.recv().unwrap(), b"[x]");
}
