//! Batches: a busy UDP server receives several datagrams by one system call.
//!
//! Batches must have no visible effect: each datagram is served as if it had been received alone.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use rustix::net::RecvFlags;
#[cfg(unix)]
use socketserver::Forking;
use socketserver::transport::Udp;
use socketserver::{
    Handled, Request, Sequential, Server, Stage, Strategy, ThreadPool, Threading, UdpRequest,
    UdpServer,
};

use crate::support::alone::{apart, test_name};
use crate::support::net::*;

/// Number of datagrams that a socket queues without dropping any.
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

/// Returns the number in the next datagram of the kernel's queue, without receiving it.
fn next_in_kernel(socket: &UdpSocket) -> Option<usize> {
    let mut packet = [0; 10];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let (size, _) = rustix::net::recv(socket, &mut packet, flags).ok()?;
    Some(number(&packet[..size]))
}

/// Returns an echo server that has stopped itself within a batch: it has received datagrams that it has not
/// served.
fn stopped_in_a_batch<M: Strategy + Default>() -> Stopped<M> {
    let address = own_loopback();
    stopped_in_a_batch_at(address, address.ip())
}

/// Like [`stopped_in_a_batch`], for a server that is bound to `bound` and a client that asks it at `host`.
fn stopped_in_a_batch_at<M: Strategy + Default>(bound: SocketAddr, host: IpAddr) -> Stopped<M> {
    let socket = UdpSocket::bind(bound).unwrap();
    let same_socket = socket.try_clone().unwrap();
    let stops = Arc::new(AtomicBool::new(true));
    let handle = {
        let stops = Arc::clone(&stops);
        move |request: &mut UdpRequest| {
            let n = number(request.packet());
            request.send_all(n.to_string())?;
            let next_is_received = next_in_kernel(&same_socket).is_none_or(|next| next > n + 1);
            if n == BURST - 1 || (next_is_received && stops.load(Ordering::SeqCst)) {
                request.server().shutdown();
            }
            Ok(())
        }
    };
    let server = Server::<Udp, _, Sequential>::from_listener(socket, Hooks::new(handle)).unwrap();
    let client = Udp::connect(&(host, server.server_address().port()).into());
    // On a busy machine there may be no batch, so this is tried several times.
    let served = (0..100).find_map(|_| {
        let before = server.stats().completed as usize;
        send_burst(&client);
        server.serve_forever().unwrap();
        let served = server.stats().completed as usize - before;
        expect(&client, 0..served);
        (served < BURST).then_some(served)
    });
    let served = served.expect("the server never received a batch");
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
fn datagrams_left_by_a_stop_are_served_by_the_next_loop() {
    let Stopped {
        server,
        client,
        served,
    } = stopped_in_a_batch::<Sequential>();
    let before = server.stats();
    assert_eq!((before.active, before.accepted), (0, before.completed));

    // One request at a time,
    for n in served..(served + 2).min(BURST) {
        assert_eq!(server.handle_request().unwrap(), Handled::Request);
        expect(&client, [n]);
        assert_eq!(
            server.stats().accepted,
            before.accepted + (n + 1 - served) as u64
        );
    }
    // then the rest on another thread.
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

fn datagrams_left_by_a_stop_are_served_by_another_strategy<M: Strategy + Default>() {
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
fn datagrams_left_by_a_stop_are_served_by_threads() {
    datagrams_left_by_a_stop_are_served_by_another_strategy::<Threading>();
    datagrams_left_by_a_stop_are_served_by_another_strategy::<ThreadPool>();
}

#[test]
fn datagrams_left_by_a_stop_are_served_by_processes() {
    apart(
        test_name!("datagrams_left_by_a_stop_are_served_by_processes"),
        || {
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
        },
    );
}

/// The client accepts replies only from the address that it has asked.
fn datagrams_left_by_a_stop_are_answered_from_their_addresses<M: Strategy + Default>() {
    let any = ([0, 0, 0, 0], 0).into();
    let Stopped {
        server,
        client,
        served,
    } = stopped_in_a_batch_at::<M>(any, own_loopback().ip());
    let _server = server.spawn().unwrap();
    for _ in served..BURST {
        client.receive();
    }
}

by_strategy!(datagrams_left_by_a_stop_are_answered_from_their_addresses);

#[test]
fn datagrams_left_by_a_stop_are_dropped_with_the_server() {
    let Stopped { server, .. } = stopped_in_a_batch::<Sequential>();
    let socket = SocketId::of(&server);
    // The handler has a copy of the descriptor, which is dropped with the service.
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

/// Pools receive no batches, because a batch of one thread could not be served by another.
#[test]
fn a_slow_handler_of_a_pool_delays_only_its_own_datagram() {
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

// ---- other receivers ----

#[test]
fn two_servers_on_one_thread_do_not_mix() {
    let inner = UdpServer::bind(own_loopback(), || LineEcho).unwrap();
    let inner_client = Udp::connect(inner.server_address());
    let service = Hooks::new(move |request: &mut UdpRequest| {
        // Runs the loop of the inner server between two datagrams of a batch of the outer server.
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

/// Python programs that expect a second packet call `self.request[1].recvfrom(..)`.
#[test]
fn a_handler_that_receives_gets_the_next_datagram() {
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
fn a_replaced_request_is_not_used_again() {
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
    // The client is connected to its server and receives from no other socket.
    expect(&client, 0..BURST);
    drop(server);
    assert_eq!(address.try_iter().count(), BURST);
}

// ---- independence of datagrams ----

#[test]
fn every_datagram_of_a_burst_is_processed_independently() {
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
                    packet.extend_from_slice(if request.truncated() {
                        b" truncated"
                    } else {
                        b""
                    });
                    Ok(request.send_all(packet)?)
                }
            },
        )
        .on_verify(|request| number(request.packet()) % 10 != 5)
        .on_error(move |request, error| {
            let key = (*request.client_address(), number(request.packet()));
            failed.lock().unwrap().insert(key, error.stage());
        })
    };
    let server = UdpServer::options()
        .max_packet_size(3)
        .bind(own_loopback(), service)
        .unwrap();
    let clients = [(); 2].map(|()| Udp::connect(server.server_address()));
    for n in 100..100 + BURST {
        // Every tenth packet is longer than `max_packet_size`.
        let packet = if n % 10 == 0 { n * 1000 } else { n };
        clients[n % 2].send(packet.to_string());
    }
    let server = server.spawn().unwrap();
    let handle = server.handle();
    eventually("all datagrams are processed", || {
        let stats = handle.stats();
        stats.active == 0 && stats.accepted == BURST as u64
    });

    for n in (100..100 + BURST).filter(|n| ![1, 2, 3, 4, 5].contains(&(n % 10))) {
        let suffix = if n % 10 == 0 { " truncated" } else { "" };
        let answer = String::from_utf8(clients[n % 2].receive()).unwrap();
        assert_eq!(answer, format!("{n}{suffix}"));
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

/// A long packet or reply has no effect on the next.
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
        // An empty reply is not sent.
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
