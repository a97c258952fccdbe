//! The address to which a client has sent, and replies that leave from it. Servers of these tests are bound to all
//! addresses of the host; their clients accept replies only from the address that they have asked. Only Linux shows the
//! address (`IP_PKTINFO`).

use super::*;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use socket2::SockRef;
use socketserver::transport::Tcp;
use socketserver::{Server, TcpRequest, TcpServer};

use crate::support::kinds::{Kind, by_kind_here};

#[cfg(target_os = "linux")]
by_kind_here!(
    a_reply_leaves_from_the_address_that_was_asked,
    datagrams_of_a_burst_keep_their_addresses,
    a_sender_sends_from_the_address_that_was_asked,
);

/// Addresses to which a server is bound, with addresses of the host by which clients can ask it.
const BOUND: [(&str, &[&str]); 2] = [
    ("0.0.0.0:0", &["127.0.0.1", "127.0.0.2", "127.1.2.3"]),
    ("[::]:0", &["::1", "127.0.0.1", "127.0.0.2"]),
];

/// A client that receives only from the address to which it is connected.
fn client_of(host: &str, server: &SocketAddr) -> Client {
    let host: IpAddr = host.parse().unwrap();
    let own = if host.is_ipv4() { LOOPBACK } else { "[::1]:0" };
    let socket = UdpSocket::bind(own).unwrap();
    socket.connect((host, server.port())).unwrap();
    Client::new(socket)
}

/// Returns the address as a socket of the server's family shows it.
fn seen_by(server: &SocketAddr, host: &str) -> SocketAddr {
    let ip = match (server, host.parse().unwrap()) {
        (SocketAddr::V6(_), IpAddr::V4(ip)) => ip.to_ipv6_mapped().into(),
        (_, ip) => ip,
    };
    (ip, server.port()).into()
}

fn address_of<R: Request>(request: &R) -> String {
    format!("{:?}", request.local_address().unwrap())
}

#[cfg(target_os = "linux")]
fn a_reply_leaves_from_the_address_that_was_asked(kind: Kind) {
    for (bound, hosts) in BOUND {
        let service =
            Hooks::new(|request: &mut UdpRequest| Ok(request.send_all(address_of(request))?));
        let server = Server::<Udp, _, Sequential>::bind(bound, service).unwrap();
        let server = server.strategy(kind.strategy()).spawn().unwrap();
        for host in hosts {
            let client = client_of(host, server.server_address());
            for _ in 0..3 {
                client.send("?");
                let local = String::from_utf8(client.receive()).unwrap();
                assert_eq!(
                    local,
                    format!("{:?}", seen_by(server.server_address(), host))
                );
            }
        }
    }
}

/// A busy sequential server receives them by one system call.
#[cfg(target_os = "linux")]
fn datagrams_of_a_burst_keep_their_addresses(kind: Kind) {
    for (bound, hosts) in BOUND {
        let service =
            Hooks::new(|request: &mut UdpRequest| Ok(request.send_all(address_of(request))?));
        let server = Server::<Udp, _, Sequential>::bind(bound, service).unwrap();
        let address = *server.server_address();
        let clients: Vec<_> = hosts.iter().map(|host| client_of(host, &address)).collect();
        const EACH: usize = 30;
        for _ in 0..EACH {
            clients.iter().for_each(|client| client.send("?"));
        }
        let _server = server.strategy(kind.strategy()).spawn().unwrap();
        for (client, host) in clients.iter().zip(hosts) {
            let local = format!("{:?}", seen_by(&address, host));
            for _ in 0..EACH {
                assert_eq!(String::from_utf8(client.receive()).unwrap(), local);
            }
        }
    }
}

/// `send_to` to the client uses this address, too. A datagram to another address does not.
#[cfg(target_os = "linux")]
fn a_sender_sends_from_the_address_that_was_asked(kind: Kind) {
    for (bound, hosts) in BOUND {
        let other = UdpSocket::bind(own_loopback()).unwrap();
        let other_port = other.local_addr().unwrap().port();
        let other = Client::new(other.try_clone().unwrap());
        let other_ip = own_ip(&other).to_string();
        let service = Hooks::new(move |request: &mut UdpRequest| {
            request.send_to(b"sent", request.client_address())?;
            request.sender().send_all(b"by the sender")?;
            let mut other = seen_by(request.client_address(), &other_ip);
            other.set_port(other_port);
            request.send_to(b"to another", &other)?;
            Ok(request.send_all(b"the reply")?)
        });
        let server = Server::<Udp, _, Sequential>::bind(bound, service).unwrap();
        let server = server.strategy(kind.strategy()).spawn().unwrap();
        for host in hosts {
            let client = client_of(host, server.server_address());
            client.send("?");
            for expected in [&b"sent"[..], b"by the sender", b"the reply"] {
                assert_eq!(client.receive(), expected);
            }
            assert_eq!(other.receive(), b"to another");
        }
    }
}

