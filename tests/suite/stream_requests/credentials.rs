//! What a request says about the process at the other side of a Unix socket.

use std::os::unix::net::UnixStream as StdUnixStream;

use socketserver::transport::{Udp, UnixDatagram};
use socketserver::{PeerCredentials, UnixStreamRequest};

use super::*;

use crate::support::alone::apart;
use crate::support::kinds::{Kind, by_kind_here};

/// Text of what a handler sees.
fn describe<R: Request>(request: &mut R) -> socketserver::Result {
    let text = match request.connection_info().peer_credentials() {
        Some(peer) => format!("{:?} {} {}", peer.pid(), peer.uid(), peer.gid()),
        None => "none".into(),
    };
    Ok(writeln!(request, "{text}")?)
}

fn own_credentials() -> String {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let pid = std::process::id();
    format!("{:?} {} {}\n", Some(pid), uid.as_raw(), gid.as_raw())
}

fn a_client_is_known_by_its_process_and_user(kind: Kind) {
    let host = host_by::<UnixStream, _, _>(kind.strategy(), Hooks::new(describe));
    for _ in 0..3 {
        assert_eq!(host.client().line(), own_credentials());
    }
}

by_kind_here!(a_client_is_known_by_its_process_and_user);

#[test]
fn other_requests_have_no_credentials() {
    let tcp = host::<Tcp, Threading, _>(Hooks::new(describe));
    assert_eq!(tcp.client().line(), "none\n");
    let udp = host::<Udp, Threading, _>(Hooks::new(describe));
    assert_eq!(udp.client().ask("?"), "none\n");
    let unix = host::<UnixDatagram, Threading, _>(Hooks::new(describe));
    assert_eq!(unix.client().ask("?"), "none\n");
}

/// The credentials are those of the moment of the connection, and outlive the request.
#[test]
#[allow(unsafe_code, reason = "the C library changes the user of all threads")]
fn another_user_is_rejected_before_its_request_runs() {
    let test = test_name!("another_user_is_rejected_before_its_request_runs");
    apart(test, || {
        if !rustix::process::geteuid().is_root() {
            return; // cannot become another user
        }
        // SAFETY: the function has no preconditions.
        let become_user = |user| assert_eq!(unsafe { nix::libc::seteuid(user) }, 0);
        let (seen, clients) = mpsc::channel::<Option<PeerCredentials>>();
        let service = Hooks::new(describe).on_verify(move |request: &UnixStreamRequest| {
            let peer = request.connection_info().peer_credentials();
            let _ = seen.send(peer);
            peer.is_some_and(|peer| peer.uid() == 0)
        });
        let dir = TempDir::new();
        let path = dir.socket();
        std::fs::set_permissions(
            path.parent().unwrap(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        let options = Server::<UnixStream, _, Threading>::options().mode(0o666);
        let server = options.bind(&path, service).unwrap().spawn().unwrap();
        become_user(12_345);
        let other = Client::new(StdUnixStream::connect(&path).unwrap());
        become_user(0);
        let root = Client::new(StdUnixStream::connect(&path).unwrap());
        assert_eq!(next(&clients).map(|peer| peer.uid()), Some(12_345));
        assert_eq!(next(&clients).map(|peer| peer.uid()), Some(0));
        other.expect_end();
        assert_eq!(root.line(), own_credentials());
        server.stop().unwrap();
    });
}
