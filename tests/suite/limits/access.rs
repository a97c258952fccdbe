//! Access lists: clients are admitted by the networks of their addresses.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::mpsc;

use socketserver::transport::Udp;
#[cfg(unix)]
use socketserver::transport::{UnixDatagram, UnixStream};
use socketserver::{AccessList, Handled, Server, TcpRequest, TcpServer, UdpRequest, UdpServer};

use super::*;

/// An address on the loopback interface that the lists of these tests deny.
const DENIED: &str = "127.0.0.2";

pub(crate) fn deny(network: &str) -> AccessList {
    AccessList::new().deny(network).unwrap()
}

/// Nothing is spent on a denied client: no place, no token, no thread or child process, no call of
/// `verify_request`.
pub(crate) fn a_denied_client_costs_nothing_with<M: Strategy>(strategy: impl Fn() -> M) {
    for rejection in rejections() {
        let verified = Arc::new(AtomicUsize::new(0));
        let service = Hooks::echo().on_verify({
            let verified = Arc::clone(&verified);
            move |_| {
                verified.fetch_add(1, Ordering::SeqCst);
                true
            }
        });
        let limits = |options: Options<_, _>| {
            let options = options.max_connections(1).accept_rate(0.0, 1);
            let options = options.at_max_connections(Rejection::message("full\n"));
            options
                .access_list(deny(DENIED))
                .at_denied(rejection.clone())
        };
        let host = start::<Tcp, _, _>(strategy(), service, limits);
        let handle = host.server.handle();
        let address = *host.server.server_address();
        let mut denied = 0;
        let mut expect_denied = || {
            expect_rejected::<Tcp>(try_client_from(DENIED, address), rejection.clone());
            denied += 1;
            let stats = handle.stats();
            assert_eq!(
                (stats.rejected, stats.rejected_by.access_list),
                (denied, denied)
            );
        };
        for _ in 0..3 {
            expect_denied();
        }
        assert_eq!(verified.load(Ordering::SeqCst), 0);
        // The only place, and the only token.
        let served = fill(&host, 1);
        // The list is the reason for a denied client also while another limit is reached.
        if at_once::<M>(2) == 2 {
            expect_denied();
            assert_eq!(host.client().rest(), b"full\n");
        }
        assert_eq!(verified.load(Ordering::SeqCst), 1);
        leave(served);
        eventually("the connection has ended", || handle.stats().active == 0);
        adds_up(&handle);
        host.stop();
    }
}

fn a_denied_client_costs_nothing<M: Strategy + Default>() {
    a_denied_client_costs_nothing_with(M::default);
}

by_strategy!(a_denied_client_costs_nothing);

/// An IPv4 client of a socket for both families has an IPv4-mapped address.
#[test]
fn clients_of_a_dual_stack_server_are_compared_by_their_own_family() {
    let list = deny(DENIED).allow("127.0.0.0/8").unwrap();
    let server = TcpServer::options().only_v6(false).access_list(list);
    let server = server.bind("[::]:0", LineEchoes).unwrap();
    let server = server.strategy(Threading::new()).grace_period(GRACE_PERIOD);
    let server = server.spawn().unwrap();
    let port = server.server_address().port();
    let serves = |ip: &str| {
        let ip: IpAddr = ip.parse().unwrap();
        let remote = if ip.is_ipv4() { "127.0.0.1" } else { "::1" };
        let client = client_from(
            &ip.to_string(),
            SocketAddr::new(remote.parse().unwrap(), port),
        );
        let _ = client.try_send("hello\n");
        let _ = client.socket().shutdown(std::net::Shutdown::Write);
        client
            .try_receive()
            .is_ok_and(|answer| answer == b"hello\n")
    };
    assert!(serves("127.0.0.1") && serves("127.0.0.3"));
    assert!(!serves(DENIED) && !serves("::1"));
    let handle = server.handle();
    handle.set_access_list(deny("0.0.0.0/0"));
    assert!(!serves("127.0.0.1") && serves("::1"));
    handle.set_access_list(AccessList::new().allow("::/0").unwrap());
    assert!(!serves("127.0.0.1") && serves("::1"));
    handle.set_access_list(deny("::ffff:127.0.0.1"));
    assert!(!serves("127.0.0.1") && serves("127.0.0.3") && serves("::1"));
    assert_eq!(handle.stats().rejected_by.access_list, 5);
    in_time(move || server.stop()).unwrap();
}

