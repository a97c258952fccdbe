//! Every server class echoes a line to three clients, one after the other: the matrix of CPython's
//! own tests (T01 to T12 there), for every transport and strategy.

mod support;

use std::os::fd::AsFd;
use std::thread;

use socketserver::{
    Error, Job, Rejected, Sequential, Server, Service, Strategy, TcpServer, ThreadPool,
    ThreadPoolTcpServer, ThreadPoolUdpServer, ThreadPoolUnixDatagramServer,
    ThreadPoolUnixStreamServer, Threading, ThreadingTcpServer, ThreadingUdpServer,
    ThreadingUnixDatagramServer, ThreadingUnixStreamServer, UdpServer, UnixDatagramServer,
    UnixStreamServer,
};
use support::net::*;

/// CPython's `run_server`.
fn echoes_to_three_clients<T, S, M>(bind: impl FnOnce(&TempDir) -> Result<Server<T, S, M>, Error>)
where
    T: Reachable,
    S: Service<T::Request>,
    M: Strategy,
{
    let dir = TempDir::new();
    let server = bind(&dir).unwrap();
    let address = server.server_address().clone();
    assert_eq!(address, T::getsockname(server.as_fd()));
    let socket = SocketId::of(&server);
    let handle = server.handle();
    assert_eq!(*handle.server_address(), address.clone().into());
    assert_ne!(handle.server_address().port(), Some(0), "not a real port");

    let server = server.spawn().unwrap();
    for n in 1..=3 {
        let line = format!("hello {n}\n");
        assert_eq!(T::connect(&address).ask(&line), line);
    }
    let report = in_time(move || server.stop()).unwrap();
    assert_eq!((report.interrupted, report.abandoned), (0, 0));

    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.completed, stats.active), (3, 3, 0));
    assert_eq!((stats.failed, stats.refused), (0, 0));
    assert!(!socket.is_open());
}

macro_rules! echo {
    ($($name:ident: $bind:expr;)*) => {
        $(
            #[test]
            fn $name() {
                echoes_to_three_clients($bind);
            }
        )*
    };
}

echo! {
    tcp_server: |_| TcpServer::bind(LOOPBACK, || LineEcho);
    udp_server: |_| UdpServer::bind(own_loopback(), || LineEcho);
    unix_stream_server: |dir| UnixStreamServer::bind(dir.socket(), || LineEcho);
    unix_datagram_server: |dir| UnixDatagramServer::bind(dir.socket(), || LineEcho);

    threading_tcp_server: |_| ThreadingTcpServer::bind(LOOPBACK, || LineEcho);
    threading_udp_server: |_| ThreadingUdpServer::bind(own_loopback(), || LineEcho);
    threading_unix_stream_server: |dir| {
        ThreadingUnixStreamServer::bind(dir.socket(), || LineEcho)
    };
    threading_unix_datagram_server: |dir| {
        ThreadingUnixDatagramServer::bind(dir.socket(), || LineEcho)
    };

    thread_pool_tcp_server: |_| ThreadPoolTcpServer::bind(LOOPBACK, || LineEcho);
    thread_pool_udp_server: |_| ThreadPoolUdpServer::bind(own_loopback(), || LineEcho);
    thread_pool_unix_stream_server: |dir| {
        ThreadPoolUnixStreamServer::bind(dir.socket(), || LineEcho)
    };
    thread_pool_unix_datagram_server: |dir| {
        ThreadPoolUnixDatagramServer::bind(dir.socket(), || LineEcho)
    };
}

/// A strategy as a user of the library writes it.
struct Detached;

impl Strategy for Detached {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        thread::spawn(|| job.run());
        Ok(())
    }
}

fn echoes_by_a_strategy_of_the_users_own<T: Reachable>() {
    echoes_to_three_clients(|dir| {
        let server = T::bind::<_, Sequential>(dir, Server::options(), || LineEcho)?;
        Ok(server.strategy(Detached))
    });
}

fn echoes_by_a_strategy_that_is_chosen_at_run_time<T: Reachable>() {
    let strategies: [Box<dyn Strategy>; 4] = [
        Box::new(Sequential),
        Box::new(Threading::new()),
        Box::new(ThreadPool::new(2)),
        Box::new(Detached),
    ];
    for strategy in strategies {
        echoes_to_three_clients(|dir| {
            let server = T::bind::<_, Sequential>(dir, Server::options(), || LineEcho)?;
            Ok(server.strategy(strategy))
        });
    }
}

over!([Tcp, Udp, UnixStream, UnixDatagram]
    echoes_by_a_strategy_of_the_users_own,
    echoes_by_a_strategy_that_is_chosen_at_run_time,
);
