//! Servers that a handler or a hook closes.

use super::*;

type Slot<S, M> = Arc<Mutex<Option<RunningServer<Tcp, S, M>>>>;

/// Starts a server that is owned by its own service, and connects a client.
fn owned_by_itself<M: Strategy + Default>(
    make: impl FnOnce(Slot<Hooks<TcpRequest>, M>) -> Hooks<TcpRequest>,
) -> (Client, SocketId) {
    let slot = Slot::default();
    let server = Server::<Tcp, _, M>::bind(LOOPBACK, make(Arc::clone(&slot))).unwrap();
    let socket = SocketId::of(&server);
    let address = *server.server_address();
    // The lock keeps handlers and hooks from taking the server before it is stored.
    let mut stored = slot.lock().unwrap();
    *stored = Some(server.spawn().unwrap());
    drop(stored);
    (Tcp::connect(&address), socket)
}

fn a_handler_can_stop_the_server_that_runs_it<M: Strategy + Default>() {
    let (reports, reported) = mpsc::channel();
    let (client, socket) = owned_by_itself::<M>(|slot| {
        Hooks::new(move |request: &mut TcpRequest| {
            request.readline(100)?;
            let server = slot.lock().unwrap().take();
            let _ = reports.send(server.unwrap().stop()?);
            request.send_all(b"stopped\n")?;
            Ok(())
        })
    });
    client.send("stop\n");
    assert_eq!(next(&reported).running, 1);
    assert_eq!(client.rest(), b"stopped\n");
    eventually("the socket is closed", || !socket.is_open());
}

fn a_handler_can_drop_the_server_that_runs_it<M: Strategy + Default>() {
    let (client, socket) = owned_by_itself::<M>(|slot| {
        Hooks::new(move |request: &mut TcpRequest| {
            request.readline(100)?;
            drop(slot.lock().unwrap().take());
            request.send_all(b"dropped\n")?;
            Ok(())
        })
    });
    client.send("stop\n");
    assert_eq!(client.rest(), b"dropped\n");
    eventually("the socket is closed", || !socket.is_open());
}

/// The accept loop runs the hook, so the hook must not wait until the accept loop has left.
fn a_hook_can_stop_the_server_that_runs_it<M: Strategy + Default>() {
    let (client, socket) = owned_by_itself::<M>(|slot| {
        Hooks::<TcpRequest>::echo().on_verify(move |_| {
            drop(slot.lock().unwrap().take());
            false
        })
    });
    client.expect_end();
    eventually("the socket is closed", || !socket.is_open());
}

by_strategy!(
    a_handler_can_stop_the_server_that_runs_it,
    a_handler_can_drop_the_server_that_runs_it,
    a_hook_can_stop_the_server_that_runs_it,
);

/// A handler of one server waits for the close of another.
#[test]
fn a_handler_can_close_another_server() {
    let other = ThreadingTcpServer::bind(LOOPBACK, Hooks::<TcpRequest>::echo()).unwrap();
    let other = other
        .grace_period(SHORT)
        .force_close_timeout(PATIENCE / 2)
        .spawn()
        .unwrap();
    let idle = Tcp::connect(other.server_address());
    assert_eq!(idle.ask("hello\n"), "hello\n");
    let other = Mutex::new(Some(other));
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let report = other.lock().unwrap().take().unwrap().stop()?;
        let report = format!("{:?}\n", numbers(report));
        Ok(request.send_all(report.as_bytes())?)
    });
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let server = server.spawn().unwrap();
    assert_eq!(Tcp::connect(server.server_address()).rest(), b"(1, 1, 0)\n");
    idle.expect_end();
}

/// An accept loop whose handler was abandoned accepts nothing more, and releases the socket when the handler ends.
#[test]
fn an_abandoned_loop_ends_with_its_handler() {
    let (started, starts) = mpsc::channel();
    let gate = Gate::default();
    let service = Hooks::new({
        let gate = gate.clone();
        move |request: &mut socketserver::UdpRequest| {
            let _ = started.send(());
            gate.pass();
            Ok(request.send_all("done\n")?)
        }
    });
    let host = host_with::<socketserver::transport::Udp, ThreadPool, _, _>(
        service,
        |options| options,
        |server| {
            let server = server.grace_period(Duration::ZERO);
            server.force_close_timeout(Duration::from_millis(10))
        },
    );
    let socket = SocketId::of(&*host.server);
    let client = host.client();
    client.send("?");
    next(&starts);
    assert_eq!(host.stop().abandoned.len(), 1);
    assert!(socket.is_open(), "the loop still has the socket");
    gate.open();
    assert_eq!(client.line(), "done\n");
    eventually("the loop has left", || !socket.is_open());
}
