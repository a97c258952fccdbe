//! Life cycle of servers: single requests, stops while requests run, servers inside of handlers.

mod embedded;
mod nested;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use socketserver::strategy::{AcceptWait, Ready, Scheduling};
use socketserver::transport::Tcp;
use socketserver::{
    Coroutines, Handled, Job, Rejected, Request, Sequential, Server, Strategy, TcpRequest,
    UdpServer, sleep,
};

use super::{one_worker, start, start_with_grace};
use crate::support::net::*;

over_streams!(
    a_request_goes_on_after_handle_request_returns,
    requests_go_on_when_the_server_serves_again,
    without_block_on_close_requests_go_on_after_the_stop,
    idle_clients_delay_a_stop_only_for_the_grace_period,
    a_stop_does_not_end_sleep_and_blocking,
    a_handler_can_stop_its_own_server_and_wait,
);

fn a_request_goes_on_after_handle_request_returns<T: Connected>() {
    let dir = TempDir::new();
    let service = Hooks::<T::Request>::echo();
    let server = T::bind::<_, Coroutines>(&dir, Server::options(), service).unwrap();
    let server = server
        .strategy(Coroutines::new().workers(2))
        .grace_period(Duration::from_millis(20))
        .force_close_timeout(PATIENCE);
    let clients: Vec<_> = (0..10)
        .map(|_| T::connect(server.server_address()))
        .collect();
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(server.handle_request().unwrap(), Handled::Request);
        // The call has not waited for the end of the request, and the earlier requests are served too.
        for client in &clients[..n] {
            assert_eq!(client.ask("still here\n"), "still here\n");
        }
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    assert_eq!(server.stats().active, 10);
    let report = in_time(move || server.server_close());
    assert_eq!((report.running, report.abandoned.len()), (10, 0));
}

fn requests_go_on_when_the_server_serves_again<T: Connected>() {
    let dir = TempDir::new();
    let service = Hooks::<T::Request>::echo();
    let server = T::bind::<_, Coroutines>(&dir, Server::options(), service).unwrap();
    let server = server
        .strategy(Coroutines::new().workers(2))
        .grace_period(Duration::from_secs(2))
        .force_close_timeout(PATIENCE);
    let server = Arc::new(server);
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..5 {
        let served = Arc::clone(&server);
        let run = thread::spawn(move || served.serve_forever());
        for _ in 0..6 {
            clients.push(T::connect(server.server_address()));
        }
        for client in &clients {
            assert_eq!(client.ask("hello\n"), "hello\n");
        }
        server.shutdown();
        in_time(move || run.join().unwrap()).unwrap();
        // Requests are served between two runs too.
        for client in &clients {
            assert_eq!(client.ask("hello\n"), "hello\n");
        }
    }
    assert_eq!(server.stats().active, 30);
    let server = Arc::into_inner(server).unwrap();
    let report = in_time(move || server.server_close());
    assert_eq!((report.running, report.abandoned.len()), (30, 0));
    for client in clients {
        client.expect_end();
    }
}

fn without_block_on_close_requests_go_on_after_the_stop<T: Connected>() {
    let host = host_with::<T, Sequential, _, _>(
        Hooks::<T::Request>::echo(),
        |options| options,
        |server| {
            let server = server.strategy(Coroutines::new().workers(2));
            server.block_on_close(false).grace_period(PATIENCE)
        },
    );
    let handle = host.server.handle();
    let clients = [(); 6].map(|()| host.client());
    for client in &clients {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    let started = Instant::now();
    let report = host.stop();
    assert!(started.elapsed() < PATIENCE / 2);
    assert_eq!((report.running, report.force_closed.len()), (6, 0));
    for client in &clients {
        assert_eq!(client.ask("hello\n"), "hello\n");
        client.finish();
        client.expect_end();
    }
    eventually("all requests have ended", || handle.stats().completed == 6);
}

fn idle_clients_delay_a_stop_only_for_the_grace_period<T: Connected>() {
    let host = host_with::<T, Sequential, _, _>(
        Hooks::<T::Request>::echo(),
        |options| options,
        |server| {
            let server = server.strategy(Coroutines::new());
            server.grace_period(Duration::from_millis(100))
        },
    );
    let clients: Vec<_> = (0..50).map(|_| host.client()).collect();
    let handle = host.server.handle();
    eventually("all clients are accepted", || handle.stats().active == 50);
    let started = Instant::now();
    drop(host);
    let passed = started.elapsed();
    assert!(passed >= Duration::from_millis(100) && passed < PATIENCE / 2);
    let stats = handle.stats();
    assert_eq!((stats.force_closed, stats.active), (50, 0));
    for client in clients {
        client.expect_end();
    }
}

fn a_stop_does_not_end_sleep_and_blocking<T: Connected>() {
    let (started, starts) = mpsc::channel();
    let gate = Gate::default();
    let service = Hooks::new({
        let gate = gate.clone();
        move |request: &mut T::Request| {
            let _ = started.send(());
            if request.readline(100)? == b"sleep\n" {
                let _ = started.send(());
                sleep(Duration::from_millis(200));
            } else {
                socketserver::blocking(|| {
                    let _ = started.send(());
                    gate.pass();
                });
            }
            Ok(request.send_all("done\n")?)
        }
    });
    let host = host_with::<T, Sequential, _, _>(
        service,
        |options| options,
        |server| server.strategy(one_worker()).grace_period(PATIENCE),
    );
    let handle = host.server.handle();
    let clients = [(); 2].map(|()| host.client());
    clients[0].send("sleep\n");
    clients[1].send("block\n");
    for _ in 0..4 {
        next(&starts);
    }
    let stopped = thread::spawn(move || host.stop());
    assert!(handle.wait(PATIENCE));
    gate.open();
    assert_eq!(stopped.join().unwrap().force_closed.len(), 0);
    for client in clients {
        assert_eq!(client.rest(), b"done\n");
    }
}

fn a_handler_can_stop_its_own_server_and_wait<T: Connected>() {
    let service = Hooks::new(|request: &mut T::Request| {
        while let Some(line) = request.next_line(100)? {
            if line == b"stop\n" {
                let server = request.server().clone();
                server.shutdown();
                // Meanwhile other coroutines run, and the accept loop of this thread ends.
                let stopped = server.wait(PATIENCE);
                request.send_all(format!("{stopped}\n"))?;
            } else {
                request.send_all(&line)?;
            }
        }
        Ok(())
    });
    let host = start_with_grace::<T, _>(one_worker(), PATIENCE, service);
    let clients = [(); 5].map(|()| host.client());
    assert_eq!(clients[0].ask("hello\n"), "hello\n");
    assert_eq!(clients[1].ask("stop\n"), "true\n");
    assert_eq!(clients[0].ask("hello\n"), "hello\n");
    assert_eq!(clients[1].ask("hello\n"), "hello\n");
    drop(clients);
    host.stop();
}

/// Waits that expired have no effect on later ones.
#[test]
fn a_handler_can_check_repeatedly_whether_its_server_stops() {
    let (checked, ten_checks) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let mut checks = 0;
        while !request.server().wait(Duration::from_millis(1)) {
            checks += 1;
            if checks == 10 {
                checked.send(())?;
            }
        }
        Ok(request.send_all("it stops\n")?)
    });
    let host = start::<Tcp, _>(one_worker(), service);
    let client = host.client();
    next(&ten_checks);
    host.server.shutdown();
    assert_eq!(client.rest(), b"it stops\n");
    host.stop();
}
