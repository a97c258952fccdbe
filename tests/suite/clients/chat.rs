//! The chat server, with `nc`.

use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// Starts `nc`, which joins the chat with a name.
fn join(address: SocketAddr, name: &str) -> Program {
    let mut command = Command::new("nc");
    command.args([address.ip().to_string(), address.port().to_string()]);
    let mut member = Program::start(command);
    assert_eq!(member.line(), "your name?");
    member.type_in(format!("{name}\n"));
    assert!(member.line().starts_with(&format!("hello {name}, ")));
    member
}

#[test]
fn nc_talks_to_the_members_of_its_room() {
    if !is_installed("nc") {
        return;
    }
    let (server, address) = serve("chat_server", &[]);
    let [mut ada, mut bob, mut eve] = ["Ada", "Bob", "Eve"].map(|name| join(address, name));
    bob.type_in("in the hall\n");
    for other in [&mut ada, &mut eve] {
        assert_eq!(other.line(), "Bob: in the hall");
    }
    for (member, number) in [(&mut ada, 1), (&mut eve, 2)] {
        member.type_in("/join garden\n");
        assert_eq!(member.line(), format!("members of garden: {number}"));
    }
    ada.type_in("in the garden\n/who\n");
    assert_eq!(ada.line(), "Ada, Eve");
    assert_eq!(eve.line(), "Ada: in the garden");
    bob.type_in("/who\n");
    assert_eq!(bob.line(), "Bob", "nothing from the garden");
    bob.type_in("/quit\n");
    assert_eq!(
        bob.finish().success(),
        "your name?\nhello Bob, members of hall: 2; /who lists them, /join ROOM, /quit\nBob\n"
    );
    ada.type_in("/who\n");
    assert_eq!(ada.line(), "Ada, Eve", "nothing from the hall");

    server.signal(Signal::SIGINT);
    for other in [&mut ada, &mut eve] {
        assert_eq!(other.line(), "* the server stops");
    }
    let end = format!("listening on {address}\nserved 3 clients, 0 failed\n");
    assert_eq!(server.finish().success(), end);
}

#[test]
fn nc_that_does_not_read_is_disconnected() {
    if !is_installed("nc") {
        return;
    }
    let (server, address) = serve("chat_server", &[]);
    let [mut ada, mut eve] = ["Ada", "Eve"].map(|name| join(address, name));
    let slow = join(address, "Bob");
    slow.signal(Signal::SIGSTOP);
    // More than the buffers of both ends of a connection hold.
    let text = "x".repeat(900);
    let lines = 20_000;
    ada.type_in(format!("{text}\n").repeat(lines));
    for _ in 0..lines {
        assert_eq!(eve.line(), format!("Ada: {text}"));
    }
    // The server has closed the connection before the last lines; the handler of that client ends by itself.
    let deadline = Instant::now() + PATIENCE;
    loop {
        eve.type_in("/who\n");
        if eve.line() == "Ada, Eve" {
            break;
        }
        assert!(Instant::now() < deadline, "Bob is still connected");
        thread::sleep(Duration::from_millis(1));
    }
    drop(slow);
    stop(server);
}
