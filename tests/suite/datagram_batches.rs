//! A UDP server that is busy takes in several datagrams by one system call. Nobody may notice.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use rustix::net::RecvFlags;
use socketserver::transport::Udp;
use socketserver::{
    Forking, Handled, Request, Sequential, Server, Stage, Strategy, ThreadPool, Threading,
    UdpRequest, UdpServer,
};

use crate::support::net::*;

/// As many as a socket holds without dropping any.
const BURST: usize = 100;

fn send_burst(client: &Client) {
    for n in 0..BURST {
        client.send(n.to_string());
    }
}

fn number(packet: &[u8]) -> usize {
    std::str::from_utf8(packet).unwrap().parse().unwrap()
}

#[track_caller]
fn expect(client: &Client, numbers: impl IntoIterator<Item = usize>) {
    for n in numbers {
        assert_eq!(number(&client.receive()), n);
    }
}

/// The number in the datagram that the kernel would give out next.
fn next_in_kernel(socket: &UdpSocket) -> Option<usize> {
    let mut packet = [0; 10];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let (size, _) = rustix::net::recv(socket, &mut packet, flags).ok()?;
    Some(number(&packet[..size]))
}

/// A server that echoes, and that stops itself where it has taken in datagrams that it has not served.
fn stopped_in_a_batch<M: Strategy + Default>() -> Stopped<M> {
    let socket = UdpSocket::bind(own_loopback()).unwrap();
    let same_socket = socket.try_clone().unwrap();
    let stops = Arc::new(AtomicBool::new(true));
    let handle = {
        let stops = Arc::clone(&stops);
        move |request: &mut UdpRequest| {
            let n = number(request.packet());
            request.send_all(n.to_string())?;
            let taken_in = next_in_kernel(&same_socket).is_none_or(|next| next > n + 1);
            if n == BURST - 1 || (taken_in && stops.load(Ordering::SeqCst)) {
                request.server().shutdown();
            }
            Ok(())
        }
    };
    let server = Server::<Udp, _, Sequential>::from_listener(socket, Hooks::new(handle)).unwrap();
    let client = Udp::connect(server.server_address());
    // A machine that is busy with something else makes handlers slow, and then there is no batch.
    let served = (0..100).find_map(|_| {
        let before = server.stats().completed as usize;
        send_burst(&client);
        server.serve_forever().unwrap();
        let served = server.stats().completed as usize - before;
        expect(&client, 0..served);
        (served < BURST).then_some(served)
    });
    let served = served.expect("there was never a batch");
    stops.store(false, Ordering::SeqCst);
    let server = server.strategy(M::default());
    Stopped {
        server,
        client,
        served,
    }
}

struct Stopped<M: Strategy> {
    server: Server<Udp, Hooks<UdpRequest>, M>,
    client: Client,
    served: usize,
}

// ---- stopping ----

#[test]
fn what_a_stop_leaves_is_served_by_the_next_loop() {
    let Stopped {
        server,
        client,
        served,
    } = stopped_in_a_batch::<Sequential>();
    let before = server.stats();
    assert_eq!((before.active, before.accepted), (0, before.completed));

    // One by one,
    for n in served..(served + 2).min(BURST) {
        assert_eq!(server.handle_request().unwrap(), Handled::Request);
        expect(&client, [n]);
        assert_eq!(
            server.stats().accepted,
            before.accepted + (n + 1 - served) as u64
        );
    }
    // and all the rest, on another thread.
    let server = in_time(move || {
        if served + 2 < BURST {
            server.serve_forever().unwrap();
        }
        server
    });
    expect(&client, (served + 2).min(BURST)..BURST);
    let left = server.handle_request_timeout(Duration::ZERO);
    assert_eq!(left.handle_request().unwrap(), Handled::Timeout);
}

fn what_a_stop_leaves_is_served_by_another_strategy<M: Strategy + Default>() {
    let Stopped {
        server,
        client,
        served,
    } = stopped_in_a_batch::<M>();
    let server = server.spawn().unwrap();
    let mut rest: Vec<_> = (served..BURST).map(|_| number(&client.receive())).collect();
    rest.sort_unstable();
    assert!(rest.into_iter().eq(served..BURST));
    assert_eq!(server.stop().unwrap().abandoned.len(), 0);
}

#[test]
fn what_a_stop_leaves_is_served_by_threads() {
    what_a_stop_leaves_is_served_by_another_strategy::<Threading>();
    what_a_stop_leaves_is_served_by_another_strategy::<ThreadPool>();
}