fn own_ip(client: &Client) -> IpAddr {
    let address = client.socket().local_addr().unwrap();
    address.as_socket().unwrap().ip()
}

// ---- groups ----

/// A multicast group, and the broadcast address of the loopback network.
const GROUPS: [Ipv4Addr; 2] = [
    Ipv4Addr::new(239, 255, 77, 12),
    Ipv4Addr::new(127, 255, 255, 255),
];

/// No datagram can leave from the address of a group, so the system chooses the address.
#[cfg(target_os = "linux")]
#[test]
fn a_datagram_to_a_group_shows_the_group_and_is_answered_from_a_host() {
    for (bound, _) in BOUND {
        let service = Hooks::new(|request: &mut UdpRequest| {
            request.send_to(b"sent", request.client_address())?;
            request.sender().send_all(b"by the sender")?;
            Ok(request.send_all(address_of(request))?)
        });
        let server = Server::<Udp, _, Sequential>::bind(bound, service).unwrap();
        let [group, _] = GROUPS;
        let joined = SockRef::from(&server).join_multicast_v4(&group, &Ipv4Addr::LOCALHOST);
        joined.unwrap();
        let server = server.spawn().unwrap();
        let port = server.server_address().port();

        let client = UdpSocket::bind(LOOPBACK).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_broadcast(true).unwrap();
        let socket = SockRef::from(&client);
        socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        for group in GROUPS {
            client.send_to(b"?", (group, port)).unwrap();
            let local = seen_by(server.server_address(), &group.to_string());
            let local = format!("{local:?}");
            for expected in ["sent", "by the sender", &local] {
                let mut answer = [0; 100];
                let (size, from) = client.recv_from(&mut answer).unwrap();
                assert_eq!(str::from_utf8(&answer[..size]), Ok(expected));
                assert_eq!(from, (Ipv4Addr::LOCALHOST, port).into());
            }
        }
    }
}

/// A datagram to one address goes to one of them. Elsewhere, `SO_REUSEADDR` does not share the address of all interfaces.
#[cfg(target_os = "linux")]
#[test]
fn each_server_on_a_port_receives_a_datagram_to_a_group() {
    let [group, _] = GROUPS;
    let start = |port: u16, name: &'static str| {
        let service = Hooks::new(move |request: &mut UdpRequest| Ok(request.send_all(name)?));
        let server = UdpServer::options()
            .allow_reuse_address(true)
            .bind((Ipv4Addr::UNSPECIFIED, port), service)
            .unwrap();
        let joined = SockRef::from(&server).join_multicast_v4(&group, &Ipv4Addr::LOCALHOST);
        joined.unwrap();
        server.spawn().unwrap()
    };
    let first = start(0, "first");
    let port = first.server_address().port();
    let _second = start(port, "second");

    let client = UdpSocket::bind(LOOPBACK).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = SockRef::from(&client);
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    client.send_to(b"?", (group, port)).unwrap();
    let mut answers = [(); 2].map(|()| {
        let mut answer = [0; 100];
        let size = client.recv(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..size]).into_owned()
    });
    answers.sort();
    assert_eq!(answers, ["first", "second"]);
}

// ---- other servers ----

fn a_server_with_one_address_has_it_as_its_local_address<T: Reachable, M: Strategy + Default>() {
    let host = host::<T, M, _>(Hooks::new(|request: &mut T::Request| {
        request.readline(10)?;
        Ok(request.send_all(address_of(request))?)
    }));
    let client = host.client();
    client.send("?\n");
    let local = String::from_utf8(client.receive()).unwrap();
    assert_eq!(local, format!("{:?}", host.server.server_address()));
}

everywhere!(a_server_with_one_address_has_it_as_its_local_address);

#[test]
fn a_connection_shows_the_address_that_was_asked() {
    let service = Hooks::new(|request: &mut TcpRequest| Ok(request.send_all(address_of(request))?));
    let server = TcpServer::bind("0.0.0.0:0", service)
        .unwrap()
        .spawn()
        .unwrap();
    let asked: SocketAddr = ([127, 0, 0, 2], server.server_address().port()).into();
    let client = Tcp::connect(&asked);
    assert_eq!(client.rest(), format!("{asked:?}").as_bytes());
}
