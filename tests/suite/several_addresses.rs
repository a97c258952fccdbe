//! Servers with several addresses of one kind.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::fd::BorrowedFd;
use socketserver::transport::{Bind, FirstOf, SocketOptions, Tcp, Udp};
#[cfg(unix)]
use socketserver::transport::{UnixDatagram, UnixStream};
use socketserver::{
    Error, Handled, Request, RequestKind, Sequential, Server, ServerHandle, ServerOptions, Service,
    SocketAddress, Strategy, TcpRequest, TcpServer, ThreadPool, Threading, Transport, UdpServer,
};
#[cfg(unix)]
use socketserver::{ForkingTcpServer, UnixAddress, UnixStreamServer};

#[cfg(unix)]
use crate::support::alone::{apart, test_name};
use crate::support::kinds::{Kind, by_kind_here};
use crate::support::net::*;

/// Addresses of a transport for one server.
trait Several: Reachable + Bind<Vec<<Self as Transport>::Address>> {
    fn addresses(dir: &TempDir) -> Vec<Self::Address>;
}

fn inet_addresses() -> Vec<SocketAddr> {
    let mut addresses = vec![own_loopback(), own_loopback()];
    let v6 = "[::1]:0".parse().unwrap();
    match UdpSocket::bind(v6) {
        Ok(_) => addresses.insert(1, v6),
        Err(_) => println!("not tested: this machine has no IPv6"),
    }
    addresses
}

impl Several for Tcp {
    fn addresses(_: &TempDir) -> Vec<SocketAddr> {
        inet_addresses()
    }
}

impl Several for Udp {
    fn addresses(_: &TempDir) -> Vec<SocketAddr> {
        inet_addresses()
    }
}

#[cfg(unix)]
impl Several for UnixStream {
    fn addresses(dir: &TempDir) -> Vec<UnixAddress> {
        let [first, last] = [dir.socket(), dir.socket()].map(UnixAddress::Path);
        vec![first, name_or_path(dir), last]
    }
}

#[cfg(unix)]
impl Several for UnixDatagram {
    fn addresses(dir: &TempDir) -> Vec<UnixAddress> {
        UnixStream::addresses(dir)
    }
}

/// Answers with the listener by which the request has come.
fn name_listener<R: Request>(request: &mut R) -> socketserver::Result {
    let listener = request.connection_info().listener().clone();
    Ok(writeln!(request, "{listener}")?)
}

fn connect<T: Reachable>(address: &T::Address) -> Client {
    if let SocketAddress::Inet(v6 @ SocketAddr::V6(_)) = address.clone().into()
        && T::KIND == RequestKind::Datagram
    {
        // The usual client has an IPv4 socket.
        let socket = UdpSocket::bind("[::1]:0").unwrap();
        socket.connect(v6).unwrap();
        return Client::new(socket);
    }
    T::connect(address)
}

fn expect_each_served<T: Several>(kind: Kind) {
    let dir = TempDir::new();
    let wanted = T::addresses(&dir);
    let count = wanted.len();
    let service = Hooks::<T::Request>::new(name_listener);
    let server = Server::<T, _, Sequential>::bind(wanted.clone(), service).unwrap();
    let server = server.strategy(kind.strategy()).spawn().unwrap();
    let addresses: Vec<_> = server.server_addresses().cloned().collect();
    assert_eq!(addresses.len(), count);
    assert_eq!(addresses[0], *server.server_address());
    let handle = server.handle();
    let of_handle: Vec<SocketAddress> = addresses.iter().cloned().map(Into::into).collect();
    assert_eq!(handle.server_addresses(), of_handle);
    for (address, wanted) in of_handle.iter().zip(wanted) {
        assert_ne!(address.port(), Some(0));
        assert_eq!(address.ip(), wanted.into().ip());
    }
    for _ in 0..3 {
        for address in &addresses {
            let client = connect::<T>(address);
            if T::KIND == RequestKind::Datagram {
                client.send("?");
            }
            assert_eq!(client.line(), format!("{address}\n"));
        }
    }
    let any = server.into_any();
    assert_eq!(any.server_addresses(), of_handle);
    let report = in_time(move || any.stop()).unwrap();
    assert!(report.abandoned.is_empty(), "{report}");
    let expected = 3 * count as u64;
    assert_eq!(handle.stats().completed, expected);
}