#[test]
fn what_a_stop_leaves_is_served_by_processes() {
    let Stopped {
        server,
        client,
        served,
    } = stopped_in_a_batch::<Sequential>();
    let server: Server<_, _, Forking> = server.strategy(forking());
    for n in served..BURST {
        assert_eq!(server.handle_request().unwrap(), Handled::Request);
        expect(&client, [n]);
    }
}

#[test]
fn what_a_stop_leaves_goes_with_the_server() {
    let Stopped { server, .. } = stopped_in_a_batch::<Sequential>();
    let socket = SocketId::of(&server);
    // The handler has another descriptor of it, which is dropped with the service.
    assert_eq!(socket.descriptors(), 2);
    let report = in_time(|| server.server_close());
    assert_eq!((report.abandoned.len(), socket.is_open()), (0, false));
}

// ---- fairness ----

#[test]
fn no_reply_waits_for_a_later_handler() {
    let gate = Gate::default();
    let service = {
        let gate = gate.clone();
        Hooks::new(move |request: &mut UdpRequest| {
            if number(request.packet()) % 25 == 24 {
                gate.pass();
            }
            let packet = request.packet().to_vec();
            Ok(request.send_all(packet)?)
        })
    };
    let server = UdpServer::bind(own_loopback(), service).unwrap();
    let client = Udp::connect(server.server_address());
    send_burst(&client);
    let _server = server.spawn().unwrap();
    expect(&client, 0..24);
    gate.open();
    expect(&client, 24..BURST);
}

/// What one thread of a pool had taken in, another could not serve.
#[test]
fn a_slow_handler_of_a_pool_holds_up_nothing_but_its_own_datagram() {
    let gate = Gate::default();
    let service = {
        let gate = gate.clone();
        Hooks::new(move |request: &mut UdpRequest| {
            if number(request.packet()) == 50 {
                gate.pass();
            }
            let packet = request.packet().to_vec();
            Ok(request.send_all(packet)?)
        })
    };
    let server = UdpServer::bind(own_loopback(), service).unwrap();
    let client = Udp::connect(server.server_address());
    send_burst(&client);
    let server = server.strategy(ThreadPool::new(2)).spawn().unwrap();
    let mut answered: Vec<_> = (1..BURST).map(|_| number(&client.receive())).collect();
    answered.sort_unstable();
    assert!(answered.into_iter().eq((0..50).chain(51..BURST)));
    gate.open();
    expect(&client, [50]);
    drop(server);
}

// ---- two servers, and others who receive ----

#[test]
fn two_servers_on_one_thread_do_not_mix() {
    let inner = UdpServer::bind(own_loopback(), || LineEcho).unwrap();
    let inner_client = Udp::connect(inner.server_address());
    let service = Hooks::new(move |request: &mut UdpRequest| {
        // Another loop, between two datagrams of a batch of this one.
        assert_eq!(inner.handle_request()?, Handled::Request);
        let n = number(request.packet());
        request.send_all((1000 + n).to_string())?;
        Ok(())
    });
    let outer = UdpServer::bind(own_loopback(), service).unwrap();
    let outer_client = Udp::connect(outer.server_address());
    send_burst(&inner_client);
    send_burst(&outer_client);
    let outer = outer.spawn().unwrap();
    expect(&inner_client, 0..BURST);
    expect(&outer_client, 1000..1000 + BURST);
    assert_eq!(outer.stats().failed, 0);
}

/// As Python programs do that expect a second packet: `self.request[1].recvfrom(..)`.
#[test]
fn a_handler_that_receives_by_itself_gets_what_comes_next() {
    let service = Hooks::new(|request: &mut UdpRequest| {
        let mut packet = [0; 10];
        request.socket().set_read_timeout(Some(PATIENCE))?;
        let (size, client) = request.socket().recv_from(&mut packet)?;
        assert_eq!(client, *request.client_address());
        let pair = (number(request.packet()), number(&packet[..size]));
        assert_eq!(pair.0 + 1, pair.1);
        Ok(request.send_all(pair.1.to_string())?)
    });
    let server = UdpServer::bind(own_loopback(), service).unwrap();
    let client = Udp::connect(server.server_address());
    send_burst(&client);
    let _server = server.spawn().unwrap();
    expect(&client, (0..BURST).filter(|n| n % 2 == 1));
}

