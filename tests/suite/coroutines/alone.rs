//! What concerns the whole process, and is looked at in one of its own.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socketserver::transport::Tcp;
use socketserver::{Coroutines, Request, StreamRequest, TcpRequest, blocking, sleep};

use super::{one_worker, start};
use crate::support::alone::{is_alone, run, test_name, with_arguments};
use crate::support::census::Census;
use crate::support::net::*;
use crate::support::process::Program;

// ---- nothing is left behind ----

/// What this process has, mappings of memory included.
#[derive(Clone, Copy, Debug)]
struct Holdings {
    census: Census,
    mappings: usize,
}

impl Holdings {
    fn now() -> Self {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        Self {
            census: Census::now(),
            mappings: maps.lines().count(),
        }
    }

    /// The allocator maps memory for itself as it likes, but two mappings for each of many stacks are
    /// far more than that.
    /// A thread of the first time may have been about to end when it was looked at.
    fn is_back_at(self, before: Self) -> bool {
        self.census.threads <= before.census.threads
            && self.census.descriptors <= before.census.descriptors
            && self.mappings < before.mappings + 50
    }
}

#[test]
fn nothing_is_left_behind() {
    run(test_name!("many_clients_and_servers"));
}

#[test]
#[ignore = "run by nothing_is_left_behind"]
fn many_clients_and_servers() {
    if !is_alone(test_name!("many_clients_and_servers")) {
        return;
    }
    expect_panics();
    serve_many::<Tcp>();
    let before = Holdings::now();
    for _ in 0..5 {
        serve_many::<Tcp>();
        serve_many::<socketserver::transport::UnixStream>();
        let what = "no more threads, descriptors and mappings than before";
        eventually(what, || Holdings::now().is_back_at(before));
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
    // At the same time, more than there are stacks kept for later.
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
    // One after the other.
    for _ in 0..500 {
        assert_eq!(host.client().ask("hello\n"), "hello\n");
    }
    drop(clients);
    assert!(host.server.handle().wait_until_idle(PATIENCE));
    assert_eq!(host.stop().abandoned.len(), 0);
}

// ---- doing nothing ----

#[test]
fn who_waits_needs_no_processor() {
    run(test_name!("idle"));
}

/// The time that this process has run for, in ticks of 10 ms.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = fields.split_whitespace().collect();
    // After the name and the state; `utime` and `stime` in proc(5).
    fields[11..13]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum()
}

/// Waits of all kinds: for a line, for room, asleep, in something that blocks, in the kernel's queue.
#[test]
#[ignore = "run by who_waits_needs_no_processor"]
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
    let host = start::<Tcp, _>(strategy, service);
    let handle = host.server.handle();
    let clients: Vec<_> = (0..60).map(|_| host.client()).collect();
    eventually("it is full", || handle.stats().active >= 40);
    assert_eq!(handle.stats().active, 40, "the cap");
    for (n, client) in clients.iter().enumerate() {
        client.send(["hello\n", "sleep\n", "block\n", "much\n"][n % 4]);
        if n % 8 == 5 {
            client.finish();
        }
    }
    // When everybody has begun to wait, nothing says; a second without work must come then.
    let busy_for_a_second = || {
        let before = ticks();
        std::thread::sleep(Duration::from_secs(1));
        ticks() - before > 5
    };
    let busy = (0..10).take_while(|_| busy_for_a_second()).count();
    assert!(busy < 10, "it is never idle");
    gate.open();
    // Those who sleep are not worth waiting for: they end with the process.
    drop(host);
}

// ---- out of descriptors ----

/// More clients than descriptors: those who are in go on, the others come in when there are some again.
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
    let told = std::sync::Once::new();
    let service = Hooks::<TcpRequest>::echo().on_get_request_error(move |_| {
        told.call_once(|| println!("out of descriptors"));
    });
    let host = start::<Tcp, _>(one_worker(), service);
    println!("listening on {}", host.server.server_address());
    let _ = std::io::stdin().read_line(&mut String::new());
    host.stop();
}