fn every_address_is_served(kind: Kind) {
    expect_each_served::<Tcp>(kind);
    expect_each_served::<Udp>(kind);
    #[cfg(unix)]
    {
        expect_each_served::<UnixStream>(kind);
        expect_each_served::<UnixDatagram>(kind);
    }
}

type Bound<T> = Server<T, Hooks<<T as Transport>::Request>, Box<dyn Strategy>>;

/// Binds a server to two loopback addresses. The order in which it accepts requests, as numbers of the listeners,
/// goes to the receiver.
fn two_listeners<T>(kind: Kind) -> (Bound<T>, mpsc::Receiver<usize>)
where
    T: Reachable<Address = SocketAddr> + Bind<[SocketAddr; 2]>,
{
    let (order, accepted) = mpsc::channel();
    let service = Hooks::<T::Request>::new(name_listener).on_verify(move |request| {
        let info = request.connection_info();
        let addresses = request.server().server_addresses();
        let number = addresses.iter().position(|one| one == info.listener());
        let _ = order.send(number.unwrap());
        true
    });
    let addresses = [own_loopback(), own_loopback()];
    let server = Server::<T, _, Sequential>::bind(addresses, service).unwrap();
    (server.strategy(kind.strategy()), accepted)
}

fn addresses_of<T: Transport, S: Service<T::Request>, M: Strategy>(
    server: &Server<T, S, M>,
) -> Vec<T::Address> {
    server.server_addresses().cloned().collect()
}

/// The requests of one listener, all of which are waiting, do not delay that of the other.
fn expect_fair<T>(kind: Kind)
where
    T: Reachable<Address = SocketAddr> + Bind<[SocketAddr; 2]>,
{
    const FLOOD: usize = 60;
    for flooded in [0, 1] {
        let (server, accepted) = two_listeners::<T>(kind);
        let server = server.strategy(kind.with_one_accept_loop());
        let addresses = addresses_of(&server);
        let connect = |number: usize| {
            let client = T::connect(&addresses[number]);
            if T::KIND == RequestKind::Datagram {
                client.send("?");
            }
            client
        };
        let flood: Vec<_> = (0..FLOOD).map(|_| connect(flooded)).collect();
        let single = connect(1 - flooded);
        let server = server.spawn().unwrap();
        assert_eq!(single.line(), format!("{}\n", addresses[1 - flooded]));
        for client in &flood {
            assert_eq!(client.line(), format!("{}\n", addresses[flooded]));
        }
        server.stop().unwrap();
        let order: Vec<_> = accepted.try_iter().collect();
        assert_eq!(order.len(), FLOOD + 1);
        let position = order.iter().position(|number| *number != flooded).unwrap();
        assert!(position < FLOOD / 4, "{order:?}");
    }
}

fn a_flooded_listener_does_not_delay_another(kind: Kind) {
    expect_fair::<Tcp>(kind);
    expect_fair::<Udp>(kind);
}

fn handle_request_waits_for_all_listeners(kind: Kind) {
    let (server, accepted) = two_listeners::<Tcp>(kind);
    let server = server.handle_request_timeout(PATIENCE);
    let addresses = addresses_of(&server);
    for number in [1, 0, 1, 1] {
        std::thread::scope(|scope| {
            let handled = scope.spawn(|| server.handle_request().unwrap());
            let client = Tcp::connect(&addresses[number]);
            assert_eq!(client.line(), format!("{}\n", addresses[number]));
            assert_eq!(handled.join().unwrap(), Handled::Request);
        });
        assert_eq!(next(&accepted), number);
    }
    let server = server.handle_request_timeout(Duration::ZERO);
    assert_eq!(server.handle_request().unwrap(), Handled::Timeout);
    server.server_close();
}