#[test]
fn a_request_that_is_put_in_the_place_of_another_is_not_used_again() {
    let (server_address, address) = mpsc::channel();
    let elsewhere = UdpServer::bind(own_loopback(), || LineEcho).unwrap();
    let handle = elsewhere.handle();
    let service = Hooks::new(move |request: &mut UdpRequest| {
        let n = number(request.packet());
        let socket = Arc::new(UdpSocket::bind(own_loopback())?);
        let _ = server_address.send(socket.local_addr()?);
        let client = *request.client_address();
        let packet = n.to_string();
        request.send_to(packet.as_bytes(), &client)?;
        *request = UdpRequest::new(b"not sent", false, client, socket, &handle);
        Ok(())
    });
    let server = UdpServer::bind(own_loopback(), service).unwrap();
    let client = Udp::connect(server.server_address());
    send_burst(&client);
    let server = server.spawn().unwrap();
    // The client hears only what comes from its server.
    expect(&client, 0..BURST);
    drop(server);
    assert_eq!(address.try_iter().count(), BURST);
}

// ---- each by itself ----

#[test]
fn every_datagram_of_a_burst_is_judged_by_itself() {
    expect_panics();
    let failed = Arc::new(Mutex::new(BTreeMap::new()));
    let service = {
        let failed = Arc::clone(&failed);
        Hooks::new(
            |request: &mut UdpRequest| match number(request.packet()) % 10 {
                1 => Err("on purpose".into()),
                2 => panic!("on purpose"),
                3 => Ok(request.send_all([b'.'; 100_000])?),
                4 => Ok(()),
                _ => {
                    let mut packet = request.readline(1000)?;
                    packet.extend_from_slice(if request.truncated() { b" cut" } else { b"" });
                    Ok(request.send_all(packet)?)
                }
            },
        )
        .on_verify(|request| number(request.packet()) % 10 != 5)
        .on_error(move |request, error| {
            let who = (*request.client_address(), number(request.packet()));
            failed.lock().unwrap().insert(who, error.stage());
        })
    };
    let server = UdpServer::options()
        .max_packet_size(3)
        .bind(own_loopback(), service)
        .unwrap();
    let clients = [(); 2].map(|()| Udp::connect(server.server_address()));
    for n in 100..100 + BURST {
        // Every tenth is longer than the server takes.
        let packet = if n % 10 == 0 { n * 1000 } else { n };
        clients[n % 2].send(packet.to_string());
    }
    let server = server.spawn().unwrap();
    let handle = server.handle();
    eventually("all were judged", || {
        let stats = handle.stats();
        stats.active == 0 && stats.accepted == BURST as u64
    });

    for n in (100..100 + BURST).filter(|n| ![1, 2, 3, 4, 5].contains(&(n % 10))) {
        let cut = if n % 10 == 0 { " cut" } else { "" };
        let answer = String::from_utf8(clients[n % 2].receive()).unwrap();
        assert_eq!(answer, format!("{n}{cut}"));
    }
    let stages = [Stage::Handle, Stage::Handle, Stage::Reply];
    let expected = (100..100 + BURST).filter_map(|n| {
        let stage = stages.get((n % 10).checked_sub(1)?)?;
        let client = clients[n % 2].socket().local_addr().unwrap();
        Some(((client.as_socket().unwrap(), n), *stage))
    });
    assert_eq!(*failed.lock().unwrap(), expected.collect());
    let stats = server.stats();
    assert_eq!(
        (stats.completed, stats.failed, stats.rejected),
        (60, 30, 10)
    );
}

/// A long reply, or a long packet, leaves nothing to the next.
#[test]
fn sizes_do_not_carry_over() {
    let service = Hooks::new(|request: &mut UdpRequest| {
        let packet = request.packet().to_vec();
        Ok(request.send_all(packet)?)
    });
    let server = UdpServer::bind(own_loopback(), service).unwrap();
    let client = Udp::connect(server.server_address());
    let sizes = [1, 60_000, 0, 3, 20_000, 2, 65_507, 5];
    let sent: Vec<_> = sizes
        .iter()
        .zip(b'a'..)
        .map(|(size, byte)| vec![byte; *size])
        .collect();
    let server = server.spawn().unwrap();
    for round in 0..20 {
        for packet in &sent {
            client.send(packet);
        }
        // An empty reply is none.
        for packet in sent.iter().filter(|packet| !packet.is_empty()) {
            assert!(client.receive() == *packet, "round {round}");
        }
    }
    drop(server);
}

#[test]
fn order_holds_over_many_runs() {
    let service = Hooks::new(|request: &mut UdpRequest| {
        let n = number(request.packet());
        if n % 10 == 9 {
            request.server().shutdown();
        }
        Ok(request.send_all(n.to_string())?)
    });
    let server = UdpServer::bind(own_loopback(), service).unwrap();
    let client = Udp::connect(server.server_address());
    send_burst(&client);
    let server = in_time(move || {
        for _ in 0..BURST / 10 {
            server.serve_forever().unwrap();
        }
        server
    });
    expect(&client, 0..BURST);
    assert_eq!(server.stats().completed, BURST as u64);
}
