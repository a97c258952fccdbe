//! What the log says of handlers that hold their workers.
//!
//! A binary of its own, because a process has one logger: `cargo test --features log`.

mod support;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use socketserver::transport::Tcp;
use socketserver::{Coroutines, Request, Sequential, TcpRequest, blocking, sleep};
use support::net::*;

/// Passes on what is logged.
struct Lines(OnceLock<Mutex<Sender<(Level, String)>>>);

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "socketserver"
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata())
            && let Some(lines) = self.0.get()
        {
            let line = (record.level(), record.args().to_string());
            let _ = lines.lock().unwrap().send(line);
        }
    }

    fn flush(&self) {}
}

static LINES: Lines = Lines(OnceLock::new());

#[test]
fn a_held_worker_is_reported_while_it_lasts_and_afterwards() {
    let (sender, lines) = channel();
    LINES.0.set(Mutex::new(sender)).unwrap();
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Warn);

    let gate = Gate::default();
    let service = Hooks::new({
        let gate = gate.clone();
        move |request: &mut TcpRequest| {
            // These are as they should be.
            sleep(Duration::from_millis(30));
            blocking(|| thread::sleep(Duration::from_millis(30)));
            if request.readline(100)? == b"hold\n" {
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
    client.send("hold\n");
    let (level, line) = next(&lines);
    assert_eq!(level, Level::Warn);
    // It lasts until the gate is opened, which is after this line.
    assert!(line.starts_with("a worker has not come back "), "{line}");
    gate.open();
    assert_eq!(client.rest(), b"done\n");
    let afterwards = |line: &str| line.starts_with("a handler has held its worker, ");
    while !afterwards(&next(&lines).1) {}
    assert!(host.server.stats().worker_stalls >= 1);
    host.stop();
}
