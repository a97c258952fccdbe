//! The chat server.

use super::*;

/// Client of the chat server.
struct Member(BufReader<TcpStream>);

impl Member {
    fn connect(address: SocketAddr) -> Self {
        let mut member = Self(BufReader::new(connect(address)));
        assert_eq!(member.receives(), "your name?");
        member
    }

    fn sends(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.0.get_mut().write_all(line.as_bytes()).unwrap();
    }

    fn receives(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

#[test]
fn the_members_of_chat_server_hear_each_other() {
    let (server, address) = serve("chat_server");
    let welcome = |name: &str, number: usize| {
        format!("hello {name}, members of hall: {number}; /who lists them, /join ROOM, /quit")
    };
    let mut bob = Member::connect(address);
    bob.sends("Bob");
    assert_eq!(bob.receives(), welcome("Bob", 1));
    let mut ada = Member::connect(address);
    ada.sends("Bob");
    assert_eq!(ada.receives(), "that name is taken; another one?");
    ada.sends("Ada");
    assert_eq!(ada.receives(), welcome("Ada", 2));

    bob.sends("are you there?");
    assert_eq!(ada.receives(), "Bob: are you there?");
    ada.sends("yes");
    ada.sends("/who");
    assert_eq!(ada.receives(), "Ada, Bob");
    assert_eq!(bob.receives(), "Ada: yes");
    ada.sends("/join garden");
    assert_eq!(ada.receives(), "members of garden: 1");
    ada.sends("/quit");
    assert_eq!(ada.receives(), "", "the end");

    server.signal(Signal::SIGINT);
    assert_eq!(bob.receives(), "* the server stops");
    assert_eq!(bob.receives(), "", "the end");
    assert_eq!(
        server.finish().success(),
        format!("listening on {address}\nserved 2 clients, 0 failed\n")
    );
}

#[test]
fn chat_server_starts_no_thread_for_a_thousand_members() {
    let most = usize::try_from(common::allow_many_sockets()).unwrap_or(usize::MAX);
    let count = most.saturating_sub(300).min(1000);
    let (server, address) = serve("chat_server");
    let join = |number| {
        let mut member = Member::connect(address);
        member.sends(&format!("member {number}"));
        assert!(member.receives().starts_with("hello member"));
        member
    };
    let mut members = vec![join(1)];
    // Of the workers, of which there is one for each processor, some may start later.
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let most = threads(&server) + workers - 1;
    members.extend((2..=count).map(join));
    let (speaker, listeners) = members.split_first_mut().unwrap();
    speaker.sends("hello, all of you");
    for listener in listeners {
        assert_eq!(listener.receives(), "member 1: hello, all of you");
    }
    assert!(threads(&server) <= most);
}
