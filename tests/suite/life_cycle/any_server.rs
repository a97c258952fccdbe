//! Servers of several types in one collection, and types with names.

use std::sync::Mutex;

use socketserver::{
    AnyServer, Running, StateService, ThreadingUdpServer, UdpRequest, handler_fn_with,
};

use super::*;

type Words = Arc<Mutex<Vec<String>>>;

fn remember<R: Request>(words: &Words, request: &mut R) -> socketserver::Result {
    let word = request.next_text_line(100)?.unwrap_or_default();
    words.lock().unwrap().push(word);
    Ok(request.send_all("remembered\n")?)
}

/// The types of servers with shared state can be written down.
struct Fixture {
    tcp: Running<ThreadingTcpServer<StateService<Words, TcpRequest>>>,
    udp: Running<ThreadingUdpServer<StateService<Words, UdpRequest>>>,
}

fn fixture(words: &Words) -> Fixture {
    let tcp = handler_fn_with(Arc::clone(words), remember::<TcpRequest>);
    let udp = handler_fn_with(Arc::clone(words), remember::<UdpRequest>);
    let tcp = ThreadingTcpServer::bind(own_loopback(), tcp).unwrap();
    let udp = ThreadingUdpServer::bind(own_loopback(), udp).unwrap();
    Fixture {
        tcp: tcp.spawn().unwrap(),
        udp: udp.spawn().unwrap(),
    }
}

fn clients_of(fixture: &Fixture) -> [Client; 2] {
    let tcp = std::net::TcpStream::connect(fixture.tcp.server_address()).unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.connect(fixture.udp.server_address()).unwrap();
    [Client::new(tcp), Client::new(udp)]
}

#[test]
fn a_function_with_state_serves_several_transports() {
    let words = Words::default();
    let fixture = fixture(&words);
    for (client, word) in clients_of(&fixture).iter().zip(["one\n", "two\n"]) {
        assert_eq!(client.ask(word), "remembered\n");
    }
    assert_eq!(*words.lock().unwrap(), ["one", "two"]);
    assert!(Arc::ptr_eq(&fixture.tcp.service().state, &words));
}

#[test]
fn servers_of_several_types_are_stopped_together() {
    let Fixture { tcp, udp } = fixture(&Words::default());
    let addresses = [*tcp.server_address(), *udp.server_address()];
    let servers: Vec<AnyServer> = vec![tcp.into_any(), udp.into_any()];
    for (server, address) in servers.iter().zip(addresses) {
        assert_eq!(server.server_address().socket_addr(), Some(address));
        assert!(server.handle().is_ready());
    }
    servers.iter().for_each(AnyServer::shutdown);
    for (server, ends_by_join) in servers.into_iter().zip([true, false]) {
        let handle = server.handle();
        let end = move || {
            if ends_by_join {
                server.join()
            } else {
                server.stop()
            }
        };
        assert_eq!(in_time(end).unwrap().abandoned.len(), 0);
        assert_eq!(handle.phase(), Phase::Stopped);
    }
}

#[test]
fn dropping_it_stops_the_server() {
    let Fixture { tcp, udp } = fixture(&Words::default());
    drop(udp);
    let server = tcp.into_any();
    let handle = server.handle();
    in_time(move || drop(server));
    assert_eq!(handle.phase(), Phase::Stopped);
}