fn the_close_serves_all_backlogs(kind: Kind) {
    let (server, _accepted) = two_listeners::<Tcp>(kind);
    let addresses = addresses_of(&server);
    let clients: Vec<_> = (0..10)
        .map(|number| (number % 2, Tcp::connect(&addresses[number % 2])))
        .collect();
    let handle = server.handle();
    let close = std::thread::spawn(move || server.server_close());
    for (number, client) in clients {
        assert_eq!(client.line(), format!("{}\n", addresses[number]));
    }
    close.join().unwrap();
    assert_eq!(handle.stats().accepted, 10);
    for address in &addresses {
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}

by_kind_here!(
    every_address_is_served,
    a_flooded_listener_does_not_delay_another,
    handle_request_waits_for_all_listeners,
    the_close_serves_all_backlogs,
);

#[test]
fn a_sequential_server_runs_one_request_at_a_time() {
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let service = Hooks::new({
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        move |request: &mut TcpRequest| {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let line = request.readline(100)?;
            request.send_all(line)?;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    });
    let server = TcpServer::bind([own_loopback(), own_loopback()], service).unwrap();
    let server = server.spawn().unwrap();
    let addresses: Vec<_> = server.server_addresses().copied().collect();
    let clients: Vec<_> = (0..8)
        .map(|number| Tcp::connect(&addresses[number % 2]))
        .collect();
    for client in &clients {
        client.send("hello\n");
    }
    for client in &clients {
        assert_eq!(client.line(), "hello\n");
    }
    server.stop().unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

/// With more than 8 threads, a pool waits for datagrams in another way.
#[test]
fn many_threads_receive_from_all_sockets() {
    let service = Hooks::new(name_listener);
    let server = UdpServer::bind([own_loopback(), own_loopback(), own_loopback()], service);
    let server = server
        .unwrap()
        .strategy(ThreadPool::new(12))
        .spawn()
        .unwrap();
    let addresses: Vec<_> = server.server_addresses().copied().collect();
    for round in 0..30 {
        let address = addresses[round % 3];
        assert_eq!(Udp::connect(&address).ask("?"), format!("{address}\n"));
    }
    server.stop().unwrap();
}

#[test]
fn limits_are_those_of_the_whole_server() {
    let (started, is_started) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let _ = started.send(());
        echo_lines(request)
    });
    let options = Server::<Tcp, _, Threading>::options().max_connections(1);
    let server = options
        .bind([own_loopback(), own_loopback()], service)
        .unwrap();
    let server = server.spawn().unwrap();
    let [first, second] = [0, 1].map(|number| server.server_addresses().nth(number).copied());
    let first = Tcp::connect(&first.unwrap());
    next(&is_started);
    let second = Tcp::connect(&second.unwrap());
    second.send("waits\n");
    assert_eq!(first.ask("first\n"), "first\n");
    assert!(is_started.try_recv().is_err());
    first.finish();
    assert_eq!(second.line(), "waits\n");
}

#[track_caller]
fn error_of<V>(result: Result<V, Error>) -> Error {
    match result {
        Ok(_) => panic!("no error"),
        Err(error) => error,
    }
}

#[test]
fn if_one_address_is_in_use_nothing_stays_bound() {
    let other = TcpServer::bind(own_loopback(), || LineEcho).unwrap();
    let used = *other.server_address();
    let free = {
        let server = TcpServer::bind(own_loopback(), || LineEcho).unwrap();
        *server.server_address()
    };
    for addresses in [[free, used], [used, free]] {
        let error = error_of(TcpServer::bind(addresses, || LineEcho));
        assert_eq!(error.io_error().unwrap().kind(), ErrorKind::AddrInUse);
        let text = error.to_string();
        assert!(text.contains(&used.to_string()), "{text}");
        assert!(!text.contains(&free.to_string()), "{text}");
        let error = error_of(TcpServer::bind_all(addresses, || LineEcho));
        assert!(error.to_string().contains(&used.to_string()), "{error}");
        let refused = TcpStream::connect(free).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    drop(TcpServer::bind(free, || LineEcho).unwrap());
}

#[cfg(unix)]
#[test]
fn if_one_path_is_in_use_no_file_is_left() {
    apart(test_name!("if_one_path_is_in_use_no_file_is_left"), || {
        let dir = TempDir::new();
        let (free, used) = (dir.socket(), dir.socket());
        let server = UnixStreamServer::bind(&used, || LineEcho).unwrap();
        let error = error_of(UnixStreamServer::bind([&free, &used], || LineEcho));
        assert!(
            error.to_string().contains(used.to_str().unwrap()),
            "{error}"
        );
        assert!(!free.exists());
        let error = error_of(UnixStreamServer::bind_all([&free, &used], || LineEcho));
        assert!(
            error.to_string().contains(used.to_str().unwrap()),
            "{error}"
        );
        assert!(!free.exists());
        assert!(used.exists());
        drop(server);
        // The file of a server that was made stays, as in Python.
        std::fs::remove_file(&used).unwrap();
        drop(UnixStreamServer::bind([&free, &used], || LineEcho).unwrap());
        assert!(free.exists() && used.exists());
        let options = UnixStreamServer::options()
            .replace_stale(true)
            .remove_on_close(true);
        drop(options.bind([&free, &used], || LineEcho).unwrap());
        assert!(!free.exists() && !used.exists());
    });
}

#[test]
fn lists_can_be_written_in_many_ways() {
    let parsed: SocketAddr = LOOPBACK.parse().unwrap();
    let count = |server: Result<TcpServer<_>, Error>| server.unwrap().server_addresses().count();
    let service = || LineEcho;
    assert_eq!(
        count(TcpServer::bind([LOOPBACK, "localhost:0"], service)),
        2
    );
    assert_eq!(count(TcpServer::bind(&[LOOPBACK, LOOPBACK], service)), 2);
    assert_eq!(
        count(TcpServer::bind(vec![("127.0.0.1", 0); 3], service)),
        3
    );
    assert_eq!(count(TcpServer::bind(&[parsed; 2][..], service)), 2);
    assert_eq!(
        count(TcpServer::bind(vec![String::from(LOOPBACK)], service)),
        1
    );
    assert_eq!(
        count(TcpServer::bind(FirstOf::new(&[parsed; 2][..]), service)),
        1
    );
    assert_eq!(
        count(TcpServer::bind_all((0..4).map(|_| parsed), service)),
        4
    );
    assert_eq!(count(TcpServer::bind_all([[parsed; 2]; 2], service)), 4);

    for empty in [
        error_of(TcpServer::bind([""; 0], service)),
        error_of(TcpServer::bind_all(Vec::<SocketAddr>::new(), service)),
    ] {
        assert_eq!(empty.io_error().unwrap().kind(), ErrorKind::InvalidInput);
    }
    let error = error_of(TcpServer::bind([LOOPBACK, "no port"], service));
    assert!(matches!(&error, Error::Resolve { address, .. } if address.contains("no port")));
    let error = error_of(Tcp::server_bind([parsed; 2], &SocketOptions::default()));
    assert!(
        error.to_string().contains("a list of 2 addresses"),
        "{error}"
    );
}

/// Binds to both families of addresses at one port.
fn both_families(
    options: impl Fn() -> ServerOptions<Tcp, Hooks<TcpRequest>, Threading>,
) -> Option<Server<Tcp, Hooks<TcpRequest>, Threading>> {
    let name_client = |request: &mut TcpRequest| {
        let client = request.client_address().ip();
        Ok(writeln!(request, "{client}")?)
    };
    if UdpSocket::bind("[::1]:0").is_err() {
        println!("not tested: this machine has no IPv6");
        return None;
    }
    for _ in 0..100 {
        // Another test may take the port meanwhile.
        let closed = std::net::TcpListener::bind("0.0.0.0:0")
            .unwrap()
            .local_addr();
        let port = closed.unwrap().port();
        let addresses = [("0.0.0.0", port), ("::", port)];
        match options().bind(addresses, Hooks::new(name_client)) {
            Ok(server) => return Some(server),
            Err(error) => assert_eq!(error.io_error().unwrap().kind(), ErrorKind::AddrInUse),
        }
    }
    panic!("no port is free for both families");
}

#[test]
fn all_interfaces_of_both_families_have_one_port() {
    let Some(server) = both_families(Server::options) else {
        return;
    };
    let server = server.spawn().unwrap();
    let port = server.server_address().port();
    for (address, expected) in [("127.0.0.1", "127.0.0.1\n"), ("::1", "::1\n")] {
        let client = Client::new(TcpStream::connect((address, port)).unwrap());
        assert_eq!(client.line(), expected);
    }
}

/// Children have none of the listening sockets.
#[cfg(target_os = "linux")]
#[test]
fn children_have_no_listening_socket() {
    use crate::support::alone::{apart, test_name};

    apart(test_name!("children_have_no_listening_socket"), || {
        let sockets = Arc::new(Mutex::new(BTreeSet::new()));
        let listeners = Arc::clone(&sockets);
        let service = Hooks::new(move |request: &mut TcpRequest| {
            let is_listening = |number: &i32| {
                // SAFETY: the numbers are those of descriptors that the server has replaced, not closed.
                #[allow(unsafe_code)]
                let socket = unsafe { BorrowedFd::borrow_raw(*number) };
                rustix::net::sockopt::socket_acceptconn(socket).unwrap()
            };
            let listening = listeners
                .lock()
                .unwrap()
                .iter()
                .filter(|one| is_listening(one))
                .count();
            Ok(writeln!(request, "{listening}")?)
        });
        let options = ForkingTcpServer::options().before_bind({
            let sockets = Arc::clone(&sockets);
            move |socket| {
                sockets
                    .lock()
                    .unwrap()
                    .insert(std::os::fd::AsRawFd::as_raw_fd(&socket));
                Ok(())
            }
        });
        let server = options.bind([LOOPBACK, LOOPBACK], service).unwrap();
        let server = server.strategy(forking()).spawn().unwrap();
        assert_eq!(sockets.lock().unwrap().len(), 2);
        for address in server.server_addresses() {
            assert_eq!(Tcp::connect(address).line(), "0\n");
        }
        server.stop().unwrap();
    });
}

/// A transport of one's own, which can be bound to one address.
struct Own(Tcp);

impl_as_fd!(Own, 0);

impl Transport for Own {
    type Request = TcpRequest;
    type Address = SocketAddr;

    const KIND: RequestKind = RequestKind::Connection;

    fn server_address(&self) -> &SocketAddr {
        self.0.server_address()
    }

    fn server_activate(&self) -> io::Result<()> {
        self.0.server_activate()
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<TcpRequest> {
        self.0.get_request(server)
    }
}

impl<A> Bind<A> for Own
where
    Tcp: Bind<A>,
{
    fn server_bind(address: A, options: &SocketOptions) -> Result<Self, Error> {
        Tcp::server_bind(address, options).map(Self)
    }
}

#[test]
fn a_transport_of_ones_own_can_have_several_addresses() {
    let service = || Hooks::new(name_listener);
    let server = Server::<Own, _, Threading>::bind_all([LOOPBACK, LOOPBACK], service()).unwrap();
    let server = server.spawn().unwrap();
    assert_eq!(server.server_addresses().count(), 2);
    for address in server.server_addresses() {
        assert_eq!(Tcp::connect(address).line(), format!("{address}\n"));
    }
    // It has no method for lists.
    let error = error_of(Server::<Own, _, Threading>::bind(
        [LOOPBACK, LOOPBACK],
        service(),
    ));
    assert_eq!(error.io_error().unwrap().kind(), ErrorKind::InvalidInput);
}
