//! Resources of the whole process. Each test runs in a process of its own.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socketserver::transport::Tcp;
use socketserver::{Coroutines, Request, Sequential, StreamRequest, TcpRequest, blocking, sleep};

use super::{one_worker, start};
use crate::support::alone::{is_alone, run, test_name, with_arguments};
use crate::support::census::{Census, processor_time};
use crate::support::net::*;
use crate::support::process::Program;
use crate::support::scale::scale;

// ---- leaks ----

/// Resources of this process, with memory mappings.
#[derive(Clone, Copy, Debug)]
struct Resources {
    census: Census,
    mappings: usize,
}

impl Resources {
    fn now() -> Self {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        Self {
            census: Census::now(),
            mappings: maps.lines().count(),
        }
    }

    /// Returns whether there are no more resources than before. Up to 50 more mappings are allowed, because
    /// the allocator maps memory too. Leaked stacks would be far more: each has two mappings. There may be
    /// fewer threads, because threads of the first round may have been ending when `before` was taken.
    fn is_at_most(self, before: Self) -> bool {
        self.census.threads <= before.census.threads
            && self.census.descriptors <= before.census.descriptors
            && self.mappings < before.mappings + 50
    }
}

#[test]
fn no_resources_are_leaked() {
    run(test_name!("many_clients_and_servers"));
}

#[test]
#[ignore = "run by no_resources_are_leaked"]
fn many_clients_and_servers() {
    if !is_alone(test_name!("many_clients_and_servers")) {
        return;
    }
    expect_panics();
    serve_many::<Tcp>();
    let before = Resources::now();
    for round in 1..=scale(2, 5) {
        // The test that started this process waits for output.
        println!("round {round}");
        serve_many::<Tcp>();
        #[cfg(unix)]
        serve_many::<socketserver::transport::UnixStream>();
        let what = "no more threads, descriptors and mappings than before";
        eventually(what, || Resources::now().is_at_most(before));
    }
}

fn serve_many<T: Connected>() {
    let service = Hooks::new(|request: &mut StreamRequest<T::Socket>| {
        while let Some(line) = request.next_line(100)? {
            match &*line {
                b"panic\n" => panic!("on purpose"),
                b"fail\n" => return Err("on purpose".into()),
                b"sleep\n" => sleep(Duration::from_millis(1)),
                b"block\n" => blocking(|| {}),
                _ => {}
            }
            request.send_all(&line)?;
        }
        Ok(())
    });
    let host = start::<T, _>(Coroutines::new().workers(2), service);
    // More clients at the same time than stacks are kept for reuse.
    let clients: Vec<_> = (0..700).map(|_| host.client()).collect();
    for (n, client) in clients.iter().enumerate() {
        let line = ["hello\n", "sleep\n", "block\n", "panic\n", "fail\n"][n % 5];
        client.send(line);
        if n % 5 < 3 {
            assert_eq!(client.line(), line);
        } else {
            client.expect_end();
        }
    }
    // Clients one after the other.
    for _ in 0..500 {
        assert_eq!(host.client().ask("hello\n"), "hello\n");
    }
    drop(clients);
    assert!(host.server.handle().wait_until_idle(PATIENCE));
    assert_eq!(host.stop().abandoned.len(), 0);
}

// ---- idle servers ----

#[test]
fn waiting_takes_no_processor_time() {
    run(test_name!("idle"));
}

/// Handlers wait in all ways: for a line, for space to write, in `sleep` and in `blocking`. Other clients
/// wait in the backlog.
#[test]
#[ignore = "run by waiting_takes_no_processor_time"]
fn idle() {
    if !is_alone(test_name!("idle")) {
        return;
    }
    let gate = Gate::default();
    let service = Hooks::new({
        let gate = gate.clone();
        move |request: &mut TcpRequest| {
            request.set_timeout(2 * PATIENCE)?;
            while let Some(line) = request.next_line(100)? {
                match &*line {
                    b"sleep\n" => sleep(PATIENCE),
                    b"block\n" => blocking(|| gate.pass()),
                    b"much\n" => request.send_all(vec![b'x'; 24 << 20])?,
                    _ => request.send_all(&line)?,
                }
            }
            Ok(())
        }
    });
    let strategy = Coroutines::new().workers(2).max_coroutines(40);
    let host = host_with::<Tcp, Sequential, _, _>(
        service,
        |options| options,
        |server| {
            let server = server.strategy(strategy).grace_period(Duration::ZERO);
            server.force_close_timeout(Duration::ZERO)
        },
    );
    let handle = host.server.handle();
    let clients: Vec<_> = (0..60).map(|_| host.client()).collect();
    eventually("the server is full", || handle.stats().active >= 40);
    assert_eq!(
        handle.stats().active,
        40,
        "more clients than `max_coroutines`"
    );
    for (n, client) in clients.iter().enumerate() {
        client.send(["hello\n", "sleep\n", "block\n", "much\n"][n % 4]);
        if n % 8 == 5 {
            client.finish();
        }
    }
    // No event reports that all handlers wait. So the processor time of each second is measured until
    // it is almost zero.
    let busy_for_a_second = || {
        let before = processor_time();
        std::thread::sleep(Duration::from_secs(1));
        processor_time() - before > Duration::from_millis(50)
    };
    let busy = (0..10).take_while(|_| busy_for_a_second()).count();
    assert!(busy < 10, "the process is never idle");
    gate.open();
    // The sleeping handlers are abandoned and end with the process.
    drop(host);
}

// ---- descriptor exhaustion ----

/// There are more clients than descriptors. Accepted clients are served, and the others are accepted when
/// descriptors are free again.
#[test]
fn a_server_without_descriptors_goes_on() {
    const DESCRIPTORS: usize = 40;
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -n \"$0\" && exec \"$@\""])
        .arg(DESCRIPTORS.to_string())
        .arg(std::env::current_exe().unwrap());
    let command = with_arguments(command, test_name!("short_of_descriptors"));
    let mut server = Program::start(command);
    server.wait_for_text("listening on ");
    let address: SocketAddr = server.line().parse().unwrap();
    let clients: Vec<_> = (0..3 * DESCRIPTORS)
        .map(|_| Client::new(TcpStream::connect(address).unwrap()))
        .collect();
    for client in &clients {
        client.send("hello\n");
    }
    assert_eq!(clients[0].line(), "hello\n");
    server.wait_for_text("out of descriptors\n");
    for n in 0..50 {
        assert_eq!(clients[0].ask(&format!("{n}\n")), format!("{n}\n"));
    }
    clients[0].finish();
    clients[0].expect_end();
    for client in &clients[1..] {
        assert_eq!(client.line(), "hello\n");
        assert_eq!(client.ask("again\n"), "again\n");
        client.finish();
        client.expect_end();
    }
    server.type_in("\n");
    let finished = server.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
}

#[test]
#[ignore = "run by a_server_without_descriptors_goes_on"]
fn short_of_descriptors() {
    if !is_alone(test_name!("short_of_descriptors")) {
        return;
    }
    let reported = std::sync::Once::new();
    let service = Hooks::<TcpRequest>::echo().on_get_request_error(move |_| {
        reported.call_once(|| println!("out of descriptors"));
    });
    let host = start::<Tcp, _>(one_worker(), service);
    println!("listening on {}", host.server.server_address());
    let _ = std::io::stdin().read_line(&mut String::new());
    host.stop();
}