#[cfg(unix)]
#[test]
fn clients_without_an_ip_address_are_always_admitted() {
    let list = || deny("0.0.0.0/0").deny("::/0").unwrap();
    let limits = |options: Options<_, _>| options.access_list(list());
    let host = start::<UnixStream, _, _>(Threading::new(), Hooks::echo(), limits);
    leave(fill(&host, 3));
    host.stop();
    let host = host_with::<UnixDatagram, _, _, _>(
        Hooks::echo(),
        |options: Options<_, _>| options.access_list(list()),
        |server| server,
    );
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    assert_eq!(host.server.handle().stats().rejected, 0);
    host.stop();
}

/// A denied client in the backlog of a server that is being closed sees the rejection of denied clients.
#[test]
fn a_denied_client_in_the_backlog_is_denied() {
    let answer = |request: &mut TcpRequest| Ok(request.send_all("served\n")?);
    for reject_all in [false, true] {
        let denied = Rejection::message("denied\n");
        let options = TcpServer::options()
            .access_list(deny(DENIED))
            .at_denied(denied);
        let server = options.bind(LOOPBACK, Hooks::new(answer)).unwrap();
        let server = if reject_all {
            let closing = Rejection::message("closing\n");
            server.backlog_policy(socketserver::BacklogPolicy::Reject(closing))
        } else {
            server
        };
        let address = *server.server_address();
        let clients = [
            client_from(DENIED, address),
            client_from("127.0.0.1", address),
        ];
        let handle = server.handle();
        in_time(move || server.server_close());
        let answers = clients.map(|client| client.rest());
        let expected: &[u8] = if reject_all {
            b"closing\n"
        } else {
            b"served\n"
        };
        assert_eq!(answers, [b"denied\n", expected]);
        assert_eq!(handle.stats().rejected_by.access_list, 1);
        assert_eq!(handle.stats().rejected_by.closing, u64::from(reject_all));
        adds_up(&handle);
    }
}

// ---- datagrams ----

fn udp_from(ip: &str, server: SocketAddr) -> Client {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket.connect(server).unwrap();
    Client::new(socket)
}

fn denied_datagrams_are_dropped<M: Strategy + Default>() {
    let (seen, clients) = mpsc::channel();
    let service = Hooks::<UdpRequest>::echo().on_verify(move |request| {
        seen.send(request.client_address().ip()).unwrap();
        true
    });
    let options = Server::<Udp, _, M>::options().access_list(deny(DENIED));
    let options = options.at_denied(Rejection::message("no"));
    let server = options.bind(own_loopback(), service).unwrap();
    let address = *server.server_address();
    let (denied, allowed) = (udp_from(DENIED, address), udp_from("127.0.0.1", address));
    // They are in the socket's buffer when the server starts, so that it receives them together where it can.
    for n in 0..5 {
        denied.send("no\n");
        allowed.send(format!("{n}\n"));
        denied.send("no\n");
    }
    let server = server.spawn().unwrap();
    let handle = server.handle();
    let mut answers: Vec<_> = (0..5).map(|_| allowed.line()).collect();
    answers.sort();
    assert_eq!(answers, ["0\n", "1\n", "2\n", "3\n", "4\n"]);
    eventually("all datagrams are handled", || {
        let stats = handle.stats();
        (stats.completed, stats.rejected_by.access_list) == (5, 10)
    });
    adds_up(&handle);
    assert_eq!(
        denied.try_receive_now().unwrap(),
        None,
        "a datagram is not answered"
    );
    // A list that is set while the server serves applies to the next datagram.
    handle.set_access_list(deny("127.0.0.1"));
    allowed.send("6\n");
    eventually("it is dropped", || handle.stats().rejected == 11);
    handle.set_access_list(AccessList::new());
    assert_eq!(denied.ask("7\n"), "7\n");
    assert_eq!(handle.stats().accepted, 17);
    in_time(move || server.stop()).unwrap();
    assert_eq!(
        clients.iter().filter(|ip| ip.to_string() == DENIED).count(),
        1
    );
}

by_strategy!(denied_datagrams_are_dropped);

#[test]
fn handle_request_rejects_a_denied_datagram() {
    let options = UdpServer::options().access_list(deny(DENIED));
    let server = options.bind(own_loopback(), Hooks::echo()).unwrap();
    udp_from(DENIED, *server.server_address()).send("no\n");
    let handle = server.handle();
    let handled = in_time(move || server.handle_request()).unwrap();
    assert_eq!(handled, Handled::Request);
    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.rejected_by.access_list), (1, 1));
}
