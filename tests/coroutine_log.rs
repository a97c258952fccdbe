//! Log events: about handlers that stall their coroutine worker, and about clients with hostile names.
//!
//! A test program of its own, because a process has one logger: `cargo test --features log`.

mod support;

#[cfg(unix)]
use std::ffi::OsString;
#[cfg(unix)]
use std::os::unix::ffi::OsStringExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, Once};
use std::thread;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
#[cfg(unix)]
use socket2::{Domain, SockAddr, Socket, Type};
use socketserver::transport::Tcp;
#[cfg(unix)]
use socketserver::transport::UnixStream;
use socketserver::{Coroutines, Request, Sequential, TcpRequest, blocking, sleep};
#[cfg(unix)]
use socketserver::{Threading, UnixStreamRequest};
use support::net::*;

/// A logger that sends its lines to all tests.
struct Lines(Mutex<Vec<Sender<(Level, String)>>>);

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "socketserver"
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = (record.level(), record.args().to_string());
            let tests = self.0.lock().unwrap();
            for test in tests.iter() {
                let _ = test.send(line.clone());
            }
        }
    }

    fn flush(&self) {}
}

static LINES: Lines = Lines(Mutex::new(Vec::new()));

/// Returns the lines that are logged from now on.
fn lines() -> Receiver<(Level, String)> {
    static SET_LOGGER: Once = Once::new();
    SET_LOGGER.call_once(|| log::set_logger(&LINES).unwrap());
    log::set_max_level(LevelFilter::Debug);
    let (sender, lines) = channel();
    LINES.0.lock().unwrap().push(sender);
    lines
}

/// Waits for a line that contains `text`.
fn find(lines: &Receiver<(Level, String)>, text: &str) -> (Level, String) {
    loop {
        let (level, line) = next(lines);
        if line.contains(text) {
            return (level, line);
        }
    }
}

#[cfg(unix)]
#[test]
fn names_of_clients_are_escaped() {
    let lines = lines();
    let service = Hooks::<UnixStreamRequest>::echo().on_verify(|_| false);
    let host = host::<UnixStream, Threading, _>(service);
    let name = b"\0name\n\x1b[2J\xff".to_vec();
    let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let name = OsString::from_vec(name);
    client.bind(&SockAddr::unix(name).unwrap()).unwrap();
    let server = host.server.server_address().as_path().unwrap();
    client.connect(&SockAddr::unix(server).unwrap()).unwrap();
    let (level, line) = find(&lines, "was rejected");
    assert_eq!(level, Level::Debug);
    assert!(line.contains(r"@name\n\x1b[2J\xff was"), "{line}");
}

#[test]
fn a_stalled_worker_is_reported_during_the_stall_and_afterwards() {
    let lines = lines();
    let gate = Gate::default();
    let service = Hooks::new({
        let gate = gate.clone();
        move |request: &mut TcpRequest| {
            // These calls do not stall the worker.
            sleep(Duration::from_millis(30));
            blocking(|| thread::sleep(Duration::from_millis(30)));
            if request.readline(100)? == b"stall\n" {
                gate.pass();
            }
            Ok(request.send_all("done\n")?)
        }
    });
    let host = host_with::<Tcp, Sequential, _, _>(
        service,
        |options| options,
        |server| {
            let server = server.strategy(Coroutines::new().workers(2));
            server.poll_interval(Duration::from_millis(5))
        },
    );
    let client = host.client();
    client.send("stall\n");
    // The stall lasts until the gate opens, so this line was logged during it.
    let (level, _) = find(&lines, "a worker has not polled its clients ");
    assert_eq!(level, Level::Warn);
    gate.open();
    assert_eq!(client.rest(), b"done\n");
    find(&lines, "a handler blocked its worker, ");
    assert!(host.server.stats().worker_stalls >= 1);
    host.stop();
}
